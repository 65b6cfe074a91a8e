"""Whole calls in virtual time: scripted phones, a bad network, the real exchange, SIP machines and media rooms.

    phones at CALLER (192.0.2.10)   ---\\                  /--- Exchange <- ``resolve``, ``consult``
                                        Network (lossy) --
    phones at CALLEE (192.0.2.20)   ---/                  \\--- Room of each media worker

Everything is the code of the product but the sockets and the file of a recording. Who answers the exchange's questions
is said by who inherits: the lab by the real database, the tests' simulator by what a test wants. Commands and reports
of the media workers travel in order and take ``CONTROL`` seconds. Phones of one side share its address, as calls of one
carrier do: a message belongs to the phone whose Call-ID it bears, a new INVITE to whom ``called`` says.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from gateway.calls.exchange import Exchange
from gateway.calls.outputs import Consult, Faulted, MediaCommand, Resolve
from gateway.calls.settings import ExchangeSettings
from gateway.lab.network import Link, Network
from gateway.lab.phone import Phase, Phone, PhoneOutput, SendSip
from gateway.lab.script import Script
from gateway.sip.hop import Hop
from gateway.sip.message import parse_message
from gateway.sip.user_agent import Transmit, UserAgent, UserAgentSettings
from media import control
from media.outputs import OpenPorts, Reply, SendPacket
from media.outputs import Output as MediaOutput
from media.ports import PortPool
from media.room import Room
from media.tones import parse_tone

GATEWAY = Hop("udp", "198.51.100.1", 5060)
CALLER = Hop("udp", "192.0.2.10", 5060)
CALLEE = Hop("udp", "192.0.2.20", 5060)
START = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
BEGIN = 100.0
CONTROL = 0.0003
PORTS = 16
REST = 30.0
QUIET = 400.0
"""Longer than any timer of a call that nobody answers any more."""

T = TypeVar("T")


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


class Stage:
    """``link``/``link_of``: see Network. ``now`` is monotonic seconds from ``BEGIN`` on, which is ``start``."""

    def __init__(
        self,
        settings: ExchangeSettings,
        *,
        seed: int = 1,
        link: Link | None = None,
        link_of: Callable[[Hop, Hop], Link | None] = lambda source, target: None,
        workers: int = 1,
        ports: int = PORTS,
        start: datetime = START,
    ) -> None:
        self.start_at = start
        self.now = BEGIN
        self.network = Network(seed, link, link_of=link_of)
        self.outputs: list[object] = []
        self.tapes: list[Tape] = []
        self.phones: list[Phone] = []
        self.unheard: list[control.Unheard] = []
        self._random = Random(seed)
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._owner: dict[tuple[Hop, str], Phone] = {}
        self._ports = ports
        self.agent = UserAgent(UserAgentSettings(advertised={"udp": GATEWAY}), self._token)
        self.exchange = Exchange(settings, self.agent, self._token)
        self.rooms: dict[int, Room] = {}
        self.killed = 0
        """Workers that have ended without a word."""
        for worker in range(workers):
            self.start_worker(worker)

    # --- what others say ----------------------------------------------------------------------------------------------

    def resolve(self, question: Resolve) -> None:
        """The exchange wants a binding looked up."""
        raise NotImplementedError

    def consult(self, asked: Consult) -> None:
        """The exchange wants the customer's server asked."""
        raise NotImplementedError

    def called(self, target: Hop, call_id: str) -> Phone | None:
        """Whose a new INVITE is: the next idle phone's there."""
        return next((phone for phone in self.phones if phone.here == target and phone.phase is Phase.IDLE), None)

    def received(self, data: bytes, source: Hop, target: Hop) -> bool:
        """Whether something before the phones at ``target`` has dealt with a message."""
        return False

    def due_besides(self) -> float | None:
        """When something is due that is none of the stage's own; whoever drives the stage does it."""
        return None

    def leaving(self, phone: Phone, data: bytes) -> bytes:
        """What a phone says, as its carrier passes it on."""
        return data

    def media_leaves(self, worker: int, packet: SendPacket) -> None:
        """A media worker sends a packet."""

    # --- the stage ----------------------------------------------------------------------------------------------------

    def phone(self, side: Hop, script: Script | None = None) -> Phone:
        """A new phone at ``side``; it answers a call there, or dials one."""
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

    def start_worker(self, worker: int) -> None:
        """A media worker comes up."""
        low = 20000 + 2 * self._ports * worker
        pool = PortPool(low, low + 2 * self._ports - 1, REST)
        self.rooms[worker] = Room(pool, self._random.getrandbits, _tone, self._open_spool)
        self.send_report(worker, control.Ready(self._ports // 2))

    def kill_worker(self, worker: int) -> None:
        """A media worker ends without a word; the node sees its socket close."""
        del self.rooms[worker]
        self.killed += 1
        self.after(CONTROL, lambda: self.take(self.exchange.worker_gone(worker, self.now)))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._later, (self.now + seconds, next(self._order), act))

    def wall(self, now: float) -> datetime:
        """The UTC time of a moment."""
        return self.start_at + timedelta(seconds=now - BEGIN)

    # --- time ---------------------------------------------------------------------------------------------------------

    def advance(self, end: float) -> bool:
        """Go on to what is due next and do it; False: nothing is before ``end``, which it is now."""
        deadlines = [self.network.deadline, self.exchange.deadline, self.due_besides()]
        deadlines += [room.deadline for room in self.rooms.values()]
        deadlines += [phone.deadline for phone in self.phones]
        due = min((at for at in deadlines if at is not None), default=end)
        if self._later:
            due = min(due, self._later[0][0])
        if due >= end:
            self.now = end
            return False
        self.now = max(self.now, due)
        self._step()
        return True

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
            if self.received(data, source, target):
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
            phone = self.called(target, call_id)
            if phone is not None:
                self._owner[target, call_id] = phone
        return self._owner.get((target, call_id))

    def do(self, phone: Phone, outputs: Sequence[PhoneOutput]) -> None:
        """Carry out what a phone wants."""
        for output in outputs:
            if isinstance(output, SendSip):
                self._owner[phone.here, parse_message(output.data).call_id] = phone
                self.network.send(self.leaving(phone, output.data), phone.here, output.hop, self.now)
            else:
                source, target = Hop("udp", phone.here.host, output.port), Hop("udp", *output.target)
                self.network.send(output.data, source, target, self.now)

    def take(self, outputs: Sequence[object]) -> None:
        """Carry out what the exchange wants; all but SIP, media and questions is kept in ``outputs``."""
        for output in outputs:
            match output:
                case Transmit(data, hop):
                    self.network.send(data, GATEWAY, hop, self.now)
                case MediaCommand(worker, command):
                    self.after(CONTROL, partial(self._command, worker, command))
                case Resolve():
                    self.resolve(output)
                case Consult():
                    self.consult(output)
                case Faulted(_, error):
                    raise AssertionError("a fault of ours") from error
                case _:
                    self.outputs.append(output)

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
                    self.media_leaves(worker, output)
                    self.network.send(data, Hop("udp", GATEWAY.host, port), Hop("udp", host, to), self.now)

    def send_report(self, worker: int, report: control.Report) -> None:
        """A worker's word is on its way to the exchange."""
        if isinstance(report, control.Unheard):
            self.unheard.append(report)
        self.after(CONTROL, lambda: self.take(self.exchange.media_report(worker, report, self.now)))

    def _open_spool(self, path: str, header: Mapping[str, Any], data_key: bytes, kept_key: bytes) -> Tape:
        self.tapes.append(Tape(path))
        return self.tapes[-1]

    def _token(self) -> str:
        return f"{self._random.getrandbits(80):020x}"

    # --- what has been seen -------------------------------------------------------------------------------------------

    def of(self, kind: type[T]) -> list[T]:
        """The outputs of one kind."""
        return [output for output in self.outputs if isinstance(output, kind)]
