"""[IO] What scenarios play on: the trunk, the two numbers, a SIP endpoint of our own, and waiting for what happens."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.calls.addresses import first
from gateway.calls.privacy import callee_invite
from gateway.calls.settings import TrunkSettings
from gateway.numbers import PhoneNumber
from gateway.sdp.offer_answer import Negotiation
from gateway.sip.account import Account
from gateway.sip.endpoint import Endpoint
from gateway.sip.gate import Gate, GateSettings
from gateway.sip.hop import Hop
from gateway.sip.outputs import Answered
from gateway.sip.standalone import send
from gateway.sip.tls import Tls
from gateway.sip.transaction import Transmit
from gateway.sip.wire import UserAgentSettings, Wire
from gateway.tracing.masking import without_keys
from gateway.tracing.messages import CALLEE, Seen
from gateway.trunktest.called import Called
from gateway.trunktest.desk import Desk
from gateway.trunktest.ears import Ears
from gateway.trunktest.party import HeaderLines, Party

AFTERWARDS = 4.0
"""Seconds for the peer to answer the BYE or CANCEL that ends a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds: for a final answer, for anything at all, of talk, and for sound."""

    ring: float = 45.0
    answer: float = 6.0
    talk: float = 3.0
    sound: float = 2.0


class Stage:
    """``start`` it; ``call`` gives a call that is ended at its end, whatever happens."""

    def __init__(
        self, trunk: TrunkSettings, caller: PhoneNumber, callee: PhoneNumber, *, sip: Sequence[Hop], advertised: str,
        media: tuple[str, str, tuple[int, int]], account: Account | None = None, tls: Tls | None = None,
        patience: Patience | None = None, ours: PhoneNumber | None = None, shared: bool = False,
    ) -> None:  # fmt: skip
        """``media``: the address that is bound, the one in SDP, the ports. ``ours``: a number of the trunk that leads
        to us. ``shared``: the node runs, and what comes by itself comes to it."""
        self.trunk = trunk
        self.patience = patience or Patience()
        self.trace: list[tuple[int, Seen]] = []
        """Every message since ``forget``; our side is the caller's."""
        self.numbers = caller, callee
        self.ours = ours
        self.shared = shared
        self._registered = ""
        self._cseq = 1
        self._media = media
        self._account = account
        self._listen = sip
        self._hops = {hop.transport: Hop(hop.transport, advertised, hop.port) for hop in sip}
        self._shown = advertised
        self._desk = Desk(Wire(UserAgentSettings(advertised=self._hops), lambda: secrets.token_hex(12)))
        gate = Gate(GateSettings(), lambda host: True, lambda host: "trunk-test")
        self._endpoint = Endpoint(self._desk, lambda outputs: self._moved.set(), gate, self, tls=tls)
        self._moved = asyncio.Event()

    async def start(self) -> None:
        """Bind; OSError."""
        await self._endpoint.start(self._listen)
        for hop in self._endpoint.bound:
            self._hops[hop.transport] = Hop(hop.transport, self._shown, hop.port)

    async def stop(self) -> None:
        """Register no more, and close the sockets."""
        if self._registered:
            await self.register(0)
        await self._endpoint.stop()

    def forget(self) -> None:
        """A new trace begins."""
        self.trace = []

    # --- gateway.sip.endpoint.Watch -----------------------------------------------------------------------------------

    def received(self, data: bytes, source: Hop) -> None:
        """A message has come."""
        self.trace.append((CALLEE, Seen(time.time(), False, source, self._here(source), without_keys(data))))

    def sent(self, data: bytes, target: Hop) -> None:
        """A message goes."""
        self.trace.append((CALLEE, Seen(time.time(), True, target, self._here(target), without_keys(data))))

    def _here(self, peer: Hop) -> Hop:
        return self._hops.get(peer.transport) or next(iter(self._hops.values()))

    # --- what scenarios do --------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The endpoint's clock."""
        return time.monotonic()

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until it holds; whether it does."""
        end = self.now + seconds
        while not condition() and self.now < end:
            self._moved.clear()
            try:
                # Sound moves nobody: look now and then.
                async with asyncio.timeout(min(0.05, max(0.0, end - self.now))):
                    await self._moved.wait()
            except TimeoutError:
                continue
        return condition()

    def do(self, outputs: Sequence[Transmit]) -> None:
        """Send."""
        self._endpoint.execute(outputs)

    async def options(self, peer: Hop) -> Answered:
        """OPTIONS to a peer, and what came of it."""
        uri, wire = f"sip:{peer.host_text}:{peer.port}{peer.uri_transport}", self._desk.wire
        name, outputs = send(
            wire, "OPTIONS", peer, uri, from_=f"<sip:{self._shown}>", to=f"<{uri}>", contact=wire.contact(peer),
            account=self._account, now=self.now,
        )  # fmt: skip
        self.do(outputs)
        await self.until(lambda: name in self._desk.asked, self.patience.answer)
        return self._desk.asked.get(name) or Answered(name, 408, 1, None)

    async def register(self, seconds: int) -> Answered:
        """REGISTER at the first peer, for so long, and what came of it."""
        wanted, hop, wire = self.trunk.registration, first(self.trunk.peers), self._desk.wire
        assert wanted is not None
        ours = f"<sip:{wanted.user}@{wanted.domain}>"
        contact = wire.contact(hop).replace("sip:", f"sip:{wanted.user}@", 1)
        self._registered = self._registered or wire.token()
        name, outputs = send(
            wire, "REGISTER", hop, f"sip:{wanted.domain}", from_=ours, to=ours, call_id=self._registered,
            cseq=self._cseq, contact=contact, headers=[("Expires", str(seconds))], account=self._account, now=self.now,
        )  # fmt: skip
        self.do(outputs)
        await self.until(lambda: name in self._desk.asked, self.patience.answer)
        answer = self._desk.asked.get(name) or Answered(name, 408, self._cseq + 1, None)
        self._cseq = answer.cseq + 1
        return answer

    def negotiation(self) -> Negotiation:
        """The offer/answer state of one more leg."""
        return Negotiation(secrets.randbits(31), self._media[1], self.trunk.codecs)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[tuple[list[Called], Ears]]:
        """The next call that comes is taken: it rings, and is in the list."""
        host, _, ports = self._media
        ears, calls = Ears(host, ports), self._desk.calls
        calls.clear()
        self._desk.listening = True
        ears.start()
        try:
            yield calls, ears
        finally:
            self._desk.listening = False
            for call in calls:
                outputs = call.hang_up(self.now)
                self.do(outputs)
                if outputs and call.acked:
                    await self.until(lambda call=call: bool(call.answers), AFTERWARDS)  # type: ignore[misc]
            await ears.stop()

    @asynccontextmanager
    async def call(
        self, headers: HeaderLines = (), callee: PhoneNumber | None = None
    ) -> AsyncIterator[tuple[Party, Ears]]:
        """A call that has been dialled; ``callee``: another than usual."""
        host, _, ports = self._media
        invite = callee_invite(self.numbers[0], callee or self.numbers[1], self.trunk, self._shown)
        ears = Ears(host, ports)
        media = self.negotiation()
        party = Party(
            self._desk.wire, invite.target, invite.uri, invite.from_, invite.to, media, ears.port, self._account,
            invite.headers,
        )  # fmt: skip
        self._desk.parties[party.call_id] = party
        ears.start()
        try:
            self.do(party.invite(self.now, headers))
            yield party, ears
        finally:
            await self.end(party)
            await ears.stop()

    async def end(self, party: Party) -> None:
        """Leave no call behind."""
        outputs = party.hang_up(self.now)
        self.do(outputs)
        if outputs:
            method = outputs[0].message.method if hasattr(outputs[0].message, "method") else "BYE"
            await self.until(lambda: party.final(method) is not None, AFTERWARDS)
        if party.final("INVITE") is None:
            await self.until(lambda: party.final("INVITE") is not None, AFTERWARDS)
            self.do(party.hang_up(self.now))
