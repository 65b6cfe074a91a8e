"""REGISTER (RFC 3261 §10.3): who is where, as the phones themselves say it.

    not authenticated                  401 without state (authenticator.py)
    not his own address of record      403
    Contact: *                         400 unless alone and with Expires 0; else all his contacts go
    an interval under ``min_expires``  423 with Min-Expires (not 0, and not an hour or more: §10.3, 7)
    a CSeq that isn't higher under     400: a request that was overtaken by a later one of the same phone. Nothing of
    the Call-ID of a contact           it counts: all contacts of a request are taken, or none is
    no Contact                         a question
    anything else                      200 with all contacts and the seconds that each has left

What a request asks for in seconds is cut to ``max_expires``, on a connection to ``stream_expires``: one that is silent
for longer is closed by our transport. Calls go to the hop that the REGISTER came by, whatever stands
in its Contact, so Path is not needed and not taken. A Contact with the +sip.instance of a known one takes its place: it
is the same phone after a change of address.

Behind NAT (the host of the Contact is not the source) a UDP contact gets an OPTIONS every ``keepalive`` seconds, whose
answer keeps the way open in both directions (RFC 4787 §4.3).
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count

from gateway.errors import ParseError
from gateway.sip.authenticator import Authenticator, Refused, refused
from gateway.sip.build import request as build_request
from gateway.sip.build import response_to
from gateway.sip.grammar import param
from gateway.sip.headers import NameAddr
from gateway.sip.hop import Hop
from gateway.sip.locations import Contact, Locations
from gateway.sip.message import Request
from gateway.sip.methods import Refusal
from gateway.sip.outputs import ContactsChanged, Output
from gateway.sip.stateless import reply_hop
from gateway.sip.transaction import Transmit
from gateway.sip.uri import SipUri, equivalent, number_text, parse_uri
from gateway.sip.wire import Wire

HOUR = 3600
MALFORMED_EXPIRES = 3600
"""RFC 3261 §20.10: what can't be read counts as this."""
_Q = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z")
_OVERTAKEN: Refusal = (400, "Bad Request (CSeq)", [])


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrarSettings:
    """Seconds, and the most contacts of one user; see the module's text."""

    min_expires: int = 60
    max_expires: int = 3600
    default_expires: int = 600
    stream_expires: int = 540
    keepalive: float = 25.0
    contacts: int = 5


@dataclass(frozen=True, slots=True)
class _Asked:
    """One Contact of a REGISTER."""

    uri: SipUri
    seconds: int
    q: int
    instance: str


class _Refusal(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal[0])
        self.refusal = refusal


