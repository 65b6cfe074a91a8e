"""[IO] What a running node knows of phones, kept up to date both ways: no REGISTER and no call waits for the database.

    who they are       all of them are read at the start, and again within a second of a change by anybody
    where they are     in memory; written down within a second for two reasons: a restart, and ``maskline phone list``

After a restart contacts over UDP hold: the node listens where it did, and so does the phone behind its NAT. So it need
not wait for the phone to register again, which may take an hour. Connections are gone with the process, and a phone
sees that as soon as the node does. A contact belongs to the node that the phone has registered with: its NAT lets no
other one in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.calls.phones import Phone, user_of
from gateway.database import reading, upsert, writing
from gateway.numbers import PhoneNumber
from gateway.phones import book
from gateway.phones.contacts import read_contacts, write_contacts
from gateway.phones.tables import phone_contact
from gateway.sip.locations import Contact

_log = structlog.get_logger()
LOOK_SECONDS = 1.0
_AT_ONCE = 500


class Registrations(Protocol):
    """What is told of phones: the exchange behind its endpoint."""

    def learn_phones(self, phones: Iterable[Phone]) -> None:
        """These are all."""

    def restore_phone(self, user: str, contacts: Iterable[Contact]) -> None:
        """One was here before the restart."""


@dataclass(slots=True)
class PhoneDesk:
    """``start`` before SIP is heard. ``moved`` for each ContactsChanged."""

    engine: AsyncEngine
    node: str
    realm: str
    sip: Registrations
    _edition: tuple[int, float, float] | None = None
    _moved: dict[str, tuple[Contact, ...]] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read who they are and where they were; then keep both up to date."""
        await self.look()
        await self._restore()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def stop(self) -> None:
        """Write down where they are."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._try(self.write)

    def moved(self, user: str, contacts: tuple[Contact, ...]) -> None:
        """A phone is somewhere else."""
        self._moved[user] = contacts

    async def look(self) -> None:
        """Read all phones anew when there is something new."""
        async with reading(self.engine) as connection:
            found = await book.edition(connection)
            if found == self._edition:
                return
            phones: list[Phone] = []
            async for some in book.every(connection, self.realm):
                phones += some
                await asyncio.sleep(0)
        self._edition = found
        self.sip.learn_phones(phones)
        _log.info("phones may register", count=len(phones))

    async def write(self) -> None:
        """Write down where phones are whose contacts have changed."""
        while self._moved:
            some = dict(list(self._moved.items())[:_AT_ONCE])
            async with writing(self.engine) as connection:
                for user, contacts in some.items():
                    key = {"number": f"+{user}", "node": self.node}
                    if contacts:
                        text = write_contacts(contacts)
                        await upsert(connection, phone_contact, key, {"contacts": text})
                    else:
                        where = [phone_contact.c[name] == value for name, value in key.items()]
                        await connection.execute(delete(phone_contact).where(*where))
            for user, contacts in some.items():
                if self._moved.get(user) is contacts:
                    del self._moved[user]

    async def _restore(self) -> None:
        async with reading(self.engine) as connection:
            query = select(phone_contact).where(phone_contact.c.node == self.node)
            rows = (await connection.execute(query)).all()
        for row in rows:
            self.sip.restore_phone(user_of(PhoneNumber(row.number)), read_contacts(row.contacts))

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self._try(self.write)
            await self._try(self.look)

    async def _try(self, act: Callable[[], Any]) -> None:
        try:
            await act()
        except Exception:
            _log.exception("phones could not be read or written down; it is tried again")
