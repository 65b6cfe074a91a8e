"""Maskline for Python programs that use it. ``pytest``: the lab as fixtures of pytest."""
