"""[IO] Puts a call's question to the customer's server, once, and writes down what came of it.

A blocking ``callin`` is not retried (privatenumber.md section 6). In the ledger it stands beside what was pushed: an
outbox row of kind ``question``, done or dead, never waiting, with its one attempt.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.api.callbacks import Client, Outcome
from gateway.api.events import encoded
from gateway.api.pushes import asking_address, push_headers
from gateway.api.sms import block_body, read_block_answer
from gateway.api.x_mode import bad, callin_body, read_answer
from gateway.bindings.models import Application
from gateway.bindings.store import BindingStore
from gateway.database import writing
from gateway.numbers import PhoneNumber
from gateway.questions import Question, TextQuestion, TextVerdict, Verdict
from gateway.schema import attempt, outbox

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Note:
    """What came of a question; ``outcome`` None: nobody could be asked."""

    outcome: Outcome | None
    seconds: float


class Asker:
    """``tone_exists(application, name)``; ``clock`` gives epoch seconds; ``seconds``: for the whole answer; ``nonce()``
    fresh text."""

    def __init__(
        self,
        engine: AsyncEngine,
        store: BindingStore,
        client: Client,
        tone_exists: Callable[[str, str], bool],
        *,
        seconds: float,
        clock: Callable[[], float],
        nonce: Callable[[], str] = secrets.token_hex,
    ) -> None:
        self._engine = engine
        self._store = store
        self._client = client
        self._tone_exists = tone_exists
        self._seconds = seconds
        self._clock = clock
        self._nonce = nonce

    async def ask(self, question: Question) -> tuple[Verdict, Note]:
        """The customer's verdict. Never raises but when cancelled."""
        try:
            application = await self._store.application(question.application)
            if application is None or not asking_address(application):
                return bad(question), Note(None, 0.0)
            began = time.monotonic()
            outcome, answer = await self._post(application, question)
            note = Note(outcome, time.monotonic() - began)
            if not outcome.ok:
                return bad(question), note
            verdict = read_answer(answer, question, application, lambda name: self._tone_exists(application.key, name))
            if verdict.callee and verdict.shown != question.called:
                verdict = await self._checked(application, question, verdict)
            return verdict, note
        except Exception:
            _log.exception("a customer's server could not be asked", call=question.session)
            return bad(question), Note(None, 0.0)

    async def ask_text(self, question: TextQuestion) -> TextVerdict:
        """The customer's verdict on a short message. Never raises but when cancelled."""
        try:
            application = await self._store.application(question.application)
            if application is None or not application.sms_control_url:
                return TextVerdict(question.id, False)
            body = encoded(block_body(question, application))
            outcome, answer = await self._send(application, application.sms_control_url, body, question.message)
            return read_block_answer(answer, question) if outcome.ok else TextVerdict(question.id, False)
        except Exception:
            _log.exception("a customer's server could not be asked about a message", message=question.message)
            return TextVerdict(question.id, False)

    async def _checked(self, application: Application, question: Question, verdict: Verdict) -> Verdict:
        """Another number may be shown when it is an X of the same application."""
        found = await self._store.find(None, PhoneNumber(verdict.shown), datetime.fromtimestamp(self._clock(), UTC))
        owner = found.application
        return verdict if owner is not None and owner.key == application.key else bad(question)

    async def _post(self, application: Application, question: Question) -> tuple[Outcome, bytes]:
        body = encoded(callin_body(question, _iso(question.at)))
        return await self._send(application, asking_address(application), body, _row(question))

    async def _send(self, application: Application, url: str, body: bytes, event: str) -> tuple[Outcome, bytes]:
        now = datetime.fromtimestamp(self._clock(), UTC)
        headers = push_headers(application, event, self._nonce(), now)
        return await self._client.ask(url, body, headers, private=application.private_callbacks, seconds=self._seconds)

    async def write_down(self, question: Question, note: Note) -> None:
        """The row of the ledger; a database that is gone costs the row, not the call."""
        now = self._clock()
        payload = {
            "version": 1,
            "kind": "question",
            "session": question.session,
            "application": question.application,
            "mode": "X",
            "at": _iso(question.at),
            "caller": question.caller or None,
            "called": question.called,
            "binding": None,
            "user_data": None,
        }
        outcome = note.outcome
        row = {
            "id": _row(question),
            "application": question.application,
            "session": question.session,
            "seq": 0,
            "kind": "question",
            "payload": json.dumps(payload),
            "created_at": question.at,
            "due_at": now,
            "tries": 0 if outcome is None else 1,
            "state": "done" if outcome is None or outcome.ok else "dead",
        }
        try:
            async with writing(self._engine) as connection:
                await connection.execute(insert(outbox).values(**row))
                if outcome is not None:
                    tried = {"at": now, "status": outcome.status, "error": outcome.error, "seconds": note.seconds}
                    tried["answer"] = outcome.answer.replace("\0", "") or None
                    await connection.execute(insert(attempt).values(outbox=row["id"], **tried))
        except Exception:
            _log.exception("a question could not be written down", call=question.session)


def _row(question: Question) -> str:
    return f"{question.session}.0"


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
