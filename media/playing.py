"""What a leg hears of ours: tones and digits, packet by packet; and what the other party's packets are cut into.

Rows of the heap: ``tone`` (each packet of a tone), ``pace`` (packets cut anew).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from media import control
from media.dialling import Dialler, dtmf, valid
from media.outputs import Output, Reply
from media.player import Player
from media.repacking import Repacker
from media.session import Leg
from media.timing import Timing, rtp_to
from media.tones import ToneError

PASSED_ON = "passed on"
"""The Play of digits that one party sent as events and the other hears as tones, having no events."""


class Playing(Timing):
    """``load_tone(path)`` gives A-law samples (ToneError, OSError)."""

    def __init__(self, load_tone: Callable[[str], bytes]) -> None:
        super().__init__()
        self._load_tone = load_tone

    def _play(self, leg: Leg, told: control.Play, now: float) -> list[Output]:
        outputs = self._stop(leg, "", now)
        try:
            tones: Sequence[bytes] = [self._load_tone(path) for path in told.files]
        except (ToneError, OSError) as error:
            # A path may lie in a customer's folder: the report says what is wrong, not where.
            why = error.strerror if isinstance(error, OSError) else str(error)
            return [*outputs, Reply(control.Played(leg.session, leg.side, told.play, False, error=why or "unreadable"))]
        self._start(leg, Player(told.play, tones, loop=told.loop, ptime=leg.ptime, now=now), now)
        return outputs

    def _dial(self, leg: Leg, told: control.SendDigits, now: float) -> list[Output]:
        if not valid(told.digits):
            return [Reply(control.Played(leg.session, leg.side, told.play, False, error="no such digits"))]
        player = leg.player
        if player is not None and player.name == told.play:
            if isinstance(player, Dialler):
                player.more(told.digits)
            else:
                player.more(dtmf(told.digits))
            return []
        outputs = self._stop(leg, "", now)
        if leg.events >= 0:
            self._start(leg, Dialler(told.play, told.digits, kind=leg.events, ptime=leg.ptime, now=now), now)
        else:
            tones = (dtmf(told.digits),)
            self._start(leg, Player(told.play, tones, loop=False, ptime=leg.ptime, now=now), now)
        return outputs

    def _pass_on(self, leg: Leg, now: float) -> list[Output]:
        """Digits of a party whose other party takes no events."""
        keys, leg.undelivered = leg.undelivered, ""
        other = leg.other
        return self._dial(other, control.SendDigits(leg.session, other.side, PASSED_ON, keys), now)

    def _start(self, leg: Leg, player: Player | Dialler, now: float) -> None:
        leg.play(player)
        self._at(now, "tone", leg, player)

    def _stop(self, leg: Leg, play: str, now: float, *, completed: bool = False) -> list[Output]:
        player = leg.player
        if player is None or (play and player.name != play):
            return []
        leg.play(None)
        return [Reply(control.Played(leg.session, leg.side, player.name, completed, started=player.started, ended=now))]

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
        return rtp_to(leg, packet)

    def _pace(self, leg: Leg, repacker: Repacker, now: float) -> list[Output]:
        """What ``leg`` said goes out to the other one, a packet time after the packet before."""
        repacker.armed = -1.0
        packet = leg.repacked(now)
        self._pace_later(leg, repacker)
        return rtp_to(leg.other, packet)

    def _pace_later(self, leg: Leg, repacker: Repacker) -> None:
        deadline = repacker.deadline
        if deadline >= 0.0 and not 0.0 <= repacker.armed <= deadline:
            repacker.armed = deadline
            self._at(deadline, "pace", leg, repacker)
