"""Bindings. Read: models (values), areas (what a number's prefix says), routing (who is called, pure)."""
