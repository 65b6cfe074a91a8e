"""A dialog (RFC 3261 §12): who the two sides are, how requests get to the other one, and in which order.

Requests are routed by §12.2.1.1: along the route set when its first entry is a loose router (``lr``); else that entry
becomes the Request-URI and the remote target goes last (strict routing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from gateway.errors import ParseError
from gateway.sip.build import request
from gateway.sip.headers import NameAddr, contact_hop_text
from gateway.sip.hop import DIALLED, SECURE, Hop, is_address
from gateway.sip.message import Request, Response
from gateway.sip.target import NAME
from gateway.sip.uri import SipUri, parse_uri


def is_sips(uri_text: str) -> bool:
    """Whether a URI is one that is reached by TLS all the way."""
    return uri_text[:5].lower() == "sips:"


class Dialog:
    """One side's view. ``local`` and ``remote`` are the From and To texts of the requests that this side sends."""

    __slots__ = ("call_id", "hop", "local", "local_cseq", "local_tag", "pinned", "remote", "remote_cseq", "remote_tag",
                 "routes", "sips", "target")  # fmt: skip

    def __init__(self, call_id: str, local: str, local_tag: str, remote: str, remote_tag: str, hop: Hop) -> None:
        self.call_id = call_id
        self.local = local
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = remote_tag
        self.hop = hop
        self.local_cseq = 0
        self.remote_cseq = -1
        self.routes: list[str] = []
        self.target = ""
        self.sips = False
        """Our Contact is a ``sips:`` URI in all that we send (§12.1.1, §12.2.1.1)."""
        self.pinned = False
        """Requests go to ``hop``, whatever the peer's Contact names: a phone behind NAT is where it was heard from."""

    @classmethod
    def of_server(cls, invite: Request, local_tag: str, source: Hop) -> Dialog:
        """The dialog that our response to ``invite`` makes (§12.1.1)."""
        local = invite.headers.get("To") or ""
        dialog = cls(
            invite.call_id,
            f"{local};tag={local_tag}",
            local_tag,
            invite.headers.get("From") or "",
            invite.from_.tag or "",
            source,
        )
        dialog.remote_cseq = invite.cseq.number
        dialog.routes = _readable_routes(invite)
        dialog.refresh_target(invite)
        first = dialog.routes[0].partition("<")[2] if dialog.routes else dialog.target
        dialog.sips = is_sips(invite.uri_text) or is_sips(first)
        return dialog

    @classmethod
    def of_client(cls, invite: Request, response: Response, hop: Hop) -> Dialog:
        """The dialog that a response to our ``invite`` makes (§12.1.2)."""
        dialog = cls(
            invite.call_id,
            invite.headers.get("From") or "",
            invite.from_.tag or "",
            response.headers.get("To") or "",
            response.to.tag or "",
            hop,
        )
        dialog.local_cseq = invite.cseq.number
        dialog.routes = _readable_routes(response)[::-1]
        dialog.target = invite.uri_text
        dialog.sips = is_sips(invite.uri_text)
        dialog.refresh_target(response)
        return dialog

    def refresh_target(self, message: Request | Response) -> None:
        """Take over the Contact of a target refresh (§12.2.1.2); without a readable one the target stays."""
        try:
            contact = message.contact
        except ParseError:
            return
        if contact is not None:
            self.target = str(contact.uri)

    def accepts(self, incoming: Request) -> bool:
        """Whether a request comes in order (§12.2.2); its number is noted. ACK and CANCEL don't count."""
        if incoming.cseq.number <= self.remote_cseq:
            return False
        self.remote_cseq = incoming.cseq.number
        return True

    def route(self) -> tuple[str, list[str], Hop]:
        """Request-URI, Route values and the next hop of a request."""
        routes = list(self.routes)
        uri_text = self.target
        if routes:
            first = NameAddr.parse(routes[0], "Route").uri
            if isinstance(first, SipUri) and first.param("lr") is None:
                uri_text, routes = str(first), [*routes[1:], f"<{self.target}>"]
            return uri_text, routes, self._hop(str(first))
        return uri_text, routes, self._hop(uri_text)

    def _hop(self, uri_text: str) -> Hop:
        """The hop that a URI names; where the dialog came from when that can't be used.

        That is: no name that DNS could know; a transport that we don't dial (RFC 7118: it goes back on the connection
        that it came on); one that anybody can read, when the dialog came by one that nobody can.
        """
        if self.pinned:
            return self.hop
        try:
            uri = parse_uri(uri_text)
        except ParseError:
            return self.hop
        found = contact_hop_text(uri)
        if found is None or found[0] not in DIALLED or self.hop.transport in ("ws", "wss"):
            return self.hop
        if not is_address(found[1]):
            return self._named(uri, found) if isinstance(uri, SipUri) else self.hop
        if found == (self.hop.transport, self.hop.host, self.hop.port):
            return self.hop
        if not self.hop.secure:
            return Hop(*found)
        if found[0] not in SECURE:
            return self.hop
        if not self.hop.name and found[1] == self.hop.host:
            # It connected to us; who gives a Contact by address rarely has a certificate for that address.
            return replace(self.hop, target=str(Hop(*found)))
        return Hop(*found, name=self.hop.name)

    def _named(self, uri: SipUri, found: tuple[str, str, int]) -> Hop:
        """A hop to be looked up, with where the dialog came from to fall back on. Without a word on the transport it is
        that of the dialog, which is known to work."""
        said = uri.scheme == "sips" or uri.param("transport")
        transport = found[0] if said else self.hop.transport
        name = found[1].rstrip(".").lower()
        if not NAME.match(name) or "." not in name or name.endswith(".invalid") or transport not in DIALLED:
            return self.hop
        if self.hop.secure and transport not in SECURE:
            return self.hop
        target = f"{transport}:{name}" if uri.port is None else f"{transport}:{name}:{uri.port}"
        if transport == self.hop.transport:
            return replace(self.hop, target=target)
        return Hop(transport, self.hop.host, found[2], self.hop.name, target)

    def request(
        self,
        method: str,
        *,
        via: Callable[[Hop], str],
        cseq: int | None = None,
        contact: Callable[[Hop], str] | None = None,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> tuple[Request, Hop]:
        """A request of this side and its next hop. ``cseq``: the INVITE's own for its ACK, else the next one.

        ``via`` and ``contact`` write those headers for the hop that the route leads to.
        """
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri_text, routes, hop = self.route()
        made = request(
            method,
            uri_text,
            via=via(hop),
            from_=self.local,
            to=self.remote,
            call_id=self.call_id,
            cseq=cseq,
            routes=routes,
            contact=None if contact is None else contact(hop),
            headers=headers,
            body=body,
            content_type=content_type,
        )
        return made, hop


def _readable_routes(message: Request | Response) -> list[str]:
    """The Record-Route values; none when one can't be read, since half a route leads nowhere."""
    try:
        return [str(route) for route in message.record_routes]
    except ParseError:
        return []
