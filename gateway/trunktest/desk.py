"""The calls that are under way, as the core of a SIP endpoint: responses to who asked, requests to whose call it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.errors import ParseError
from gateway.sip.account import CHALLENGED, repeat
from gateway.sip.build import response_to
from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response, parse_message
from gateway.sip.methods import ALLOW
from gateway.sip.outputs import Answered, Output
from gateway.sip.screening import screen, screen_response
from gateway.sip.stateless import answer as stateless
from gateway.sip.stateless import reply_hop
from gateway.sip.transaction import ClientTransaction, Deliver, Failed, Transmit
from gateway.sip.wire import Wire
from gateway.trunktest.called import Called
from gateway.trunktest.party import Party, answer


@dataclass(frozen=True, slots=True)
class Moved:
    """Something has come: whoever waits may look again."""


Move = Output | Moved


class Desk:
    """See gateway.sip.endpoint.Core. ``asked``: answers to requests outside of calls, by their id. ``calls``: those
    that have come while somebody was ``listening``."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.parties: dict[str, Party] = {}
        self.asked: dict[str, Answered] = {}
        self.listening = False
        self.calls: list[Called] = []

    @property
    def deadline(self) -> float | None:
        """Of the transactions."""
        return self.wire.layer.deadline

    def handle_timeout(self, now: float) -> list[Move]:
        """Do what is due."""
        return self._told(self.wire.layer.handle_timeout(now), now)

    def transport_failed(self, hop: Hop, now: float) -> list[Move]:
        """What was sent to ``hop`` can't get there."""
        return self._told(self.wire.layer.transport_failed(hop, now), now)

    def receive_malformed(self, data: bytes, source: Hop, now: float) -> list[Move]:
        """Not SIP: the trace has it."""
        return [Moved()]

    def connection_closed(self, hop: Hop, now: float) -> list[Move]:
        """A stream is gone."""
        return []

    def receive_message(self, data: bytes, source: Hop, now: float) -> list[Move]:
        """A message."""
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                return [*self._response(message, now), Moved()]
            message.note_source(source.host, source.port)
            return [*self._request(message, source, now), Moved()]
        except ParseError:
            return [Moved()]

    def refuse_new(self, data: bytes, source: Hop, now: float) -> list[Move]:
        """There is always time for the few."""
        return self.receive_message(data, source, now)

    def _response(self, response: Response, now: float) -> list[Move]:
        if not screen_response(response):
            return []
        transaction, found = self.wire.layer.receive_response(response, now)
        outputs: list[Move] = []
        for output in found:
            if isinstance(output, Transmit):
                outputs.append(output)
            elif isinstance(output, Deliver) and transaction is not None and transaction.owner is not None:
                again = repeat(self.wire, transaction, response, now) if response.status in CHALLENGED else None
                outputs += again if again is not None else self._kept(
                    transaction.owner.receive_response(transaction, response, now)
                )  # fmt: skip
        return outputs

    def _request(self, incoming: Request, source: Hop, now: float) -> list[Move]:
        call = self._call_of(incoming)
        if incoming.method == "ACK" or screen(incoming) is not None:
            if call is not None:
                call.acked = call.acked or incoming.method == "ACK"
            transaction = self.wire.layer.find_server(incoming, "INVITE") if incoming.method == "ACK" else None
            return list(self.wire.layer.receive_again(transaction, incoming, now)) if transaction is not None else []
        again = self.wire.layer.find_server(incoming)
        if again is not None:
            return list(self.wire.layer.receive_again(again, incoming, now))
        if call is not None:
            return [stateless(incoming, source, call.receive_request(incoming, now), None, [("Allow", ALLOW)])]
        if incoming.method == "INVITE" and not incoming.to.tag and self.listening and not self.calls:
            return self._take(incoming, source, now)
        party = self.parties.get(incoming.call_id)
        if party is None or not incoming.to.tag:
            status = 200 if incoming.method == "OPTIONS" else 480 if incoming.method == "INVITE" else 481
            return [stateless(incoming, source, status, None, [("Allow", ALLOW)])]
        transaction = self.wire.layer.accept(incoming, reply_hop(incoming, source))
        return list(self.wire.layer.respond(transaction, answer(incoming, *party.receive_request(incoming)), now))

    def _take(self, invite: Request, source: Hop, now: float) -> list[Move]:
        """A call: it rings."""
        transaction = self.wire.layer.accept(invite, reply_hop(invite, source))
        call = Called(self.wire, invite, transaction, source)
        self.calls.append(call)
        return [*self.wire.layer.respond(transaction, response_to(invite, 100), now), *call.ring(now)]

    def _call_of(self, incoming: Request) -> Called | None:
        """The call that a request is of: by our tag, since a proxy leaves the Call-ID of the call that we made."""
        for call in self.calls:
            same = incoming.call_id == call.invite.call_id
            if same and (incoming.to.tag == call.dialog.local_tag or incoming.method == "CANCEL"):
                return call
        return None

    def _told(self, found: Iterable[Transmit | tuple[ClientTransaction, Failed]], now: float) -> list[Move]:
        outputs: list[Move] = []
        for one in found:
            if isinstance(one, Transmit):
                outputs.append(one)
            elif one[0].owner is not None:
                outputs += [*self._kept(one[0].owner.failed(one[0], one[1].reason, now)), Moved()]
        return outputs

    def _kept(self, outputs: list[Output]) -> list[Output]:
        for output in outputs:
            if isinstance(output, Answered):
                self.asked[output.session] = output
        return [output for output in outputs if isinstance(output, Transmit)]
