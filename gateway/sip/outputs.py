"""What the user agent hands up, besides ``Transmit``: the life of INVITE sessions, named by their session id.

    we answer   Incoming -> (Confirmed) -> ... -> Ended
    we call     Progress* -> Accepted -> ... -> Ended      or      Progress* -> Rejected
    in between  ReInvited (wants answer_offer or refuse_offer), OfferAnswered, OfferRefused, InfoReceived

Every session ends in exactly one Ended or Rejected, except one that we refuse ourselves before it was accepted.
``Offence`` and ``ContactsChanged`` belong to no session: the one is for the door (gate.py), the other for whoever keeps
what a restart needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.sip.hop import Hop
from gateway.sip.locations import Contact
from gateway.sip.message import Request, Response
from gateway.sip.transaction import Transmit


@dataclass(frozen=True, slots=True)
class Incoming:
    """A new INVITE; 100 has been sent. Its body may be empty (delayed offer). ``user``: who has proved to have sent it
    (authenticator.py), "" where nobody was asked."""

    session: str
    request: Request
    source: Hop
    user: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A provisional response (101 to 199) of any of the callee's early dialogs. ``sends``: whether early media comes,
    by its P-Early-Media; None: it doesn't say."""

    session: str
    status: int
    reason: str
    body: bytes
    response: Response
    sends: bool | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The callee's 2xx; the ACK has been sent."""

    session: str
    body: bytes
    response: Response


@dataclass(frozen=True, slots=True)
class Rejected:
    """The callee's refusal; 408 when nothing came, 503 when nothing could be sent (``response`` None)."""

    session: str
    status: int
    reason: str
    response: Response | None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The ACK of our 2xx; ``body`` is the answer when our 2xx carried an offer."""

    session: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ReInvited:
    """The peer's re-INVITE or UPDATE. An empty body asks for an offer."""

    session: str
    body: bytes


@dataclass(frozen=True, slots=True)
class OfferAnswered:
    """The answer to our re-INVITE."""

    session: str
    body: bytes


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """Our re-INVITE was refused; what was agreed before still holds."""

    session: str
    status: int


@dataclass(frozen=True, slots=True)
class InfoReceived:
    """An INFO within the dialog; it has been answered 200."""

    session: str
    content_type: str
    body: bytes


NO_ACK = "no-ack"


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over. ``by``: peer, us, timeout. ``how``: BYE, CANCEL, no-ack, transport, or the status that
    ended it. ``reason``: the raw Reason header (RFC 3326) or ""; of no-ack our Contact, where the ACK had to come."""

    session: str
    by: str
    how: str
    reason: str


@dataclass(frozen=True, slots=True)
class PageReceived:
    """A MESSAGE outside any dialog (RFC 3428); it waits for its answer. ``session``: its id; ``user`` as above."""

    session: str
    request: Request
    source: Hop
    user: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The final answer to a standalone request of ours: its status, 408 or 503 when there was none (``response`` None);
    ``cseq`` is that of its last repeat."""

    session: str
    status: int
    cseq: int
    response: Response | None


@dataclass(frozen=True, slots=True)
class PageAnswered:
    """What became of a MESSAGE that we sent: its final status, 408 or 503 when there was none (``response`` None)."""

    session: str
    status: int
    response: Response | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Show life on the flow to ``hop``: CRLF CRLF (RFC 5626 §3.5.1)."""

    hop: Hop


@dataclass(frozen=True, slots=True)
class Offence:
    """``source`` has done what no honest peer does often: ``malformed``, ``digest`` (a wrong password), ..."""

    source: Hop
    offence: str


@dataclass(frozen=True, slots=True)
class ContactsChanged:
    """A registered user is reached at these contacts from now on; none: he is nowhere."""

    user: str
    contacts: tuple[Contact, ...]


SessionOutput = (
    Incoming
    | Progress
    | Accepted
    | Rejected
    | Confirmed
    | ReInvited
    | OfferAnswered
    | OfferRefused
    | InfoReceived
    | Ended
    | PageReceived
    | PageAnswered
    | Answered
)
Output = Transmit | SessionOutput | Offence | ContactsChanged
