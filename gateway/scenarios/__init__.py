"""The lab for customers' CI: scenario files of whole calls, played in virtual time. In reading order:

form scenario       a file, read strictly; what it means to the node that plays it
matching            what a field must be
stage               phones, carrier, network, exchange and media rooms in virtual time
desk                the database and the REST API without sockets [IO]
pushing             what the customer's server gets, when
virtual             a scenario on that stage [IO]
played judging      what it came to, and whether that was expected
reporting running   lines, ladders, JUnit; ``maskline lab run`` [IO]
"""
