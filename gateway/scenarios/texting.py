"""[IO] Short messages in virtual time: carriers that send and take MESSAGEs, and the node's own forwarder between them.

    Carriers.send -> MESSAGE -> Exchange -> TextReceived -> Texting -> Forwarder -> Exchange -> MESSAGE -> Carriers

The forwarder is a coroutine of the node. It runs until it waits for a carrier's answer, or is over; the scenario's time
stands still meanwhile, so what comes out depends on the seed alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway.calls.exchange import Exchange
from gateway.calls.identity import plain_text
from gateway.calls.outputs import TextReceived
from gateway.messages.forwarder import Forwarder
from gateway.numbers import PhoneNumber
from gateway.scenarios.calling import from_of, number_of
from gateway.scenarios.form import MessageForm
from gateway.scenarios.played import Arrival, Played, PlayedMessage
from gateway.sip.hop import Hop
from gateway.sip.message import Request
from gateway.sip.outputs import PageAnswered, PageReceived
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from gateway.sms.bodies import Body
from gateway.sms.rpdu import CONTENT_TYPE, Data, read

TYPE = "text/plain;charset=UTF-8"
Sends = list[tuple[bytes, Hop, Hop]]


class Carriers:
    """The SIP of MESSAGEs at every trunk: ``hops`` are where each sends from and is sent to."""

    def __init__(self, played: Played, hops: list[tuple[Hop, Hop]], token: Callable[[], str]) -> None:
        self._played = played
        self._hops = hops
        self._agents = {
            hop: UserAgent(UserAgentSettings(advertised={hop.transport: hop}, product="carrier"), token)
            for pair in hops
            for hop in pair
        }
        self._sent: dict[str, PlayedMessage] = {}

    @property
    def deadline(self) -> float | None:
        """When something is to be sent again."""
        return min((at for agent in self._agents.values() if (at := agent.deadline) is not None), default=None)

    def handle_timeout(self, now: float) -> Sends:
        """Send it again, or give up."""
        due = [(hop, agent) for hop, agent in self._agents.items() if agent.deadline is not None]
        return [one for hop, agent in due for one in self._take(hop, agent.handle_timeout(now), now)]

    def send(self, form: MessageForm, sender: PhoneNumber | None, gateway: Hop, now: float) -> Sends:
        """Somebody writes to X."""
        scenario = self._played.scenario.form
        here, x = self._hops[scenario.trunk_index(form.by)][0], scenario.number(form.to)
        uri = f"sip:{x.e164}@{gateway.host}"
        page, outputs = self._agents[here].pager.send(
            gateway, uri, from_=from_of(sender), to=f"<{uri}>", body=form.text.encode(), content_type=TYPE, now=now
        )
        self._sent[page] = PlayedMessage(form, sender, x, now)
        self._played.messages.append(self._sent[page])
        return self._take(here, outputs, now)

    def receive(self, data: bytes, source: Hop, here: Hop, now: float) -> Sends:
        """A MESSAGE, or the answer to one."""
        return self._take(here, self._agents[here].receive_message(data, source, now), now)

    def _take(self, here: Hop, outputs: Any, now: float) -> Sends:
        sends: Sends = []
        for output in outputs:
            match output:
                case Transmit(data, hop):
                    sends.append((data, here, hop))
                case PageAnswered(session, status) if session in self._sent:
                    self._sent[session].status = status
                case PageReceived(session, request):
                    status = self._status(request, here, now)
                    if status:
                        sends += self._take(here, self._agents[here].pager.answer(session, status, now), now)
        return sends

    def _status(self, request: Request, here: Hop, now: float) -> int:
        """What a carrier answers; 0: nothing."""
        trunk = next(t for t, pair in zip(self._played.scenario.form.trunk, self._hops, strict=True) if here in pair)
        if trunk.silent or trunk.refuses:
            return trunk.refuses or 0
        x, receiver, text = getattr(request.from_.uri, "user", ""), number_of(request), _text(request)
        # The newest to that X, if not the one that says the same.
        ours = [one for one in self._played.messages if one.x.e164 == x]
        message = next((one for one in reversed(ours) if one.form.text in text), ours[-1] if ours else None)
        if message is None:
            return 404
        if message.form.refuses:
            return message.form.refuses
        message.arrivals.append(Arrival(now, trunk.name, receiver, text, bytes(request)))
        return 200


def _text(request: Request) -> str:
    if request.content_type != CONTENT_TYPE:
        return plain_text(request) or ""
    data = read(request.body)
    return data.tpdu.text if isinstance(data, Data) and data.tpdu is not None else ""


class Texting:
    """The forwarder on ``exchange``. ``take`` carries its outputs out; ``now`` is the scenario's."""

    def __init__(
        self,
        exchange: Exchange,
        forwarder: Forwarder,
        take: Callable[[Any], None],
        now: Callable[[], float],
    ) -> None:
        self._exchange = exchange
        self._forwarder = forwarder
        self._take = take
        self._now = now
        self._moved = asyncio.Event()
        self._held: list[Any] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> bool:
        """Whether a message is on its way."""
        return bool(self._running)

    async def received(self, text: TextReceived) -> None:
        """A message has come in."""
        work = self._forwarder.received(self, text.id, text.trunk, text.sender, text.x, text.text, text.piece)
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        await self._go_on(task)

    async def answered(self, id: str, status: int) -> None:
        """A carrier has answered, or will not."""
        task = self._tasks.pop(id, None)
        self._forwarder.answered(id, status)
        if task is not None:
            await self._go_on(task)

    async def _go_on(self, task: asyncio.Task[None]) -> None:
        """Until it waits for a carrier, or is over."""
        self._moved.clear()
        moved = asyncio.get_running_loop().create_task(self._moved.wait())
        await asyncio.wait({task, moved}, return_when=asyncio.FIRST_COMPLETED)
        moved.cancel()
        if task.done():
            self._running.discard(task)
            task.result()
        held, self._held = self._held, []
        self._take(held)

    # --- what the forwarder wants of the node's SIP -------------------------------------------------------------------

    def answer_text(self, id: str, status: int) -> None:
        """Answer a MESSAGE that came in."""
        self._take(self._exchange.answer_text(id, status, self._now()))

    def bodies(
        self, trunk: str, application: str, x: PhoneNumber, receiver: PhoneNumber, text: str, at: datetime
    ) -> list[Body]:
        """What a text of X comes to in MESSAGEs."""
        return self._exchange.texts.bodies(trunk, application, x, receiver, text, at, self._now())

    def send_text(self, trunk: str, application: str, sender: PhoneNumber, receiver: PhoneNumber, body: Body) -> str:
        """Send one of them; not before the forwarder waits for the answer."""
        id, outputs = self._exchange.send_text(trunk, application, sender, receiver, body, self._now())
        task = asyncio.current_task()
        assert task is not None
        self._tasks[id] = task
        self._held += outputs
        self._moved.set()
        return id
