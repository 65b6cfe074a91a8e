"""A user agent that notes what it is told, and a bench that drives an Exchange with it: one call, legs by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any, TypeVar

from gateway.bindings.decisions import Connect, Reject
from gateway.bindings.models import Mode
from gateway.calls.events import Event
from gateway.calls.exchange import Exchange
from gateway.calls.outputs import CallClosed, MediaCommand, Publish, Resolve
from gateway.calls.settings import ExchangeSettings, ToneFiles, TrunkSettings
from gateway.causes import Cause
from gateway.numbers import PhoneNumber
from gateway.sip.hop import Hop
from gateway.sip.message import Headers, Request, Response, parse_message
from gateway.sip.user_agent import Accepted, Confirmed, Ended, Incoming, Progress, ReInvited, Rejected
from media import control

A = PhoneNumber("+8613800000021")
B = PhoneNumber("+8613800000023")
X = PhoneNumber("+8617000000001")
CARRIER = Hop("udp", "192.0.2.10", 5060)
START = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
TRUNK = TrunkSettings(name="carrier", peers=(Hop("udp", "192.0.2.20", 5060),), allow=(ip_network("192.0.2.0/24"),))

Verb = tuple[Any, ...]
T = TypeVar("T")


def sdp(port: int = 4000, *, host: str = "192.0.2.10", direction: str = "sendrecv", codecs: str = "8 101") -> bytes:
    """A carrier's description."""
    return (
        f"v=0\r\no=- 7 {port} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP {codecs}\r\n"
        f"a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    ).encode()


def invite(to: str = f"sip:{X.e164}@gw", *, body: bytes | None = None, headers: Sequence[str] = ()) -> Request:
    """A carrier's INVITE of A to X."""
    lines = [
        f"INVITE {to} SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1",
        f"From: <sip:{A.e164}@carrier>;tag=a" if not any(line.startswith("From") for line in headers) else "",
        f"To: <{to}>",
        "Call-ID: one@carrier",
        "CSeq: 1 INVITE",
        "Contact: <sip:carrier@192.0.2.10>",
        "Max-Forwards: 70",
        *headers,
    ]
    body = sdp() if body is None else body
    head = "\r\n".join(line for line in [*lines, f"Content-Length: {len(body)}"] if line)
    message = parse_message(head.encode() + b"\r\n\r\n" + body)
    assert isinstance(message, Request)
    return message


class FakeAgent:
    """``verbs`` holds every call as (verb, session, *what matters)."""

    def __init__(self) -> None:
        self.verbs: list[Verb] = []
        self.accepting = True
        self.deadline: float | None = None
        self.incoming: list[Incoming] = []
        self.callees = 0
        self.broken: set[str] = set()

    def receive_message(self, data: bytes, source: Hop, now: float) -> list[Any]:
        waiting, self.incoming = self.incoming, []
        return list(waiting)

    def invite(self, target: Hop, uri_text: str, **rest: Any) -> tuple[str, list[Any]]:
        self.callees += 1
        return f"callee-{self.callees}", self._note("invite", f"callee-{self.callees}", target, uri_text, rest)

    def ring(
        self, session: str, now: float, status: int = 180, body: bytes = b"", headers: Sequence[Any] = ()
    ) -> list[Any]:
        return self._note("ring", session, status, body)

    def accept(self, session: str, body: bytes, now: float) -> list[Any]:
        return self._note("accept", session, body)

    def reject(
        self, session: str, status: int, now: float, reason: str | None = None, headers: Sequence[Any] = ()
    ) -> list[Any]:
        return self._note("reject", session, status, dict(headers))

    def hang_up(self, session: str, now: float, headers: Sequence[Any] = ()) -> list[Any]:
        return self._note("hang_up", session, dict(headers))

    def admit(self, session: str, policy: object) -> None:
        return None

    def is_acknowledged(self, session: str) -> bool:
        return False

    def unheard(self, session: str) -> bool:
        return False

    def may_offer(self, session: str) -> bool:
        return True

    def reoffer(self, session: str, body: bytes, now: float) -> list[Any]:
        return self._note("reoffer", session, body)

    def answer_offer(self, session: str, body: bytes, now: float) -> list[Any]:
        return self._note("answer_offer", session, body)

    def refuse_offer(self, session: str, status: int, now: float) -> list[Any]:
        return self._note("refuse_offer", session, status)

    def _note(self, verb: str, session: str, *what: Any) -> list[Any]:
        if verb in self.broken:
            raise RuntimeError(f"{verb} is broken")
        self.verbs.append((verb, session, *what))
        return []


class Bench:
    """An exchange with one worker and one call; ``seen`` is everything it has handed out."""

    def __init__(
        self, *, trunk: TrunkSettings = TRUNK, others: Sequence[TrunkSettings] = (), workers: int = 1,
        tones: ToneFiles | None = None, **more: Any,
    ) -> None:  # fmt: skip
        self.now = 100.0
        self.agent = FakeAgent()
        self.seen: list[Any] = []
        self._tokens = 0
        settings = ExchangeSettings(
            trunks=(trunk, *others),
            tones=tones or ToneFiles(ringback="ringback.wav", no_binding="none.wav", lookup=self.tone),
            media_host="198.51.100.1",
            spool="/spool",
            wall=lambda now: START + timedelta(seconds=now - 100.0),
            **more,
        )
        self.exchange = Exchange(settings, self.agent, self.token)  # type: ignore[arg-type]
        for worker in range(workers):
            self.exchange.worker_ready(worker, 100, self.now)
        self.call = ""
        self.media_gone = False

    def token(self) -> str:
        self._tokens += 1
        return f"token{self._tokens}"

    @staticmethod
    def tone(application: str, name: str) -> str | None:
        return None if name == "missing.wav" or not application else f"{application}/{name}"

    # --- inputs

    def note(self, outputs: list[Any]) -> list[Any]:
        self.seen += outputs
        return outputs

    def pass_time(self, seconds: float) -> list[Any]:
        """Let time pass, ringing every alarm at its moment."""
        end = self.now + seconds
        outputs: list[Any] = []
        while (due := self.exchange.deadline) is not None and due <= end:
            self.now = max(self.now, due)
            outputs += self.note(self.exchange.handle_timeout(self.now))
        self.now = end
        return outputs

    def dial(self, request: Request | None = None, session: str = "caller", source: Hop = CARRIER) -> list[Any]:
        outputs = self.sip(Incoming(session, request or invite(), source))
        for output in outputs:
            if isinstance(output, Resolve):
                self.call = output.call
        return outputs

    def sip(self, *events: Any) -> list[Any]:
        self.agent.incoming = list(events)
        return self.note(self.exchange.receive_message(b"", CARRIER, self.now))

    def route(self, decision: Connect | Reject) -> list[Any]:
        return self.note(self.exchange.routed(self.call, decision, self.now))

    def lose_worker(self) -> list[Any]:
        self.media_gone = True
        return self.note(self.exchange.worker_gone(0, self.now))

    def replace_worker(self) -> list[Any]:
        self.media_gone = True
        return self.note(self.exchange.worker_ready(0, 9, self.now))

    def report(self, report: control.Report, worker: int = 0) -> list[Any]:
        self.media_gone |= isinstance(report, control.OpenFailed)
        return self.note(self.exchange.media_report(worker, report, self.now))

    def open_media(self) -> list[Any]:
        return self.report(control.Opened(self.call, 20000, 20002))

    def progress(self, status: int, body: bytes = b"") -> list[Any]:
        return self.sip(Progress("callee-1", status, "", body, None))  # type: ignore[arg-type]

    def answer(self, body: bytes | None = None) -> list[Any]:
        return self.sip(Accepted("callee-1", sdp(5000) if body is None else body, None))  # type: ignore[arg-type]

    def reject(self, status: int, session: str = "callee-1", headers: Sequence[tuple[str, str]] = ()) -> list[Any]:
        """The callee's network refuses; 408 and 503 without headers: nothing came."""
        response = Response(status, "", Headers(headers)) if headers or status not in (408, 503) else None
        return self.sip(Rejected(session, status, "", response))

    def end(self, session: str, how: str = "BYE") -> list[Any]:
        return self.sip(Ended(session, "peer", how, ""))

    def reinvite(self, session: str, body: bytes) -> list[Any]:
        return self.sip(ReInvited(session, body))

    def confirm(self, body: bytes = b"") -> list[Any]:
        return self.sip(Confirmed("caller", body))

    def played(self, play: str, leg: int = control.CALLER, *, completed: bool = True, error: str = "") -> list[Any]:
        return self.report(control.Played(self.call, leg, play, completed, self.now - 1.0, self.now, error))

    def heard(self, leg: int = control.CALLEE) -> list[Any]:
        return self.report(control.Heard(self.call, leg))

    def ring(self, **changes: Any) -> None:
        """A call as far as the callee's INVITE."""
        self.dial()
        self.route(connect(**changes))
        self.open_media()

    def talk(self, **changes: Any) -> None:
        """A call as far as both hearing each other."""
        self.ring(**changes)
        self.progress(180)
        self.answer()
        self.confirm()
        for leg in (control.CALLER, control.CALLEE) if changes.get("notice") else ():
            self.played("notice", leg)

    # --- what has been seen

    def of(self, kind: type[T]) -> list[T]:
        return [output for output in self.seen if isinstance(output, kind)]

    @property
    def events(self) -> list[Event]:
        return [output.event for output in self.of(Publish)]

    @property
    def commands(self) -> list[control.Command]:
        return [output.command for output in self.of(MediaCommand)]

    @property
    def verbs(self) -> list[tuple[str, str]]:
        return [(verb[0], verb[1]) for verb in self.agent.verbs]

    def verb(self, name: str, session: str) -> Verb:
        """The only such verb."""
        found = [verb for verb in self.agent.verbs if verb[:2] == (name, session)]
        assert len(found) == 1, self.verbs
        return found[0]

    @property
    def closed(self) -> CallClosed:
        """The only CallClosed; the exchange holds nothing any more."""
        (closed,) = self.of(CallClosed)
        assert self.exchange.active == 0
        assert self.exchange._plant.sessions == {}
        assert self.exchange._plant.workers.held == 0
        assert self.exchange._admission.calls == 0
        assert not self.exchange.trunks.calls
        assert self.exchange.deadline is None
        assert self.seen[self.seen.index(closed) - 1] == Publish(closed.call, self.events[-1])
        assert [type(event).__name__ for event in self.events].count("Disconnected") == 1
        for _, session, *what in self.agent.verbs:
            other = (B if session == "caller" else A).e164[3:]
            assert other not in repr(what), f"{session} was told the other party's number"
        assert A.e164[3:] not in repr(self.seen) + repr(self.commands)
        assert B.e164[3:] not in repr(self.seen) + repr(self.commands)
        opens = [command for command in self.commands if isinstance(command, control.Open)]
        closes = [command for command in self.commands if isinstance(command, control.Close)]
        assert self.media_gone or len(opens) == len(closes)
        return closed

    @property
    def cause(self) -> Cause | None:
        return self.closed.record.cause


def connect(**changes: Any) -> Connect:
    """A to B, X shown."""
    fields: dict[str, Any] = {
        "binding": "binding-1",
        "application": "demo",
        "mode": Mode.AXB,
        "direction": 1,
        "callee": B,
        "shown": X,
        "waiting_tone": "",
        "notice": "",
        "record": False,
        "last_minute": "",
        "max_seconds": 0,
        "user_data": None,
        "consumes_temporary": False,
        "remember_caller": False,
        "rule": "A calls X and reaches B",
    }
    return Connect(**(fields | changes))


def refuse(cause: Cause = Cause.NO_BINDING, tone: str = "no_binding", **changes: Any) -> Reject:
    """X is not bound for this caller."""
    fields: dict[str, Any] = {
        "application": "demo",
        "mode": Mode.AXB,
        "binding": None,
        "user_data": None,
        "rule": "none",
    }
    return Reject(cause=cause, tone=tone, **(fields | changes))
