"""[IO] The composition root of a node: what is made, in which order it starts, and how it stops.

    start   database migrated and seeded -> open calls of a crash closed -> SIP sockets and the web socket bound
            -> media workers -> web process -> ready
    stop    SIGTERM or Ctrl-C: new calls get 503, standing ones end by themselves for at most ``drain_seconds``;
            a second signal hangs them up at once -> journal flushed -> web finishes what is pending -> workers end

This process is the signalling process; web and media are its children and end with it, since each watches its end of a
socket pair. A web process that ends is replaced; so is a media worker (media_pool.py).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
import uvloop
from rich.console import Console
from rich.markup import escape

from gateway.assembly import advertised_hops, edge_settings, exchange_settings, gate_settings, hep_settings
from gateway.bindings.store import BindingStore
from gateway.browsers.line import Bridge
from gateway.calls.exchange import Exchange
from gateway.calls.history import History
from gateway.calls.journal import Journal
from gateway.calls.locating import Locating
from gateway.calls.media_pool import MediaPool
from gateway.calls.outputs import TextClosed
from gateway.calls.switchboard import Switchboard, wall
from gateway.certificate import keep_renewed
from gateway.channel import (
    AskMetrics,
    AskStatus,
    Bans,
    Calls,
    Channel,
    Finish,
    LiftBans,
    ListBans,
    ListCalls,
    ListTrunks,
    Message,
    Metrics,
    Nudge,
    Reply,
    SetSwitches,
    StopCall,
    Trunks,
)
from gateway.config.tree import Config, media_listen
from gateway.garbage import look_seldom
from gateway.greeting import greet
from gateway.heap import environment
from gateway.measures import make_tap, node_rows, watch_browsers, watch_calls, watch_gate, watch_parts
from gateway.messages.forwarder import Forwarder
from gateway.metrics.stalls import watch_stalls
from gateway.metrics.tally import Tally
from gateway.phones.desk import PhoneDesk
from gateway.questions import Question, TextQuestion, TextVerdict, Verdict
from gateway.sip.endpoint import Endpoint
from gateway.sip.gate import Gate
from gateway.sip.resolver import Resolver
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from gateway.space import volumes, watch_space
from gateway.standing import shown
from gateway.start import (
    StartError,
    adopt_orphans,
    bind_web,
    check_folders,
    check_media,
    check_notices,
    check_telemetry,
    needed,
    open_certificate,
    open_database,
    open_tls,
    prepare_database,
)
from gateway.telemetry.journey import Journey
from gateway.tracing.store import Traced

_log = structlog.get_logger()
HANG_UP_SECONDS = 5.0
LEAVE_SECONDS = 1.0
RESPAWN_SECONDS = 0.5
RESPAWN_MOST = 10.0
LIVED_SECONDS = 30.0


def run(config: Config, path: Path) -> int:
    """Run a node until it is told to stop; the exit status."""
    try:
        uvloop.run(Node(config, path).run())
    except StartError as error:
        Console(stderr=True, highlight=False).print(f"[red]can't start:[/] {escape(str(error))}", soft_wrap=True)
        return 1
    return 0


def _now() -> datetime:
    return datetime.now(UTC)


def token() -> str:
    """Fresh unguessable text for tags, branches, call and session ids: 96 bits."""
    return secrets.token_hex(12)


class Node:
    """One node; ``run`` is its life."""

    def __init__(self, config: Config, path: Path) -> None:
        self._config = config
        self._path = path
        self._engine = open_database(config)
        self._store = BindingStore(self._engine)
        self._journal = Journal(self._engine, config.node.name, wall, self._nudge, config.calls.min_recording_seconds)
        here = advertised_hops(config)
        known = UserAgentSettings(
            advertised=here,
            advertised6=config.sip.shown(6),
            product=config.sip.product,
            udp_limit=config.sip.udp_limit,
        )
        agent = UserAgent(known, token)
        self._exchange = Exchange(exchange_settings(config, self._engine), agent, token)
        texts = Forwarder(self._store, self._ask_text, lambda payload: self._journal.put(TextClosed(payload)))
        self._gate = Gate(gate_settings(config), self._exchange.admits, self._exchange.trunk_name)
        self._tls = open_tls(config)
        self._tally = Tally()
        self._board = Switchboard(self._exchange, self._store, self._journal, self._ask, texts, self._tally)
        self._tap = make_tap(self._tally, here, self._exchange, self._tell, hep_settings(config))
        carry_out, report = watch_calls(self._board, self._tell if config.otel.endpoint else None)
        spoken = {"tcp", "tls", *(hop.transport for hop in config.sip.listen)}
        resolver = Resolver(config.sip.dns, config.sip.versions, spoken)
        self._endpoint = Endpoint(
            self._exchange,
            carry_out,
            self._gate,
            self._tap,
            self._board.waiting,
            tls=self._tls,
            origins=config.sip.origins,
            keep_alive_seconds=config.sip.keep_alive_seconds,
            resolver=resolver,
            connections=config.sip.connections,
            per_host=config.sip.connections_per_source,
        )
        watch_parts(self._tally, self._exchange, agent, self._endpoint, self._journal)
        watch_gate(self._tally, self._gate, time.monotonic)
        self._watching: set[asyncio.Task[None]] = set()
        self._locating = Locating(self._exchange, resolver, self._endpoint.execute)
        self._pool = MediaPool(
            host=media_listen(config),
            ports=config.media.ports,
            workers=config.media.workers,
            rest=config.media.rest_seconds,
            dscp=config.media.dscp,
            on_report=report,
            on_gone=self._board.worker_gone,
        )
        self._bridge = Bridge(self._endpoint, edge_settings(config)) if config.webrtc.enabled else None
        if self._bridge is not None:
            watch_browsers(self._tally, self._bridge)
        self._board.attach(self._endpoint, self._pool)
        self._history = History(
            self._engine, self._exchange.quota.talk, self._exchange.usual, ZoneInfo(config.records.time_zone), _now
        )
        self._desk: PhoneDesk | None = None
        if config.phones.enabled:
            self._desk = PhoneDesk(self._engine, config.node.name, config.phones.realm, self._board)
            self._board.phone_moved = self._desk.moved
        self._listening: socket.socket | None = None
        self._channel: Channel | None = None
        self._web: asyncio.subprocess.Process | None = None
        self._started = asyncio.Event()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Start, serve, drain, stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled)
        keeping: asyncio.Task[None] | None = None
        renewing = loop.create_task(keep_renewed(self._tls))
        try:
            listening = self._listening = bind_web(self._config)
            # It imports for seconds, so it begins first; it waits for a word before it touches the database.
            keeping = loop.create_task(self._keep_web(listening))
            await self._start()
            self._started.set()
            self._watch(watch_stalls(self._tally, "signalling"))
            self._watch(watch_space(volumes(self._config), self._exchange.disk, self._tally))
            self._watch(self._tap.tidy())
            self._watch(self._history.run())
            self._nudge()
            greet(self._config, self._endpoint.bound, self._path, phones=self._desk is not None)
            await self._stopping.wait()
            await self._drain()
        finally:
            renewing.cancel()
            await self._stop(keeping)

    # --- start --------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        config = self._config
        await prepare_database(config, self._engine, self._store, self._journal)
        await asyncio.to_thread(check_folders, config)
        await adopt_orphans(config, self._engine, self._tally)
        await check_notices(config, self._engine)
        check_media(config)
        check_telemetry(config)
        open_certificate(config)
        with needed("database.url", Exception):
            await self._history.load()
        await self._journal.start()
        if self._desk is not None:
            await self._desk.start()
        with needed("sip.listen"):
            await self._endpoint.start(config.sip.listen)
        self._locating.start()
        if self._bridge is not None:
            with needed("webrtc.enabled"):
                await self._bridge.start()
        with needed("media.workers"):
            await self._pool.start()
        self._board.start()
        look_seldom()

    async def _keep_web(self, listening: socket.socket) -> None:
        """Run the web process, and run it again when it ends before the node does: the later, the more often."""
        wait, loop = RESPAWN_SECONDS, asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            try:
                web, channel = await self._spawn_web(listening)
            except OSError as error:
                # No memory or no process to be had: calls go on, and the next try may do.
                _log.error("the web process could not be started", error=error.strerror)
                await asyncio.sleep(wait)
                wait = min(2 * wait, RESPAWN_MOST)
                continue
            self._web, self._channel = web, channel
            if self._started.is_set():
                channel.send(Nudge())
            elif self._stopping.is_set():
                web.kill()
            status = await web.wait()
            await channel.close()
            if not self._stopping.is_set():
                wait = RESPAWN_SECONDS if loop.time() - began > LIVED_SECONDS else min(2 * wait, RESPAWN_MOST)
                _log.error("the web process ended", status=status, again_in=wait)
                await asyncio.sleep(wait)

    async def _spawn_web(self, listening: socket.socket) -> tuple[asyncio.subprocess.Process, Channel]:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                web = await asyncio.create_subprocess_exec(
                    sys.executable,
                    # Not -m: the rendering process would import the web process's main module, which takes seconds.
                    *("-c", "from gateway.web import main; main()", "--config", str(self._path)),
                    *("--channel-fd", str(theirs.fileno()), "--listen-fd", str(listening.fileno())),
                    pass_fds=(theirs.fileno(), listening.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    env=environment(os.environ),
                )
            except OSError:
                ours.close()
                raise
        channel = Channel(self._hear)
        await channel.open(ours)
        return web, channel

    def _hear(self, message: Message) -> None:
        if self._channel is None:
            return
        match message:
            case StopCall(number, application, session):
                self._channel.send(Reply(number, self._board.stop_call(application, session)))
            case AskStatus(number):
                self._channel.send(self._status(number))
            case ListCalls(number):
                self._channel.send(Calls(number, self._board.standing()))
            case ListBans(number):
                self._channel.send(Bans(number, [shown(ban, wall) for ban in self._gate.bans(time.monotonic())]))
            case ListTrunks(number):
                self._channel.send(Trunks(number, self._board.trunks()))
            case LiftBans(number, source):
                lifted = self._gate.lift(source, time.monotonic())
                self._channel.send(Bans(number, [shown(ban, wall) for ban in lifted]))
            case SetSwitches(switches):
                self._tap.switch(switches)
            case AskMetrics(number):
                self._watch(self._tell_metrics(self._channel, number))
            case _:
                pass

    async def _tell_metrics(self, channel: Channel, number: int) -> None:
        channel.send(Metrics(number, await node_rows(self._tally, self._pool)))

    def _watch(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what is no call's."""
        task = asyncio.get_running_loop().create_task(work)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    def _status(self, number: int) -> Reply:
        notes = tuple(self._board.disk.notes(time.monotonic()))
        return Reply(number, self._exchange.ready, self._exchange.active, notes)

    async def _ask(self, make: Callable[[int], Question]) -> Verdict | None:
        """Put a question to the web process."""
        if self._channel is None:
            return None
        return await self._channel.consult(make, self._config.events.question_seconds + 0.5)

    async def _ask_text(self, make: Callable[[int], TextQuestion]) -> TextVerdict | None:
        """Likewise about a short message."""
        if self._channel is None:
            return None
        return await self._channel.consult_text(make, self._config.events.question_seconds + 0.5)

    def _tell(self, message: Traced | Journey) -> None:
        if self._channel is not None:
            self._channel.send(message)

    def _nudge(self, recordings: bool = True) -> None:
        if self._channel is not None:
            self._channel.send(Nudge(recordings))

    # --- stop ---------------------------------------------------------------------------------------------------------

    def _signalled(self) -> None:
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    async def _drain(self) -> None:
        """No new calls; wait for the standing ones, for the limit, or for the second signal."""
        self._board.drain()
        if self._exchange.active:
            console = Console(stderr=True, highlight=False, soft_wrap=True)
            console.print(f"draining: {self._exchange.active} call(s); once more to hang up now")
        hurry = asyncio.get_running_loop().create_task(self._hurry.wait())
        idle = asyncio.get_running_loop().create_task(self._board.idle.wait())
        await asyncio.wait({hurry, idle}, timeout=self._config.node.drain_seconds, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        self._board.hang_up_all()
        await asyncio.wait({idle}, timeout=HANG_UP_SECONDS)
        idle.cancel()

    async def _stop(self, keeping: asyncio.Task[None] | None) -> None:
        self._stopping.set()
        for task in self._watching:
            task.cancel()
        await self._board.left(LEAVE_SECONDS)
        await self._board.stop()
        await self._pool.stop()
        if self._desk is not None:
            await self._desk.stop()
        await self._journal.stop()
        if keeping is not None:
            if not self._started.is_set() and self._web is not None and self._web.returncode is None:
                # It still imports, or waits for a word that won't come: it has nothing to finish.
                self._web.kill()
            elif self._channel is not None:
                self._channel.send(Finish())
            _, late = await asyncio.wait({keeping}, timeout=20)
            if late and self._web is not None and self._web.returncode is None:
                self._web.kill()
                await asyncio.wait(late)
        await self._locating.stop()
        if self._bridge is not None:
            await self._bridge.stop()
        await self._endpoint.stop()
        self._tap.close()
        if self._listening is not None:
            self._listening.close()
        await self._engine.dispose()
