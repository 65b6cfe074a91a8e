"""[IO] Delivery of events and CDRs from the outbox: in order for each call, each target by itself, never lost.

A row is ``waiting`` until its POST got a 2xx (``done``) or the retry plan is used up (``dead``). Every call has one
task at a time, which walks its rows in ``seq`` order and stops at the first that fails, so events never overtake. An
application has at most ``IN_HAND`` such tasks and ``PARALLEL`` messages under way, an address that fails is left alone
and probed (``breaker``), and what waits for it costs no look at the table (``due``): so a dead target costs others
nothing. Rows that wait for such an address longer than the retry plan lasts are given up. What became of rows is
written in groups (``attempts``). CDRs of one application that are due within ``merge_seconds`` go in one message. State
lives in the table: a restart goes on where it was, and the worst that it does is to send a row twice, with the same
``X-Event-Id``. Of several nodes on one database one delivers an application's rows (``leases``).
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
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.api.attempts import AttemptLog, OnAttempt
from gateway.api.breaker import Breakers
from gateway.api.callbacks import CallbackClient, Outcome
from gateway.api.due import Event, due_calls, overdue_rows, put_off, waiting_applications
from gateway.api.events import MERGE_LIMIT, CdrFacts, encoded, fee_body
from gateway.api.leases import Leases
from gateway.api.pushes import address, push_body, push_headers
from gateway.bindings.models import Application
from gateway.bindings.rows import read_application

_log = structlog.get_logger()
PARALLEL = 32
IN_HAND = 512  # more than MERGE_LIMIT: each CDR of a message has its call's task
PROBES = 8
SCAN_PACE = 0.05
DAY = 86400.0
SHORTEST_LIFE = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """``retry_minutes``: waits after each failure (section 6). ``poll_seconds``: a net under ``wake``.
    ``timeout_seconds``: the client's, for one message."""

    host_name: str
    record_domain: str
    retry_minutes: tuple[float, ...] = (1, 4, 9, 106, 203, 300)
    merge_seconds: float = 0.2
    retention_days: float = 7
    poll_seconds: float = 5.0
    service_types: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 10.0


@dataclass(slots=True, eq=False)
class _Batch:
    """CDRs of one application that wait to go together; ``done`` gives the ids that are done with."""

    rows: list[Event]
    done: asyncio.Future[set[str]]


