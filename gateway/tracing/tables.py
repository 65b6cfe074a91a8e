"""The tables of traces. Times are float seconds since the epoch (UTC).

``trace_switch.value`` is a number or a session id; ``trace_message.data`` the message in base64, since a database's
text takes no NUL. ``call_trace.numbers``: the call's numbers as JSON, so that they can be masked wherever they stand.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, String, Table

from gateway.schema import metadata
from gateway.vault.columns import Sealed

trace_switch = Table(
    "trace_switch", metadata, Column("id", String(32), primary_key=True), Column("kind", String(8), nullable=False),
    Column("value", Sealed("trace_switch.value"), nullable=False), Column("until", Float, nullable=False),
    Column("calls", Integer, nullable=False), Column("created_at", Float, nullable=False),
    Column("created_by", String(128), nullable=False),
)  # fmt: skip
call_trace = Table(
    "call_trace", metadata, Column("session", String(256), primary_key=True),
    Column("switch", String(32), nullable=False), Column("node", String(128), nullable=False),
    Column("numbers", Sealed("call_trace.numbers"), nullable=False),
    Column("started_at", Float, nullable=False, index=True),
)  # fmt: skip
trace_message = Table(
    "trace_message", metadata,
    Column("session", ForeignKey("call_trace.session", ondelete="CASCADE"), primary_key=True),
    Column("order", Integer, primary_key=True), Column("at", Float, nullable=False),
    Column("side", Integer, nullable=False), Column("sent", Boolean, nullable=False),
    Column("peer", String(128), nullable=False), Column("here", String(128), nullable=False),
    Column("data", Sealed("trace_message.data"), nullable=False),
)  # fmt: skip
