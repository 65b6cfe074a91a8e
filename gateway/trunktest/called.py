"""A call that comes to us by the trunk, with every answer to it in our hands."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import PeerError
from gateway.sdp.offer_answer import Negotiation
from gateway.sip.build import response_to
from gateway.sip.dialog import Dialog
from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response
from gateway.sip.methods import ALLOW
from gateway.sip.outputs import Output
from gateway.sip.server_transaction import ServerTransaction
from gateway.sip.transaction import ClientTransaction, Transmit
from gateway.sip.wire import Wire

SDP = "application/sdp"


class Called:
    """``acked``, ``ended``: the ACK of our 200 and a BYE have come; ``cancelled``: a CANCEL. ``answers``: statuses of
    what we were answered."""

    account = None

    def __init__(self, wire: Wire, invite: Request, transaction: ServerTransaction, source: Hop) -> None:
        self.invite = invite
        self.source = source
        self.acked = False
        self.ended = False
        self.cancelled = False
        self.media_fault = ""
        self.answers: list[int] = []
        self.dialog = Dialog.of_server(invite, wire.token(), source)
        self.dialog.local_cseq = 0
        self._wire = wire
        self._transaction = transaction
        self._answered: Sequence[Transmit] = ()

    def ring(self, now: float) -> list[Transmit]:
        """180."""
        return self._respond(180, now)

    def accept(self, media: Negotiation, port: int, now: float) -> list[Transmit]:
        """200 with an answer, or with our offer; 488 when that can't be given."""
        try:
            if self.invite.body:
                media.receive_offer(self.invite.body, port)
            body = media.answer() if self.invite.body else media.offer(port)
        except PeerError as error:
            self.media_fault = error.detail
            return self._respond(error.status, now)
        self._answered = self._respond(200, now, body)
        return list(self._answered)

    def again(self) -> list[Transmit]:
        """The 200 once more, while its ACK has not come (RFC 3261 §13.3.1.4)."""
        return [] if self.acked else list(self._answered)

    def hang_up(self, now: float) -> list[Transmit]:
        """BYE; before the answer a refusal. Nothing when it is over."""
        if self.ended or self.cancelled:
            return []
        self.ended = True
        if not self._answered:
            return self._respond(480, now)
        made, hop = self.dialog.request("BYE", via=self._wire.via)
        return self._wire.layer.send(made, hop, self, now)[1]

    def receive_request(self, incoming: Request, now: float) -> int:
        """A request of its dialog, or its CANCEL: the status that it gets."""
        match incoming.method:
            case "BYE":
                self.ended = True
            case "CANCEL":
                self.cancelled = True
            case "INFO" | "OPTIONS" | "NOTIFY" | "UPDATE" | "MESSAGE":
                pass
            case _:
                return 488 if incoming.method == "INVITE" else 405
        return 200

    def _respond(self, status: int, now: float, body: bytes = b"") -> list[Transmit]:
        contact = self._wire.contact(self._transaction.hop, sips=self.dialog.sips)
        response = response_to(
            self.invite, status, to_tag=self.dialog.local_tag, headers=[("Contact", contact), ("Allow", ALLOW)],
            body=body, content_type=SDP if body else None,
        )  # fmt: skip
        return self._wire.layer.respond(self._transaction, response, now)

    # --- the owner of its BYE ---------------------------------------------------------------------------------------

    def receive_response(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """The answer to our BYE."""
        self.answers.append(response.status)
        return []

    def failed(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """None came."""
        self.answers.append(408)
        return []

    def renumbered(self, transaction: ClientTransaction) -> int | None:
        """Challenges of a BYE are not answered."""
        return None

    def repeated(self, old: ClientTransaction, new: ClientTransaction) -> None:
        """It never is."""
