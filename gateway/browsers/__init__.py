"""Browsers as phones: their audio goes by way of the edge (media/webrtc.py). In reading order:

``crossing``   the messages of WebSockets on their way in and out: descriptions are exchanged with the edge (pure)
``dialog``     what is known of one dialog
``bodies``     the descriptions that messages carry
``parting``    what is said for a browser that is gone
``line``       [IO] the edge's process: spawn, talk, spawn again
"""
