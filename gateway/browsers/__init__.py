"""Browsers as phones: their audio goes by way of the edge (media/webrtc.py). In reading order:

``crossing``   the messages of WebSockets on their way in and out: descriptions are exchanged with the edge (pure)
``bodies``     the descriptions that messages carry
``line``       [IO] the edge's process: spawn, talk, spawn again
"""
