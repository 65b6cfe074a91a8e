"""[IO] Mails to contacts: a row first, in the transaction of what they tell, and a sender that tries until it is done.

A row is *waiting* until the server took it (*sent*) or the waits below are used up (*failed*). A sender that takes a
row pushes its ``due_at`` on before it connects, so that no other node sends it too, and one that dies in between leaves
it due again. Notices by kind: orders, tones, enterprises, numbers, deadletters. Mails hold no number of a person.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Literal

import aiosmtplib
import structlog
from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.admin.audit import Change
from gateway.admin.tables import contact, mail
from gateway.database import reading, writing

_log = structlog.get_logger()
Notice = Literal["orders", "tones", "enterprises", "numbers", "deadletters"]
WAITS = (60.0, 300.0, 1800.0, 7200.0, 21600.0)
LEASE = 120.0
SECONDS = 30.0
POLL = 10.0
SOME = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """The SMTP server. ``tls``: starttls, tls from the first byte, or none. Without ``host`` nothing is sent."""

    host: str = ""
    port: int = 587
    user: str = ""
    password: str = ""
    sender: str = ""
    tls: Literal["starttls", "tls", "none"] = "starttls"


async def tell(change: Change, enterprise: str | None, notice: Notice, subject: str, body: str) -> int:
    """Write mails to the enterprise's contacts that want such notices; how many."""
    if enterprise is None:
        return 0
    query = select(contact.c.email, contact.c.notices).where(contact.c.enterprise == enterprise, contact.c.email != "")
    wanting = [row.email for row in await change.connection.execute(query) if notice in row.notices.split()]
    at = change.at.timestamp()
    rows = [
        {"id": str(uuid.uuid4()), "recipient": address, "subject": " ".join(subject.split())[:256], "body": body,
         "created_at": at, "due_at": at, "tries": 0, "state": "waiting", "error": ""}
        for address in dict.fromkeys(wanting)
    ]  # fmt: skip
    if rows:
        await change.connection.execute(insert(mail), rows)
    return len(rows)


class Mailer:
    """``start`` runs it; ``wake`` says that there may be mail; ``send_due`` is one round."""

    def __init__(self, engine: AsyncEngine, settings: MailSettings, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; without a server there is nothing to do."""
        if self._settings.host:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def wake(self) -> None:
        """There may be mail."""
        self._wake.set()

    async def stop(self) -> None:
        """End; what is under way is sent again by the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.send_due()
            except Exception:
                _log.exception("mail could not be looked through")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._wake.wait()

    async def send_due(self) -> int:
        """Try every mail that is due, once; how many were sent."""
        sent = 0
        now = self._clock().timestamp()
        async with reading(self._engine) as connection:
            due = (
                select(mail).where(mail.c.state == "waiting", mail.c.due_at <= now).order_by(mail.c.due_at).limit(SOME)
            )
            rows = (await connection.execute(due)).all()
        for row in rows:
            if await self._take(row):
                error = await self._send(row)
                sent += not error
                await self._note(row, error)
        return sent

    async def _take(self, row: Row[Any]) -> bool:
        mine = (mail.c.id == row.id, mail.c.state == "waiting", mail.c.due_at == row.due_at)
        later = self._clock().timestamp() + LEASE
        async with writing(self._engine) as connection:
            return bool((await connection.execute(update(mail).where(*mine).values(due_at=later))).rowcount)

    async def _note(self, row: Row[Any], error: str) -> None:
        tries = row.tries + 1
        values: dict[str, Any] = {"tries": tries, "error": error[:256]}
        if not error:
            values["state"] = "sent"
        elif tries > len(WAITS):
            values["state"] = "failed"
        else:
            values["due_at"] = self._clock().timestamp() + WAITS[tries - 1]
        async with writing(self._engine) as connection:
            await connection.execute(update(mail).where(mail.c.id == row.id).values(**values))

    async def _send(self, row: Row[Any]) -> str:
        """What went wrong, or ""."""
        settings = self._settings
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = settings.sender, row.recipient, row.subject
        message["Date"] = format_datetime(datetime.fromtimestamp(row.created_at, UTC))
        # The same for every try, so that a server that took it twice can tell.
        message["Message-ID"] = f"<{row.id}@{settings.sender.rpartition('@')[2] or 'maskline'}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(row.body)
        try:
            # The library's time-out is for each step; the whole must end before the lease does.
            async with asyncio.timeout(LEASE / 2):
                await aiosmtplib.send(
                    message, hostname=settings.host, port=settings.port, username=settings.user or None,
                    password=settings.password or None, use_tls=settings.tls == "tls",
                    start_tls=settings.tls == "starttls", timeout=SECONDS,
                )  # fmt: skip
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())}"
        return ""
