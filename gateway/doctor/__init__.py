"""``maskline doctor``: what the machine and the configuration lack, and what to do about it. In reading order:

``finding``       one line of the report: ok, a warning or a failure, and a hint
``network``       the advertised address, SIP ports, the RTP range
``browsers``      sockets, ports and the NAT of browsers that are phones
``limits``        files, socket buffers, the clock
``certificates``  expiry, names, chain
``storage``       folders, tones, the key file
``world``         the facts that these look at [IO]
``services``      the database, the recordings' store, callbacks, trunk peers [IO]
``rounds``        all checks, in the order of the report [IO]
"""
