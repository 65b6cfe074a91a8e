"""MESSAGE (RFC 3428) outside any dialog, both ways: a page is one request and its answer.

in    a server transaction that waits until ``answer``; retransmissions are the transaction's business
out   a client transaction; its final status, or 408 and 503 for none (RFC 3261 §8.1.3.1), becomes a PageAnswered

A request of more than 1300 bytes goes by TCP, to the same address and port, and never by UDP (RFC 3428 §8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sip.account import Account
from gateway.sip.build import request as build_request
from gateway.sip.build import response_to
from gateway.sip.hop import Hop
from gateway.sip.large import UDP_LIMIT
from gateway.sip.message import Request, Response
from gateway.sip.outputs import Output, PageAnswered, PageReceived
from gateway.sip.server_transaction import ServerTransaction
from gateway.sip.stateless import reply_hop
from gateway.sip.transaction import ClientTransaction, Transmit
from gateway.sip.wire import Wire


@dataclass(frozen=True, slots=True)
class Page:
    """A page that we sent: the owner of its transaction."""

    id: str
    account: Account | None = None

    def renumbered(self, transaction: ClientTransaction) -> int | None:
        """The CSeq of its repeat."""
        return transaction.request.cseq.number + 1

    def repeated(self, old: ClientTransaction, new: ClientTransaction) -> None:
        """It has been sent again."""

    def receive_response(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """Its answer."""
        return [PageAnswered(self.id, response.status, response)] if response.status >= 200 else []

    def failed(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """No answer at all."""
        return [PageAnswered(self.id, 503 if reason == "transport" else 408)]


class Pager:
    """The pages of a user agent."""

    __slots__ = ("_waiting", "_wire")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._waiting: dict[str, ServerTransaction] = {}

    def receive(self, request: Request, source: Hop, now: float) -> list[Output]:
        """A MESSAGE that is no retransmission."""
        id = self._wire.token()
        self._waiting[id] = self._wire.layer.accept(request, reply_hop(request, source))
        return [PageReceived(id, request, source)]

    def answer(self, id: str, status: int, now: float) -> list[Transmit]:
        """The final status of a page that came in; once."""
        transaction = self._waiting.pop(id, None)
        if transaction is None:
            return []
        response = response_to(transaction.request, status, to_tag=self._wire.token())
        return self._wire.layer.respond(transaction, response, now)

    def send(
        self,
        target: Hop,
        uri_text: str,
        *,
        from_: str,
        to: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes,
        content_type: str,
        account: Account | None = None,
        now: float,
    ) -> tuple[str, list[Transmit]]:
        """Send a page; its id. ``from_`` and ``to`` are name-addrs without tags."""
        wire, page = self._wire, Page(self._wire.token(), account)
        tag, call_id = wire.token(), wire.token()

        def made(hop: Hop) -> Request:
            return build_request(
                "MESSAGE",
                uri_text,
                via=wire.via(hop),
                from_=f"{from_};tag={tag}",
                to=to,
                call_id=call_id,
                cseq=1,
                headers=headers,
                body=body,
                content_type=content_type,
            )

        request = made(target)
        if target.transport == "udp" and len(bytes(request)) > UDP_LIMIT:
            target = Hop("tcp", target.host, target.port)
            request = made(target)
        _, outputs = wire.layer.send(request, target, page, now)
        return page.id, outputs
