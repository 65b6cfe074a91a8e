"""What is watched of a session: silence, legs that are never heard, RTCP both ways, quality.

Rows of the heap:

    watch     a party that should send has sent nothing for the watched time
    unheard   nothing at all has come of a party ``UNHEARD`` seconds after the watch began (pains.md P1)
    rtcp      a report of ours about every 5 s (RFC 3550 §6.2)
    quality   both legs judged, every ``EVERY`` seconds
"""

from __future__ import annotations

from collections.abc import Callable

from media import control
from media.latch import Source
from media.outputs import Output, Reply, SendPacket
from media.playing import Playing
from media.rtcp import middle, read, report
from media.session import Leg
from media.timing import Session

RTCP_EVERY = 5.0
EVERY = 5.0
UNHEARD = 3.0
_WORTH_TELLING = 1.0


class Watching(Playing):
    """``random_bits(n)`` gives n random bits, ``wall()`` UTC epoch seconds."""

    def __init__(
        self, load_tone: Callable[[str], bytes], random_bits: Callable[[int], int], wall: Callable[[], float]
    ) -> None:
        super().__init__(load_tone)
        self._random_bits = random_bits
        self._wall = wall

    # --- silence ------------------------------------------------------------------------------------------------------

    def _begin_watch(self, session: Session, seconds: float, now: float) -> None:
        session.watch = seconds
        for leg in session.legs:
            leg.heard_at = now
            leg.silent = False
            leg.watch = object()
            leg.watched_from = leg.receiver.received
            if seconds:
                self._at(now + seconds, "watch", leg, leg.watch)
                self._at(now + UNHEARD, "unheard", leg, leg.watch)

    def _watch(self, leg: Leg, mark: object, now: float) -> list[Output]:
        if mark is not leg.watch:
            return []
        seconds = self._sessions[leg.session].watch
        due = leg.last_heard + seconds
        if due > now:
            leg.silent = False
            self._at(due, "watch", leg, mark)
            return []
        self._at(now + seconds, "watch", leg, mark)
        if leg.silent or not leg.sends or leg.target is None:
            return []
        leg.silent = True
        return [Reply(control.Silent(leg.session, leg.side))]

    def _unheard(self, leg: Leg, mark: object) -> list[Output]:
        latch = leg.latch
        if mark is not leg.watch or leg.receiver.received > leg.watched_from:
            return []
        if latch is None or not leg.sends or leg.target is None:
            return []
        host, port = latch.signalled
        source, source_port = leg.stranger or ("", 0)
        return [
            Reply(
                control.Unheard(
                    session=leg.session, leg=leg.side, seconds=UNHEARD, host=host, port=port, source=source,
                    source_port=source_port, refused=leg.refused,
                )
            )
        ]  # fmt: skip

    # --- RTCP ---------------------------------------------------------------------------------------------------------

    def receive_rtcp(self, leg: Leg, data: bytes, source: Source, now: float) -> None:
        """A datagram on the RTCP port of a leg; only the party's address is listened to, whatever the port."""
        if leg.latch is None or source[0] != leg.latch.host:
            return
        clear = data if leg.guard is None else leg.guard.open_rtcp(data)
        if clear is not None:
            self._reported(leg, clear, now)

    def _reported(self, leg: Leg, data: bytes, now: float) -> None:
        told = read(data, leg.sender.ssrc)
        if told is None:
            return
        receiver = leg.receiver
        if told.ssrc == receiver.ssrc:
            receiver.report_ntp, receiver.report_at = told.sent, now
        if told.block is not None:
            leg.gauge.hear(told.block, middle(self._wall()))

    def _rtcp_later(self, leg: Leg, now: float) -> None:
        self._at(now + RTCP_EVERY * (0.5 + self._random_bits(16) / 65536), "rtcp", leg, None)

    def _rtcp(self, leg: Leg, now: float) -> list[Output]:
        self._rtcp_later(leg, now)
        latch, target = leg.latch, leg.target if leg.rtcp_mux else leg.rtcp_target
        if target is None or latch is None or (latch.learned and not leg.rtcp_mux):
            # Behind NAT nobody can say where RTCP goes: the SDP's address is a private one.
            return []
        if not (leg.sender.packets or leg.receiver.received):
            return []
        port = leg.port if leg.rtcp_mux else leg.port + 1
        ours: bytes | None = report(leg.sender, leg.receiver, self._wall(), now)
        if ours is not None and leg.guard is not None:
            ours = leg.guard.seal_rtcp(ours)
        return [] if ours is None else [SendPacket(port, ours, target)]

    # --- quality ------------------------------------------------------------------------------------------------------

    def _quality(self, leg: Leg, now: float) -> list[Output]:
        self._at(now + EVERY, "quality", leg, None)
        return self._judge(self._sessions[leg.session], now)

    def _judge(self, session: Session, now: float) -> list[Output]:
        """Of both legs, as soon as anything has been heard."""
        caller, callee = session.legs
        lasted, session.judged_at = now - session.judged_at, now
        if lasted < _WORTH_TELLING or not (caller.receiver.received or callee.receiver.received):
            return []
        return [
            Reply(control.Quality(session.name, caller.gauge.take(caller.receiver), callee.gauge.take(callee.receiver)))
        ]
