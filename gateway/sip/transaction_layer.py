"""All transactions of a user agent: matching (RFC 3261 §17.1.3, §17.2.3), creation, one deadline over them.

A client transaction is found by the branch of the top Via and the CSeq method; a server transaction by branch, sent-by
and method, where ACK looks for its INVITE. A branch without the magic cookie is RFC 2543: the Request-URI, To tag, From
tag, Call-ID, CSeq number and top Via then stand for it.
"""

from __future__ import annotations

from gateway.sip.alarms import Alarms
from gateway.sip.headers import MAGIC
from gateway.sip.hop import Hop
from gateway.sip.large import Large
from gateway.sip.message import Request, Response
from gateway.sip.server_transaction import InviteServer, OtherServer, ServerTransaction
from gateway.sip.transaction import (
    ClientTransaction,
    Failed,
    InviteClient,
    OtherClient,
    Owner,
    State,
    Timers,
    TransactionOutput,
    Transmit,
)

Key = tuple[str, ...]
Transaction = ClientTransaction | ServerTransaction


def server_key(request: Request, method: str) -> Key:
    """What identifies the server transaction of ``request`` under ``method``."""
    via = request.via
    branch = via.branch
    if branch.startswith(MAGIC) and len(branch) > len(MAGIC):
        return (branch, via.sent_by, method)
    to_tag = "" if method == "INVITE" else request.to.tag or ""
    return (
        *("2543", request.uri_text, to_tag, request.from_.tag or "", request.call_id, str(request.cseq.number)),
        *(via.sent_by, branch, method),
    )


def _merge_key(request: Request) -> Key:
    """What copies of one request have in common whatever path they took."""
    return (request.call_id, request.from_.tag or "", str(request.cseq.number), request.to.tag or "")


class TransactionLayer:
    """``emit`` in results: (transaction, Deliver | Failed) for the user, Transmit for the transport."""

    __slots__ = ("_alarms", "_clients", "_ended", "_large", "_merged", "_servers", "timers")

    def __init__(self, timers: Timers, large: Large | None = None) -> None:
        self.timers = timers
        self._large = large
        self._clients: dict[Key, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._merged: dict[Key, ServerTransaction] = {}
        self._ended: list[Transaction] = []
        self._alarms: Alarms[Transaction] = Alarms()

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    @property
    def deadline(self) -> float | None:
        """The earliest deadline of any transaction."""
        return self._alarms.deadline

    def send(
        self, request: Request, hop: Hop, owner: Owner | None, now: float
    ) -> tuple[ClientTransaction, list[Transmit]]:
        """Start a client transaction; credentials are put in where they are known."""
        if owner is not None and owner.account is not None:
            owner.account.sign(request)
        key = (request.via.branch, request.method)
        invite = request.method == "INVITE"
        transaction = (InviteClient if invite else OtherClient)(key, request, hop, self.timers)
        transaction.owner = owner
        self._clients[key] = transaction
        if self._large is not None:
            raised = self._large.by_tcp(request, len(transaction.data), hop, now)
            if raised is not None:
                transaction.raise_to(*raised)
        outputs = transaction.start(now)
        self._settle(transaction)
        return transaction, [output for output in outputs if isinstance(output, Transmit)]

    def accept(self, request: Request, source: Hop) -> ServerTransaction:
        """Start a server transaction for a request that matched none. ``source`` is where replies go."""
        invite = request.method == "INVITE"
        key = server_key(request, request.method)
        transaction = (InviteServer if invite else OtherServer)(key, request, source, self.timers)
        self._servers[key] = transaction
        if invite and not request.to.tag:
            self._merged[_merge_key(request)] = transaction
        return transaction

    def is_merged(self, request: Request) -> bool:
        """Whether an INVITE that matched no transaction has come before by another path (§8.2.2.2)."""
        return _merge_key(request) in self._merged

    def find_server(self, request: Request, method: str | None = None) -> ServerTransaction | None:
        """The server transaction of a request; for ACK and CANCEL name the method ``INVITE``."""
        return self._servers.get(server_key(request, method or request.method))

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> list[Transmit]:
        """Send a response in a server transaction."""
        outputs = transaction.respond(response, now)
        self._settle(transaction)
        return [output for output in outputs if isinstance(output, Transmit)]

    def receive_again(self, transaction: ServerTransaction, request: Request, now: float) -> list[Transmit]:
        """A retransmission, or the ACK of a refusal."""
        outputs = transaction.receive_request(request, now)
        self._settle(transaction)
        return [output for output in outputs if isinstance(output, Transmit)]

    def receive_response(
        self, response: Response, now: float
    ) -> tuple[ClientTransaction | None, list[TransactionOutput]]:
        """A response: its transaction (None: it matches none) and what follows."""
        transaction = self._clients.get((response.via.branch, response.cseq.method))
        if transaction is None:
            return None, []
        outputs = transaction.receive_response(response, now)
        self._settle(transaction)
        return transaction, outputs

    def forget(self, transaction: Transaction) -> None:
        """End a transaction that its user has given up."""
        transaction.terminate()
        self._settle(transaction)

    def transport_failed(self, hop: Hop, now: float) -> list[Transmit | tuple[ClientTransaction, Failed]]:
        """``hop`` can't be reached: what becomes of the client transactions that want to."""
        found: list[Transmit | tuple[ClientTransaction, Failed]] = []
        for transaction in [one for one in self._clients.values() if one.hop == hop]:
            found += self._told(transaction, transaction.transport_failed(now), now)
            self._settle(transaction)
        return found

    def handle_timeout(self, now: float) -> list[Transmit | tuple[ClientTransaction, Failed]]:
        """Let every transaction that is due act."""
        found: list[Transmit | tuple[ClientTransaction, Failed]] = []
        for transaction in self._ended:
            # A session knows its transactions, and they know it: cut, they need no garbage collector. Not sooner,
            # since whoever was told of the end asks whose it was.
            transaction.owner = None
        self._ended.clear()
        while (due := self._alarms.next_due(now)) is not None:
            if isinstance(due, ClientTransaction):
                found += self._told(due, due.handle_timeout(now), now)
            else:
                found += [output for output in due.handle_timeout(now) if isinstance(output, Transmit)]
            self._settle(due)
        return found

    def _told(
        self, transaction: ClientTransaction, outputs: list[TransactionOutput], now: float
    ) -> list[Transmit | tuple[ClientTransaction, Failed]]:
        """Outputs of a client transaction, those for its owner with it; and whether it had to leave TCP is noted."""
        if transaction.lowered and self._large is not None:
            transaction.lowered = False
            self._large.failed(transaction.hop, now)
        found: list[Transmit | tuple[ClientTransaction, Failed]] = []
        for output in outputs:
            if isinstance(output, Transmit):
                found.append(output)
            elif isinstance(output, Failed):
                found.append((transaction, output))
        return found

    def _settle(self, transaction: Transaction) -> None:
        """Forget what is over; note when what waits wants to wake."""
        if transaction.state is State.TERMINATED:
            self._alarms.set(transaction, None)
            self._ended.append(transaction)
            table: dict[Key, ClientTransaction] | dict[Key, ServerTransaction]
            table = self._clients if isinstance(transaction, ClientTransaction) else self._servers
            table.pop(transaction.key, None)
            if isinstance(transaction, InviteServer):
                self._merged.pop(_merge_key(transaction.request), None)
            return
        self._alarms.set(transaction, transaction.deadline)
