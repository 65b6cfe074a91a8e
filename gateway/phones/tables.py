"""``phone``: one for each number; ``digests`` is JSON, HA1 by algorithm (RFC 7616), and good for ``realm`` alone. The
realm is in the key since a part of that must be unsealed (gateway.resealing).

``phone_contact``: where a node last heard a phone, JSON of its contacts (gateway.phones.desk). What a restart brings
back is UDP's; the rest is there to be looked at.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, String, Table

from gateway.schema import metadata
from gateway.vault.columns import Sealed, SealedNumber

phone = Table(
    "phone", metadata, Column("realm", String(128), primary_key=True),
    Column("number", SealedNumber(), primary_key=True),
    Column("digests", Sealed("phone.digests"), nullable=False), Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False, index=True),
)  # fmt: skip
phone_contact = Table(
    "phone_contact", metadata,
    Column("node", String(128), primary_key=True), Column("number", SealedNumber(), primary_key=True),
    Column("contacts", Sealed("phone_contact.contacts"), nullable=False),
)  # fmt: skip