class Delivery:
    """``start`` runs it as a task; ``wake`` says that rows may be due; ``settle`` waits until none is under way."""

    def __init__(
        self,
        engine: AsyncEngine,
        client: CallbackClient,
        settings: DeliverySettings,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] | None = None,
        on_attempt: OnAttempt | None = None,
    ) -> None:
        self._engine = engine
        self._client = client
        self._settings = settings
        self._clock = clock
        self._wake = asyncio.Event()
        plan = [60 * minutes for minutes in settings.retry_minutes]
        self._notes = AttemptLog(engine, plan, DAY * settings.retention_days, clock, self._written, steady, on_attempt)
        self._life = max(sum(plan), SHORTEST_LIFE)
        self._breakers = Breakers()
        self._leases = Leases(engine, settings.host_name, settings.timeout_seconds, clock)
        self._calls: defaultdict[str, dict[str, asyncio.Task[None]]] = defaultdict(dict)
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(partial(asyncio.Semaphore, PARALLEL))
        self._batches: dict[str, _Batch] = {}
        self._batch_tasks: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._scans = 0
        self._passed_over = False
        self._scanning = asyncio.Lock()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def wake(self) -> None:
        """Rows may be due."""
        self._wake.set()

    async def stop(self) -> None:
        """Stop; what is under way is given up and sent again by the next start."""
        tasks = [*self._under_way(), *self._batch_tasks, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._notes.stop()
        try:
            await self._leases.release()
        except Exception:
            _log.warning("other nodes wait until this one's leases have run out")

    async def settle(self) -> None:
        """Wait until all that is due has been tried, and what became of it is written."""
        while True:
            await self._notes.flush()
            await self._scan()
            if not self._calls and not self._notes.held:
                return
            await asyncio.gather(*self._under_way(), return_exceptions=True)

    def _under_way(self) -> list[asyncio.Task[None]]:
        return [task for calls in self._calls.values() for task in calls.values()]

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
        # Asked before the rows are: what is written down meanwhile may still look due in them.
        under_way, held = {key: set(calls) for key, calls in self._calls.items()}, set(self._notes.held)
        blocked: list[tuple[str, float]] = []
        self._passed_over = bool(held)
        waiting = await waiting_applications(self._engine, now)
        # Before the rows are read: what another node has delivered until now must be seen in them.
        for key in sorted(await self._leases.hold(waiting)):
            if not self._breakers.rests(key, now):
                try:
                    blocked += await self._look_at(key, waiting[key], now, under_way.get(key, set()), held)
                except Exception:
                    _log.exception("an application's events could not be looked at", application=key)
        await put_off(self._engine, blocked)

    async def _look_at(
        self, key: str, customer: Any, now: float, busy: set[str], held: set[str]
    ) -> list[tuple[str, float]]:
        """Begin an application's calls; what is to be put off."""
        without, resting, failing = busy | held, self._breakers.resting_kinds(key, now), self._breakers.open_kinds(key)
        room = IN_HAND - len(busy)
        if failing:
            before = now - self._life
            for row in await overdue_rows(self._engine, key, before, without=without, kinds=failing):
                self._notes.put(row, Outcome(None, "the address kept failing"), forever=True)
                held.add(row.session)
                self._passed_over = True
            # What follows them may have an address that is well.
            late = await due_calls(self._engine, key, before, room=PROBES, without=busy | held, kinds=failing)
            self._begin(key, customer, late.calls)
            without = busy | held | {call[0].session for call in late.calls}
            room = min(room, PROBES)
        if room <= 0:
            return []
        due = await due_calls(self._engine, key, now, room=room, without=without, kinds=resting)
        self._begin(key, customer, due.calls)
        if due.more and len(self._calls[key]) < IN_HAND:
            self._wake.set()
        return due.blocked

    def _begin(self, key: str, customer: Any, calls: list[list[Event]]) -> None:
        """Give each call its task."""
        application = read_application(customer) if calls and customer is not None else None
        for rows in calls:
            session = rows[0].session
            task = asyncio.get_running_loop().create_task(self._call(application, session, rows))
            self._calls[key][session] = task
            task.add_done_callback(partial(self._finished, key, session, self._scans))

    def _written(self, all_well: bool) -> None:
        # A scan that came before has passed over the calls of what is written now, and perhaps a new row of one.
        if self._passed_over or not all_well:
            self._wake.set()

    def _finished(self, key: str, session: str, scan: int, _task: asyncio.Task[None]) -> None:
        calls = self._calls[key]
        del calls[session]
        if self._scans != scan or len(calls) == IN_HAND - 1:
            # A scan that came meanwhile has passed this call over, and may have passed over a new row of it.
            self._wake.set()
        if not calls:
            del self._calls[key]

    async def _call(self, application: Application | None, session: str, rows: list[Event]) -> None:
        """Walk one call's rows until one fails or isn't due."""
        try:
            for row in rows:
                if row.due_at > self._clock() or not await self._deliver(application, row):
                    return
        except Exception:
            _log.exception("a call's events could not be delivered", session=session)

    async def _deliver(self, application: Application | None, row: Event) -> bool:
        """Send one row; True: it is done with."""
        url = "" if application is None else address(application, row.kind)
        if application is None or not url:
            return self._notes.put(row, None)
        if row.kind == "fee":
            return await self._join_batch(application, url, row)
        try:
            body = push_body(row.kind, json.loads(row.payload))
        except (ValueError, LookupError, TypeError):
            return self._give_up(row)
        outcome, seconds = await self._post(application, url, body, row)
        return outcome is not None and self._notes.put(row, outcome, seconds)

    async def _join_batch(self, application: Application, url: str, row: Event) -> bool:
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
                outcome, seconds = await self._post(application, url, body, good[0])
                if outcome is not None:
                    finished |= {row.id for row in good if self._notes.put(row, outcome, seconds)}
            batch.done.set_result(finished)
        except Exception:
            _log.exception("CDRs could not be delivered", application=application.key)
        finally:
            if not batch.done.done():
                batch.done.set_result(set())

    async def _post(self, application: Application, url: str, body: bytes, row: Event) -> tuple[Outcome | None, float]:
        """What became of it and for how many seconds it went on; None: nothing was sent, since the address is left
        alone or the lease is about to end."""
        breaker = self._breakers.of(application.key, row.kind)
        async with self._slots[application.key]:
            if not breaker.allows(self._clock()) or not self._leases.covers(application.key):
                return None, 0.0
            now = datetime.fromtimestamp(self._clock(), UTC)
            headers = push_headers(application, row.id, secrets.token_hex(16), now)
            breaker.begin()
            began = time.monotonic()
            try:
                outcome = await self._client.post(url, body, headers, private=application.private_callbacks)
            except BaseException:
                breaker.abandon()
                raise
            if breaker.note(outcome.ok, self._clock()):
                _log.warning(
                    "a customer's address is tried again" if outcome.ok else "a customer's address is left alone",
                    application=application.key, kind=row.kind,
                )  # fmt: skip
            return outcome, time.monotonic() - began

    def _give_up(self, row: Event) -> bool:
        """A row of which no message can be made, now or ever: a fault of ours, kept for a person to look at."""
        _log.error("an outbox row can't be read", row=row.id)
        return self._notes.put(row, Outcome(None, "unreadable"), forever=True)
