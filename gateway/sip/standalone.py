"""A request outside of any dialog that we send, and its final answer: OPTIONS, REGISTER (RFC 3261 §10, §11).

Its transaction, and the repeat with credentials when it is challenged, are done here; who sends it gets one Answered:
the final response, or 408 and 503 without one where none came or nothing could be sent (§8.1.3.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sip.account import Account
from gateway.sip.build import request as build_request
from gateway.sip.hop import Hop
from gateway.sip.message import Response
from gateway.sip.outputs import Answered, Output
from gateway.sip.transaction import ClientTransaction, Transmit
from gateway.sip.wire import Wire


@dataclass(frozen=True, slots=True)
class Standalone:
    """The owner of its transaction."""

    id: str
    account: Account | None = None

    def receive_response(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """Its answer."""
        if response.status < 200:
            return []
        return [Answered(self.id, response.status, transaction.request.cseq.number, response)]

    def failed(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """No answer at all."""
        status = 503 if reason == "transport" else 408
        return [Answered(self.id, status, transaction.request.cseq.number, None)]

    def renumbered(self, transaction: ClientTransaction) -> int | None:
        """The CSeq of its repeat."""
        return transaction.request.cseq.number + 1

    def repeated(self, old: ClientTransaction, new: ClientTransaction) -> None:
        """It has been sent again."""


def send(
    wire: Wire,
    method: str,
    target: Hop,
    uri_text: str,
    *,
    from_: str,
    to: str,
    call_id: str = "",
    cseq: int = 1,
    contact: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    account: Account | None = None,
    now: float,
) -> tuple[str, list[Transmit]]:
    """Send one; its id. ``from_`` and ``to`` are name-addrs without tags; ``call_id``: of a series, else a new one."""
    owner = Standalone(wire.token(), account)
    made = build_request(
        method,
        uri_text,
        via=wire.via(target),
        from_=f"{from_};tag={wire.token()}",
        to=to,
        call_id=call_id or wire.token(),
        cseq=cseq,
        contact=contact,
        headers=headers,
    )
    return owner.id, wire.layer.send(made, target, owner, now)[1]
