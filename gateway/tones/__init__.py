"""Customers' tones, from the upload to the call: ``names``, ``convert``, ``child``, ``tables``, ``states``, ``store``,
``shelf``, ``folder``."""
