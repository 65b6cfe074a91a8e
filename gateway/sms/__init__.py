"""Short messages as octets, pure. Read: gsm7 (the alphabet), counting (how a text is cut), tpdu (one part), rpdu (what
relays it), bodies (what is sent to a trunk), pieces (parts that come are joined)."""
