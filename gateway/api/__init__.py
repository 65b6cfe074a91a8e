"""The vendor's REST dialect, and the pushes to customers' servers. In reading order:

``errors`` ``auth`` ``limits`` ``fields`` ``context`` ``gate`` ``links`` ``policy``   what every request goes through
``axb`` ``ax`` ``call_stop`` ``recordings`` ``app`` ``server``                 the routes, and all of them as one server
``events`` ``callbacks`` ``breaker`` ``due`` ``attempts`` ``outbox``             events and CDRs on their way out
``keeper``                                                                       recordings rendered and erased
"""
