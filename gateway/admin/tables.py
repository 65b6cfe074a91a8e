"""The tables of the management API. Times are float seconds since the epoch (UTC).

``admin_token.digest``: SHA-256 of the secret half, which is random, so it needs no slow hash. ``enterprise.state``:
review, approved, rejected, suspended. ``stock_number``: X numbers that belong to no application yet.
``number_order.state``: review, rejected, processing, done. ``pending_address``: a callback address that acts later.
``mail.state``: waiting, sent, failed. Mails hold no number. ``console_session.id``: SHA-256 of a browser's cookie.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from gateway.schema import metadata
from gateway.vault.columns import Sealed


def _text(name: str, length: int = 128, *, null: bool = False) -> Column[str]:
    return Column(name, String(length), nullable=null)


def _sealed(place: str, length: int = 128) -> Column[str]:
    return Column(place.partition(".")[2], Sealed(place, length), nullable=False)


admin_token = Table(
    "admin_token", metadata, Column("id", String(32), primary_key=True), _text("name"), _text("role", 16),
    _text("enterprise", 64, null=True), _text("digest", 64), Column("created_at", Float, nullable=False),
    _text("created_by"), Column("expires_at", Float), Column("revoked_at", Float),
)  # fmt: skip
console_session = Table(
    "console_session", metadata, Column("id", String(64), primary_key=True), _text("token", 32),
    Column("created_at", Float, nullable=False), Column("expires_at", Float, nullable=False, index=True),
    Column("reveals_until", Float),
)  # fmt: skip
audit_entry = Table(
    "audit_entry", metadata, Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False, index=True), _text("token", 32), _text("actor"), _text("role", 16),
    _text("source", 64), _text("action", 64), _text("subject", 160), _text("enterprise", 64, null=True),
    Column("detail", Text, nullable=False), Index("ix_audit_subject", "subject", "id"),
)  # fmt: skip
enterprise = Table(
    "enterprise", metadata, Column("id", String(64), primary_key=True), _text("name", 256), _text("state", 16),
    _text("reason", 512),
    Column("details", Sealed("enterprise.details"), nullable=False),
    Column("max_applications", Integer, nullable=False), Column("created_at", Float, nullable=False),
)  # fmt: skip
stock_number = Table(
    "stock_number", metadata, Column("x", String(32), primary_key=True), _text("area_code", 8), _text("province", 64),
    Column("sms", Boolean, nullable=False), Column("added_at", Float, nullable=False),
    Index("ix_stock_area", "area_code", "x"),
)  # fmt: skip
number_order = Table(
    "number_order", metadata, Column("id", String(64), primary_key=True), _text("enterprise", 64),
    Column("application", ForeignKey("application.key"), nullable=False), _text("contact", 64, null=True),
    _text("area_code", 8), Column("count", Integer, nullable=False), Column("sms", Boolean, nullable=False),
    _text("state", 16), _text("reason", 512), _text("note", 512), Column("created_at", Float, nullable=False),
    Column("decided_at", Float), Index("ix_order_created", "created_at", "id"),
)  # fmt: skip
ordered_number = Table(
    "ordered_number", metadata,
    Column("order", ForeignKey("number_order.id", ondelete="CASCADE"), primary_key=True),
    Column("x", String(32), primary_key=True),
)  # fmt: skip
contact = Table(
    "contact", metadata, Column("id", String(64), primary_key=True), _text("enterprise", 64), _sealed("contact.name"),
    _sealed("contact.phone", 32), _sealed("contact.email", 256), _text("notices", 256),
    Column("created_at", Float, nullable=False),
    Index("ix_contact_enterprise", "enterprise"),
)  # fmt: skip
pending_address = Table(
    "pending_address", metadata, Column("application", ForeignKey("application.key"), primary_key=True),
    Column("name", String(32), primary_key=True), _text("url", 1024),
    Column("due_at", Float, nullable=False, index=True),
)  # fmt: skip
mail = Table(
    "mail", metadata, Column("id", String(64), primary_key=True), _sealed("mail.recipient", 256), _text("subject", 256),
    Column("body", Sealed("mail.body"), nullable=False), Column("created_at", Float, nullable=False),
    Column("due_at", Float, nullable=False), Column("tries", Integer, nullable=False), _text("state", 8),
    _text("error", 256), Index("ix_mail_due", "state", "due_at"),
)  # fmt: skip
