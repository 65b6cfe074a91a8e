"""[IO] Who the phones are: added, removed, given another password, read.

A password is made here and told once. What is kept is HA1 for each algorithm, which opens nothing but this realm, and
is sealed all the same where the node has a key: whoever reads it can register.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.calls.phones import Phone, user_of
from gateway.numbers import PhoneNumber
from gateway.phones.contacts import read_contacts
from gateway.phones.tables import phone, phone_contact
from gateway.sip.digest import secret_of
from gateway.sip.locations import Contact

ALGORITHMS = ("SHA-256", "MD5")
# Typed in by hand, maybe with a phone's keys: nothing that looks like something else, small letters only.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """A phone as people see it. ``contacts``: where it is registered now, with the node's name."""

    number: PhoneNumber
    realm: str
    created: datetime
    contacts: tuple[tuple[str, Contact], ...] = ()


def new_password() -> str:
    """Three groups of four: 59 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))


async def add(connection: AsyncConnection, number: PhoneNumber, realm: str, password: str, at: datetime) -> bool:
    """A new phone; False: there is one of that number."""
    if (await connection.execute(select(phone.c.realm).where(phone.c.number == number.e164))).first() is not None:
        return False
    row = {"number": number.e164, "created_at": at.timestamp(), **_secrets(number, realm, password, at)}
    await connection.execute(insert(phone).values(**row))
    return True


async def change_password(
    connection: AsyncConnection, number: PhoneNumber, realm: str, password: str, at: datetime
) -> bool:
    """Another password, from the next second on; False: there is no such phone."""
    change = update(phone).where(phone.c.number == number.e164).values(**_secrets(number, realm, password, at))
    return bool((await connection.execute(change)).rowcount)


async def remove(connection: AsyncConnection, number: PhoneNumber) -> bool:
    """Forget a phone, from the next second on; False: there is no such phone."""
    await connection.execute(delete(phone_contact).where(phone_contact.c.number == number.e164))
    return bool((await connection.execute(delete(phone).where(phone.c.number == number.e164))).rowcount)


async def edition(connection: AsyncConnection) -> tuple[int, float, float]:
    """What differs when any phone does. The sum, since the clock of whoever has changed one may be behind."""
    at = phone.c.changed_at
    query = select(func.count(), func.coalesce(func.max(at), 0.0), func.coalesce(func.sum(at), 0.0))
    count, last, total = (await connection.execute(query)).one()
    return count, last, total


async def every(connection: AsyncConnection, realm: str) -> AsyncIterator[list[Phone]]:
    """All phones of ``realm``, some at a time: to open and read all of them would hold the loop up."""
    rows = await connection.stream(select(phone.c.number, phone.c.digests).where(phone.c.realm == realm))
    async for some in rows.partitions(_CHUNK):
        yield [Phone(PhoneNumber(row.number), json.loads(row.digests)) for row in some]


async def listed(connection: AsyncConnection) -> list[Listed]:
    """All phones of any realm with where they are registered, by number."""
    there: dict[str, list[tuple[str, Contact]]] = {}
    for row in await connection.execute(select(phone_contact)):
        found = [(row.node, one) for one in read_contacts(row.contacts) if one.expires > time.monotonic()]
        there.setdefault(row.number, []).extend(found)
    rows = (await connection.execute(select(phone.c.number, phone.c.realm, phone.c.created_at))).all()
    return sorted(
        (
            Listed(PhoneNumber(row.number), row.realm, datetime.fromtimestamp(row.created_at, UTC),
                   tuple(there.get(row.number, ())))
            for row in rows
        ),
        key=lambda one: one.number,
    )  # fmt: skip


def wall(now: float) -> datetime:
    """The UTC time of a moment of the monotonic clock."""
    return datetime.fromtimestamp(time.time() + (now - time.monotonic()), UTC)


def _secrets(number: PhoneNumber, realm: str, password: str, at: datetime) -> dict[str, object]:
    made = {name: secret_of(name, user_of(number), realm, password) for name in ALGORITHMS}
    return {"realm": realm, "digests": json.dumps(made), "changed_at": at.timestamp()}
