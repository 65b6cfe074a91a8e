"""SIP of WebSockets on its way between transport and call core: browsers' descriptions become plain ones, and back.

A browser's audio is UDP/TLS/RTP/SAVPF, which the call core doesn't speak. The edge (media/webrtc.py) does; so a dialog
with a browser gets a leg there, and each description that passes is exchanged for the edge's:

    in, an offer       the edge answers it: a leg is opened for it         the core sees RTP/AVP at the leg's plain end
    out, its answer    the leg is told of the worker                       the browser sees the leg
    out, an offer      a leg is opened that offers; told of the worker     the browser sees the leg
    in, its answer     the leg is started                                  the core sees the leg's plain end
    later ones         the same leg, so audio goes on: hold, refresh

What a browser says in Opus is converted there, if it has no A-law (gateway/sdp/opus.py).

What belongs to a dialog whose leg is being opened waits for it, in order; all else passes at once. A call of a client
that offers RTP/AVP is none of our business, neither is an INVITE without credentials, since it is only challenged: no
stranger takes a port. If the edge can't, the message passes as it is, and the core or the browser
refuses it (488).

A leg ends with BYE, with the refusal of its call, or unanswered after UNANSWERED seconds. A browser that is gone ends
its call (parting.py): its socket is closed and nothing has been heard of it for GONE seconds, not even a check of ICE,
which comes in silence too; or ICE or DTLS fails, whatever its socket does. One that only lost its socket talks on.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.browsers.bodies import description_of, with_body, worker_of
from gateway.browsers.dialog import Dialog, Inward, Outward, Passing, opus_of, parted_of, spoken_to
from gateway.browsers.parting import is_answer
from gateway.errors import ParseError
from gateway.sdp.browser import browser_of, is_browser, mid_of, plain_of, terms_of
from gateway.sdp.description import SessionDescription
from gateway.sip.hop import Hop
from gateway.sip.message import Malformed, Request, Response, parse_message
from media.browser import (
    CarryLeg,
    CloseLeg,
    CodeLeg,
    Command,
    LegFailed,
    LegGone,
    LegOpened,
    OpenLeg,
    Report,
    Setup,
    StartLeg,
    Terms,
    WatchLeg,
)

__all__ = ["GONE", "UNANSWERED", "Crossing", "Inward", "Output", "Outward"]
UNANSWERED = 300.0
GONE = 5.0
WEB = ("ws", "wss")
_MOST_WAITING = 64
_Message = Request | Response
Output = Inward | Outward | Command


class Crossing:
    """``receive`` and ``send`` for messages of WebSockets alone; ``report`` for what the edge says."""

    def __init__(self) -> None:
        self._dialogs: dict[str, Dialog] = {}
        self._by_leg: dict[int, str] = {}
        self._last = 0

    @property
    def legs(self) -> int:
        """Legs that are open or being opened."""
        return len(self._dialogs)

    def receive(self, data: bytes, source: Hop, now: float) -> list[Output]:
        """What a browser sends."""
        return self._take(Inward(data, source), now)

    def send(self, data: bytes, hop: Hop, now: float) -> list[Output]:
        """What goes to a browser."""
        return self._take(Outward(data, hop), now)

    def report(self, report: Report, now: float) -> list[Output]:
        """What the edge says."""
        call_id = self._by_leg.get(report.leg, "")
        dialog = self._dialogs.get(call_id)
        if dialog is None:
            return []
        match report:
            case LegOpened():
                dialog.opened = report
                if dialog.theirs is not None:
                    dialog.role = report.ours.setup
                return self._release(dialog, now)
            case LegFailed():
                return [*self._forget(call_id), *dialog.waiting]
            case LegGone():
                return [*self._forget(call_id), CloseLeg(report.leg), *parted_of(dialog), *dialog.waiting]

    def closed(self, hop: Hop) -> list[Output]:
        """A WebSocket is gone; its calls may go on all the same."""
        outputs: list[Output] = []
        for dialog in self._dialogs.values():
            if dialog.hop == hop and not dialog.closed:
                dialog.closed = True
                outputs.append(WatchLeg(dialog.leg, GONE))
        return outputs

    def edge_gone(self) -> list[Output]:
        """The edge's process has ended: nothing is left of its legs, so their calls end."""
        outputs: list[Output] = []
        for dialog in self._dialogs.values():
            outputs += [*parted_of(dialog), *dialog.waiting]
        self._dialogs.clear()
        self._by_leg.clear()
        return outputs

    def _take(self, passing: Passing, now: float) -> list[Output]:
        try:
            if is_answer(passing.data):
                return []
            message = parse_message(passing.data)
            dialog = self._dialogs.get(message.call_id)
            if dialog is not None and dialog.opened is None:
                if len(dialog.waiting) < _MOST_WAITING:
                    dialog.waiting.append(passing)
                return []
            return self._pass(passing, message, dialog, now)
        except (Malformed, ParseError):
            # Headers are read when they are asked for; the core says what is wrong with them.
            return [passing]

    def _release(self, dialog: Dialog, now: float) -> list[Output]:
        outputs: list[Output] = []
        while dialog.waiting:
            outputs += self._take(dialog.waiting.popleft(), now)
        return outputs

    def _pass(self, passing: Passing, message: _Message, dialog: Dialog | None, now: float) -> list[Output]:
        description = description_of(message)
        if dialog is None:
            return [passing] if description is None else self._begin(passing, message, description, now)
        outputs: list[Output] = []
        inward = isinstance(passing, Inward)
        dialog.parting.note(message, inward=inward)
        if inward:
            dialog.hop, dialog.closed = passing.hop, dialog.closed and passing.hop == dialog.hop
        if description is not None:
            try:
                body = self._exchange(passing, message, dialog, description, outputs)
            except (ParseError, ValueError):
                body = None
            if body is not None:
                passing = replace(passing, data=with_body(passing.data, body))
        outputs.append(passing)
        if self._over(message, dialog):
            outputs += [*self._forget(message.call_id), CloseLeg(dialog.leg)]
        return outputs

    def _begin(self, passing: Passing, message: _Message, description: SessionDescription, now: float) -> list[Output]:
        """The first description of a dialog: one for the edge?"""
        if not isinstance(message, Request) or message.method != "INVITE" or message.to.tag is not None:
            return [passing]
        theirs = None
        if isinstance(passing, Inward):
            known = "Authorization" in message.headers or "Proxy-Authorization" in message.headers
            if not known or not is_browser(description):
                return [passing]
            try:
                theirs = terms_of(description)
            except ParseError:
                return [passing]
        elif is_browser(description):
            return [passing]
        self._last += 1
        dialog = self._dialogs[message.call_id] = Dialog(
            self._last, now, theirs, passing.hop, mid=mid_of(description) or "0", ours=theirs is None
        )
        self._by_leg[self._last] = message.call_id
        dialog.waiting.append(passing)
        return [*self._sweep(now), OpenLeg(dialog.leg, theirs)]

    def _exchange(
        self,
        passing: Passing,
        message: _Message,
        dialog: Dialog,
        description: SessionDescription,
        outputs: list[Output],
    ) -> bytes | None:
        """The other side's form of a description; None: it stays as it is."""
        opened = dialog.opened
        assert opened is not None
        if isinstance(passing, Inward):
            if not is_browser(description):
                return None
            if dialog.theirs is None:
                dialog.theirs = terms_of(description)
                dialog.role = "active" if dialog.theirs.setup == "passive" else "passive"
                outputs.append(StartLeg(dialog.leg, dialog.theirs))
            dialog.mid = mid_of(description) or dialog.mid
            opus = opus_of(message, description, dialog)
            if opus != dialog.opus:
                dialog.opus = opus
                outputs.append(CodeLeg(dialog.leg, opus))
            return bytes(plain_of(description, opened.plain, opus))
        worker = worker_of(description)
        if worker is not None:
            outputs.append(CarryLeg(dialog.leg, worker))
        # An offer leaves the roles open, which stay as they are (RFC 8842 §5.5); an answer names ours.
        setup: Setup = "actpass" if isinstance(message, Request) else dialog.role
        ours = Terms(
            ufrag=opened.ours.ufrag,
            password=opened.ours.password,
            candidates=opened.ours.candidates,
            fingerprints=opened.ours.fingerprints,
            setup=setup,
        )
        return bytes(browser_of(description, ours, dialog.mid, spoken_to(message, dialog)))

    def _over(self, message: _Message, dialog: Dialog) -> bool:
        if isinstance(message, Request):
            return message.method == "BYE"
        if message.cseq.method != "INVITE" or message.status < 200:
            return False
        if message.status < 300:
            dialog.confirmed = True
        return message.status >= 300 and not dialog.confirmed

    def _sweep(self, now: float) -> list[Output]:
        outputs: list[Output] = []
        for call_id, dialog in list(self._dialogs.items()):
            if dialog.since + UNANSWERED > now:
                break
            if not dialog.confirmed and dialog.opened is not None:
                outputs += [*self._forget(call_id), CloseLeg(dialog.leg)]
        return outputs

    def _forget(self, call_id: str) -> list[Output]:
        dialog = self._dialogs.pop(call_id)
        del self._by_leg[dialog.leg]
        return []
