"""[IO] A scenario on a real node: processes and sockets on loopback, the REST API, a virtual carrier, real time.

    customer ──REST API──▶ node ◀──SIP, RTP──▶ Carrier (phones)
       ▲                    │
       └── --webhook ◀── Relay, which sees every request

The same files as in virtual time, judged by the same rows; a call lasts as long as it says. What the customer's own
server binds by the API counts as well, so [[request]] may be left out.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

import aiohttp
import tomli_w

from gateway.config.reading import ConfigError
from gateway.lab.node import Node, NodePlan
from gateway.lab.phone import Phase, Phone
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.rtp import STALL
from gateway.scenarios.calling import addresses, dialled, filled, link_of, new_call, number_of
from gateway.scenarios.carrier import CALLEE, CALLER, Carrier
from gateway.scenarios.desk import signed, target_of
from gateway.scenarios.form import CallForm, RequestForm
from gateway.scenarios.judging import judge, judge_call
from gateway.scenarios.played import Played, PlayedCall, Push
from gateway.scenarios.relay import Relay
from gateway.scenarios.scenario import Places, Scenario
from gateway.sip.hop import Hop
from gateway.sip.message import Request, parse_message

HOST = "127.0.0.1"
LONGEST = 900.0
VIRTUAL_ONLY = "[[trunk]] and [[message]] are played in virtual time only"
START = 60.0
"""Seconds for the node to be ready: a machine of a CI may be slow."""
TOLD = 8.0
"""Seconds in which the CDR has to come after a call."""
UNTAKEN = 1.0
"""Seconds after which a call that ended without a word was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPlan(NodePlan):
    """``tree``: the whole configuration."""

    tree: dict[str, Any]

    def toml(self) -> str:
        """The configuration file."""
        return tomli_w.dumps(self.tree)


