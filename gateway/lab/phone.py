"""A scripted phone: dials or answers one call after its Script, sends and keeps audio. Pure, seeded, in given time.

    IDLE --dial--> CALLING --2xx--> TALKING --BYE--> OVER          CALLING --refusal, CANCEL--> OVER
    IDLE --INVITE--> RINGING --answer_after--> TALKING             RINGING --CANCEL, refuse--> OVER

It stands on the same SIP machines as the gateway (gateway.sip.user_agent) but shares nothing else with it. It keeps
every message and every RTP packet it received, and judges nothing: the checks do.

RTP runs from the moment both sides' addresses are known, a packet every ``ptime``, by absolute deadline: packet n is
due at start + n * ptime however late the one before was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from random import Random

from gateway.errors import PeerError
from gateway.lab.audio import RATE, dtmf, tone
from gateway.lab.memory import Happening, Memory, Trace
from gateway.lab.rtp import Arrival, Sender
from gateway.lab.script import Script
from gateway.lab.srtp import Sealing
from gateway.sdp.crypto import SUITES
from gateway.sdp.offer_answer import Negotiation
from gateway.sip.hop import Hop
from gateway.sip.message import Request
from gateway.sip.user_agent import (
    Accepted,
    Confirmed,
    ContactsChanged,
    Ended,
    Incoming,
    InfoReceived,
    Offence,
    OfferAnswered,
    OfferRefused,
    Output,
    Progress,
    ReInvited,
    Rejected,
    Transmit,
    UserAgent,
    UserAgentSettings,
)


class Phase(Enum):
    """Where the phone's call stands."""

    IDLE = auto()
    CALLING = auto()
    RINGING = auto()
    TALKING = auto()
    OVER = auto()


@dataclass(frozen=True, slots=True)
class SendSip:
    """A SIP message for ``hop``, from the phone's SIP address."""

    data: bytes
    hop: Hop


@dataclass(frozen=True, slots=True)
class SendRtp:
    """An RTP packet from ``port`` of the phone's media address to ``target``."""

    data: bytes
    port: int
    target: tuple[str, int]


PhoneOutput = SendSip | SendRtp


