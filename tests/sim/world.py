"""The simulator: the lab's stage (gateway.scenarios.stage) with a database that says what a test wants.

A look-up takes ``LOOKUP`` seconds. ``finish`` lets the world come to rest and then checks what must hold after every
call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from ipaddress import ip_network
from typing import Any

from gateway.bindings.decisions import Decision, Found, NeedsRelation
from gateway.bindings.models import Application, Binding, CallPolicy, Mode, Number, TemporaryCallee
from gateway.bindings.routing import relation_not_made, route
from gateway.calls.events import Disconnected, Event
from gateway.calls.outputs import (
    CallClosed,
    CallOpened,
    Consult,
    MediaCommand,
    Publish,
    RecordingStarted,
    Resolve,
    Talked,
)
from gateway.calls.record import CallRecord
from gateway.calls.settings import ExchangeSettings, ToneFiles, TrunkSettings
from gateway.calls.verdict import decided
from gateway.lab.checks import everything_received, forms_found
from gateway.lab.network import Link
from gateway.lab.phone import Phase, Phone
from gateway.lab.rtp import check_stream, streams_of
from gateway.numbers import PhoneNumber
from gateway.questions import Verdict
from gateway.scenarios.stage import CALLEE, CALLER, CONTROL, GATEWAY, PORTS, QUIET, REST, START, Stage, Tape
from gateway.sip.hop import Hop
from gateway.tones.folder import SOUNDS, ToneFolder
from media import control
from media.outputs import SendPacket
from media.session import Leg
from tests.sim.carrier import Carrier

__all__ = [
    "CALLEE", "CALLER", "CONTROL", "GATEWAY", "LOOKUP", "PORTS", "QUIET", "RECORDED", "REST", "START", "TRUNK",
    "A", "B", "C", "Lookup", "Tape", "World", "X", "Y", "application", "pair",
]  # fmt: skip

A = PhoneNumber("+8613800000021")
B = PhoneNumber("+8613800000023")
C = PhoneNumber("+8613800000025")
X = PhoneNumber("+8617000000001")
Y = PhoneNumber("+8617000000002")
LOOKUP = 0.004

TRUNK = TrunkSettings(name="carrier", peers=(CALLEE,), allow=(ip_network("192.0.2.0/24"),))
RECORDED = CallPolicy(record=True, notice="notice.wav")


def pair(**changes: Any) -> Binding:
    """A and B through X."""
    fields = {"id": "pair", "application": "demo", "mode": Mode.AXB, "x": X, "a": A, "b": B, "created_at": START}
    return Binding(**(fields | changes))


def application(**changes: Any) -> Application:
    """The customer's application."""
    return Application(**({"key": "demo", "secret": "s", "mode": Mode.AXB, "recording": True} | changes))


class Lookup:
    """What the binding database would find. ``fails``: the look-ups that raise, ``seconds``: how long one takes."""

    def __init__(self, owner: Application, bindings: Sequence[Binding]) -> None:
        self.application = owner
        self.bindings = tuple(bindings)
        self.temporary: TemporaryCallee | None = None
        self.last_caller: PhoneNumber | None = None
        self.last_called_at: datetime | None = None
        self.answer: Callable[[Consult], Verdict | None] = lambda asked: None
        """X mode: what the customer's server says; it takes ``seconds`` too."""
        self.fails = False
        self.gone = False
        """The X has been taken away."""
        self.number: dict[str, Any] = {}
        """What is said of the X besides whose it is."""
        self.ownerless = False
        self.no_y = False
        """AXYB: no Y is to be had."""
        self.seconds = LOOKUP

    def find(self, caller: PhoneNumber | None, called: PhoneNumber, extension: str = "") -> Found:
        """As ``BindingStore.find``."""
        if self.fails:
            raise ConnectionError("the database is gone")
        known = called in (X, Y) and not self.gone
        number = Number(x=called, application=self.application.key, **self.number) if known else None
        member = "#" + extension if extension else caller.e164 if caller else ""
        return Found(
            number=number,
            application=self.application if number and not self.ownerless else None,
            bindings=tuple(one for one in self.bindings if {member, ""} & self._members(one, called)),
            temporary=self.temporary,
            last_caller=self.last_caller,
            last_called_at=self.last_called_at,
        )

    @staticmethod
    def _members(one: Binding, called: PhoneNumber) -> set[str]:
        """The numbers under which a binding is found when ``called`` is dialled (gateway.schema)."""
        if one.mode is Mode.AXYB and one.b is not None and one.y is not None:
            return {one.x: {one.b.e164}, one.y: {one.a.e164}}.get(called, set())
        if one.x != called:
            return set()
        if one.mode is Mode.AXE:
            return {one.a.e164, "#" + one.extension}
        return {one.a.e164, one.b.e164} if one.b is not None else {""}

    def relate(self, needed: NeedsRelation, at: datetime) -> None:
        """As ``BindingStore.relate``; there is one Y."""
        ax = needed.ax
        made = replace(ax, id="relation", b=needed.caller, y=Y, parent=ax.id, created_at=at)
        self.bindings = (*self.bindings, made)


