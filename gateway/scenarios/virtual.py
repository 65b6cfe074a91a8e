"""[IO] A scenario in virtual time: the node's call core, its database and REST API, a carrier of scripted phones.

    file -> configuration -> settings of the exchange       the same code as at the start of a node (gateway.assembly)
    [[request]] -> Desk -> the API's application -> SQLite
    [[call]] -> phones <-> Network <-> Exchange, Room       (stage)
    Resolve, Consult -> the database, the customer's server (calls.looking, api.asker)
    Publish, CallClosed -> payloads -> Pushing -> the customer's server
    [[message]] -> Carriers <-> Network <-> Exchange, Forwarder   (texting)

Time stands still while the database or the customer's server is asked, so what comes out depends on the seed, and on
what that server answers, alone.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from gateway.api.asker import Asker
from gateway.api.callbacks import Client
from gateway.api.events import CdrFacts
from gateway.assembly import exchange_settings, record_domain, seed_of
from gateway.bindings.models import Application
from gateway.calls.looking import answered, looked_up, question_of
from gateway.calls.outputs import CallClosed, Consult, Publish, Resolve, Talked, TextAnswered, TextReceived
from gateway.calls.payloads import event_payload, fee_payload
from gateway.config.tree import Config
from gateway.lab.phone import Phase, Phone
from gateway.lab.script import Script
from gateway.messages.forwarder import Forwarder
from gateway.questions import TextQuestion, TextVerdict
from gateway.scenarios.calling import addresses, call_id_of, dialled, filled, link_of, new_call, sender_of
from gateway.scenarios.desk import Desk, Tables
from gateway.scenarios.form import CallForm, MessageForm, RequestForm
from gateway.scenarios.judging import judge
from gateway.scenarios.played import Played
from gateway.scenarios.pushing import Answering, Noting, Pushing
from gateway.scenarios.scenario import Places, Scenario
from gateway.scenarios.stage import BEGIN, CALLEE, CALLER, GATEWAY, Stage
from gateway.scenarios.texting import Carriers, Sends, Texting
from gateway.sip.hop import Hop
from gateway.sip.message import parse_message

LOOKUP = 0.004
LONGEST = 12 * 3600.0
"""A server that never takes anything is given up after ten hours."""
NOBODY = "http://customer.example/events"
Job = Callable[[], Awaitable[None]]


def hops_of(trunk: int) -> tuple[Hop, Hop]:
    """Where a carrier's calls come from, and where it takes calls."""
    if not trunk:
        return CALLER, CALLEE
    return Hop("udp", f"203.0.113.{16 * trunk}", 5060), Hop("udp", f"203.0.113.{16 * trunk + 1}", 5060)


def places(folder: Path, webhook: str, trunks: int = 1) -> Places:
    """Addresses that are on no network."""
    carriers = [(str(hops_of(at)[1]), f"203.0.113.{16 * at}/28" if at else "192.0.2.0/24") for at in range(trunks)]
    return Places(str(GATEWAY), GATEWAY.host, tuple(carriers), folder, webhook or NOBODY)


async def play_virtual(
    scenario: Scenario, tables: Tables, *, webhook: str = "", client: Client | None = None, seed: int | None = None
) -> Played:
    """Play a scenario and judge it. ``webhook``: where ``client`` pushes to."""
    folder = tables.new_folder()
    config = Config.model_validate(scenario.tree(places(folder, webhook, len(scenario.form.trunk))))
    await tables.copy(folder / "maskline.db")
    node = VirtualNode(scenario, config, scenario.form.seed if seed is None else seed, client)
    played = await node.play()
    played.checks = judge(played)
    return played


