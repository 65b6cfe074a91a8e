"""What is kept of calls and short messages: ``search``, ``counting`` (statistics), ``keeping`` (for how long)."""
