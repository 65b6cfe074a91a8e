"""What the exchange hands out besides SIP ``Transmit``: for the database, the media workers and the customers.

Per call they come in this order, each at most once but ``MediaCommand`` and ``Publish``:

    Resolve -> CallOpened -> Consult -> RecordingStarted -> CallAnswered -> Talked -> CallClosed

(RecordingStarted behind Talked where the notice comes first.)

``CallOpened`` follows the routing decision, since only that knows the application. ``CallClosed`` comes exactly once,
directly behind ``Publish(Disconnected)``, so that both can be written in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gateway.bindings.decisions import Connect
from gateway.calls.events import Event
from gateway.calls.record import CallRecord
from gateway.calls.surge import Surge
from gateway.numbers import PhoneNumber
from gateway.sip.outputs import ContactsChanged, KeepAlive, Offence
from gateway.sip.transaction import Transmit
from gateway.sms.tpdu import Piece
from media.control import Command


@dataclass(frozen=True, slots=True)
class Resolve:
    """Look the binding up and answer with ``routed`` or ``route_failed``. ``caller`` None: withheld.

    ``extension``: what an AXE caller has dialled; the question comes once more then, for each try.
    """

    call: str
    trunk: str
    caller: PhoneNumber | None
    called: PhoneNumber
    at: float
    extension: str = ""


@dataclass(frozen=True, slots=True)
class Consult:
    """X mode: ask the customer's server and answer with ``routed``. ``at``: when the call came in."""

    call: str
    application: str
    caller: PhoneNumber | None
    called: PhoneNumber
    at: float


@dataclass(frozen=True, slots=True)
class MediaCommand:
    """For the media worker of that number."""

    worker: int
    command: Command


@dataclass(frozen=True, slots=True)
class Publish:
    """An event for the customer, in order for each call."""

    call: str
    event: Event


@dataclass(frozen=True, slots=True)
class CallOpened:
    """The call exists and belongs to ``record.application``: to be found again after a crash."""

    call: str
    record: CallRecord


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The callee answered."""

    call: str
    record: CallRecord


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """A media worker spools to ``path``. It is kept only if ``CallClosed`` says ``recorded``. ``data_key`` seals it."""

    call: str
    name: str
    path: str
    record: CallRecord
    data_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Talked:
    """The parties were connected: the binding's temporary callee is used up, or its last caller is to be remembered.

    Only when ``decision.consumes_temporary`` or ``decision.remember_caller``.
    """

    call: str
    decision: Connect
    caller: PhoneNumber | None
    called: PhoneNumber
    at: float


@dataclass(frozen=True, slots=True)
class CallClosed:
    """The call is over; ``record`` is final."""

    call: str
    record: CallRecord


@dataclass(frozen=True, slots=True)
class CallMoved:
    """The media worker of a call died ``seconds`` ago. ``result``: it goes on at another one ("moved"), or "ended"."""

    call: str
    result: str
    seconds: float


@dataclass(frozen=True, slots=True)
class TextReceived:
    """A short message to X has come by ``trunk``; it waits for ``Exchange.answer_text``. ``sender`` None: withheld.
    ``piece``: it is a part of a long one."""

    id: str
    trunk: str
    sender: PhoneNumber | None
    x: PhoneNumber
    text: str
    piece: Piece | None = None

    def __repr__(self) -> str:
        """Without what was written."""
        return f"<TextReceived {self.id}>"


@dataclass(frozen=True, slots=True)
class TextAnswered:
    """What became of a short message that was sent with ``Exchange.send_text``: a SIP status."""

    id: str
    status: int


@dataclass(frozen=True, slots=True)
class TextClosed:
    """A short message has come to its end; ``payload``: its notice for the customer (gateway.messages.forwarder)."""

    payload: dict[str, Any]

    def __repr__(self) -> str:
        """Without numbers and text."""
        return f"<TextClosed {self.payload['session']}>"


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """Nobody has acknowledged our 2xx on a leg, which has ended for it; ``contact``: where the ACK should have gone."""

    call: str
    side: int
    contact: str


@dataclass(frozen=True, slots=True)
class TrunkChanged:
    """A trunk's peer is ``up`` or ``down``, or we are ``registered`` there, ``not registered``, or ``unregistered`` as
    we wanted. ``why``: in words."""

    trunk: str
    peer: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Faulted:
    """A mistake of ours in one call, which has been ended for it. ``error`` is for the log; numbers in it are masked
    only as far as they were PhoneNumbers."""

    call: str
    error: Exception


CallOutput = (
    Resolve
    | Consult
    | MediaCommand
    | Publish
    | CallOpened
    | CallAnswered
    | RecordingStarted
    | Talked
    | CallClosed
    | CallMoved
    | Faulted
    | TextReceived
    | TextAnswered
    | Unacknowledged
    | TrunkChanged
    | Surge
)

ExchangeOutput = Transmit | Offence | KeepAlive | ContactsChanged | CallOutput
OUTWARD = (
    *(Transmit, Offence, KeepAlive, ContactsChanged),
    *(
        Resolve,
        Consult,
        MediaCommand,
        Publish,
        CallOpened,
        CallAnswered,
        RecordingStarted,
        Talked,
        CallClosed,
        CallMoved,
    ),
    *(Faulted, TextReceived, TextAnswered, Unacknowledged, TrunkChanged, Surge),
)
"""The classes of ExchangeOutput."""
