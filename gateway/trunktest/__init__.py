"""``maskline trunk-test``: calls to a real trunk, each to see one thing, and a report with the trace of what failed.

``party``      one call of ours, every request of it in our hands
``desk``       the calls that are under way, as the core of a SIP endpoint
``ears``       the sound of a call: a stream of ours, and what comes [IO]
``stage``      the trunk, the numbers, and waiting for what happens [IO]
``scenarios``  what is tried, and what is made of it
``setting``    a stage from the configuration [IO]
``running``    one after the other; the report [IO]
"""