class World(Stage):
    """``link``/``link_of``: see Network. ``now`` is monotonic seconds from 100.0 on."""

    def __init__(
        self,
        *bindings: Binding,
        seed: int = 1,
        link: Link | None = None,
        link_of: Callable[[Hop, Hop], Link | None] = lambda source, target: None,
        trunk: TrunkSettings = TRUNK,
        others: Sequence[TrunkSettings] = (),
        owner: Application | None = None,
        workers: int = 1,
        **settings: Any,
    ) -> None:
        self.commands: list[MediaCommand] = []
        """What media workers were told."""
        self.lookup = Lookup(owner or application(), bindings or (pair(),))
        self._heard: dict[int, tuple[Leg, object]] = {}
        """What each port of ours sent last: the leg, and the source of it."""
        self.carriers: dict[Hop, Carrier] = {}
        """What stands before the phones at a hop."""
        self.own_tones: dict[str, str] = {}
        """The customer's files by name."""
        tones = ToneFolder()
        names = ("no_binding", "no_permission", "failed", "ringback", "enter_extension", "wrong_extension",
                 "wrong_goodbye", "no_extension")  # fmt: skip
        made = ExchangeSettings(
            trunks=(trunk, *others),
            tones=ToneFiles(
                **{name: str(SOUNDS / f"{name}.wav") for name in names},
                lookup=lambda key, name: self.own_tones.get(name) or tones.find(key, name),
            ),
            media_host=GATEWAY.host,
            spool="/spool",
            wall=self.wall,
            **settings,
        )
        super().__init__(made, seed=seed, link=link, link_of=link_of, workers=workers)

    def start(self) -> World:
        """The node begins to look after its trunks."""
        self.take(self.exchange.start(self.now))
        return self

    def dial(self, phone: Phone, caller: PhoneNumber = A, called: PhoneNumber = X, **how: Any) -> None:
        """Let a phone call ``called``."""
        uri = f"sip:{called.e164}@{GATEWAY.host}"
        self.do(phone, phone.dial(GATEWAY, uri, self.now, caller=f"<sip:{caller.e164}@carrier.example>", **how))

    def run(self, seconds: float) -> World:
        """Let time pass."""
        return self.until(lambda: False, seconds)

    def until(self, condition: Callable[[], bool], seconds: float = QUIET) -> World:
        """Let time pass until ``condition`` holds, ``seconds`` at most."""
        end = self.now + seconds
        while not condition() and self.advance(end):
            pass
        return self

    # --- who answers --------------------------------------------------------------------------------------------------

    def resolve(self, question: Resolve) -> None:
        self.after(self.lookup.seconds, partial(self._resolve, question))

    def consult(self, asked: Consult) -> None:
        self.after(self.lookup.seconds, partial(self._consult, asked))

    def _resolve(self, question: Resolve) -> None:
        try:
            decision = self._route(question)
            if isinstance(decision, NeedsRelation):
                if self.lookup.no_y:
                    decision = relation_not_made(decision)
                else:
                    self.lookup.relate(decision, self.wall(self.now))
                    decision = self._route(question)
        except ConnectionError:
            self.take(self.exchange.route_failed(question.call, self.now))
            return
        assert not isinstance(decision, NeedsRelation)
        self.take(self.exchange.routed(question.call, decision, self.now))

    def _route(self, question: Resolve) -> Decision | NeedsRelation:
        found = self.lookup.find(question.caller, question.called, question.extension)
        return route(question.caller, question.called, found, self.wall(question.at), question.extension)

    def _consult(self, asked: Consult) -> None:
        decision = decided(self.lookup.answer(asked), asked)
        self.take(self.exchange.routed(asked.call, decision, self.now))

    def received(self, data: bytes, source: Hop, target: Hop) -> bool:
        carrier = self.carriers.get(target)
        answers = None if carrier is None else carrier.receive(data, self.now)
        for answer in answers or ():
            self.network.send(answer, target, source, self.now)
        return answers is not None

    def leaving(self, phone: Phone, data: bytes) -> bytes:
        carrier = self.carriers.get(phone.here)
        return data if carrier is None else carrier.leaving(data)

    def media_leaves(self, worker: int, packet: SendPacket) -> None:
        """Whatever feeds a stream anew, a tone, the other party, its next numbering, begins with the marker."""
        leg = self.rooms[worker].legs.get(packet.port)
        if leg is not None and packet.data[1] & 0x7F != leg.events:
            source = leg.sender.source
            marked = packet.data[1] & 0x80
            assert self._heard.get(packet.port) == (leg, source) or marked, "a new source without the marker"
            self._heard[packet.port] = (leg, source)

    # --- what has been seen -------------------------------------------------------------------------------------------

    @property
    def records(self) -> list[CallRecord]:
        """The final record of each call."""
        return [closed.record for closed in self.of(CallClosed)]

    @property
    def record(self) -> CallRecord:
        """That of the only call."""
        (record,) = self.records
        return record

    def events(self, session: str | None = None) -> list[Event]:
        """What the customer was told, of one call or of all."""
        return [one.event for one in self.of(Publish) if session in (None, one.event.session)]

    @property
    def kinds(self) -> list[str]:
        """The kinds of all events in their order."""
        return [type(event).__name__ for event in self.events()]

    def _command(self, worker: int, command: control.Command) -> None:
        self.commands.append(MediaCommand(worker, command))
        super()._command(worker, command)

    # --- what must hold -----------------------------------------------------------------------------------------------

    def finish(self, *, leaks: bool = True) -> World:
        """Let everything come to rest; then no call, no port, no timer is left, and each call was told once.

        ``leaks`` False: the binding shows the caller's number, so it is not searched for.
        """
        self.until(lambda: not self.exchange.active and not self._later)
        if self.exchange.upkeep.deadline is not None:
            self.take(self.exchange.drain(self.now))
        self.run(QUIET)
        self._check_rest()
        self._check_stories()
        self._check_streams()
        if leaks:
            self._check_privacy()
        return self

    def _check_rest(self) -> None:
        exchange = self.exchange
        assert exchange.active == 0
        assert exchange.counters["faults"] == 0
        assert exchange._plant.sessions == {}
        assert exchange._plant.workers.held == 0
        assert exchange._admission.calls == 0
        assert not exchange.trunks.calls
        assert exchange._plant.quota.calls.total() == 0
        assert self.agent.sessions == 0
        assert exchange.deadline is None, "a timer of the gateway is left"
        for room in self.rooms.values():
            assert len(room) == 0
            assert room.legs == {}
            assert room.ports.out == 0
            taken = {room.ports.take(self.now) for _ in range(room.ports.size)}
            assert None not in taken, "a port was not returned"
            for port in taken:
                room.ports.put_back(port or 0)
        for phone in self.phones:
            assert phone.phase in (Phase.OVER, Phase.IDLE), f"{phone.name} is {phone.phase}"
            assert phone.deadline is None, f"a timer of {phone.name} is left"

    def _check_stories(self) -> None:
        """Each call's outputs come in their order, with one Disconnected, directly before the one CallClosed."""
        order = [CallOpened, RecordingStarted, Talked, CallClosed]
        calls = {closed.call for closed in self.of(CallClosed)}
        assert len(calls) == len(self.of(CallClosed)), "a call was closed twice"
        for call in {output.call for output in self.outputs if hasattr(output, "call")}:
            story = [output for output in self.outputs if getattr(output, "call", None) == call]
            assert isinstance(story[-1], CallClosed), "a call was not closed"
            told = [output.event for output in story if isinstance(output, Publish)]
            assert [event for event in told if isinstance(event, Disconnected)] == told[-1:]
            assert isinstance(story[-2], Publish), "the disconnect does not stand beside the record"
            places = [order.index(type(output)) for output in story if type(output) in order]
            assert places == sorted(places)

    def _check_streams(self) -> None:
        opened = Counter(told.command.session for told in self.commands if isinstance(told.command, control.Open))
        places = max(opened.values(), default=0)
        for phone in self.phones:
            streams = streams_of(phone.arrivals)
            assert len(streams) <= places, "an SSRC for each worker that a call was at"
            for stream in streams:
                report = check_stream(stream)
                assert report.faults == (), f"{phone.name}: {report.faults[:5]}"

    def _check_privacy(self) -> None:
        """A phone may see its own number and X, never the other party's."""
        for record in self.records:
            told = repr([record, *self.events(record.session)])
            assert not any(number.e164[3:] in told for number in (A, B, C))
        for phone in self.phones:
            data = everything_received(phone)
            own = self._number_of(phone)
            for number in (A, B, C):
                if number != own:
                    assert not forms_found(data, number), f"{phone.name} saw a number"

    def _number_of(self, phone: Phone) -> PhoneNumber | None:
        """Whose phone it was: who dialled, or whom the gateway dialled there."""
        for trace in phone.traces:
            if trace.title == "INVITE":
                request = trace.data.decode("utf-8", "replace")
                text = request.partition("From:")[2] if trace.sent else request
                line = text.split("\r\n")[0].encode()
                return next((number for number in (A, B, C) if forms_found(line, number)), None)
        return None