class VirtualNode(Stage):
    """Plays one scenario. ``client`` None: the scenario's own answers; else signatures bear the present time."""

    def __init__(self, scenario: Scenario, config: Config, seed: int, client: Client | None) -> None:
        form = scenario.form
        self._hops = [hops_of(index) for index in range(len(form.trunk))]
        links = link_of(form.network.caller), link_of(form.network.callee)
        ways = {hop.host: link for pair in self._hops for hop, link in zip(pair, links, strict=True)}
        super().__init__(
            dataclasses.replace(exchange_settings(config), wall=self.wall),
            seed=seed,
            link_of=lambda source, target: ways.get(source.host) or ways.get(target.host),
            ports=64,
            start=form.start if form.start.tzinfo else form.start.replace(tzinfo=UTC),
        )
        self.played = Played(scenario, BEGIN)
        self._jobs: deque[Job] = deque()
        self._waiting = 0
        self._desk = Desk(config, lambda: self.wall(self.now), self._random.getrandbits, self._stop_call)
        (application,), _ = seed_of(config)
        live = client is not None
        self._present = _now if live else lambda: self.wall(self.now)
        nonce = partial(secrets.token_hex, 16) if live else lambda: f"{self._random.getrandbits(128):032x}"
        answers = [json.dumps(form.named(answer)).encode() for answer in form.answer]
        client = client or Answering(answers)
        self._pushing = Pushing(
            application,
            _facts(application, config),
            client,
            [60 * minutes for minutes in config.events.retry_minutes],
            config.events.merge_seconds,
            self._present,
            nonce,
            self.played.pushes,
        )
        self._asker = Asker(
            self._desk.engine,
            self._desk.store,
            Noting(client, self.played.pushes.append, lambda: self.now),
            self._desk.tone_exists,
            seconds=config.events.question_seconds,
            clock=lambda: self._present().timestamp(),
            nonce=nonce,
        )

        forwarder = Forwarder(
            self._desk.store, self._asked, self._told, clock=lambda: self.wall(self.now),
            token=lambda: str(UUID(int=self._random.getrandbits(128), version=4)),
        )  # fmt: skip
        self._texting = Texting(self.exchange, forwarder, self.take, lambda: self.now)
        self._carriers = Carriers(self.played, self._hops, self._token)

    async def play(self) -> Played:
        """From the first request or call until all is over and told."""
        form = self.played.scenario.form
        await self._desk.seed()
        try:
            self.take(self.exchange.start(self.now))
            for request in form.request:
                self._at(request.at, partial(self._request, request))
            for call in form.call:
                self._at(call.at, partial(self._dial, call))
            for message in form.message:
                self._at(message.at, partial(self._write, message))
            while not self._over() and self.advance(BEGIN + LONGEST):
                await self._work()
            self.played.seconds = self.now - BEGIN
        finally:
            await self._desk.close()
        for made in self.played.calls:
            made.reached = None if made.callee is None else dialled(made.callee)
        self.played.sort_events()
        return self.played

    def _at(self, seconds: float, job: Job) -> None:
        """Do something with the world outside at a moment."""
        self._waiting += 1
        self.after(seconds, lambda: self._jobs.append(job))

    async def _work(self) -> None:
        while self._jobs:
            await self._jobs.popleft()()
            self._waiting -= 1
        due = self._carriers.deadline
        if due is not None and due <= self.now:
            self._network(self._carriers.handle_timeout(self.now))
        due = self._pushing.deadline
        if due is not None and due <= self.now:
            await self._pushing.handle_timeout(self.now)

    def _over(self) -> bool:
        if self._waiting or self._texting.active or self.exchange.active or self._pushing.deadline is not None:
            return False
        if any(message.status is None for message in self.played.messages):
            return False
        return all(phone.phase in (Phase.IDLE, Phase.OVER) for phone in self.phones)

    def due_besides(self) -> float | None:
        due = (self._pushing.deadline, self._carriers.deadline)
        return min((at for at in due if at is not None), default=None)

    # --- requests and calls -------------------------------------------------------------------------------------------

    async def _request(self, form: RequestForm) -> None:
        scenario = self.played.scenario
        body = filled(scenario.form.named(form.body), self.played)
        reply = await self._desk.request(form, scenario.key, scenario.secret, body)
        self.played.replies.append(reply)

    async def _stop_call(self, application: str, session: str) -> bool:
        found, outputs = self.exchange.stop_call(session, self.now, application=application)
        self.take(outputs)
        return found

    async def _dial(self, form: CallForm) -> None:
        phone = self.phone(self._hops[self.played.scenario.form.trunk_index(form.by)][0], form.caller.script())
        self.played.calls.append(new_call(form, phone, self.played.scenario))
        uri, caller = addresses(form, self.played.scenario, GATEWAY.host)
        self.do(phone, phone.dial(GATEWAY, uri, self.now, caller=caller))

    def called(self, target: Hop, call_id: str) -> Phone | None:
        """A phone for a new INVITE: its call's script says how it behaves."""
        index = next(index for index, pair in enumerate(self._hops) if target in pair)
        trunk = self.played.scenario.form.trunk[index]
        if trunk.silent:
            return None
        if trunk.refuses:
            return self.phone(target, Script(ring_after=None, refuse=trunk.refuses, refuse_after=0.05))
        found = self.exchange.call_of(call_id)
        call = next((one for one in self.played.calls if found is not None and one.session == found[0]), None)
        if call is None:
            return None
        call.callee, call.by = self.phone(target, call.form.callee.script()), trunk.name
        return call.callee

    # --- short messages -----------------------------------------------------------------------------------------------

    async def _write(self, form: MessageForm) -> None:
        sender = sender_of(form.from_, self.played.scenario)
        self._network(self._carriers.send(form, sender, GATEWAY, self.now))

    def _network(self, sends: Sends) -> None:
        for data, here, hop in sends:
            self.network.send(data, here, hop, self.now)

    def received(self, data: bytes, source: Hop, target: Hop) -> bool:
        message = parse_message(data)
        if message.cseq.method != "MESSAGE":
            return False
        self._network(self._carriers.receive(data, source, target, self.now))
        return True

    async def _asked(self, make: Callable[[int], TextQuestion]) -> TextVerdict:
        return await self._asker.ask_text(make(1))

    def _told(self, payload: dict[str, Any]) -> None:
        """The notice of the first message that it may be of."""
        for message in self.played.messages:
            sender = message.sender.e164 if message.sender else None
            if not message.session and (sender, message.x.e164) == (payload["sender"], payload["x"]):
                message.session = payload["session"]
                break
        self._pushing.put(payload, self.now)

    # --- what the exchange wants --------------------------------------------------------------------------------------

    def resolve(self, question: Resolve) -> None:
        for call in self.played.calls:
            if not call.session and self.exchange.call_of(call_id_of(call.caller)) == (question.call, 0):
                call.session = question.call
        self._at(LOOKUP, partial(self._resolve, question))

    async def _resolve(self, question: Resolve) -> None:
        decision = await looked_up(self._desk.store, question, self.wall(question.at))
        self.take(self.exchange.routed(question.call, decision, self.now))

    def consult(self, asked: Consult) -> None:
        self._at(LOOKUP, partial(self._consult, asked))

    async def _consult(self, asked: Consult) -> None:
        at = self.wall(asked.at)
        verdict, _ = await self._asker.ask(question_of(asked, 1, at.timestamp()))
        decision = await answered(self._desk.store, asked, verdict, at)
        self.take(self.exchange.routed(asked.call, decision, self.now))

    def take(self, outputs: Any) -> None:
        """What is told and noted, besides."""
        seen = len(self.outputs)
        super().take(outputs)
        for output in self.outputs[seen:]:
            match output:
                case Publish(_, event) if event.application:
                    self._pushing.put(event_payload(event, self.wall), self.now)
                case CallClosed(_, record):
                    if record.application:
                        self._pushing.put(fee_payload(record, self.wall), self.now)
                case TextReceived():
                    self._at(0.0, partial(self._texting.received, output))
                case TextAnswered(id, status):
                    self._at(0.0, partial(self._texting.answered, id, status))
                case Talked(_, decision, caller, called, at):
                    self._at(0.0, partial(self._desk.store.note_talked, decision, caller, called, self.wall(at)))


def _facts(application: Application, config: Config) -> CdrFacts:
    services = {str(mode): text for mode, text in config.events.service_types.items()}
    return CdrFacts(application.account, config.node.name, record_domain(config), services)


def _now() -> datetime:
    return datetime.now(UTC)
