"""SIP (RFC 3261) as pure machines and a thin driver; knows nothing of calls, bindings or media. In reading order:

``alarms`` ``hop`` ``grammar`` ``uri`` ``headers`` ``message`` ``framing`` ``methods`` ``screening`` ``build``  messages
``transaction`` ``server_transaction`` ``large`` ``transaction_layer``   the four machines, and how messages find them
``wire`` ``dialog`` ``outputs`` ``policy`` ``session_timer`` ``reliable`` ``early_media``   what a session stands on
``invite_session`` ``invite_offers`` ``invite_refresh`` ``invite_server`` ``invite_client``   a leg's session
``sessions`` ``stateless`` ``paging`` ``reception``           all sessions; what comes outside of them, and its doors
``digest`` ``verifier`` ``authenticator`` ``locations`` ``registrar``   who somebody is, and where
``user_agent``                                              all of it behind one face
``tls_names`` ``tls_stream`` ``websocket``                  whom a certificate speaks for; layers of a connection
``target`` ``resolver`` ``named_hops``                      a server by name, and [IO] where it is (RFC 3263)
``tls`` ``stream`` ``transport`` ``endpoint``               [IO] certificates, sockets, and the driver
"""
