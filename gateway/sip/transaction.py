"""The four transaction machines of RFC 3261 §17, with the corrections of RFC 6026 (INVITE) and RFC 4320 (others).

    INVITE client    Calling -> Proceeding -> Completed | Accepted -> Terminated
      A  T1, doubling     resend the INVITE while Calling (unreliable transport)
      B  64*T1            Calling: give up
      D  32 s (0)         Completed: absorb further non-2xx, answering each with the ACK
      M  64*T1            Accepted: hand further 2xx (retransmissions, forks) to the user
    INVITE server    Proceeding -> Completed -> Confirmed | Accepted -> Terminated
      G  T1 -> T2         Completed: resend the final response (unreliable)
      H  64*T1            Completed: the ACK never came
      I  T4 (0)           Confirmed: absorb further ACKs
      L  64*T1            Accepted: absorb INVITE retransmissions; the user resends its 2xx
    other client     Trying -> Proceeding -> Completed -> Terminated
      E  T1 -> T2         resend the request (unreliable)
      F  64*T1            give up
      K  T4 (0)           Completed: absorb response retransmissions
    other server     Trying -> Proceeding -> Completed -> Terminated
      J  64*T1 (0)        Completed: resend the response when the request comes again

    both clients, of a large request
      T  1 s              nothing came by TCP: the request goes by UDP (large.py)

Outputs are ``Transmit``, ``Deliver`` (a response, for the user), ``Failed``. A machine whose ``state`` is TERMINATED is
forgotten by its layer. Bytes are written once and sent as often as needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from gateway.sip.build import ack_for
from gateway.sip.hop import Hop
from gateway.sip.large import PATIENCE
from gateway.sip.message import Request, Response

if TYPE_CHECKING:
    from gateway.sip.account import Account
    from gateway.sip.outputs import Output


@dataclass(frozen=True, slots=True)
class Timers:
    """RFC 3261 Table 4, seconds. The other timers follow from these."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    d: float = 32.0

    @property
    def give_up(self) -> float:
        """64*T1: timers B, F, H, J, L, M."""
        return 64 * self.t1


class State(Enum):
    """States of all four machines, named as in the RFCs."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send ``data`` to ``hop``; ``message`` is what the bytes say, for traces and ladders."""

    data: bytes
    hop: Hop
    message: Request | Response


@dataclass(frozen=True, slots=True)
class Deliver:
    """A response for the transaction's user."""

    response: Response


@dataclass(frozen=True, slots=True)
class Failed:
    """The transaction is over without a final response: ``timeout`` or ``transport``."""

    reason: str


TransactionOutput = Transmit | Deliver | Failed