class RealNode:
    """``async with`` it: the node, the carrier, the relay. ``api_port`` 0: any. ConfigError: it can't be played so."""

    def __init__(self, scenario: Scenario, *, webhook: str = "", seed: int | None = None, api_port: int = 0) -> None:
        if scenario.form.virtual_only:
            raise ConfigError([("(file)", VIRTUAL_ONLY)])
        self.scenario = scenario
        self.played = Played(scenario)
        self._seed = scenario.form.seed if seed is None else seed
        self._api_port = api_port
        form = scenario.form
        self._relay = Relay(HOST, webhook, [form.named(answer) for answer in form.answer], self._saw)
        self._moved = asyncio.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="maskline-lab-")

    async def __aenter__(self) -> RealNode:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if hasattr(self, "node"):
            await self.node.stop()
        if hasattr(self, "_carrier"):
            await self._carrier.stop()
        if hasattr(self, "_http"):
            await self._http.close()
        await self._relay.stop()
        self._folder.cleanup()

    async def _start(self) -> None:
        folder, network = Path(self._folder.name), self.scenario.form.network
        receiver = await self._relay.start()
        links = (link_of(network.caller), link_of(network.callee))
        self._carrier = Carrier(HOST, self._seed, links, self._called)
        sip, web, (low, high) = free_tcp_and_udp_port(HOST), self._api_port, free_media_ports(HOST)
        web = web or free_tcp_and_udp_port(HOST)
        peer = str(self._carrier.hops[CALLEE])
        carriers = ((peer, f"{HOST}/32"),)
        places = Places(f"udp:{HOST}:{sip}", HOST, carriers, folder, receiver, f"{HOST}:{web}", f"{low}-{high}")
        plan = LabPlan(
            folder=folder, host=HOST, peer=peer, key=self.scenario.key, secret=self.scenario.secret,
            x=self.scenario.form.owned[0], receiver=receiver, sip_port=sip, web_port=web, media_ports=(low, high),
            tree=self.scenario.tree(places),
        )  # fmt: skip
        self.plan = plan
        self.node = Node(plan)
        await self.node.start(START)
        self._http = aiohttp.ClientSession(plan.base_url, timeout=aiohttp.ClientTimeout(total=10))
        self.played.began = self._now()

    # --- what can be done ---------------------------------------------------------------------------------------------

    async def request(self, form: RequestForm) -> dict[str, Any]:
        """The reply to a request of the customer's."""
        body = filled(self.scenario.form.named(form.body), self.played)
        method, path, query, data = target_of(form, self.plan.key, body)
        headers = signed(self.plan.key, self.plan.secret, uuid4().hex, datetime.now(UTC))
        async with self._http.request(method, path, params=query, data=data, headers=headers) as response:
            reply: dict[str, Any] = await response.json(content_type=None)
        self.played.replies.append(reply)
        return reply

    def dial(self, form: CallForm) -> PlayedCall:
        """Begin a call."""
        phone = self._carrier.phone(CALLER, form.caller.script())
        call = new_call(form, phone, self.scenario)
        call.stall = STALL
        self.played.calls.append(call)
        target = Hop("udp", HOST, self.plan.sip_port)
        uri, caller = addresses(form, self.scenario, f"{HOST}:{self.plan.sip_port}")
        self._carrier.do(phone, lambda now: phone.dial(target, uri, now, caller=caller))
        return call

    async def finished(self, call: PlayedCall) -> None:
        """Wait until a call is over and its CDR has come, or ought to have."""
        end, over = self._now() + LONGEST, 0.0
        while self._now() < end and "fee" not in call.kinds:
            phones = [phone for phone in (call.caller, call.callee) if phone is not None]
            if all(phone.phase is Phase.OVER for phone in phones):
                over = over or self._now()
                if self._now() - over > (TOLD if call.session else UNTAKEN):
                    break
            self._moved.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self._moved.wait()
        for phone in (call.caller, call.callee):
            if phone is not None and phone.phase is not Phase.OVER:
                self._carrier.do(phone, phone.hang_up)
        call.reached = None if call.callee is None else dialled(call.callee)

    async def play(self, form: CallForm) -> PlayedCall:
        """A whole call, judged."""
        call = self.dial(form)
        await self.finished(call)
        call.checks = list(judge_call(call, self.scenario.form))
        return call

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # --- what comes ---------------------------------------------------------------------------------------------------

    def _called(self, data: bytes) -> Phone | None:
        """An INVITE to somebody's phone: the oldest call's that has none yet, and may reach that number."""
        message = parse_message(data)
        number = number_of(message) if isinstance(message, Request) else None
        waiting = [call for call in self.played.calls if call.callee is None and call.caller.phase is not Phase.OVER]
        named = [call for call in waiting if call.form.expect.reached and
                 self.scenario.form.number(call.form.expect.reached) == number]  # fmt: skip
        if not waiting:
            return None
        call = (named or waiting)[0]
        call.callee = self._carrier.phone(CALLEE, call.form.callee.script())
        return call.callee

    def _saw(self, push: Push) -> None:
        self.played.pushes.append(push)
        for event in push.events():
            known = any(call.session == event.session for call in self.played.calls)
            if event.session and not known:
                self._claim(event.session, event.fields)
        self.played.sort_events()
        self._moved.set()

    def _claim(self, session: str, fields: dict[str, Any]) -> None:
        """Give a session that is new to the oldest call it may be."""
        caller, called = fields.get("caller", fields.get("callerNum", "")), fields.get("called", fields.get("bindNum"))
        for call in self.played.calls:
            number = "" if call.number is None else call.number.e164
            if not call.session and number == caller and self.scenario.form.number(call.form.to).e164 == called:
                call.session = session
                return


async def play_real(scenario: Scenario, *, webhook: str = "", seed: int | None = None, api_port: int = 0) -> Played:
    """Play a scenario on a node of its own and judge it. NodeError when that doesn't start."""
    async with RealNode(scenario, webhook=webhook, seed=seed, api_port=api_port) as node:
        steps: list[RequestForm | CallForm] = sorted([*scenario.form.request, *scenario.form.call],
                                                     key=lambda step: step.at)  # fmt: skip
        waiting = []
        for step in steps:
            # A binding takes its time before a call of the same moment.
            await asyncio.sleep(max(0.0, node.played.began + step.at - asyncio.get_running_loop().time()))
            if isinstance(step, RequestForm):
                await node.request(step)
            else:
                waiting.append(asyncio.create_task(node.finished(node.dial(step))))
        await asyncio.gather(*waiting)
        played = node.played
        played.seconds = asyncio.get_running_loop().time() - played.began
    played.checks = judge(played)
    return played
