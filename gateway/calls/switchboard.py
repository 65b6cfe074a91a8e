"""[IO] Carries out what the exchange decides: look-ups, media commands, rows for the journal.

The exchange is pure; the endpoint gives it SIP and time; this file gives it the rest. One ``match`` over outputs.
A look-up that takes long or fails is an input like any other, so nothing here is awaited by a call.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from gateway.bindings.store import BindingStore
from gateway.calls.exchange import Exchange
from gateway.calls.journal import Journal
from gateway.calls.looking import answered, looked_up, question_of
from gateway.calls.media_pool import MediaPool
from gateway.calls.outputs import (
    CallClosed,
    CallMoved,
    Consult,
    Faulted,
    MediaCommand,
    Resolve,
    Talked,
    TextAnswered,
    TextReceived,
    TrunkChanged,
    Unacknowledged,
)
from gateway.calls.phones import Phone
from gateway.calls.record import CallRecord
from gateway.calls.surge import Surge
from gateway.metrics.calls import count_call, count_media, count_quality
from gateway.metrics.tally import Tally
from gateway.numbers import PhoneNumber
from gateway.questions import Question, Verdict
from gateway.sip.endpoint import Endpoint
from gateway.sip.locations import Contact
from gateway.sip.outputs import ContactsChanged
from gateway.sms.bodies import Body
from gateway.sms.tpdu import Piece
from gateway.standing import Sound, StandingCall, StandingTrunk
from media.control import CALLER, Closed, Quality, Report, SpoolFailed, Unheard

_log = structlog.get_logger()
# Puts a question, whose id it is given, to the web process; None: no answer.
Asking = Callable[[Callable[[int], Question]], Awaitable[Verdict | None]]


def wall(now: float) -> datetime:
    """The UTC time of a moment of the monotonic clock."""
    return datetime.fromtimestamp(time.time() + (now - time.monotonic()), UTC)


class Texts(Protocol):
    """What short messages are handed to (gateway.messages.forwarder)."""

    def received(
        self, sip: Switchboard, id: str, trunk: str, sender: PhoneNumber | None, x: PhoneNumber, text: str,
        piece: Piece | None,
    ) -> Coroutine[Any, Any, None]:  # fmt: skip
        """One has come, or a part of one."""

    def answered(self, id: str, status: int) -> None:
        """One of ours was answered."""


class Switchboard:
    """Between the pure exchange and the world. ``attach`` the endpoint and the pool before anything comes in."""

    def __init__(
        self,
        exchange: Exchange,
        store: BindingStore,
        journal: Journal,
        ask: Asking,
        texts: Texts,
        tally: Tally | None = None,
    ) -> None:
        self.exchange = exchange
        self._tally = tally or Tally()
        self._lookups = self._tally.histogram("maskline_lookup_seconds")
        self._texts = texts
        self._ask = ask
        self._store = store
        self._journal = journal
        self.idle = asyncio.Event()
        """Set while no call stands."""
        self.idle.set()
        self._left = asyncio.Event()
        self.phone_moved: Callable[[str, tuple[Contact, ...]], None] = _nobody
        self.disk = exchange.disk
        self._tasks: set[asyncio.Task[None]] = set()
        self._endpoint: Endpoint
        self._pool: MediaPool

    def attach(self, endpoint: Endpoint, pool: MediaPool) -> None:
        """Name the two neighbours that need this object to be made."""
        self._endpoint = endpoint
        self._pool = pool

    def carry_out(self, outputs: Sequence[object]) -> None:
        """Everything that isn't SIP (the endpoint has sent that already)."""
        for output in outputs:
            match output:
                case MediaCommand(worker, command):
                    self._pool.send(worker, command)
                case Resolve():
                    self._spawn(self._resolve(output))
                case Consult():
                    self._spawn(self._consult(output))
                case Talked():
                    self._spawn(self._note_talked(output))
                case TextReceived(id, trunk, sender, x, text, piece):
                    self._spawn(self._texts.received(self, id, trunk, sender, x, text, piece))
                case TextAnswered(id, status):
                    self._texts.answered(id, status)
                case CallClosed(_, record):
                    self._journal.put(output)
                    count_call(self._tally, record)
                case CallMoved(call, result, seconds):
                    self._tally.add("maskline_calls_moved_total", result)
                    _log.info("a call's media worker died", call=call, result=result, seconds=round(seconds, 3))
                case ContactsChanged(user, contacts):
                    self.phone_moved(user, contacts)
                case Unacknowledged(call, side, contact):
                    # Calls drop after 32 s (P2), and nothing else would say why.
                    leg = "caller" if side == CALLER else "callee"
                    self._tally.add("maskline_unacknowledged_total", leg)
                    _log.warning("our answer was never acknowledged", call=call, leg=leg, contact=contact)
                case TrunkChanged(trunk, peer, state, why):
                    note = _log.info if state in ("up", "registered", "unregistered") else _log.warning
                    note("a trunk's state has changed", trunk=trunk, peer=peer, state=state, why=why)
                    if self.exchange.upkeep.left:
                        self._left.set()
                case Surge(application, calls, usual):
                    _log.warning("far more calls than usual", application=application, calls=calls, usual=round(usual))
                case Faulted(call, error):
                    _log.error("a fault of ours ended a call", call=call, exc_info=error)
                case _:
                    self._journal.put(output)
        if self.exchange.active:
            self.idle.clear()
        else:
            self.idle.set()

    def media_report(self, worker: int, report: Report) -> None:
        """A media worker said something."""
        match report:
            case Closed():
                count_media(self._tally, report)
            case Quality():
                count_quality(self._tally, report)
            case Unheard():
                self._unheard(report)
                return
            case SpoolFailed():
                self._cut(report)
        self._endpoint.execute(self.exchange.media_report(worker, report, time.monotonic()))

    def _cut(self, report: SpoolFailed) -> None:
        """A recording ends before its call: an alarm, since the next ones will too."""
        reason, count = self.disk.failed(report.error, time.monotonic())
        self._tally.add("maskline_recordings_cut_total", reason)
        if count:
            _log.error("calls are not recorded to their end", error=report.error, recordings=count)

    def _unheard(self, report: Unheard) -> None:
        """One-way audio (P1): say what the SDP promised and what was seen instead."""
        leg = "caller" if report.leg == CALLER else "callee"
        self._tally.add("maskline_rtp_unheard_total", leg)
        _log.warning(
            "a leg sent no packet since the answer",
            call=report.session,
            leg=leg,
            seconds=report.seconds,
            sdp=f"{report.host}:{report.port}",
            source=f"{report.source}:{report.source_port}" if report.source else "nobody",
            refused=report.refused,
        )

    def worker_gone(self, worker: int, why: str) -> None:
        """A media worker ended: its calls move."""
        self._tally.add("maskline_media_worker_lost_total", why)
        self._endpoint.execute(self.exchange.worker_gone(worker, time.monotonic()))

    def stop_call(self, application: str, session: str) -> bool:
        """Hang up a call for the application that owns it; False when there is none."""
        found, outputs = self.exchange.stop_call(session, time.monotonic(), application=application)
        self._endpoint.execute(outputs)
        return found

    def standing(self) -> list[StandingCall]:
        """The calls that stand, the oldest first."""
        return [_standing(record, state.name.lower(), sound) for record, state, sound in self.exchange.standing]

    def trunks(self) -> list[StandingTrunk]:
        """How the trunks are."""
        return self.exchange.trunk_states(time.monotonic())

    def learn_phones(self, phones: Iterable[Phone]) -> None:
        """These are all phones that may register now."""
        self._endpoint.execute(self.exchange.learn_phones(phones))

    def restore_phone(self, user: str, contacts: Iterable[Contact]) -> None:
        """Where a phone was before a restart."""
        self._endpoint.execute(self.exchange.restore_phone(user, contacts, time.monotonic()))

    def answer_text(self, id: str, status: int) -> None:
        """Answer a short message that came in."""
        self._endpoint.execute(self.exchange.answer_text(id, status, time.monotonic()))

    def bodies(
        self, trunk: str, application: str, x: PhoneNumber, receiver: PhoneNumber, text: str, at: datetime
    ) -> list[Body]:
        """What a text of X comes to in MESSAGEs."""
        return self.exchange.texts.bodies(trunk, application, x, receiver, text, at, time.monotonic())

    def send_text(self, trunk: str, application: str, sender: PhoneNumber, receiver: PhoneNumber, body: Body) -> str:
        """Send one of them; its id, under which it will be answered."""
        id, outputs = self.exchange.send_text(trunk, application, sender, receiver, body, time.monotonic())
        # Not before the caller waits for the answer.
        asyncio.get_running_loop().call_soon(self._endpoint.execute, outputs)
        return id

    def start(self) -> None:
        """The sockets are there: registrations and probes begin."""
        self._endpoint.execute(self.exchange.start(time.monotonic()))

    def drain(self) -> None:
        """No new calls from here on."""
        self._endpoint.execute(self.exchange.drain(time.monotonic()))

    def hang_up_all(self) -> None:
        """End every call now."""
        self._endpoint.execute(self.exchange.hang_up_all(time.monotonic()))

    async def left(self, seconds: float) -> None:
        """Wait until carriers have said that our registrations are over, for no longer than that."""
        if not self.exchange.upkeep.left:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._left.wait(), seconds)

    def waiting(self) -> int:
        """Look-ups and notes under way: many, when the database falls behind."""
        return len(self._tasks)

    async def stop(self) -> None:
        """Wait for look-ups and notes under way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, question: Resolve) -> None:
        at, begun = wall(question.at), time.monotonic()
        try:
            decision = await looked_up(self._store, question, at)
            self._lookups.observe(time.monotonic() - begun)
        except Exception:
            _log.exception("the binding could not be looked up", call=question.call)
            self._endpoint.execute(self.exchange.route_failed(question.call, time.monotonic()))
            return
        self._endpoint.execute(self.exchange.routed(question.call, decision, time.monotonic()))

    async def _consult(self, asked: Consult) -> None:
        """X mode: the customer's server, by way of the web process."""
        at = wall(asked.at).timestamp()
        verdict = await self._ask(lambda number: question_of(asked, number, at))
        try:
            decision = await answered(self._store, asked, verdict, wall(asked.at))
        except Exception:
            _log.exception("the customer's answer could not be carried out", call=asked.call)
            self._endpoint.execute(self.exchange.route_failed(asked.call, time.monotonic()))
            return
        self._endpoint.execute(self.exchange.routed(asked.call, decision, time.monotonic()))

    async def _note_talked(self, talked: Talked) -> None:
        try:
            await self._store.note_talked(talked.decision, talked.caller, talked.called, wall(talked.at))
        except Exception:
            _log.exception("who talked could not be noted", call=talked.call)


def _nobody(user: str, contacts: tuple[Contact, ...]) -> None:
    """No phones, so nobody keeps what they do."""


def _standing(record: CallRecord, state: str, sound: Sound | None) -> StandingCall:
    return StandingCall(
        session=record.session,
        application=record.application,
        mode=record.mode,
        state=state,
        direction=record.direction,
        x=record.x.e164,
        caller=record.caller.e164 if record.caller else "",
        callee=record.callee.e164 if record.callee else "",
        trunk=record.trunk,
        binding=record.binding or "",
        started=wall(record.started).timestamp(),
        answered=None if record.answered is None else wall(record.answered).timestamp(),
        recorded=record.recorded,
        sound=sound,
    )
