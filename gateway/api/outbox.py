"""[IO] Delivery of events and CDRs from the outbox: in order for each call, each target by itself, never lost.

A row is ``waiting`` until its POST got a 2xx (``done``) or the retry plan is used up (``dead``). Every call has one
task at a time, which walks its rows in ``seq`` order and stops at the first that fails, so events never overtake. An
application has at most ``IN_HAND`` such tasks and ``PARALLEL`` messages under way, so a dead target costs others
nothing. What became of rows is written in groups (``attempts``). CDRs of one application that are
due within ``merge_seconds`` go in one message. State lives in the table: a restart goes on where it was, and the worst
that it does is to send a row twice, with the same ``X-Event-Id``.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal, cast

import structlog
from sqlalchemy import Row, exists, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.api.attempts import AttemptLog
from gateway.api.auth import signature_headers
from gateway.api.callbacks import CallbackClient, Outcome
from gateway.api.events import JSON_TYPE, MERGE_LIMIT, CdrFacts, encoded, event_body, fee_body
from gateway.api.sms import notify_body
from gateway.bindings.models import Application
from gateway.bindings.store import BindingStore
from gateway.database import reading
from gateway.schema import outbox

_log = structlog.get_logger()
PARALLEL = 32
IN_HAND = 512  # more than MERGE_LIMIT: each CDR of a message has its call's task
SCAN_PACE = 0.02
DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """``retry_minutes``: waits after each failure (section 6). ``poll_seconds``: a net under ``wake``."""

    host_name: str
    record_domain: str
    retry_minutes: tuple[float, ...] = (1, 4, 9, 106, 203, 300)
    merge_seconds: float = 0.2
    retention_days: float = 7
    poll_seconds: float = 5.0
    service_types: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Batch:
    """CDRs of one application that wait to go together; ``done`` gives the ids that are done with."""

    rows: list[Row[Any]]
    done: asyncio.Future[set[str]]


def _address(application: Application, kind: str) -> str:
    if kind == "numStatus":
        return application.number_status_url or application.status_url
    return {"fee": application.fee_url, "sms": application.sms_url}.get(kind, application.status_url)


class Delivery:
    """``start`` runs it as a task; ``wake`` says that rows may be due; ``settle`` waits until none is under way."""

    def __init__(
        self,
        engine: AsyncEngine,
        store: BindingStore,
        client: CallbackClient,
        settings: DeliverySettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._store = store
        self._client = client
        self._settings = settings
        self._clock = clock
        self._wake = asyncio.Event()
        plan = [60 * minutes for minutes in settings.retry_minutes]
        self._notes = AttemptLog(engine, plan, DAY * settings.retention_days, clock, self._wake.set)
        self._calls: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, PARALLEL))
        self._batches: dict[str, _Batch] = {}
        self._batch_tasks: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._scans = 0
        self._scanning = asyncio.Lock()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def wake(self) -> None:
        """Rows may be due."""
        self._wake.set()

    async def stop(self) -> None:
        """Stop; what is under way is given up and sent again by the next start."""
        tasks = [*self._calls.values(), *self._batch_tasks, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._notes.stop()

    async def settle(self) -> None:
        """Wait until all that is due has been tried, and what became of it is written."""
        while True:
            await self._notes.flush()
            await self._scan()
            if not self._calls and not self._notes.held:
                return
            await asyncio.gather(*self._calls.values(), return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._scan()
            except Exception:
                _log.exception("the outbox could not be read")
            # One look serves all that comes meanwhile.
            await asyncio.sleep(SCAN_PACE)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.poll_seconds):
                    await self._wake.wait()

    async def _scan(self) -> None:
        """Give every call with a due first row its task, as far as its application has room."""
        async with self._scanning:  # two at once would each begin the same calls
            await self._look()

    async def _look(self) -> None:
        now = self._clock()
        self._scans += 1
        before = outbox.alias()
        overtakes = exists().where(
            before.c.session == outbox.c.session, before.c.seq < outbox.c.seq, before.c.state == "waiting"
        )
        due = (outbox.c.state == "waiting", outbox.c.due_at <= now)
        # Asked before the snapshot is taken: what is written down afterwards still looks due in it.
        under_way, held = list(self._calls), set(self._notes.held)
        async with reading(self._engine) as connection:
            keys = (await connection.execute(select(outbox.c.application).where(*due).distinct())).scalars().all()
            for key in keys:
                busy = {session for application, session in under_way if application == key}
                room = IN_HAND - len(busy)
                if room <= 0:
                    continue
                first = select(outbox.c.session).where(outbox.c.application == key, *due, ~overtakes)
                first = first.where(outbox.c.session.not_in(busy | held))
                rows = select(outbox).where(
                    outbox.c.session.in_(first.order_by(outbox.c.due_at).limit(room)), outbox.c.state == "waiting"
                )
                found = (await connection.execute(rows.order_by(outbox.c.session, outbox.c.seq))).all()
                for session, of_call in groupby(found, attrgetter("session")):
                    self._begin(key, session, list(of_call))

    def _begin(self, key: str, session: str, rows: list[Row[Any]]) -> None:
        task = asyncio.get_running_loop().create_task(self._call(key, session, rows))
        self._calls[key, session] = task
        task.add_done_callback(partial(self._finished, (key, session), self._scans))

    def _finished(self, name: tuple[str, str], scan: int, _task: asyncio.Task[None]) -> None:
        del self._calls[name]
        if self._scans != scan or sum(1 for key, _ in self._calls if key == name[0]) == IN_HAND - 1:
            # A scan that came meanwhile has passed this call over, and may have passed over a new row of it.
            self._wake.set()

    async def _call(self, key: str, session: str, rows: list[Row[Any]]) -> None:
        """Walk one call's rows until one fails or isn't due."""
        try:
            application = await self._store.application(key)
            for row in rows:
                if row.due_at > self._clock() or not await self._deliver(application, row):
                    return
        except Exception:
            _log.exception("a call's events could not be delivered", session=session)

    async def _deliver(self, application: Application | None, row: Row[Any]) -> bool:
        """Send one row; True: it is done with."""
        url = "" if application is None else _address(application, row.kind)
        if application is None or not url:
            return self._notes.put(row, None)
        if row.kind == "fee":
            return await self._join_batch(application, url, row)
        try:
            payload = json.loads(row.payload)
            body = encoded(notify_body(payload) if row.kind == "sms" else event_body(payload))
        except (ValueError, LookupError, TypeError):
            return self._give_up(row)
        outcome, seconds = await self._post(application, url, body, row.id)
        return self._notes.put(row, outcome, seconds)

    async def _join_batch(self, application: Application, url: str, row: Row[Any]) -> bool:
        batch = self._batches.get(application.key)
        if batch is None or len(batch.rows) >= MERGE_LIMIT:
            batch = _Batch([], asyncio.get_running_loop().create_future())
            self._batches[application.key] = batch
            task = asyncio.get_running_loop().create_task(self._send_batch(application, url, batch))
            self._batch_tasks.add(task)
            task.add_done_callback(self._batch_tasks.discard)
        batch.rows.append(row)
        return row.id in await asyncio.shield(batch.done)

    async def _send_batch(self, application: Application, url: str, batch: _Batch) -> None:
        try:
            await asyncio.sleep(self._settings.merge_seconds)
            if self._batches.get(application.key) is batch:
                del self._batches[application.key]
            settings = self._settings
            facts = CdrFacts(application.account, settings.host_name, settings.record_domain, settings.service_types)
            good, finished = [], set()
            for row in batch.rows:
                try:
                    fee_body([(row.id, json.loads(row.payload))], facts)
                    good.append(row)
                except (ValueError, LookupError, TypeError):
                    if self._give_up(row):
                        finished.add(row.id)
            if good:
                body = encoded(fee_body([(row.id, json.loads(row.payload)) for row in good], facts))
                outcome, seconds = await self._post(application, url, body, good[0].id)
                finished |= {row.id for row in good if self._notes.put(row, outcome, seconds)}
            batch.done.set_result(finished)
        except Exception:
            _log.exception("CDRs could not be delivered", application=application.key)
        finally:
            if not batch.done.done():
                batch.done.set_result(set())

    async def _post(self, application: Application, url: str, body: bytes, event_id: str) -> tuple[Outcome, float]:
        headers = {"Content-Type": JSON_TYPE, "X-Event-Id": event_id}
        now = datetime.fromtimestamp(self._clock(), UTC)
        form = cast(Literal["WSSE", "AKSK", "both"], application.signature)
        headers |= dict(signature_headers(form, application.key, application.secret, secrets.token_hex(16), now))
        async with self._slots[application.key]:
            began = time.monotonic()
            outcome = await self._client.post(url, body, headers, private=application.private_callbacks)
            return outcome, time.monotonic() - began

    def _give_up(self, row: Row[Any]) -> bool:
        """A row of which no message can be made, now or ever: a fault of ours, kept for a person to look at."""
        _log.error("an outbox row can't be read", row=row.id)
        return self._notes.put(row, Outcome(None, "unreadable"), forever=True)