class Owner(Protocol):
    """Who sent a request: he is told what becomes of it. Nobody needs to be."""

    @property
    def account(self) -> Account | None:
        """What we are known by where it goes; None: challenges are not answered."""

    def renumbered(self, transaction: ClientTransaction) -> int | None:
        """The CSeq number for a repeat of its request with credentials; None: it isn't wanted any more."""

    def repeated(self, old: ClientTransaction, new: ClientTransaction) -> None:
        """The request of ``old`` has been sent again as ``new``."""

    def receive_response(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """A response, provisional or final."""

    def failed(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """There was no final response: ``timeout`` or ``transport``."""


class Transaction:
    """What the four machines share: a request, a hop, named timers, one deadline."""

    __slots__ = ("armed", "hop", "key", "request", "state", "timers", "values")

    def __init__(self, key: tuple[str, ...], request: Request, hop: Hop, values: Timers, state: State) -> None:
        self.key = key
        self.request = request
        self.hop = hop
        self.values = values
        self.state = state
        self.timers: dict[str, float] = {}
        self.armed: float | None = None

    @property
    def deadline(self) -> float | None:
        """The earliest timer."""
        return min(self.timers.values()) if self.timers else None

    def handle_timeout(self, now: float) -> list[TransactionOutput]:
        """Fire every timer that is due, earliest first."""
        outputs: list[TransactionOutput] = []
        while self.timers:
            name = min(self.timers, key=self.timers.__getitem__)
            due = self.timers[name]
            if due > now:
                break
            del self.timers[name]
            outputs += self.fire(name, now)
        return outputs

    def fire(self, name: str, now: float) -> list[TransactionOutput]:
        """One timer."""
        raise NotImplementedError

    def terminate(self) -> None:
        """The end: no timer, no state."""
        self.state = State.TERMINATED
        self.timers.clear()

    def _linger(self, name: str, seconds: float, now: float) -> None:
        """Stay for late messages of an unreliable transport; go at once on a reliable one."""
        self.timers.clear()
        if self.hop.reliable:
            self.terminate()
        else:
            self.timers[name] = now + seconds


class ClientTransaction(Transaction):
    """Common ground of the two client machines: one request, sent until something comes back."""

    __slots__ = ("_by_udp", "data", "interval", "lowered", "owner", "tries")

    def __init__(self, key: tuple[str, ...], request: Request, hop: Hop, values: Timers, state: State) -> None:
        super().__init__(key, request, hop, values, state)
        self.owner: Owner | None = None
        self.tries = 0
        """How many challenges this request has answered before."""
        self.lowered = False
        """It was tried by TCP for its size, in vain, and now goes by UDP; for the layer, who sets it back."""
        self._by_udp: tuple[Request, Hop, bytes] | None = None
        self.data = bytes(request)
        self.interval = values.t1

    def raise_to(self, request: Request, hop: Hop) -> None:
        """Before the start: it goes by TCP for its size (large.py), by UDP as it was if that fails."""
        self._by_udp = (self.request, self.hop, self.data)
        self.request, self.hop, self.data = request, hop, bytes(request)

    def start(self, now: float) -> list[TransactionOutput]:
        """Send the request."""
        if self._by_udp is not None:
            self.timers["T"] = now + PATIENCE
        return [self._send()]

    def _lower(self, now: float) -> list[TransactionOutput]:
        """Nothing has come back by TCP: the same by UDP."""
        if self._by_udp is None or self.state not in (State.CALLING, State.TRYING):
            return []
        self.request, self.hop, self.data = self._by_udp
        self._by_udp = None
        self.lowered = True
        self.timers.clear()
        return self.start(now)

    def _send(self) -> Transmit:
        return Transmit(self.data, self.hop, self.request)

    def receive_response(self, response: Response, now: float) -> list[TransactionOutput]:
        """A response that matches this transaction."""
        raise NotImplementedError

    def transport_failed(self, now: float) -> list[TransactionOutput]:
        """The request can't be sent (§17.1.4)."""
        if self._by_udp is not None:
            return self._lower(now)
        if self.state in (State.CALLING, State.TRYING):
            self.terminate()
            return [Failed("transport")]
        return []


class InviteClient(ClientTransaction):
    """§17.1.1 with RFC 6026 §8.4."""

    __slots__ = ("_ack",)

    def __init__(self, key: tuple[str, ...], request: Request, hop: Hop, values: Timers) -> None:
        super().__init__(key, request, hop, values, State.CALLING)
        self._ack: Transmit | None = None

    def start(self, now: float) -> list[TransactionOutput]:
        """Send the INVITE."""
        self.timers["B"] = now + self.values.give_up
        if not self.hop.reliable:
            self.timers["A"] = now + self.interval
        return super().start(now)

    def receive_response(self, response: Response, now: float) -> list[TransactionOutput]:
        """A provisional, a 2xx, or a refusal."""
        status = response.status
        match self.state:
            case State.CALLING | State.PROCEEDING if status < 200:
                self.state = State.PROCEEDING
                self.timers.clear()
                return [Deliver(response)]
            case State.CALLING | State.PROCEEDING | State.ACCEPTED if status < 300:
                if self.state is not State.ACCEPTED:
                    self.state = State.ACCEPTED
                    self.timers.clear()
                    self.timers["M"] = now + self.values.give_up
                return [Deliver(response)]
            case State.CALLING | State.PROCEEDING:
                ack = ack_for(self.request, response)
                self._ack = Transmit(bytes(ack), self.hop, ack)
                self.state = State.COMPLETED
                self._linger("D", self.values.d, now)
                return [self._ack, Deliver(response)]
            case State.COMPLETED if status >= 300 and self._ack is not None:
                return [self._ack]
            case State.COMPLETED if 200 <= status < 300:
                # A branch answered when the proxy had refused already: somebody has to hang up on it (§13.2.2.4).
                return [Deliver(response)]
        return []

    def fire(self, name: str, now: float) -> list[TransactionOutput]:
        """A resends; B gives up; D and M end."""
        if name == "T":
            return self._lower(now)
        if name == "A":
            self.interval *= 2
            self.timers["A"] = now + self.interval
            return [self._send()]
        self.terminate()
        return [Failed("timeout")] if name == "B" else []


class OtherClient(ClientTransaction):
    """§17.1.2."""

    __slots__ = ()

    def __init__(self, key: tuple[str, ...], request: Request, hop: Hop, values: Timers) -> None:
        super().__init__(key, request, hop, values, State.TRYING)

    def start(self, now: float) -> list[TransactionOutput]:
        """Send the request."""
        self.timers["F"] = now + self.values.give_up
        if not self.hop.reliable:
            self.timers["E"] = now + self.interval
        return super().start(now)

    def receive_response(self, response: Response, now: float) -> list[TransactionOutput]:
        """A provisional or a final response."""
        if self.state not in (State.TRYING, State.PROCEEDING):
            return []
        if response.status < 200:
            self.state = State.PROCEEDING
            self.interval = self.values.t2
        else:
            self.state = State.COMPLETED
            self._linger("K", self.values.t4, now)
        return [Deliver(response)]

    def fire(self, name: str, now: float) -> list[TransactionOutput]:
        """E resends; F gives up; K ends."""
        if name == "T":
            return self._lower(now)
        if name == "E":
            self.interval = min(2 * self.interval, self.values.t2)
            self.timers["E"] = now + self.interval
            return [self._send()]
        self.terminate()
        return [Failed("timeout")] if name == "F" else []
