"""A call as a trace of OpenTelemetry, for those who have a collector: what it spent its time on. Nothing of it exists
while ``otel.endpoint`` is not set.

``journey``   what a call did, gathered from what the exchange hands out anyway (pure)
``spans``     [IO] steps as spans, sent by a thread of the web process
``follower``  [IO] what is added when a call is over: deliveries, recordings
"""
