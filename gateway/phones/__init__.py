"""Phones that register with us: who they are, and where they were. In reading order:

``sheet``      what is typed into one (pure)
``tables``     their two tables
``contacts``   [IO] contacts as they are written down
``book``       [IO] adding, removing, passwords, reading
``desk``       [IO] what the running node knows of them, kept up to date both ways
"""
