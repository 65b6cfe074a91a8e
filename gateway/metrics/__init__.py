"""What is counted, and how Prometheus gets it. In reading order:

``catalog``   every metric: name, kind, labels, help, the alert that it feeds; docs/metrics.md is compared with it
``tally``     plain dictionaries that are counted in, and rows of numbers that travel between processes
``traffic``   SIP messages by method, code, trunk, direction, transport
``calls``     what the end of a call tells
``stalls``    how late an event loop runs [IO]
``backlog``   what the database says of outbox and recordings [IO]
``page``      rows in, Prometheus text out
``door``      ``GET /metrics``: who may read it
"""
