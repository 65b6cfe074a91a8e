"""Tables beside ``recording`` (gateway.schema): the chain of proof, its days, and the clock that retention goes by.

``recording_proof`` is only ever added to; ``facts`` is JSON, ``hash`` covers it and ``previous``. ``recording_day`` has
one row for each day that is over. Both stay when a recording is erased.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from gateway.schema import metadata

recording_proof = Table(
    "recording_proof", metadata, Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("day", String(10), nullable=False), Column("kind", String(16), nullable=False),
    Column("name", String(128), nullable=False), Column("facts", Text, nullable=False),
    Column("previous", String(64), nullable=False), Column("hash", String(64), nullable=False),
    Index("ix_recording_proof_name", "name"),
)  # fmt: skip
recording_day = Table(
    "recording_day", metadata, Column("day", String(10), primary_key=True), Column("last", Integer, nullable=False),
    Column("entries", Integer, nullable=False), Column("head", String(64), nullable=False),
    Column("previous", String(64), nullable=False), Column("signature", String(128), nullable=False),
    Column("key", String(64), nullable=False),
)  # fmt: skip
retention_clock = Table(
    "retention_clock", metadata, Column("node", String(128), primary_key=True), Column("at", Float, nullable=False),
    Column("ticks", Float, nullable=False), Column("boot", String(64), nullable=False),
)  # fmt: skip
