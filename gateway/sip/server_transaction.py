"""The two server machines of RFC 3261 §17.2 (the table is in ``transaction.py``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response
from gateway.sip.transaction import Failed, State, Timers, Transaction, TransactionOutput, Transmit

if TYPE_CHECKING:
    from gateway.sip.invite_session import InviteSession


class ServerTransaction(Transaction):
    """Common ground of the two server machines: the last response, sent again when asked again."""

    __slots__ = ("last", "owner")

    def __init__(self, key: tuple[str, ...], request: Request, hop: Hop, values: Timers, state: State) -> None:
        super().__init__(key, request, hop, values, state)
        self.owner: InviteSession | None = None
        """Whose INVITE outside of a dialog it is: a CANCEL is for him."""
        self.last: Transmit | None = None

    def respond(self, response: Response, now: float) -> list[TransactionOutput]:
        """Send a response of the user."""
        raise NotImplementedError

    def receive_request(self, request: Request, now: float) -> list[TransactionOutput]:
        """The request once more, or (INVITE) the ACK."""
        raise NotImplementedError

    @property
    def answered(self) -> bool:
        """A final response has been given."""
        return self.state not in (State.TRYING, State.PROCEEDING)


class InviteServer(ServerTransaction):
    """§17.2.1 with RFC 6026 §8.7."""

    __slots__ = ("interval",)

    def __init__(self, key: tuple[str, ...], request: Request, hop: Hop, values: Timers) -> None:
        super().__init__(key, request, hop, values, State.PROCEEDING)
        self.interval = values.t1

    def respond(self, response: Response, now: float) -> list[TransactionOutput]:
        """A provisional, a 2xx (again, while Accepted), or a refusal."""
        if self.state not in (State.PROCEEDING, State.ACCEPTED) or (
            self.state is State.ACCEPTED and not 200 <= response.status < 300
        ):
            return []
        send = Transmit(bytes(response), self.hop, response)
        if response.status < 200:
            self.last = send
        elif response.status < 300:
            if self.state is State.PROCEEDING:
                self.state = State.ACCEPTED
                self.timers["L"] = now + self.values.give_up
        else:
            self.last = send
            self.state = State.COMPLETED
            self.timers["H"] = now + self.values.give_up
            if not self.hop.reliable:
                self.timers["G"] = now + self.interval
        return [send]

    def receive_request(self, request: Request, now: float) -> list[TransactionOutput]:
        """A retransmitted INVITE, or the ACK of a refusal."""
        if request.method == "ACK":
            if self.state is State.COMPLETED:
                self.state = State.CONFIRMED
                self._linger("I", self.values.t4, now)
            return []
        if self.state in (State.PROCEEDING, State.COMPLETED) and self.last is not None:
            return [self.last]
        return []

    def fire(self, name: str, now: float) -> list[TransactionOutput]:
        """G resends; H, I and L end."""
        if name == "G" and self.last is not None:
            self.interval = min(2 * self.interval, self.values.t2)
            self.timers["G"] = now + self.interval
            return [self.last]
        self.terminate()
        return [Failed("timeout")] if name == "H" else []


class OtherServer(ServerTransaction):
    """§17.2.2."""

    __slots__ = ()

    def __init__(self, key: tuple[str, ...], request: Request, hop: Hop, values: Timers) -> None:
        super().__init__(key, request, hop, values, State.TRYING)

    def respond(self, response: Response, now: float) -> list[TransactionOutput]:
        """The one final response (no provisionals: RFC 4320 §4.1)."""
        if self.answered:
            return []
        self.last = Transmit(bytes(response), self.hop, response)
        self.state = State.COMPLETED
        self._linger("J", self.values.give_up, now)
        return [self.last]

    def receive_request(self, request: Request, now: float) -> list[TransactionOutput]:
        """The request once more."""
        return [] if self.last is None else [self.last]

    def fire(self, name: str, now: float) -> list[TransactionOutput]:
        """J ends."""
        self.terminate()
        return []