class Phone(Memory):
    """One phone with one call. ``here`` is its SIP address; its audio uses ``media_ports`` (the second for move_at)."""

    def __init__(self, name: str, script: Script, *, here: Hop, media_ports: tuple[int, int], seed: int) -> None:
        super().__init__()
        self.name = name
        self.script = script
        self.here = here
        self.media_ports = media_ports
        self.phase = Phase.IDLE
        self.status: int | None = None
        self.ended: Ended | None = None
        self.answered_at: float | None = None
        self._random = Random(seed)
        self._agent = UserAgent(
            UserAgentSettings(advertised={here.transport: here}, product="phone"),
            lambda: f"{self._random.getrandbits(64):016x}",
        )
        self._secret = self._random.randbytes(32)
        self._media = Negotiation(
            self._random.getrandbits(31), here.host, script.codecs, script.ptime, srtp=script.srtp, key_of=self._key_of
        )
        self.sealing: Sealing | None = None
        self._sender = Sender(self._random)
        self._session = ""
        self._invite_body = b""
        self._agenda: dict[str, float] = {}
        self._losses = dict(script.loses)
        self._port = media_ports[0]
        self._holding = False
        self._next_packet: float | None = None
        self._samples_sent = 0
        self._keys = b""
        """A-law of keys that are still to be heard in the sound."""

    # --- the machine's face ---------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        times = [*self._agenda.values()]
        times += [time for time in (self._agent.deadline, self._next_packet) if time is not None]
        return min(times, default=None)

    def handle_timeout(self, now: float) -> list[PhoneOutput]:
        """Do everything that is due: script, audio, SIP timers."""
        outputs: list[PhoneOutput] = []
        for name in sorted((n for n, at in self._agenda.items() if at <= now), key=self._agenda.__getitem__):
            if self._agenda.pop(name, None) is not None:
                outputs += self._step(name, now)
        while self._next_packet is not None and self._next_packet <= now:
            outputs += self._send_audio()
        if self._agent.deadline is not None and self._agent.deadline <= now:
            outputs += self._take(self._agent.handle_timeout(now), now)
        return outputs

    def receive_sip(self, data: bytes, source: Hop, now: float) -> list[PhoneOutput]:
        """A SIP message that came to ``here``."""
        self.traces.append(Trace(now, False, source, data))
        return self._take(self._agent.receive_message(data, source, now), now)

    def receive_rtp(self, port: int, data: bytes, source: tuple[str, int], now: float) -> list[PhoneOutput]:
        """A datagram that came to one of ``media_ports``."""
        clear = self.sealing.open(data) if self.sealing is not None else data
        if clear is not None:
            self.arrivals.append(Arrival(now, source, port, clear))
        return []

    def dial(
        self,
        target: Hop,
        request_uri: str,
        now: float,
        *,
        caller: str,
        called: str = "",
        headers: Sequence[tuple[str, str]] = (),
    ) -> list[PhoneOutput]:
        """Call ``request_uri`` through the gateway at ``target``; ``caller`` is the From name-addr without tag."""
        if self.phase is not Phase.IDLE:
            raise RuntimeError("a phone makes one call")
        self._session, outputs = self._agent.invite(
            target,
            request_uri,
            from_=caller,
            to=called or f"<{request_uri}>",
            headers=(*headers, *self.script.headers),
            body=self._media.offer(self._port),
            policy=self.script.policy,
            now=now,
        )
        self._turn(Phase.CALLING, "calling", now)
        self._plan("give_up", self.script.give_up_after, now)
        self._plan("dial", self.script.early_digits_at, now)
        return self._take(outputs, now)

    def hang_up(self, now: float) -> list[PhoneOutput]:
        """Put the receiver down, whatever the phase."""
        if not self._session:
            return []
        return self._take(self._agent.hang_up(self._session, now, self.script.headers), now)

    # --- the script -----------------------------------------------------------------------------------------------

    def _plan(self, name: str, after: float | None, now: float) -> None:
        if after is not None:
            self._agenda[name] = now + after

    def _step(self, name: str, now: float) -> list[PhoneOutput]:
        match name:
            case "ring":
                return self._ring(now)
            case "answer":
                return self._answer(now)
            case "refuse":
                return self._refuse(self.script.refuse, now)
            case "give_up" | "hang_up":
                return self.hang_up(now)
            case "hold" | "resume":
                self._holding = name == "hold"
                return self._reoffer(name, now)
            case "move":
                self._port = self.media_ports[1]
                return self._reoffer(name, now)
            case _:
                return self._press(now)

    def _press(self, now: float) -> list[PhoneOutput]:
        digits = self.script.digits
        match self.script.press:
            case "event":
                self._sender.dial(digits)
                return []
            case "tone":
                self._keys = dtmf(digits)
                return []
            case _:
                outputs: list[PhoneOutput] = []
                for digit in digits:
                    body = f"Signal={digit}\r\nDuration=160\r\n".encode()
                    info = self._agent.info(self._session, "application/dtmf-relay", body, now)
                    outputs += self._take(info, now)
                return outputs

    def _ring(self, now: float) -> list[PhoneOutput]:
        body = b""
        if self.script.ringing == 183 and self._invite_body:
            body = self._media.answer()
            if self.script.early_media:
                self._start_audio(now)
        self.history.append(Happening(now, f"ringing ({self.script.ringing})"))
        return self._take(self._agent.ring(self._session, now, self.script.ringing, body, self.script.headers), now)

    def _answer(self, now: float) -> list[PhoneOutput]:
        body = self._media.answer() if self._invite_body else self._media.offer(self._port)
        outputs = self._take(self._agent.accept(self._session, body, now), now)
        self._answered(now)
        return outputs

    def _reoffer(self, why: str, now: float) -> list[PhoneOutput]:
        self.history.append(Happening(now, why))
        body = self._media.reoffer(self._port, receives=not self._holding)
        return self._take(self._agent.reoffer(self._session, body, now), now)

    # --- what SIP says --------------------------------------------------------------------------------------------

    def _take(self, outputs: Sequence[Output], now: float) -> list[PhoneOutput]:
        """Turn the outputs of the SIP side into ours; those that ask for an action bring further ones."""
        ours: list[PhoneOutput] = []
        for output in outputs:
            if isinstance(output, Transmit):
                ours += self._transmit(output, now)
            elif isinstance(output, Incoming):
                ours += self._incoming(output, now)
            elif not isinstance(output, Offence | ContactsChanged) and output.session == self._session:
                ours += self._follow(output, now)
        return ours

    def _follow(self, output: Output, now: float) -> list[PhoneOutput]:
        """What happened to our call."""
        match output:
            case Progress(status=status, body=body):
                self.history.append(Happening(now, f"heard {status}"))
                self._learn(body, now)
            case Accepted(body=body):
                self._learn(body, now)
                self._answered(now)
            case Rejected(status=status):
                self.status = status
                self._over(f"refused with {status}", now)
            case Confirmed(body=body) | OfferAnswered(body=body):
                self._learn(body, now)
            case OfferRefused(status=status):
                self.history.append(Happening(now, f"offer refused with {status}"))
            case ReInvited(body=body):
                return self._reinvited(body, now)
            case Ended():
                self.ended = output
                self._over(f"ended by {output.by} ({output.how})", now)
            case InfoReceived():
                self.history.append(Happening(now, "INFO"))

        return []

    def _transmit(self, output: Transmit, now: float) -> list[PhoneOutput]:
        message = output.message
        kind = message.method if isinstance(message, Request) else str(message.status)
        if self._losses.get(kind, 0) > 0:
            self._losses[kind] -= 1
            return []
        self.traces.append(Trace(now, True, output.hop, output.data))
        return [SendSip(output.data, output.hop)]

    def _incoming(self, call: Incoming, now: float) -> list[PhoneOutput]:
        if self.phase is not Phase.IDLE:
            return self._take(self._agent.reject(call.session, 486, now), now)
        self._session, self._invite_body = call.session, call.request.body
        self._turn(Phase.RINGING, "called", now)
        refusal = self._agent.admit(call.session, self.script.policy)
        if refusal is not None:
            self._over("refused", now)
            return self._take(self._agent.reject(call.session, refusal[0], now, headers=refusal[2]), now)
        try:
            if self._invite_body:
                self._media.receive_offer(self._invite_body, self._port)
        except PeerError as error:
            return self._refuse(error.status, now)
        script = self.script
        self._plan("ring", script.ring_after, now)
        if script.refuse:
            self._plan("refuse", script.refuse_after, now)
        else:
            self._plan("answer", script.answer_after, now)
        return []

    def _reinvited(self, body: bytes, now: float) -> list[PhoneOutput]:
        if self.script.refuse_reinvite:
            return self._take(self._agent.refuse_offer(self._session, self.script.refuse_reinvite, now), now)
        try:
            if body:
                self._media.receive_offer(body, self._port)
                answer = self._media.answer(receives=not self._holding)
                self._start_audio(now)
            else:
                answer = self._media.offer(self._port, receives=not self._holding)
        except PeerError as error:
            return self._take(self._agent.refuse_offer(self._session, error.status, now), now)
        return self._take(self._agent.answer_offer(self._session, answer, now), now)

    def _learn(self, body: bytes, now: float) -> None:
        if body:
            try:
                self._media.receive_answer(body)
            except PeerError as error:
                self.history.append(Happening(now, f"unusable SDP: {error.detail}"))
                return
            self._start_audio(now)

    def _answered(self, now: float) -> None:
        if self.phase is Phase.OVER:
            return
        self._turn(Phase.TALKING, "answered", now)
        self.answered_at = now
        self._agenda.clear()
        script = self.script
        self._plan("hang_up", script.hang_up_after, now)
        self._plan("hold", script.hold_at, now)
        self._plan("resume", script.resume_at, now)
        self._plan("move", script.move_at, now)
        if script.early_digits_at is None:
            self._plan("dial", script.digits_at if script.digits else None, now)
        if self._media.terms is not None:
            self._start_audio(now)

    def _refuse(self, status: int, now: float) -> list[PhoneOutput]:
        """A session that is refused ends without a word from the user agent."""
        self._over("refused", now)
        return self._take(self._agent.reject(self._session, status, now, headers=self.script.headers), now)

    def _over(self, what: str, now: float) -> None:
        self._turn(Phase.OVER, what, now)
        self._agenda.clear()
        self._next_packet = None

    def _turn(self, phase: Phase, what: str, now: float) -> None:
        self.phase = phase
        self.history.append(Happening(now, what))

    # --- audio ----------------------------------------------------------------------------------------------------

    def _start_audio(self, now: float) -> None:
        terms = self._media.terms
        self.events = terms.events_in if terms else None
        self.sealing = Sealing.renewed(self.sealing, terms.srtp if terms else None)
        if self._next_packet is None and not self.script.mute and self.phase is not Phase.OVER:
            self._next_packet = now

    def _send_audio(self) -> list[PhoneOutput]:
        """The packet that is due now, and the time of the next."""
        terms = self._media.terms
        if terms is None or self._next_packet is None:
            self._next_packet = None
            return []
        samples = terms.ptime * RATE // 1000
        self._next_packet += terms.ptime / 1000
        start = self._samples_sent % RATE
        self._samples_sent += samples
        if not terms.receives:
            self._sender.skip(samples)
            return []
        early = self.phase is Phase.RINGING
        voice = tone(self.script.early_hz if early else self.script.tone_hz, terms.codec)
        payload = (voice + voice)[start : start + samples]
        if self._keys:
            payload, self._keys = self._keys[:samples].ljust(samples, b"\xd5"), self._keys[samples:]
        packets = self._sender.tick(terms.codec, payload, samples, terms.events)
        if self.sealing is not None:
            packets = [self.sealing.seal(packet) for packet in packets]
        return [SendRtp(packet, self._port, (terms.host, terms.port)) for packet in packets]

    def _key_of(self, suite: str) -> bytes:
        return self._secret[: SUITES[suite]]
