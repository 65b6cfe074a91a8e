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
import gc
import secrets
import signal
import socket
import sys
from pathlib import Path

import structlog
import uvloop
from rich.console import Console

from gateway import log
from gateway.bindings.models import Application, Mode, Number
from gateway.bindings.store import BindingStore
from gateway.calls.exchange import Exchange
from gateway.calls.journal import Journal
from gateway.calls.media_pool import MediaPool
from gateway.calls.settings import ExchangeSettings, ToneFiles, TrunkSettings
from gateway.calls.switchboard import Switchboard, wall
from gateway.channel import AskStatus, Channel, Finish, Message, Nudge, Reply, StopCall
from gateway.config import Config, advertised, media_advertised, media_listen
from gateway.database import migrate, open_engine
from gateway.numbers import NumberRules
from gateway.sip.endpoint import Endpoint
from gateway.sip.hop import Hop
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from gateway.tones import SOUNDS, ToneFolder

_log = structlog.get_logger()
HANG_UP_SECONDS = 5.0
RESPAWN_SECONDS = 0.5


class StartError(Exception):
    """What keeps the node from starting, in words for its operator."""


def run(config: Config, path: Path) -> int:
    """Run a node until it is told to stop; the exit status."""
    log.configure(config.node.log)
    try:
        uvloop.run(Node(config, path).run())
    except StartError as error:
        Console(stderr=True, highlight=False).print(f"[red]can't start:[/] {error}", soft_wrap=True)
        return 1
    return 0


def token() -> str:
    """Fresh unguessable text for tags, branches, call and session ids: 96 bits."""
    return secrets.token_hex(12)


def exchange_settings(config: Config) -> ExchangeSettings:
    """The call path's part of the configuration."""
    calls = config.calls
    return ExchangeSettings(
        trunks=tuple(
            TrunkSettings(
                name=trunk.name,
                peers=trunk.peers,
                allow=trunk.allow,
                rules=NumberRules(**trunk.numbers.model_dump()),
                codecs=trunk.payload_types,
                early_media=trunk.early_media,
                media_networks=trunk.media_networks,
                max_calls=trunk.max_calls,
                calls_per_second=trunk.calls_per_second,
                domain=trunk.domain,
                nat=trunk.nat,
            )
            for trunk in config.trunk
        ),
        tones=ToneFiles(
            ringback=str(SOUNDS / "ringback.wav"),
            no_binding=str(SOUNDS / "no_binding.wav"),
            no_permission=str(SOUNDS / "no_permission.wav"),
            failed=str(SOUNDS / "failed.wav"),
            lookup=ToneFolder(config.tones.folder).find,
        ),
        media_host=media_advertised(config),
        spool=str(Path(config.recordings.spool).absolute()),
        wall=wall,
        default_trunk=calls.default_trunk or None,
        max_calls=calls.max_calls,
        calls_per_second=calls.calls_per_second,
        ring_timeout=calls.ring_seconds,
        connect_timeout=calls.connect_seconds,
        early_media_patience=calls.early_media_seconds,
        media_timeout=config.media.timeout_seconds,
        min_recording=calls.min_recording_seconds,
    )


def seed_of(config: Config) -> tuple[list[Application], list[Number]]:
    """Applications and X numbers that the configuration gives."""
    applications = [
        Application(
            key=entry.key,
            secret=entry.secret.get_secret_value(),
            mode=Mode(entry.mode),
            account=entry.account,
            recording=entry.recording,
            memory_callback=entry.memory_callback,
            notice=entry.notice,
            waiting=entry.waiting,
            signature=entry.signature,
            status_url=entry.status_url,
            fee_url=entry.fee_url,
            private_callbacks=entry.private_callbacks,
            allowed_ips=tuple(str(network) for network in entry.allowed_ips),
        )
        for entry in config.application
    ]
    numbers = [
        Number(x=number, application=entry.application, area_code=entry.area_code, province=entry.province)
        for entry in config.number
        for number in entry.number
    ]
    return applications, numbers


def _make_folder(path: str) -> None:
    Path(path).mkdir(parents=True, exist_ok=True)


