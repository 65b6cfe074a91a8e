"""All sessions of a worker as one pure machine: commands and packets in, reports and packets out.

``worker.py`` drives it on real sockets and calls ``Leg.receive`` itself, packet by packet; the simulator drives it in
virtual time. It is built up in layers: ``timing`` (sessions, the heap of timers), ``playing`` (what legs hear of ours),
``watching`` (silence, RTCP, quality), and here commands, ports, packets. A row of the heap whose leg has moved on does
nothing when it comes up.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from media import control
from media.control import CALLEE, CALLER, Command
from media.latch import Source
from media.outputs import ClosePorts, Latched, OpenPorts, Output, Reply, Spool
from media.ports import PortPool
from media.sender import Sender
from media.session import Leg, pair, part
from media.timing import Session, rtp_to
from media.watching import EVERY, Watching

ATTEMPTS = 8
"""Pairs of ports that are tried for a session when another program holds some of them."""


class Room(Watching):
    """``random_bits(n)`` gives n random bits; ``load_tone(path)`` A-law samples (ToneError, OSError);
    ``open_spool(path, header, data_key, kept_key)`` a recording; ``wall()`` UTC epoch seconds for sender reports."""

    def __init__(
        self,
        ports: PortPool,
        random_bits: Callable[[int], int],
        load_tone: Callable[[str], bytes],
        open_spool: Callable[[str, Mapping[str, Any], bytes, bytes], Spool],
        wall: Callable[[], float] = lambda: 0.0,
    ) -> None:
        super().__init__(load_tone, random_bits, wall)
        self.ports = ports
        self._open_spool = open_spool
        self._counted = control.LegStats()
        """What the legs of closed sessions had counted."""

    def counted(self) -> control.LegStats:
        """What all legs have counted since the worker began."""
        return _total((self._counted, *(leg.stats() for leg in self.legs.values())))

    # --- commands -----------------------------------------------------------------------------------------------------

    def command(self, command: Command, now: float) -> list[Output]:
        """Carry out a command of the signalling process."""
        if isinstance(command, control.Open):
            if command.session in self._sessions:
                return [Reply(control.OpenFailed(command.session, "exists already"))]
            if command.ports is not None:
                return self._open_again(command, command.ports, now)
            return self._open(command.session, 1, command.part, now)
        if isinstance(command, control.Rest):
            self.ports.rest(command.ports, now)
            return []
        if isinstance(command, control.AskUsage | control.Ping | control.Begin):
            return []
        if isinstance(command, control.Drain):
            return [output for name in list(self._sessions) for output in self._close(name, now)]
        session = self._sessions.get(command.session)
        if session is None:
            return []
        match command:
            case control.Connect():
                leg = session.legs[command.leg]
                leg.connect(command, now)
                return [Latched(leg.port)]
            case control.Relay(_, caller_hears, callee_hears):
                session.legs[CALLER].hear(caller_hears)
                session.legs[CALLEE].hear(callee_hears)
                return []
            case control.Play():
                return self._play(session.legs[command.leg], command, now)
            case control.SendDigits():
                return self._dial(session.legs[command.leg], command, now)
            case control.Stop(_, side, play):
                return self._stop(session.legs[side], play, now)
            case control.Record():
                return self._record(session, command, now)
            case control.Watch(_, seconds):
                self._begin_watch(session, seconds, now)
                return []
            case control.Listen(_, side, digits):
                session.legs[side].listen(digits)
                return []
            case control.Close():
                return self._close(session.name, now)

    def _open(self, name: str, attempt: int, part: int, now: float) -> list[Output]:
        first = self.ports.take(now)
        second = self.ports.take(now) if first is not None else None
        if first is None or second is None:
            if first is not None:
                self.ports.put_back(first)
            return [Reply(control.OpenFailed(name, "no free port"))]
        return [OpenPorts(name, (first, second), attempt, part)]

    def _open_again(self, told: control.Open, ports: tuple[int, int], now: float) -> list[Output]:
        taken = [port for port in ports if self.ports.claim(port)]
        if len(taken) < len(ports):
            for port in taken:
                self.ports.give_back(port, now)
            return [Reply(control.OpenFailed(told.session, "the ports are not free"))]
        return [OpenPorts(told.session, ports, ATTEMPTS, told.part)]

    def ports_opened(self, opened: OpenPorts, error: str, now: float) -> list[Output]:
        """What came of OpenPorts; ``error`` "" when both pairs are bound."""
        if error:
            for port in opened.ports:
                self.ports.give_back(port, now)
            if opened.attempt < ATTEMPTS:
                return self._open(opened.session, opened.attempt + 1, opened.part, now)
            return [Reply(control.OpenFailed(opened.session, error))]
        part = opened.part
        legs = tuple(Leg(opened.session, side, port, self._new_sender(part)) for side, port in enumerate(opened.ports))
        caller, callee = legs
        pair(caller, callee)
        session = self._sessions[opened.session] = Session(opened.session, (caller, callee))
        session.judged_at = now
        for leg in legs:
            self.legs[leg.port] = leg
            self._rtcp_later(leg, now)
        self._at(now + EVERY, "quality", caller, None)
        return [Reply(control.Opened(opened.session, caller.port, callee.port))]

    def _new_sender(self, part: int) -> Sender:
        return Sender(self._random_bits(28) << 4 | part, self._random_bits(16), self._random_bits(32))

    def _record(self, session: Session, told: control.Record, now: float) -> list[Output]:
        if session.spool is None:
            since = told.since or now
            header = {"session": session.name, "started": since, "wall": self._wall() - (now - since)}
            session.spool = self._open_spool(told.path, header, told.data_key, told.kept_key)
            session.taped_from = sum(leg.receiver.received for leg in session.legs)
            for leg in session.legs:
                leg.tape = session.spool.append
        return []

    def _close(self, name: str, now: float) -> list[Output]:
        session = self._sessions.pop(name)
        outputs = self._judge(session, now)
        for leg in session.legs:
            outputs += self._stop(leg, "", now)
            leg.latch = leg.target = leg.tape = None
            del self.legs[leg.port]
            self.ports.give_back(leg.port, now)
            outputs.append(ClosePorts(leg.port))
        error, recorded = "", False
        if session.spool is not None:
            heard = sum(leg.receiver.received for leg in session.legs) > session.taped_from
            session.spool.close(now=now)
            error = session.spool.error
            recorded = heard and (not error or session.spool.kept)
        caller, callee = (leg.stats() for leg in session.legs)
        self._counted = _total((self._counted, caller, callee))
        part(*session.legs)
        return [*outputs, Reply(control.Closed(name, caller, callee, recorded, error))]

    def spool_trouble(self) -> list[Output]:
        """Spool files that have failed since the last time: those sessions are recorded no longer."""
        outputs: list[Output] = []
        for session in self._sessions.values():
            if session.spool is not None and session.spool.error and not session.spool_told:
                session.spool_told = True
                for leg in session.legs:
                    leg.tape = None
                outputs.append(Reply(control.SpoolFailed(session.name, session.spool.error)))
        return outputs

    # --- packets ------------------------------------------------------------------------------------------------------

    def receive(self, port: int, data: bytes, source: Source, now: float) -> list[Output]:
        """A datagram on a local port, in virtual time. The worker does the same by hand."""
        leg = self.legs.get(port & ~1)
        if leg is None:
            return []
        if port % 2:
            self.receive_rtcp(leg, data, source, now)
            return []
        clear = leg.let_in(data, source)
        if clear is None:
            return []
        packet = leg.receive(clear, now)
        outputs = self.news(leg, now) if leg.news else []
        return outputs + rtp_to(leg.other, packet)

    def news(self, leg: Leg, now: float) -> list[Output]:
        """What ``Leg.receive`` has left to report, and to do later."""
        outputs: list[Output] = []
        if leg.heard and not leg.told:
            leg.told = True
            outputs.append(Reply(control.Heard(leg.session, leg.side)))
        outputs += [Reply(control.Digit(leg.session, leg.side, key)) for key in leg.digits]
        leg.digits = ""
        leg.news = False
        if leg.undelivered:
            outputs += self._pass_on(leg, now)
        if leg.muxed:
            self._reported(leg, leg.muxed, now)
            leg.muxed = b""
        if leg.repacker is not None:
            self._pace_later(leg, leg.repacker)
        return outputs

    # --- time ---------------------------------------------------------------------------------------------------------

    def handle_timeout(self, now: float) -> list[Output]:
        """Do what is due."""
        outputs: list[Output] = []
        heap = self.heap
        while heap and heap[0][0] <= now:
            when, _, what, leg, mark = heapq.heappop(heap)
            if self.legs.get(leg.port) is not leg:
                continue
            match what:
                case "tone":
                    if leg.player is mark:
                        outputs += self._tone(leg, now)
                case "pace":
                    if leg.repacker is mark and leg.repacker is not None and leg.repacker.armed == when:
                        outputs += self._pace(leg, leg.repacker, now)
                case "rtcp":
                    outputs += self._rtcp(leg, now)
                case "quality":
                    outputs += self._quality(leg, now)
                case "watch":
                    outputs += self._watch(leg, mark, now)
                case _:
                    outputs += self._unheard(leg, mark)
        return outputs


def _total(stats: Sequence[control.LegStats]) -> control.LegStats:
    """Their sum; a jitter has none."""
    names = ("received", "octets", "lost", "refused", "malformed", "sent", "unopened")
    return control.LegStats(**{name: sum(getattr(one, name) for one in stats) for name in names})
