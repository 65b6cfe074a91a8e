"""The lab for customers' CI: scenario files of whole calls, in virtual time or on a real node. In reading order:

form scenario       a file, read strictly; what it means to the node that plays it
matching            what a field must be
stage               phones, carrier, network, exchange and media rooms in virtual time
desk                the database and the REST API without sockets [IO]
pushing             what the customer's server gets, when
calling virtual     a scenario on that stage [IO]
carrier relay real  a scenario on a real node: phones on sockets, what stands before the customer's server [IO]
played judging      what it came to, and whether that was expected
reporting running   lines, ladders, JUnit; ``maskline lab run`` [IO]
serving             ``maskline lab serve``: a node that stays [IO]
handles             the lab for a test's own thread: what maskline.pytest gives [IO]
"""
