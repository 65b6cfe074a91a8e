"""[IO] What became of outbox rows, written down in groups: a transaction for all that came while the last was written.

A busy node delivers a thousand messages a second; a transaction for each would cost more than the message. Until its
note is written a row still looks due in the table, so whoever reads the table leaves out the sessions in ``held``. A
database that is gone is tried again for ever; a crash before the write sends those rows once more.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.api.callbacks import Outcome
from gateway.api.due import Event
from gateway.database import Part, ask, commit
from gateway.schema import application, attempt, outbox, recording

_log = structlog.get_logger()
RETRY_SECONDS = 1.0
GROUP = 500
DAY = 86400.0
DAYS_SECONDS = 60.0
PACE = 0.05
"""Seconds in which notes gather: a transaction costs as much as the delivery of several messages."""
# The note is at fault (its row is gone), not the database's state.
UNWRITABLE = (IntegrityError, DataError)
OnAttempt = Callable[[Event, Outcome, float, float], None]
_STATE = update(outbox).where(outbox.c.id == bindparam("row")).values(
    tries=bindparam("new_tries"), state=bindparam("new_state"), due_at=bindparam("new_due")
)  # fmt: skip
_TRIED = insert(attempt)
_SETTINGS = select(application.c.settings).where(application.c.key == bindparam("wanted"))
_ERASE = update(recording).where(recording.c.session == bindparam("of")).values(erase_at=bindparam("at"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One row's new state, and the attempt that led to it (``outcome`` None: nothing was sent)."""

    row: str
    session: str
    tries: int
    state: str
    due_at: float
    at: float
    outcome: Outcome | None
    seconds: float
    erase_at: float | None
    application: str = ""


class AttemptLog:
    """``plan``: seconds to wait after each failure. ``keep``: seconds that a recording lives from its CDR's push on,
    where its application doesn't say, by the time that ``steady`` gives (gateway.recordings.clock).

    ``on_written`` is called after each transaction, ``on_attempt`` for each attempt, with when it began and ended.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        plan: Sequence[float],
        keep: float,
        clock: Callable[[], float],
        on_written: Callable[[bool], None],
        steady: Callable[[], float] | None = None,
        on_attempt: OnAttempt | None = None,
    ) -> None:
        self._engine = engine
        self._plan = tuple(plan)
        self._keep = keep
        self._clock = clock
        self._steady = steady or clock
        self._days: dict[str, tuple[float, int | None]] = {}
        """For how long an application's recordings are kept, and until when that is not asked again."""
        self._on_written = on_written
        self._on_attempt = on_attempt
        self._notes: list[Note] = []
        self._task: asyncio.Task[None] | None = None
        self.held: Counter[str] = Counter()
        """Sessions of rows whose state in the table is out of date."""

    def put(self, row: Event, outcome: Outcome | None, seconds: float = 0.0, *, forever: bool = False) -> bool:
        """Note what became of a row; whether it is done with. ``forever``: a failure that no other try can mend."""
        now = self._clock()
        state, due_at = "done", row.due_at
        if outcome is not None and not outcome.ok:
            again = not forever and row.tries < len(self._plan)
            state, due_at = ("waiting", now + self._plan[row.tries]) if again else ("dead", row.due_at)
        finished = state != "waiting"
        note = Note(
            row=row.id,
            session=row.session,
            tries=row.tries + 1,
            state=state,
            due_at=due_at,
            at=now,
            outcome=outcome,
            seconds=seconds,
            # Files live so long from the moment that the CDR was pushed (privatenumber.md section 5).
            erase_at=self._steady() if finished and row.kind == "fee" else None,
            application=row.application,
        )
        self._notes.append(note)
        if self._on_attempt is not None and outcome is not None:
            self._on_attempt(row, outcome, now - seconds, now)
        self.held[row.session] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write())
        return finished

    async def flush(self) -> None:
        """Wait until all notes are written."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Give up what isn't written: it will be sent again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _write(self) -> None:
        while self._notes:
            await asyncio.sleep(PACE)
            group = self._notes[:GROUP]
            try:
                try:
                    await self._commit(group)
                except UNWRITABLE:
                    for note in group:
                        await self._commit_or_drop(note)
            except Exception:
                _log.exception("what became of events could not be written", waiting=len(self._notes))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            del self._notes[: len(group)]
            self.held -= Counter(note.session for note in group)
            self._on_written(all(note.state == "done" for note in group))

    async def _commit(self, group: Sequence[Note]) -> None:
        await self._learn_days({note.application for note in group if note.erase_at is not None})
        await commit(self._engine, _parts([self._with_life(note) for note in group]))

    async def _learn_days(self, keys: set[str]) -> None:
        """How long recordings of these applications are kept, asked once a minute."""
        now = self._clock()
        for key in keys:
            if self._days.get(key, (float("-inf"), None))[0] <= now:
                said = [json.loads(settings) for (settings,) in await ask(self._engine, _SETTINGS, {"wanted": key})]
                self._days[key] = now + DAYS_SECONDS, said[0].get("recording_days") if said else None

    def _with_life(self, note: Note) -> Note:
        if note.erase_at is None:
            return note
        days = self._days[note.application][1]
        return replace(note, erase_at=note.erase_at + (self._keep if days is None else days * DAY))

    async def _commit_or_drop(self, note: Note) -> None:
        """One that can't be written must not hold up the others."""
        try:
            await self._commit([note])
        except UNWRITABLE:
            _log.exception("what became of an event can't be written", row=note.row)


def _parts(group: Sequence[Note]) -> list[Part]:
    """The statements of one transaction."""
    states = [
        {"row": note.row, "new_tries": note.tries, "new_state": note.state, "new_due": note.due_at} for note in group
    ]
    tried = [
        {"outbox": note.row, "at": note.at, "status": note.outcome.status, "error": note.outcome.error,
         "seconds": note.seconds, "answer": note.outcome.answer.replace("\0", "") or None}
        for note in group
        if note.outcome is not None
    ]  # fmt: skip
    erased = [{"of": note.session, "at": note.erase_at} for note in group if note.erase_at is not None]
    return [(_STATE, states), (_TRIED, tried), (_ERASE, erased)]
