"""The tables. Times are float seconds since the epoch (UTC); numbers E.164 text; ``payload`` and the like JSON text.

``binding_member`` holds "no user number twice on the same X" and is how a call finds its binding: (X, number).

    AXB   (X, A) and (X, B)       no user number twice on an X
    AX    (X, "")                 one binding on an X
    AXE   (X, A) and (X, "#" E)   one E for an A, one A for an E
    AXYB  (X, ""); for each relation (X, B) and (Y, A)

``origin``: file (the configuration's), out (it was, and is not there any more) or api (made by the management API).
``number.cause``: why it is UNAVAILABLE (privatenumber.md section 10). ``number_list.kind`` is black or white, ``party``
caller or callee, ``application`` "" for the whole node. ``outbox.state``: waiting, done, dead.
``recording.state``: spooling, pending, rendered, ready, empty, failed, erased (gateway.recordings.keeper); ``node`` has
its files, ``object`` is its name in the store, ``channels`` two SHA-256, ``hold`` why it may not be erased.
``cdr.payload`` is the fee's. ``day_count`` holds calls by cause (kind call) and short messages by sendResult (kind sms;
``recorded`` is 0, ``seconds`` their parts).

``SealedNumber`` and ``Sealed`` columns are encrypted when the node has a key (gateway.vault); ``vault_key`` names the
key, in one row or none.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

from gateway.vault.columns import Sealed, SealedNumber

metadata = MetaData()


def _text(name: str, length: int = 128, *, null: bool = False, index: bool | None = None) -> Column[str]:
    return Column(name, String(length), nullable=null, index=index)


def _number(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, SealedNumber(), nullable=null)


vault_key = Table(
    "vault_key", metadata, Column("id", String(8), primary_key=True), Column("since", Float, nullable=False)
)
application = Table(
    "application", metadata, Column("key", String(128), primary_key=True), _text("mode", 8),
    Column("settings", Sealed("application.settings"), nullable=False), _text("enterprise", 64, null=True, index=True),
    Column("origin", String(8), nullable=False, server_default="file"),
    Column("name", String(128), nullable=False, server_default=""),
)  # fmt: skip
number = Table(
    "number", metadata, Column("x", String(32), primary_key=True),
    Column("application", ForeignKey("application.key"), nullable=False, index=True),
    _text("area_code", 8), _text("province", 64), Column("status", Integer, nullable=False),
    Column("sms", Boolean, nullable=False), Column("origin", String(8), nullable=False, server_default="file"),
    Column("cause", Integer),
)  # fmt: skip
binding = Table(
    "binding", metadata, Column("id", String(64), primary_key=True), _text("application"), _text("mode", 8),
    _text("x", 32), _number("a"), _number("b", null=True), Column("direction", Integer, nullable=False),
    Column("created_at", Float, nullable=False), Column("duration", Integer), Column("expires_at", Float, index=True),
    Column("policy", Text, nullable=False), Column("sms", Boolean, nullable=False),
    Column("switched_on", Boolean, nullable=False), Column("show_caller", Boolean),
    Column("user_data", Sealed("binding.user_data", 256)),
    _text("extension", 4, null=True), _text("y", 32, null=True), _text("parent", 64, null=True),
    Column("callback", Sealed("binding.callback")), Column("extra", Sealed("binding.extra")),
    Index("ix_binding_parent", "parent"),
    Index("ix_binding_x", "x", "created_at"), Index("ix_binding_application_a", "application", "a"),
)  # fmt: skip
binding_member = Table(
    "binding_member", metadata, Column("x", String(32), primary_key=True),
    Column("number", SealedNumber(), primary_key=True),
    Column("binding", ForeignKey("binding.id", ondelete="CASCADE"), nullable=False, index=True),
)  # fmt: skip
temporary_callee = Table(
    "temporary_callee", metadata,
    Column("binding", ForeignKey("binding.id", ondelete="CASCADE"), primary_key=True),
    _number("callee"), Column("expires_at", Float, nullable=False),
    Column("user_data", Sealed("temporary_callee.user_data", 256)),
)  # fmt: skip
last_caller = Table(
    "last_caller", metadata, Column("binding", ForeignKey("binding.id", ondelete="CASCADE"), primary_key=True),
    _number("caller"), Column("at", Float, nullable=False),
)  # fmt: skip
number_list = Table(
    "number_list", metadata, Column("application", String(128), primary_key=True), Column("kind", String(8),
    primary_key=True), Column("party", String(8), primary_key=True),
    Column("number", SealedNumber(), primary_key=True), Column("note", Sealed("number_list.note", 256), nullable=False),
)  # fmt: skip
registered_a = Table(
    "registered_a", metadata, Column("application", String(128), primary_key=True),
    Column("number", SealedNumber(), primary_key=True),
)  # fmt: skip
open_call = Table(
    "open_call", metadata, Column("session", String(256), primary_key=True), _text("node"), _text("application"),
    Column("record", Sealed("open_call.record"), nullable=False), Column("next_seq", Integer, nullable=False),
    Column("known_at", Float, nullable=False),
)  # fmt: skip
outbox = Table(
    "outbox", metadata, Column("id", String(300), primary_key=True), _text("application"), _text("session", 256),
    Column("seq", Integer, nullable=False), _text("kind", 16),
    Column("payload", Sealed("outbox.payload"), nullable=False),
    Column("created_at", Float, nullable=False), Column("due_at", Float, nullable=False),
    Column("tries", Integer, nullable=False), _text("state", 8),
    Index("ix_outbox_due", "state", "application", "due_at"),
    Index("ix_outbox_kind", "state", "application", "kind", "due_at"),
    Index("uq_outbox_order", "session", "seq", unique=True),
)  # fmt: skip
delivery_lease = Table(
    "delivery_lease", metadata, Column("application", String(128), primary_key=True), _text("node"),
    Column("until", Float, nullable=False),
)  # fmt: skip
attempt = Table(
    "attempt", metadata, Column("id", Integer, primary_key=True, autoincrement=True),
    Column("outbox", ForeignKey("outbox.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Float, nullable=False), Column("status", Integer), _text("error", 256, null=True),
    Column("seconds", Float, nullable=False), Column("answer", Sealed("attempt.answer")),
)  # fmt: skip
recording = Table(
    "recording", metadata, Column("name", String(128), primary_key=True), _text("session", 256), _text("application"),
    Column("spool", Text, nullable=False), _text("state", 8), Column("answered_at", Float), Column("ended_at", Float),
    Column("size", Integer), _text("sha256", 64, null=True), Column("seconds", Float), Column("notice", Text),
    Column("erase_at", Float), Column("created_at", Float, nullable=False),
    Column("node", String(128), nullable=False, server_default=""),
    Column("object", String(200), nullable=False, server_default=""),
    Column("channels", Text), Column("quality", Text), Column("trouble", Text), Column("hold", Text),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_at", Float, nullable=False, server_default="0"), Column("data_key", Sealed("recording.data_key")),
    Index("ix_recording_state", "state", "erase_at"), Index("ix_recording_session", "session"),
)  # fmt: skip
cdr = Table(
    "cdr", metadata, Column("session", String(256), primary_key=True), _text("application"), _text("mode", 8),
    _text("x", 32), _number("caller", null=True), _number("callee", null=True), _text("trunk", 64),
    Column("direction", Integer, nullable=False), Column("started_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False), Column("answered", Boolean, nullable=False),
    Column("seconds", Float, nullable=False), Column("cause", Integer, nullable=False),
    Column("recorded", Boolean, nullable=False), Column("payload", Sealed("cdr.payload"), nullable=False),
    Column("quality", Text), Index("ix_cdr_ended", "ended_at", "session"),
    Index("ix_cdr_application", "application", "ended_at"),
    Index("ix_cdr_x", "x", "ended_at"), Index("ix_cdr_caller", "caller", "ended_at"),
    Index("ix_cdr_callee", "callee", "ended_at"),
)  # fmt: skip
sms_record = Table(
    "sms_record", metadata, Column("id", String(64), primary_key=True), _text("application"), _text("x", 32),
    _number("sender", null=True), _number("receiver", null=True), Column("at", Float, nullable=False),
    Column("direction", Integer, nullable=False), Column("parts", Integer, nullable=False),
    Column("result", Integer, nullable=False), Column("binding", String(64)),
    Index("ix_sms_at", "at", "id"), Index("ix_sms_application", "application", "at"), Index("ix_sms_x", "x", "at"),
    Index("ix_sms_sender", "sender", "at"), Index("ix_sms_receiver", "receiver", "at"),
)  # fmt: skip
day_count = Table(
    "day_count", metadata, Column("application", String(128), primary_key=True),
    Column("day", String(10), primary_key=True), Column("kind", String(8), primary_key=True),
    Column("result", Integer, primary_key=True), Column("count", Integer, nullable=False),
    Column("answered", Integer, nullable=False), Column("seconds", Float, nullable=False),
    Column("recorded", Integer, nullable=False), Index("ix_day_count_day", "day"),
)  # fmt: skip