class Node:
    """One node; ``run`` is its life."""

    def __init__(self, config: Config, path: Path) -> None:
        self._config = config
        self._path = path
        self._engine = open_engine(config.database.url)
        self._store = BindingStore(self._engine)
        self._journal = Journal(self._engine, config.node.name, wall, self._nudge, config.calls.min_recording_seconds)
        shown = advertised(config)
        ports = {hop.transport: hop.port for hop in reversed(config.sip.listen)}
        agent = UserAgent(
            UserAgentSettings(
                advertised={transport: Hop(transport, shown, port) for transport, port in ports.items()},
                product=config.sip.product,
            ),
            token,
        )
        self._exchange = Exchange(exchange_settings(config), agent, token)
        self._board = Switchboard(self._exchange, self._store, self._journal)
        self._endpoint = Endpoint(self._exchange, self._board.carry_out, self._exchange.admits)
        self._pool = MediaPool(
            host=media_listen(config),
            ports=config.media.ports,
            workers=config.media.workers,
            rest=config.media.rest_seconds,
            on_report=self._board.media_report,
            on_gone=self._board.worker_gone,
        )
        self._board.attach(self._endpoint, self._pool)
        self._listening: socket.socket
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
        try:
            self._listening = self._bind_web()
            # It imports for seconds, so it begins first; it waits for a word before it touches the database.
            keeping = loop.create_task(self._keep_web())
            await self._start()
            self._started.set()
            self._nudge()
            self._greet()
            await self._stopping.wait()
            await self._drain()
        finally:
            await self._stop(keeping)

    # --- start --------------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        config = self._config
        try:
            await migrate(config.database.url)
            await self._store.seed(*seed_of(config))
            await self._journal.recover()
        except OSError as error:
            raise StartError(f"database.url: {error}") from None
        try:
            _make_folder(config.recordings.spool)
        except OSError as error:
            raise StartError(f"recordings.spool: {config.recordings.spool}: {error.strerror}") from None
        await self._journal.start()
        try:
            await self._endpoint.start(config.sip.listen)
        except OSError as error:
            raise StartError(f"sip.listen: {error.strerror}") from None
        await self._pool.start()
        # Nothing of what stands now will ever be garbage: the collector need not look at it again in a call.
        gc.collect()
        gc.freeze()

    def _bind_web(self) -> socket.socket:
        host, port = self._config.web.listen
        listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise StartError(f"web.listen: {host}:{port}: {error.strerror}") from None
        listening.listen(512)
        return listening

    async def _keep_web(self) -> None:
        """Run the web process, and run it again when it ends before the node does."""
        while True:
            ours, theirs = socket.socketpair()
            with theirs:
                self._web = await asyncio.create_subprocess_exec(
                    sys.executable,
                    # Not -m: the rendering process would import the web process's main module, which takes seconds.
                    *("-c", "from gateway.web import main; main()", "--config", str(self._path)),
                    *("--channel-fd", str(theirs.fileno()), "--listen-fd", str(self._listening.fileno())),
                    pass_fds=(theirs.fileno(), self._listening.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                )
            channel = self._channel = Channel(self._hear)
            await channel.open(ours)
            if self._started.is_set():
                channel.send(Nudge())
            status = await self._web.wait()
            await channel.close()
            if self._stopping.is_set():
                return
            _log.error("the web process ended", status=status)
            await asyncio.sleep(RESPAWN_SECONDS)

    def _hear(self, message: Message) -> None:
        if self._channel is None:
            return
        match message:
            case StopCall(number, application, session):
                self._channel.send(Reply(number, self._board.stop_call(application, session)))
            case AskStatus(number):
                self._channel.send(Reply(number, self._exchange.ready, self._exchange.active))
            case _:
                pass

    def _nudge(self) -> None:
        if self._channel is not None:
            self._channel.send(Nudge())

    def _greet(self) -> None:
        config = self._config
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        trunk = config.trunk[0]
        sip = ", ".join(str(hop) for hop in self._endpoint.bound)
        console.print(
            f"[bold]Maskline[/] {config.node.name}: SIP on {sip}; API on http://{':'.join(map(str, config.web.listen))}"
        )
        here = f"{advertised(config)}:{config.sip.listen[0].port}"
        console.print(
            f"  point a phone or a trunk from {', '.join(map(str, trunk.allow))} at {here}, without registration,"
            f" and call an X number, e.g. sip:{self._first_x()}@{here}"
        )
        console.print(
            f"  calls to the real party go to {trunk.peers[0]} (trunk {trunk.name}); bind A, X and B by the API first"
        )
        console.print("  Ctrl-C drains; once more hangs up at once")

    def _first_x(self) -> str:
        return self._config.number[0].number[0].e164 if self._config.number else "<X>"

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
        await self._board.stop()
        await self._pool.stop()
        await self._journal.stop()
        if keeping is not None:
            if self._channel is not None:
                self._channel.send(Finish())
            _, late = await asyncio.wait({keeping}, timeout=20)
            if late and self._web is not None and self._web.returncode is None:
                self._web.kill()
                await asyncio.wait(late)
        await self._endpoint.stop()
        await self._engine.dispose()
