"""The signalling side of Maskline, in reading order:

``numbers`` ``causes`` ``errors`` leaves that everything speaks of
``config``     one frozen tree of settings
``sip``        RFC 3261 as pure machines, and their driver
``sdp``        offers and answers
``bindings``   who reaches whom through an X number
``calls``      the call itself: from INVITE to CDR
``api``        what customers' clients and servers see
``schema`` ``database`` ``migrations`` the tables and how to reach them
``lab``        scripted phones and the demo
``assembly`` ``start`` ``channel`` ``web`` ``service`` ``cli`` the processes of a node and the command line
"""
