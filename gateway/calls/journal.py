"""[IO] Writes down what calls hand out, without ever holding a call up, and closes what a crash left open.

``put`` only appends to a queue. One task takes what is there and writes it in one transaction, and begins the next REST
seconds later at the soonest: so a busy node writes large batches and an idle one small ones at once. A database that is
locked or gone is tried again for ever.

    output            rows
    Publish           an ``outbox`` row, ``seq`` by kind
    CallOpened        an ``open_call`` row with the record: found again after a crash
    RecordingStarted  a ``recording`` row, spooling; the open call knows of it
    CallAnswered      the open call's record
    CallClosed        the fee's ``outbox`` row and ``cdr``; ``recording`` pending or empty; the open call goes
    TextClosed        an ``outbox`` row, the notice of a short message, and its ``sms_record``

``Publish(Disconnected)`` and ``CallClosed`` follow each other in the queue and are never put into two transactions, so
there is a disconnect exactly when there is a CDR. ``seq`` is fixed for each kind, so that recovery needs no look
at what was written, and the unique index forbids a second one.

While calls stand, ``known_at`` of all of them is renewed every few seconds: a crash costs no more talk time than that.
An entry that is itself at fault (it is there already, or makes no sense) is dropped with a log line, so that it can't
hold up those behind it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.calls.events import Disconnected
from gateway.calls.journal_rows import Rows, cdr_row, epoch_of, event_row, message_row, text_of
from gateway.calls.outputs import CallAnswered, CallClosed, CallOpened, Publish, RecordingStarted, TextClosed
from gateway.calls.payloads import event_payload, fee_payload, open_payload, recovered_payloads
from gateway.calls.record import CallRecord
from gateway.database import commit, writing
from gateway.schema import cdr, open_call, outbox, recording
from media.control import MOST_PARTS, part_path

_log = structlog.get_logger()
Wall = Callable[[float], datetime]
Entry = Publish | CallOpened | CallAnswered | RecordingStarted | CallClosed | TextClosed
BATCH = 200
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
REST = 0.02
"""Most of what a transaction costs is the going to and fro between two threads. A crash loses what came since."""
PULSE_SECONDS = 5.0
ALARM_BACKLOG = 10_000
# Not the database's state but the entry is at fault: another try would fail too.
UNWRITABLE = (IntegrityError, DataError, ValueError, TypeError, KeyError)


class Journal:
    """``node`` marks this node's open calls. ``wall`` turns monotonic seconds into UTC. ``on_written``: new rows, and
    whether a recording is among them that can be rendered now."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: str,
        wall: Wall,
        on_written: Callable[[bool], None] = lambda _recordings: None,
        min_recording: float = 3.0,
    ) -> None:
        self._engine = engine
        self._node = node
        self._wall = wall
        self._on_written = on_written
        self._min_recording = min_recording
        self._queue: deque[Entry] = deque()
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._standing: set[str] = set()
        self._began = float("-inf")
        self._task: asyncio.Task[None] | None = None

    @property
    def backlog(self) -> int:
        """Outputs not yet written."""
        return len(self._queue)

    async def start(self) -> None:
        """Begin writing."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def put(self, output: object) -> None:
        """Take an output; what is no entry is ignored. Never waits."""
        if isinstance(output, Entry):
            self._queue.append(output)
            self._empty.clear()
            self._more.set()

    async def flush(self) -> None:
        """Wait until all that was put is written."""
        await self._empty.wait()

    async def stop(self, seconds: float = 10.0) -> None:
        """Write what is left, as far as the database lets us in ``seconds``."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(seconds):
                await self.flush()
        except TimeoutError:
            _log.error("the journal could not be written", lost=self.backlog)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def recover(self) -> int:
        """Close the calls that this node had open when it died, with the last time known of each; how many.

        Their recordings become pending: what was heard until then is rendered. Run before ``start``.
        """
        async with writing(self._engine) as connection:
            query = select(open_call).where(open_call.c.node == self._node)
            rows = (await connection.execute(query)).all()
            for row in rows:
                spools = select(recording.c.spool).where(recording.c.session == row.session)
                spool = (await connection.execute(spools)).scalar()
                known_at = max(row.known_at, _written_at(spool))
                disconnect, fee = recovered_payloads(
                    json.loads(row.record), datetime.fromtimestamp(known_at, UTC), self._min_recording
                )
                told = select(outbox.c.kind).where(outbox.c.session == row.session)
                kinds = set((await connection.execute(told)).scalars())
                for payload in (disconnect, fee) if fee["application"] else ():
                    if payload["kind"] not in kinds:
                        await connection.execute(insert(outbox).values(**event_row(payload, time.time())))
                await connection.execute(insert(cdr).values(**cdr_row(fee)))
                state = "pending" if fee["recorded"] else "empty"
                await connection.execute(
                    update(recording)
                    .where(recording.c.session == row.session, recording.c.state == "spooling")
                    .values(state=state, answered_at=epoch_of(fee["answered"]), ended_at=epoch_of(fee["ended"]))
                )
                await connection.execute(delete(open_call).where(open_call.c.session == row.session))
        if rows:
            _log.warning("calls of a crash closed", calls=len(rows))
        return len(rows)

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        tries = 0
        while True:
            await self._wait()
            batch = self._take()
            try:
                if batch:
                    await self._commit(batch)
                else:
                    await self.pulse()
            except Exception as error:
                # Nothing of the batch was written. It stays in front of the queue until the database is back.
                if tries % 30 == 0 or self.backlog >= ALARM_BACKLOG:
                    _log.error("the journal waits for the database", error=type(error).__name__, backlog=self.backlog)
                await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1
                continue
            tries = 0
            self._done(batch)

    async def _wait(self) -> None:
        """Until there is something to write, or to say that the standing calls still stand."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PULSE_SECONDS if self._standing else None):
                await self._more.wait()
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._began + REST - loop.time()))
        self._began = loop.time()

    async def _commit(self, batch: list[Entry]) -> None:
        """One transaction; when something in it can't be written, one for each of its parts."""
        try:
            await self._write_all(batch)
        except UNWRITABLE:
            for part in _parts(batch):
                try:
                    await self._write_all(part)
                except UNWRITABLE:
                    _log.exception(
                        "the journal drops what can't be written", kinds=[type(one).__name__ for one in part]
                    )

    async def _write_all(self, entries: list[Entry]) -> None:
        rows = Rows(self._node)
        for entry in entries:
            self._add(rows, entry)
        await commit(self._engine, rows.parts())

    async def pulse(self) -> None:
        """Note that the standing calls of this node are still known to be up."""
        async with writing(self._engine) as connection:
            await connection.execute(
                update(open_call).where(open_call.c.node == self._node).values(known_at=time.time())
            )

    def _done(self, batch: list[Entry]) -> None:
        for entry in batch:
            self._queue.popleft()
            if isinstance(entry, CallOpened):
                self._standing.add(entry.record.session)
            elif isinstance(entry, CallClosed):
                self._standing.discard(entry.record.session)
        if not self._queue:
            self._more.clear()
            self._empty.set()
        if batch:
            try:
                self._on_written(any(isinstance(entry, CallClosed) and entry.record.recorded for entry in batch))
            except Exception:
                _log.exception("nobody could be told of new rows")

    def _take(self) -> list[Entry]:
        """The next batch, never ending between a disconnect and its CDR."""
        batch = [self._queue[index] for index in range(min(BATCH, len(self._queue)))]
        while batch and len(batch) < len(self._queue) and _is_disconnect(batch[-1]):
            batch.append(self._queue[len(batch)])
        return batch

    def _add(self, rows: Rows, entry: Entry) -> None:
        now = time.time()
        match entry:
            case Publish(_, event):
                if event.application:
                    rows.outbox.append(event_row(event_payload(event, self._wall), now))
            case CallOpened(_, record):
                rows.open(record.session, record.application, self._opened(record), now)
            case RecordingStarted(_, name, path, record, data_key):
                rows.recordings.append(
                    {
                        "name": name,
                        "session": record.session,
                        "application": record.application,
                        "node": self._node,
                        "data_key": base64.b64encode(data_key).decode() or None,
                        "spool": path,
                        "state": "spooling",
                        "created_at": now,
                    }
                )
                rows.change(record.session, self._opened(record), now)
            case CallAnswered(_, record):
                rows.change(record.session, self._opened(record), now)
            case TextClosed(payload):
                rows.outbox.append(event_row(payload, now))
                rows.messages.append(message_row(payload))
            case CallClosed(_, record):
                fee = fee_payload(record, self._wall)
                rows.cdrs.append(cdr_row(fee, record.quality))
                if record.application:
                    rows.outbox.append(event_row(fee, now))
                rows.close(record.session)
                rows.ends.append(self._end(record))

    def _opened(self, record: CallRecord) -> str:
        return text_of(open_payload(record, self._wall))

    def _end(self, record: CallRecord) -> dict[str, Any]:
        return {
            "of": record.session,
            "new_state": "pending" if record.recorded else "empty",
            "why": record.record_trouble or None,
            "answered": self._epoch(record.answered),
            "ended": self._epoch(record.ended),
            "heard": text_of(
                [None if span is None else [self._epoch(moment) for moment in span] for span in record.notice]
            ),
        }

    def _epoch(self, moment: float | None) -> float | None:
        return None if moment is None else self._wall(moment).timestamp()


def _is_disconnect(entry: Entry) -> bool:
    return isinstance(entry, Publish) and isinstance(entry.event, Disconnected)


def _parts(batch: list[Entry]) -> Iterator[list[Entry]]:
    """Entry by entry, but a disconnect and its CDR together."""
    part: list[Entry] = []
    for entry in batch:
        part.append(entry)
        if not _is_disconnect(entry):
            yield part
            part = []
    if part:
        yield part


def _written_at(spool: str | None) -> float:
    """When a media worker last wrote to a spool file: then the call was up. 0 when there is none."""
    latest = 0.0
    for part in range(MOST_PARTS if spool else 0):
        with contextlib.suppress(OSError):
            latest = max(latest, os.stat(part_path(spool or "", part)).st_mtime)
    return latest
