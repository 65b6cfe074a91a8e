"""[IO] The native management API under ``/v1``: for the operator, his customers, reviewers and auditors.

In reading order: ``roles`` (who may do what), ``tables``, ``tokens`` (who is it), ``audit`` (who did what),
``failures`` and ``paging`` (one shape for errors and lists), ``door`` (a request becomes an actor), ``context``,
``app``; then one file a topic, with the store of a topic that needs more than a statement beside it: ``enterprises``,
``applications``, ``addresses``, ``stock`` and ``numbers``, ``orders``, ``lists``, ``contacts`` and ``mail``, ``calls``.
"""