class Registrar:
    """A door of the user agent (``reception.doors["REGISTER"]``), with a clock of its own.

    ``record_of(user)`` names the user whose address of record a number text or user name of a To is, None: nobody's.
    ``date`` gives the text of a Date header.
    """

    def __init__(
        self,
        settings: RegistrarSettings,
        wire: Wire,
        authenticator: Authenticator,
        record_of: Callable[[str], str | None],
        date: Callable[[float], str],
    ) -> None:
        self.settings = settings
        self.locations = Locations(settings.contacts)
        self._wire = wire
        self._authenticator = authenticator
        self._record_of = record_of
        self._date = date
        self._pings: list[tuple[float, int, tuple[str, str, Hop]]] = []
        self._pinged: set[tuple[str, str, Hop]] = set()
        self._order = count()

    # --- inputs -----------------------------------------------------------------------------------------------------

    def receive(self, request: Request, source: Hop, now: float) -> list[Output]:
        """A REGISTER that is no retransmission."""
        user = self._authenticator.judge(request, 401, now)
        if isinstance(user, Refused):
            return refused(user, request, source)
        transaction = self._wire.layer.accept(request, reply_hop(request, source))
        before, changed = self.locations.of(user, now), []
        try:
            after = self._registered(user, before, request, source, now)
            if after is not before:
                changed = self._put(user, after, now)
            status, reason, headers = 200, None, self._told(self.locations.of(user, now), now)
        except _Refusal as error:
            status, reason, headers = error.refusal
        response = response_to(request, status, reason, to_tag=self._wire.token(), headers=headers)
        return [*self._wire.layer.respond(transaction, response, now), *changed]

    def restore(self, user: str, contacts: Iterable[Contact], now: float) -> list[ContactsChanged]:
        """What was known before a restart. Connections don't live through one, so theirs are left out."""
        live = [one for one in contacts if not one.hop.reliable and one.expires > now]
        if live and not self.locations.of(user, now):
            self._put(user, live, now)
        return [ContactsChanged(user, self.locations.of(user, now))]

    def remove(self, user: str) -> list[ContactsChanged]:
        """There is no such user any more, or he has another password: he is nowhere."""
        if user not in self.locations:
            return []
        self.locations.put(user, ())
        return [ContactsChanged(user, ())]

    def connection_closed(self, hop: Hop, now: float) -> list[Output]:
        """A connection is gone, and its contacts with it."""
        return [ContactsChanged(user, self.locations.of(user, now)) for user in self.locations.broken(hop)]

    @property
    def deadline(self) -> float | None:
        """When a contact may lapse, or a keep-alive is due."""
        ends = [self._pings[0][0]] if self._pings else []
        lapse = self.locations.deadline
        if lapse is not None:
            ends.append(lapse)
        return min(ends) if ends else None

    def handle_timeout(self, now: float) -> list[Output]:
        """Do what is due."""
        outputs: list[Output] = [
            ContactsChanged(user, self.locations.of(user, now)) for user in self.locations.lapse(now)
        ]
        while self._pings and self._pings[0][0] <= now:
            _, _, way = heapq.heappop(self._pings)
            user, uri, hop = way
            if any(one.uri == uri and one.hop == hop for one in self.locations.of(user, now)):
                heapq.heappush(self._pings, (now + self.settings.keepalive, next(self._order), way))
                outputs += self._ping(uri, hop, now)
            else:
                self._pinged.discard(way)
        return outputs

    # --- the rules --------------------------------------------------------------------------------------------------

    def _registered(
        self, user: str, before: tuple[Contact, ...], request: Request, source: Hop, now: float
    ) -> tuple[Contact, ...]:
        """His contacts after the request; ``before`` itself when it changes nothing."""
        name = number_text(request.to.uri)
        if name is None or self._record_of(name) != user:
            raise _Refusal((403, None, []))
        values = request.headers.values("Contact")
        if not values:
            return before
        if "*" in values:
            return _cleared(before, request, alone=len(values) == 1)
        if len(values) > self.locations.limit:
            raise _Refusal((400, "Bad Request (too many Contacts)", []))
        after = {one.uri: one for one in before}
        for value in values:
            asked = self._asked(value, request, source)
            cseq, call_id = request.cseq.number, request.call_id
            for known in [one for one in before if _same(one, asked)]:
                if known.call_id == call_id and cseq <= known.cseq:
                    raise _Refusal(_OVERTAKEN)
                after.pop(known.uri, None)
            if asked.seconds:
                uri, until = str(asked.uri), now + asked.seconds
                after[uri] = Contact(uri, source, until, now, call_id, cseq, asked.q, asked.instance)
        return tuple(after.values())

    def _asked(self, value: str, request: Request, source: Hop) -> _Asked:
        try:
            contact = NameAddr.parse(value, "Contact")
        except ParseError:
            raise _Refusal((400, "Bad Request (Contact)", [])) from None
        uri = contact.uri
        if not isinstance(uri, SipUri) or uri.headers:
            raise _Refusal((400, "Bad Request (Contact)", []))
        settings = self.settings
        text = param(contact.params, "expires")
        text = request.headers.get("Expires") if text is None else text
        seconds = settings.default_expires if text is None else _seconds(text)
        if 0 < seconds < min(settings.min_expires, HOUR):
            raise _Refusal((423, None, [("Min-Expires", str(settings.min_expires))]))
        longest = settings.stream_expires if source.reliable else settings.max_expires
        q = param(contact.params, "q")
        quality = int(float(q) * 1000) if q is not None and _Q.match(q) else 1000
        return _Asked(uri, min(seconds, longest), quality, param(contact.params, "+sip.instance") or "")

    # --- inside -----------------------------------------------------------------------------------------------------

    def _put(self, user: str, contacts: Iterable[Contact], now: float) -> list[ContactsChanged]:
        self.locations.put(user, contacts)
        kept = self.locations.of(user, now)
        for one in kept:
            way = (user, one.uri, one.hop)
            if way not in self._pinged and _behind_nat(one):
                self._pinged.add(way)
                heapq.heappush(self._pings, (now + self.settings.keepalive, next(self._order), way))
        return [ContactsChanged(user, kept)]

    def _told(self, contacts: tuple[Contact, ...], now: float) -> list[tuple[str, str]]:
        rows = [("Date", self._date(now))]
        for one in contacts:
            q = "" if one.q == 1000 else f";q={one.q / 1000:g}"
            rows.append(("Contact", f"<{one.uri}>{q};expires={max(1, round(one.expires - now))}"))
        return rows

    def _ping(self, uri: str, hop: Hop, now: float) -> list[Transmit]:
        wire = self._wire
        us = f"<sip:{wire.contact(hop)[5:-1].partition(';')[0]}>"
        made = build_request(
            "OPTIONS", uri, via=wire.via(hop), from_=f"{us};tag={wire.token()}", to=f"<{uri}>", call_id=wire.token(),
            cseq=1,
        )  # fmt: skip
        return wire.layer.send(made, hop, None, now)[1]


def _seconds(text: str) -> int:
    text = text.strip()
    return min(int(text), 2**31) if text.isascii() and text.isdigit() and len(text) <= 10 else MALFORMED_EXPIRES


def _cleared(before: tuple[Contact, ...], request: Request, *, alone: bool) -> tuple[Contact, ...]:
    """§10.3, 6: what is left of his contacts when all are to go."""
    text = request.headers.get("Expires")
    if not alone or text is None or _seconds(text) != 0:
        raise _Refusal((400, "Bad Request (Contact)", []))
    if any(one.call_id == request.call_id and request.cseq.number <= one.cseq for one in before):
        raise _Refusal(_OVERTAKEN)
    return ()


def _same(known: Contact, asked: _Asked) -> bool:
    return bool(asked.instance and asked.instance == known.instance) or equivalent(parse_uri(known.uri), asked.uri)


def _behind_nat(contact: Contact) -> bool:
    uri = parse_uri(contact.uri)
    if contact.hop.transport != "udp" or not isinstance(uri, SipUri):
        return False
    return (uri.host.strip("[]").lower(), uri.port or 5060) != (contact.hop.host.lower(), contact.hop.port)
