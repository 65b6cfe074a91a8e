"""Whole calls in virtual time: scripted phones, a bad network, the real exchange, SIP machines and media rooms.

    phones at CALLER (192.0.2.10)   ---\\                  /--- Exchange <- Lookup (binding rows, ``route``)
                                        Network (lossy) --
    phones at CALLEE (192.0.2.20)   ---/                  \\--- Room of each media worker

Everything is the code of the product but the sockets, the database and the file of a recording. Commands and reports of
the media workers travel in order and take ``CONTROL`` seconds; a look-up takes ``LOOKUP``. Phones of one side share its
address, as calls of one carrier do: a message belongs to the phone whose Call-ID it bears, a new INVITE to the next
phone that is idle. ``finish`` lets the world come to rest and then checks what must hold after every call.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from gateway.bindings.decisions import Decision, Found, NeedsRelation
from gateway.bindings.models import Application, Binding, CallPolicy, Mode, Number, TemporaryCallee
from gateway.bindings.routing import relation_not_made, route
from gateway.calls.events import Disconnected, Event
from gateway.calls.exchange import Exchange
from gateway.calls.outputs import (
    CallClosed,
    CallOpened,
    Consult,
    Faulted,
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
from gateway.lab.network import Link, Network
from gateway.lab.phone import Phase, Phone, PhoneOutput, SendSip
from gateway.lab.rtp import check_stream
from gateway.lab.script import Script
from gateway.numbers import PhoneNumber
from gateway.questions import Verdict
from gateway.sip.hop import Hop
from gateway.sip.message import parse_message
from gateway.sip.user_agent import Transmit, UserAgent, UserAgentSettings
from gateway.tones.folder import SOUNDS, ToneFolder
from media import control
from media.outputs import OpenPorts, Reply, SendPacket
from media.outputs import Output as MediaOutput
from media.ports import PortPool
from media.room import Room
from media.session import Leg
from media.tones import parse_tone
from tests.sim.carrier import Carrier

A = PhoneNumber("+8613800000021")
B = PhoneNumber("+8613800000023")
C = PhoneNumber("+8613800000025")
X = PhoneNumber("+8617000000001")
Y = PhoneNumber("+8617000000002")
GATEWAY = Hop("udp", "198.51.100.1", 5060)
CALLER = Hop("udp", "192.0.2.10", 5060)
CALLEE = Hop("udp", "192.0.2.20", 5060)
START = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
CONTROL = 0.0003
LOOKUP = 0.004
PORTS = 16
REST = 30.0
QUIET = 400.0
"""Longer than any timer of a call that nobody answers any more."""

TRUNK = TrunkSettings(name="carrier", peers=(CALLEE,), allow=(ip_network("192.0.2.0/24"),))
RECORDED = CallPolicy(record=True, notice="notice.wav")
T = TypeVar("T")


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


class Tape:
    """A recording that keeps its packets in memory."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.error = ""
        self.kept = True
        self.packets: list[tuple[int, float, bytes]] = []
        self.ended: float | None = None

    def append(self, leg: int, now: float, packet: bytes) -> None:
        """A packet that ``leg`` sent."""
        self.packets.append((leg, now, packet))

    def close(self, on_closed: Callable[[], None] | None = None, *, now: float | None = None) -> None:
        """No more."""
        self.ended = now


@cache
def _tone(path: str) -> bytes:
    return parse_tone(Path(path).read_bytes())


