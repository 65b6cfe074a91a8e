"""All sessions of a worker as one pure machine: commands and packets in, reports and packets out.

``worker.py`` drives it on real sockets and calls ``Leg.receive`` itself, packet by packet; the simulator drives it in
virtual time. Timers are rows of one heap: ``tone`` (each packet of a tone), ``rtcp`` (a report about every 5 s,
RFC 3550 §6.2), ``watch`` (silence of a party). A row whose leg has moved on does nothing when it comes up.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from media import control
from media.control import CALLEE, CALLER, Command, Report
from media.latch import Latch
from media.player import Player
from media.ports import PortPool
from media.rtcp import report
from media.sender import Sender
from media.session import Leg
from media.tones import ToneError

RTCP_EVERY = 5.0
Address = tuple[str, int]


class Spool(Protocol):
    """What a recording is written to."""

    error: str

    def append(self, leg: int, now: float, packet: bytes) -> None:
        """Keep a packet."""

    def close(self, on_closed: Callable[[], None] | None = None, *, now: float | None = None) -> None:
        """No more packets; ``now``: the recording ends here."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Tell the signalling process."""

    report: Report


@dataclass(frozen=True, slots=True)
class SendPacket:
    """Send from a local port (RTP, or the odd one for RTCP)."""

    port: int
    data: bytes
    target: Address


@dataclass(frozen=True, slots=True)
class OpenPorts:
    """Bind ``port`` and ``port + 1``; call ``Room.ports_opened`` with what came of it."""

    session: str
    ports: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ClosePorts:
    """Close ``port`` and ``port + 1``."""

    port: int


@dataclass(frozen=True, slots=True)
class Latched:
    """A leg's allowed source or target has changed: a connected socket must follow."""

    port: int


Output = Reply | SendPacket | OpenPorts | ClosePorts | Latched


class _Session:
    __slots__ = ("legs", "name", "spool", "watch")

    def __init__(self, name: str, legs: tuple[Leg, Leg]) -> None:
        self.name = name
        self.legs = legs
        self.spool: Spool | None = None
        self.watch = 0.0


