"""The customer's server in virtual time: what is pushed to it, when, and again when it fails.

As the outbox does it (gateway.api.outbox): a call's rows in their order, the next when the one before was taken; CDRs
that are due within ``merge`` seconds in one message; a failure is tried again after the plan's minutes, with the same
``X-Event-Id``. Bodies and headers are made by the same functions. ``post`` takes real time, but none of the scenario's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.api.callbacks import Client, Outcome
from gateway.api.events import MERGE_LIMIT, CdrFacts, encoded, fee_body
from gateway.api.pushes import address, push_body, push_headers
from gateway.bindings.models import Application
from gateway.calls.journal_rows import SEQ
from gateway.scenarios.played import Push


@dataclass(slots=True)
class _Row:
    id: str
    kind: str
    payload: Mapping[str, Any]
    due: float
    tries: int = 0


@dataclass(slots=True)
class Pushing:
    """``plan``: seconds after each failure. ``present``: the time that signatures bear; ``nonce()``: theirs."""

    application: Application
    facts: CdrFacts
    client: Client
    plan: Sequence[float]
    merge: float
    present: Callable[[], datetime]
    nonce: Callable[[], str]
    pushes: list[Push] = field(default_factory=list)
    _calls: dict[str, list[_Row]] = field(default_factory=dict)
    _batch_at: float | None = None

    def put(self, payload: Mapping[str, Any], now: float) -> None:
        """Something is to be told."""
        row = _Row(f"{payload['session']}.{SEQ[payload['kind']]}", payload["kind"], payload, now)
        self._calls.setdefault(payload["session"], []).append(row)

    @property
    def deadline(self) -> float | None:
        """When there is something to send."""
        due = [rows[0].due for rows in self._calls.values() if self._batch_at is None or rows[0].kind != "fee"]
        return min([*due, *([] if self._batch_at is None else [self._batch_at])], default=None)

    async def handle_timeout(self, now: float) -> None:
        """Send what is due."""
        for session in list(self._calls):
            rows = self._calls[session]
            while rows and rows[0].due <= now and rows[0].kind != "fee":
                if not await self._send([rows[0]], push_body(rows[0].kind, rows[0].payload), now):
                    break
                del rows[0]
            if rows and rows[0].kind == "fee" and rows[0].due <= now and self._batch_at is None:
                self._batch_at = now + self.merge
            if not rows:
                del self._calls[session]
        if self._batch_at is not None and self._batch_at <= now:
            self._batch_at = None
            await self._send_fees(now)

    async def _send_fees(self, now: float) -> None:
        heads = [rows[0] for rows in self._calls.values() if rows[0].kind == "fee" and rows[0].due <= now]
        for first in range(0, len(heads), MERGE_LIMIT):
            batch = heads[first : first + MERGE_LIMIT]
            body = encoded(fee_body([(row.id, row.payload) for row in batch], self.facts))
            if await self._send(batch, body, now):
                for row in batch:
                    del self._calls[row.payload["session"]]

    async def _send(self, rows: Sequence[_Row], body: bytes, now: float) -> bool:
        """Whether the rows are done with: taken, or given up."""
        url = address(self.application, rows[0].kind)
        if not url:
            return True
        headers = push_headers(self.application, rows[0].id, self.nonce(), self.present())
        outcome = await self.client.post(url, body, headers, private=self.application.private_callbacks)
        self.note(Push(now, url, headers, body, outcome.status, outcome.error or "", outcome.answer))
        if outcome.ok:
            return True
        for row in rows:
            row.tries += 1
            row.due = now + self.plan[min(row.tries, len(self.plan)) - 1] if self.plan else now
        return rows[0].tries > len(self.plan)

    def note(self, push: Push) -> None:
        """Something went out."""
        self.pushes.append(push)


class Answering:
    """A customer's server without a network: takes everything, and answers questions with ``answers`` one by one."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = list(answers)

    async def post(self, url: str, body: bytes, headers: dict[str, str], *, private: bool) -> Outcome:
        return Outcome(200)

    async def ask(
        self, url: str, body: bytes, headers: dict[str, str], *, private: bool, seconds: float | None = None
    ) -> tuple[Outcome, bytes]:
        answer = self._answers.pop(0) if self._answers else b""
        return Outcome(200, answer=answer.decode()), answer


class Noting:
    """Another client, and what questions went by it: they are no rows, but the customer sees them."""

    def __init__(self, client: Client, note: Callable[[Push], None], now: Callable[[], float]) -> None:
        self._client = client
        self._note = note
        self._now = now

    async def post(self, url: str, body: bytes, headers: dict[str, str], *, private: bool) -> Outcome:
        return await self._client.post(url, body, headers, private=private)

    async def ask(
        self, url: str, body: bytes, headers: dict[str, str], *, private: bool, seconds: float | None = None
    ) -> tuple[Outcome, bytes]:
        outcome, answer = await self._client.ask(url, body, headers, private=private, seconds=seconds)
        self._note(Push(self._now(), url, headers, body, outcome.status, outcome.error or "", outcome.answer))
        return outcome, answer
