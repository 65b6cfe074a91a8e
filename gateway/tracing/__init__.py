"""What one call said on the wire, when somebody asks for it. In reading order:

``messages``   a SIP message as it was seen; its Call-ID
``threads``    which call a Call-ID belongs to
``recorder``   timed switches, and the messages of the calls that they match
``masking``    numbers starred in a message, without changing its length
``tables``     switches, traced calls and their messages
``store``      the same in the database, bounded; messages are sealed when the node has a key [IO]
``shown``      a trace as a text ladder
``pcap``       a trace as a file for Wireshark
``hep``        one message as a HEPv3 packet for Homer
``collector``  sends these [IO]
``keeper``     the web process asks for switches and writes down messages [IO]
``tap``        what the SIP endpoint tells all of the above [IO]
"""
