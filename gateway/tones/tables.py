"""The table of uploaded tones. ``application`` "" for all customers' tones; ``slot`` is live or candidate (states.py).

``sound`` is the WAV file, at most 2 MB, so that every node of a database has it.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, LargeBinary, String, Table

from gateway.schema import metadata

tone = Table(
    "tone", metadata, Column("application", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("slot", String(16), primary_key=True), Column("state", String(16), nullable=False),
    Column("reason", String(512), nullable=False), Column("sound", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False), Column("seconds", Float, nullable=False),
    Column("sha256", String(64), nullable=False), Column("converted", Integer, nullable=False),
    Column("uploaded_at", Float, nullable=False), Column("reviewed_at", Float),
)  # fmt: skip