class World:
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
        self.now = 100.0
        self.lookup = Lookup(owner or application(), bindings or (pair(),))
        self.network = Network(seed, link, link_of=link_of)
        self.outputs: list[object] = []
        self.tapes: list[Tape] = []
        self.phones: list[Phone] = []
        self._random = Random(seed)
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._owner: dict[tuple[Hop, str], Phone] = {}
        self.unheard: list[control.Unheard] = []
        self._heard: dict[int, tuple[Leg, object]] = {}
        """What each port of ours sent last: the leg, and the source of it."""
        self.agent = UserAgent(UserAgentSettings(advertised={"udp": GATEWAY}), self._token)
        tones = ToneFolder()
        self.own_tones: dict[str, str] = {}
        """The customer's files by name."""
        names = ("no_binding", "no_permission", "failed", "ringback", "enter_extension", "wrong_extension",
                 "wrong_goodbye", "no_extension")  # fmt: skip
        self.exchange = Exchange(
            ExchangeSettings(
                trunks=(trunk, *others),
                tones=ToneFiles(
                    **{name: str(SOUNDS / f"{name}.wav") for name in names},
                    lookup=lambda key, name: self.own_tones.get(name) or tones.find(key, name),
                ),
                media_host=GATEWAY.host,
                spool="/spool",
                wall=self.wall,
                **settings,
            ),
            self.agent,
            self._token,
        )
        self.carriers: dict[Hop, Carrier] = {}
        """What stands before the phones at a hop."""
        self.rooms: dict[int, Room] = {}
        for worker in range(workers):
            self.start_worker(worker)

    # --- the stage ----------------------------------------------------------------------------------------------------

    def phone(self, side: Hop, script: Script | None = None) -> Phone:
        """A new phone at ``side``; it answers the next call there, or dials one."""
        first = 4000 + 20 * len(self.phones)
        phone = Phone(
            f"{'caller' if side == CALLER else 'callee'}-{len(self.phones)}",
            script or Script(),
            here=side,
            media_ports=(first, first + 10),
            seed=self._random.getrandbits(31),
        )
        self.phones.append(phone)
        return phone

    def start(self) -> World:
        """The node begins to look after its trunks."""
        self.take(self.exchange.start(self.now))
        return self

    def dial(self, phone: Phone, caller: PhoneNumber = A, called: PhoneNumber = X, **how: Any) -> None:
        """Let a phone call ``called``."""
        uri = f"sip:{called.e164}@{GATEWAY.host}"
        self.do(phone, phone.dial(GATEWAY, uri, self.now, caller=f"<sip:{caller.e164}@carrier.example>", **how))

    def start_worker(self, worker: int) -> None:
        """A media worker comes up."""
        low = 20000 + 2 * PORTS * worker
        pool = PortPool(low, low + 2 * PORTS - 1, REST)
        self.rooms[worker] = Room(pool, self._random.getrandbits, _tone, self._open_spool)
        self.send_report(worker, control.Ready(PORTS // 2))

    def kill_worker(self, worker: int) -> None:
        """A media worker ends without a word; the node sees its socket close."""
        del self.rooms[worker]
        self.after(CONTROL, lambda: self.take(self.exchange.worker_gone(worker, self.now)))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._later, (self.now + seconds, next(self._order), act))

    def wall(self, now: float) -> datetime:
        """The UTC time of a moment."""
        return START + timedelta(seconds=now - 100.0)

    # --- time ---------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> World:
        """Let time pass."""
        return self.until(lambda: False, seconds)

    def until(self, condition: Callable[[], bool], seconds: float = QUIET) -> World:
        """Let time pass until ``condition`` holds, ``seconds`` at most."""
        end = self.now + seconds
        while not condition():
            machines = (self.network, self.exchange, *self.rooms.values(), *self.phones)
            due = min((at for machine in machines if (at := machine.deadline) is not None), default=end)
            if self._later:
                due = min(due, self._later[0][0])
            if due >= end:
                self.now = end
                break
            self.now = max(self.now, due)
            self._step()
        return self

    def _step(self) -> None:
        now = self.now
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        for datagram in self.network.handle_timeout(now):
            self._arrive(datagram.data, datagram.source, datagram.target)
        if self.exchange.deadline is not None and self.exchange.deadline <= now:
            self.take(self.exchange.handle_timeout(now))
        for worker, room in list(self.rooms.items()):
            if room.deadline is not None and room.deadline <= now:
                self.take_media(worker, room.handle_timeout(now))
        for phone in self.phones:
            if phone.deadline is not None and phone.deadline <= now:
                self.do(phone, phone.handle_timeout(now))

    # --- who gets what ------------------------------------------------------------------------------------------------

    def _arrive(self, data: bytes, source: Hop, target: Hop) -> None:
        if target == GATEWAY:
            self.take(self.exchange.receive_message(data, source, self.now))
        elif target.host == GATEWAY.host:
            for worker, room in list(self.rooms.items()):
                outputs = room.receive(target.port, data, (source.host, source.port), self.now)
                self.take_media(worker, outputs)
        elif target.port == 5060:
            carrier = self.carriers.get(target)
            answers = None if carrier is None else carrier.receive(data, self.now)
            if answers is not None:
                for answer in answers:
                    self.network.send(answer, target, source, self.now)
                return
            phone = self._phone_of(data, target)
            if phone is not None:
                self.do(phone, phone.receive_sip(data, source, self.now))
        else:
            for phone in self.phones:
                if phone.here.host == target.host and target.port in phone.media_ports:
                    phone.receive_rtp(target.port, data, (source.host, source.port), self.now)

    def _phone_of(self, data: bytes, target: Hop) -> Phone | None:
        call_id = parse_message(data).call_id
        if (target, call_id) not in self._owner and data.startswith(b"INVITE "):
            idle = [phone for phone in self.phones if phone.here == target and phone.phase is Phase.IDLE]
            if idle:
                self._owner[target, call_id] = idle[0]
        return self._owner.get((target, call_id))

    def do(self, phone: Phone, outputs: Sequence[PhoneOutput]) -> None:
        """Carry out what a phone wants."""
        for output in outputs:
            if isinstance(output, SendSip):
                self._owner[phone.here, parse_message(output.data).call_id] = phone
                carrier = self.carriers.get(phone.here)
                data = output.data if carrier is None else carrier.leaving(output.data)
                self.network.send(data, phone.here, output.hop, self.now)
            else:
                source, target = Hop("udp", phone.here.host, output.port), Hop("udp", *output.target)
                self.network.send(output.data, source, target, self.now)

    def take(self, outputs: Sequence[object]) -> None:
        """Carry out what the exchange wants; all but SIP and media is kept in ``outputs``."""
        for output in outputs:
            match output:
                case Transmit(data, hop):
                    self.network.send(data, GATEWAY, hop, self.now)
                case MediaCommand(worker, command):
                    self.after(CONTROL, partial(self._command, worker, command))
                case Resolve():
                    self.after(self.lookup.seconds, partial(self._resolve, output))
                case Consult():
                    self.after(self.lookup.seconds, partial(self._consult, output))
                case Faulted(_, error):
                    raise AssertionError("a fault of ours") from error
                case _:
                    self.outputs.append(output)

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

    def _command(self, worker: int, command: control.Command) -> None:
        if worker in self.rooms:
            self.take_media(worker, self.rooms[worker].command(command, self.now))

    def take_media(self, worker: int, outputs: Sequence[MediaOutput]) -> None:
        """Carry out what a room wants."""
        for output in outputs:
            match output:
                case Reply(report):
                    self.send_report(worker, report)
                case OpenPorts():
                    self.take_media(worker, self.rooms[worker].ports_opened(output, "", self.now))
                case SendPacket(port, data, (host, to)):
                    self._check_marker(self.rooms[worker], port, data)
                    self.network.send(data, Hop("udp", GATEWAY.host, port), Hop("udp", host, to), self.now)

    def _check_marker(self, room: Room, port: int, data: bytes) -> None:
        """Whatever feeds a stream anew, a tone, the other party, its next numbering, begins with the marker."""
        leg = room.legs.get(port)
        if leg is not None and data[1] & 0x7F != leg.events:
            source = leg.sender.source
            assert self._heard.get(port) == (leg, source) or data[1] & 0x80, "a new source without the marker"
            self._heard[port] = (leg, source)

    def send_report(self, worker: int, report: control.Report) -> None:
        """A worker's word is on its way to the exchange."""
        if isinstance(report, control.Unheard):
            self.unheard.append(report)
        self.after(CONTROL, lambda: self.take(self.exchange.media_report(worker, report, self.now)))

    def _open_spool(self, path: str, header: Mapping[str, Any], data_key: bytes) -> Tape:
        self.tapes.append(Tape(path))
        return self.tapes[-1]

    def _token(self) -> str:
        return f"{self._random.getrandbits(80):020x}"

    # --- what has been seen -------------------------------------------------------------------------------------------

    def of(self, kind: type[T]) -> list[T]:
        """The outputs of one kind."""
        return [output for output in self.outputs if isinstance(output, kind)]

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
        for phone in self.phones:
            if phone.arrivals:
                report = check_stream(phone.arrivals)
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
