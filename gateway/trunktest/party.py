"""One call of ours to a trunk, with every request of it in our hands; it keeps all that comes.

The gateway's own sessions (gateway.sip.invite_session) do what a good user agent does. Here a scenario decides what is
sent: a CANCEL at a given moment, an UPDATE without cause, headers of four kilobytes. What must be done to leave no call
behind is done in any case: a 2xx is acknowledged (RFC 3261 §13.2.2.4), requests of the peer are answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import PeerError
from gateway.sdp.offer_answer import Negotiation
from gateway.sip.account import Account
from gateway.sip.build import cancel_for, request, response_to
from gateway.sip.dialog import Dialog
from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response
from gateway.sip.methods import ALLOW
from gateway.sip.outputs import Output
from gateway.sip.transaction import ClientTransaction, Transmit
from gateway.sip.wire import Wire

SDP = "application/sdp"
HeaderLines = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Got:
    """A response, or why there is none (``response`` None, ``status`` 408 or 503). ``at`` is monotonic."""

    at: float
    method: str
    status: int
    response: Response | None


class Party:
    """``target``: the trunk's peer; ``uri``, ``from_``, ``to``: as its INVITE names the parties, without tags."""

    def __init__(
        self, wire: Wire, target: Hop, uri: str, from_: str, to: str, media: Negotiation, port: int,
        account: Account | None, headers: HeaderLines = (),
    ) -> None:  # fmt: skip
        self.account = account
        self.call_id = wire.token()
        self.answers: list[Got] = []
        self.requests: list[Request] = []
        self.ended_by_peer = False
        self.media = media
        self.media_fault = ""
        self.early_sdp_at: float | None = None
        self.invited_at = 0.0
        self.dialog: Dialog | None = None
        self._wire = wire
        self._target = target
        self._uri = uri
        self._from = f"{from_};tag={wire.token()}"
        self._to = to
        self._port = port
        self._identity = headers
        self._invite: ClientTransaction | None = None
        self._acks: dict[int, list[Transmit]] = {}
        self._closing = False
        self._cancelled = False

    # --- what a scenario sends --------------------------------------------------------------------------------------

    def invite(self, now: float, headers: HeaderLines = (), cseq: int = 1) -> list[Transmit]:
        """The INVITE, with our offer."""
        made = request(
            "INVITE", self._uri, via=self._wire.via(self._target), from_=self._from, to=self._to, call_id=self.call_id,
            cseq=cseq, contact=self._wire.contact(self._target),
            headers=[("Allow", ALLOW), ("User-Agent", "maskline-trunk-test"), *self._identity, *headers],
            body=self.media.offer(self._port), content_type=SDP,
        )  # fmt: skip
        self.invited_at = now
        self._invite, outputs = self._wire.layer.send(made, self._target, self, now)
        return outputs

    def cancel(self, now: float) -> list[Transmit]:
        """CANCEL the INVITE; not before something has come (RFC 3261 §9.1)."""
        self._closing = True
        if self._invite is None or self.provisional is None:
            return []
        self._cancelled = True
        return self._wire.layer.send(cancel_for(self._invite.request), self._invite.hop, self, now)[1]

    def send(
        self, method: str, now: float, headers: HeaderLines = (), body: bytes = b"", content_type: str = SDP
    ) -> list[Transmit]:
        """A request within the dialog."""
        if self.dialog is None:
            return []
        made, hop = self.dialog.request(
            method, via=self._wire.via, contact=self._wire.contact, headers=headers, body=body,
            content_type=content_type if body else None,
        )  # fmt: skip
        return self._wire.layer.send(made, hop, self, now)[1]

    def reoffer(self, now: float, headers: HeaderLines = (), *, receives: bool = True) -> list[Transmit]:
        """A re-INVITE; ``receives`` False: hold."""
        return self.send("INVITE", now, headers, self.media.reoffer(self._port, receives=receives))

    def hang_up(self, now: float) -> list[Transmit]:
        """BYE, or CANCEL, or nothing: whatever leaves no call behind."""
        if self.ended_by_peer or self._closing:
            return []
        if self.dialog is not None and self.accepted is not None:
            self._closing = True
            return self.send("BYE", now)
        return self.cancel(now) if self.final("INVITE") is None else []

    # --- what a scenario looks at -----------------------------------------------------------------------------------

    def last(self, method: str) -> Got | None:
        """The last response to a method."""
        return next((one for one in reversed(self.answers) if one.method == method), None)

    def final(self, method: str, since: int = 0) -> Got | None:
        """The first final response to a method, of those from number ``since`` on."""
        return next((one for one in self.answers[since:] if one.method == method and one.status >= 200), None)

    @property
    def accepted(self) -> Got | None:
        """The first 2xx of the first INVITE."""
        return next((one for one in self.answers if one.method == "INVITE" and 200 <= one.status < 300), None)

    @property
    def provisional(self) -> Got | None:
        """The first provisional response."""
        return next((one for one in self.answers if one.status < 200), None)

    def allows(self, method: str) -> bool:
        """Whether the 2xx says so."""
        found = self.accepted
        if found is None or found.response is None:
            return False
        return method in (name.strip().upper() for name in found.response.headers.values("Allow"))

    # --- the owner of its transactions ------------------------------------------------------------------------------

    def receive_response(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """A response to any of ours."""
        method, number = transaction.request.method, transaction.request.cseq.number
        if method == "INVITE" and 200 <= response.status < 300 and number in self._acks:
            return list(self._acks[number])
        self.answers.append(Got(now, method, response.status, response))
        if method == "INVITE":
            self._learn(transaction, response, now)
            if response.status < 200 and self._closing and not self._cancelled:
                return list(self.cancel(now))
            if 200 <= response.status < 300:
                return self._acknowledge(transaction, response, now)
        return []

    def failed(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """No answer."""
        status = 503 if reason == "transport" else 408
        self.answers.append(Got(now, transaction.request.method, status, None))
        return []

    def renumbered(self, transaction: ClientTransaction) -> int | None:
        """The CSeq of a repeat with credentials."""
        if self.dialog is not None:
            self.dialog.local_cseq += 1
            return self.dialog.local_cseq
        return transaction.request.cseq.number + 1

    def repeated(self, old: ClientTransaction, new: ClientTransaction) -> None:
        """It has been sent again."""
        if old is self._invite:
            self._invite = new

    def receive_request(self, incoming: Request) -> tuple[int, HeaderLines, bytes]:
        """A request of the peer within the dialog: status, headers and body of its answer."""
        self.requests.append(incoming)
        match incoming.method:
            case "BYE":
                self.ended_by_peer = True
                return 200, (), b""
            case "INVITE" | "UPDATE":
                try:
                    if incoming.body:
                        self.media.receive_offer(incoming.body, self._port)
                        return 200, (), self.media.answer()
                    return 200, (), self.media.offer(self._port) if incoming.method == "INVITE" else b""
                except PeerError as error:
                    return error.status, (), b""
            case "INFO" | "OPTIONS" | "NOTIFY" | "PRACK" | "MESSAGE":
                return 200, (), b""
            case _:
                return 405, [("Allow", ALLOW)], b""

    # --- inside -----------------------------------------------------------------------------------------------------

    def _learn(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """The dialog and the sound that a response to an INVITE makes."""
        early = response.status < 200 and (self.dialog is None or self.dialog.remote_tag != response.to.tag)
        up = 200 <= response.status < 300 and transaction is self._invite
        if response.to.tag and 100 < response.status < 300 and (early or up):
            self.dialog = Dialog.of_client(transaction.request, response, transaction.hop)
        if response.body and response.content_type == SDP and 100 < response.status < 300:
            if response.status < 200 and self.early_sdp_at is None:
                self.early_sdp_at = now
            try:
                self.media.receive_answer(response.body)
            except PeerError as error:
                self.media_fault = error.detail

    def _acknowledge(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """ACK a 2xx; one that comes after we gave up is ended at once."""
        if self.dialog is None:
            return []
        number = transaction.request.cseq.number
        ack, hop = self.dialog.request("ACK", via=self._wire.via, cseq=number)
        sent = [Transmit(bytes(ack), hop, ack)]
        self._acks[number] = sent
        late = self._closing and transaction is self._invite
        return [*sent, *(self.send("BYE", now) if late else [])]


def answer(incoming: Request, status: int, headers: HeaderLines, body: bytes) -> Response:
    """The response to a request of the peer."""
    return response_to(incoming, status, headers=headers, body=body, content_type=SDP if body else None)
