"""Encryption at rest. Read: cipher (what a key makes of a text), columns (which are sealed how), keys (the file),
guard (which key the database is under). ``gateway.resealing`` changes the key."""