class Room:
    """``random_bits(n)`` gives n random bits; ``load_tone(path)`` A-law samples (ToneError, OSError);
    ``open_spool(path, header)`` a recording; ``wall()`` UTC epoch seconds for sender reports."""

    def __init__(
        self,
        ports: PortPool,
        random_bits: Callable[[int], int],
        load_tone: Callable[[str], bytes],
        open_spool: Callable[[str, Mapping[str, Any]], Spool],
        wall: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.ports = ports
        self.legs: dict[int, Leg] = {}
        """By local RTP port."""
        self._random_bits = random_bits
        self._load_tone = load_tone
        self._open_spool = open_spool
        self._wall = wall
        self._sessions: dict[str, _Session] = {}
        self._heap: list[tuple[float, int, str, Leg, object]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def deadline(self) -> float | None:
        """When ``handle_timeout`` is due."""
        return self._heap[0][0] if self._heap else None

    # --- commands -----------------------------------------------------------------------------------------------------

    def command(self, command: Command, now: float) -> list[Output]:
        """Carry out a command of the signalling process."""
        if isinstance(command, control.Open):
            return self._open(command.session, now)
        if isinstance(command, control.Drain):
            return [output for name in list(self._sessions) for output in self._close(name, now)]
        session = self._sessions.get(command.session)
        if session is None:
            return []
        match command:
            case control.Connect():
                return self._connect(session.legs[command.leg], command, now)
            case control.Relay(_, caller_hears, callee_hears):
                session.legs[CALLER].hears = caller_hears
                session.legs[CALLEE].hears = callee_hears
                return []
            case control.Play():
                return self._play(session.legs[command.leg], command, now)
            case control.Stop(_, leg, play):
                return self._stop(session.legs[leg], play, now)
            case control.Record(_, path):
                return self._record(session, path, now)
            case control.Watch(_, seconds):
                session.watch = seconds
                for one in session.legs:
                    one.heard_at = now
                    one.silent = False
                    if seconds:
                        self._at(now + seconds, "watch", one, seconds)
                return []
            case control.Close():
                return self._close(session.name, now)

    def _open(self, name: str, now: float) -> list[Output]:
        if name in self._sessions:
            return [Reply(control.OpenFailed(name, "exists already"))]
        first = self.ports.take(now)
        second = self.ports.take(now) if first is not None else None
        if first is None or second is None:
            if first is not None:
                self.ports.give_back(first, float("-inf"))
            return [Reply(control.OpenFailed(name, "no free port"))]
        return [OpenPorts(name, (first, second))]

    def ports_opened(self, opened: OpenPorts, error: str, now: float) -> list[Output]:
        """What came of OpenPorts; ``error`` "" when both pairs are bound."""
        if error:
            for port in opened.ports:
                self.ports.give_back(port, now)
            return [Reply(control.OpenFailed(opened.session, error))]
        legs = tuple(Leg(opened.session, side, port, self._new_sender()) for side, port in enumerate(opened.ports))
        caller, callee = legs
        caller.other, callee.other = callee, caller
        self._sessions[opened.session] = _Session(opened.session, (caller, callee))
        for leg in legs:
            self.legs[leg.port] = leg
            self._at(now + RTCP_EVERY * (0.5 + self._random_bits(16) / 65536), "rtcp", leg, None)
        return [Reply(control.Opened(opened.session, caller.port, callee.port))]

    def _new_sender(self) -> Sender:
        return Sender(self._random_bits(32), self._random_bits(16), self._random_bits(32))

    def _connect(self, leg: Leg, told: control.Connect, now: float) -> list[Output]:
        leg.latch = Latch(told.host, told.port, told.networks, told.learn_from if told.learn else "")
        leg.target = (told.host, told.port) if told.port else None
        leg.rtcp_target = (told.host, told.rtcp_port or told.port + 1) if told.port else None
        leg.codec = leg.sender.codec = told.codec
        leg.events = -1 if told.events is None else told.events
        leg.ptime = told.ptime
        leg.sends = told.sends
        leg.receives = told.receives
        leg.heard = leg.told = False
        leg.heard_at = now
        leg.silent = False
        return [Latched(leg.port)]

    def _play(self, leg: Leg, told: control.Play, now: float) -> list[Output]:
        outputs = self._stop(leg, "", now)
        try:
            tones: Sequence[bytes] = [self._load_tone(path) for path in told.files]
        except (ToneError, OSError) as error:
            # A path may lie in a customer's folder: the report says what is wrong, not where.
            why = error.strerror if isinstance(error, OSError) else str(error)
            return [*outputs, Reply(control.Played(leg.session, leg.side, told.play, False, error=why or "unreadable"))]
        player = leg.player = Player(told.play, tones, loop=told.loop, ptime=leg.ptime, now=now)
        self._at(now, "tone", leg, player)
        return outputs

    def _stop(self, leg: Leg, play: str, now: float, *, completed: bool = False) -> list[Output]:
        player = leg.player
        if player is None or (play and player.name != play):
            return []
        leg.player = None
        return [Reply(control.Played(leg.session, leg.side, player.name, completed, started=player.started, ended=now))]

    def _record(self, session: _Session, path: str, now: float) -> list[Output]:
        if session.spool is None:
            session.spool = self._open_spool(path, {"session": session.name, "started": now, "wall": self._wall()})
            for leg in session.legs:
                leg.tape = session.spool.append
        return []

    def _close(self, name: str, now: float) -> list[Output]:
        session = self._sessions.pop(name)
        outputs: list[Output] = []
        for leg in session.legs:
            outputs += self._stop(leg, "", now)
            leg.latch = leg.target = leg.tape = None
            del self.legs[leg.port]
            self.ports.give_back(leg.port, now)
            outputs.append(ClosePorts(leg.port))
        error, recorded = "", False
        if session.spool is not None:
            error = session.spool.error
            recorded = not error and any(leg.receiver.received for leg in session.legs)
            session.spool.close(now=now)
        caller, callee = (leg.stats() for leg in session.legs)
        return [*outputs, Reply(control.Closed(name, caller, callee, recorded, error))]

    # --- packets ------------------------------------------------------------------------------------------------------

    def receive(self, port: int, data: bytes, source: Address, now: float) -> list[Output]:
        """A datagram on a local port, in virtual time. The worker does the same by hand."""
        leg = self.legs.get(port)
        if leg is None or leg.latch is None or not leg.latch.admits(source):
            if leg is not None:
                leg.refused += 1
            return []
        if leg.latch.learned:
            leg.target = source
        packet = leg.receive(data, now)
        outputs = self.news(leg) if leg.news else []
        if packet is not None and leg.other.target is not None:
            outputs.append(SendPacket(leg.other.port, packet, leg.other.target))
        return outputs

    def news(self, leg: Leg) -> list[Output]:
        """What ``Leg.receive`` has left to report."""
        outputs: list[Output] = []
        if leg.heard and not leg.told:
            leg.told = True
            outputs.append(Reply(control.Heard(leg.session, leg.side)))
        outputs += [Reply(control.Digit(leg.session, leg.side, key)) for key in leg.digits]
        leg.digits = ""
        leg.news = False
        return outputs

    # --- time ---------------------------------------------------------------------------------------------------------

    def _at(self, when: float, what: str, leg: Leg, mark: object) -> None:
        heapq.heappush(self._heap, (when, next(self._order), what, leg, mark))

    def handle_timeout(self, now: float) -> list[Output]:
        """Do what is due."""
        outputs: list[Output] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            _, _, what, leg, mark = heapq.heappop(heap)
            if self.legs.get(leg.port) is not leg:
                continue
            if what == "tone":
                if leg.player is mark:
                    outputs += self._tone(leg, now)
            elif what == "watch":
                outputs += self._watch(leg, mark, now)
            else:
                outputs += self._rtcp(leg, now)
        return outputs

    def _tone(self, leg: Leg, now: float) -> list[Output]:
        player = leg.player
        assert player is not None
        if leg.target is None or not leg.receives:
            # Nobody to hear it: the tone stands still, not the clock.
            player.deadline = now + leg.ptime / 1000
            self._at(player.deadline, "tone", leg, player)
            return []
        packet = leg.tone(now)
        if packet is None:
            return self._stop(leg, "", now, completed=True)
        self._at(player.deadline, "tone", leg, player)
        return [SendPacket(leg.port, packet, leg.target)]

    def _watch(self, leg: Leg, mark: object, now: float) -> list[Output]:
        session = self._sessions[leg.session]
        if not session.watch or mark != session.watch:
            return []
        due = leg.heard_at + session.watch
        if due > now:
            leg.silent = False
            self._at(due, "watch", leg, mark)
            return []
        self._at(now + session.watch, "watch", leg, mark)
        if leg.silent or not leg.sends or leg.target is None:
            return []
        leg.silent = True
        return [Reply(control.Silent(leg.session, leg.side))]

    def _rtcp(self, leg: Leg, now: float) -> list[Output]:
        self._at(now + RTCP_EVERY * (0.5 + self._random_bits(16) / 65536), "rtcp", leg, None)
        if leg.rtcp_target is None or leg.target is None or not (leg.sender.packets or leg.receiver.received):
            return []
        return [SendPacket(leg.port + 1, report(leg.sender, leg.receiver, self._wall()), leg.rtcp_target)]
