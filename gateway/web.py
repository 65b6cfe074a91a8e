"""[IO] The web process of a node: REST API, delivery of events, rendering and erasing of recordings, and of bindings
that have expired.

Started by ``gateway.service`` with one end of the channel and the listening socket; it begins at the node's first word,
and ends when the node says so or when the other end of the channel is gone, so it never outlives its node.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
import uvloop

from gateway import log
from gateway.admin.addresses import keep_applied
from gateway.admin.app import create_admin
from gateway.admin.context import AdminContext, AdminSettings
from gateway.admin.mail import Mailer, MailSettings
from gateway.api.app import create_app
from gateway.api.asker import Asker
from gateway.api.callbacks import CallbackClient
from gateway.api.context import ApiContext, ApiSettings
from gateway.api.guard import WebLimits
from gateway.api.ledger import Ledger
from gateway.api.outbox import Delivery, DeliverySettings
from gateway.api.server import web_server
from gateway.assembly import exchange_settings, phone_server, proof_of, record_domain, recording_store
from gateway.bindings.purge import keep_purged
from gateway.bindings.store import BindingStore
from gateway.certificate import keep_renewed
from gateway.channel import AskStatus, Channel, Finish, Message, Nudge, SetSwitches, StopCall
from gateway.config.reading import load
from gateway.config.tree import Config
from gateway.console.app import console_home, create_console
from gateway.database import open_engine
from gateway.explaining import explain
from gateway.garbage import look_seldom
from gateway.metrics.backlog import Backlog
from gateway.metrics.door import metrics_page
from gateway.metrics.stalls import watch_stalls
from gateway.metrics.tally import Row, Tally
from gateway.numbers import PhoneNumber
from gateway.questions import Question, TextQuestion
from gateway.recordings.audio import AudioReader
from gateway.recordings.keeper import Keeper
from gateway.recordings.part import KeeperSettings
from gateway.records.keeping import KeepingSettings, RecordKeeping
from gateway.start import open_certificate
from gateway.telemetry.follower import follower
from gateway.telemetry.journey import Journey
from gateway.tones.folder import ToneFolder
from gateway.tones.shelf import Shelf
from gateway.tracing.keeper import TraceKeeper
from gateway.tracing.store import Traced
from media.recording.store import RecordingStore

_log = structlog.get_logger()
FINISH_SECONDS = 10.0
NICE = 5


class Web:
    """The parts of the process, wired."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.begin = asyncio.Event()
        """The node's first word: the tables are there."""
        self.finish = asyncio.Event()
        self.channel = Channel(self._hear)
        self.engine = open_engine(config.database.location)
        store = self.store = BindingStore(self.engine)
        recordings = self.recordings = recording_store(config)
        self.proof = proof_of(config)
        self.follower = follower(config)
        self.client = CallbackClient(config.events.timeout_seconds)
        self.keeper = Keeper(
            self.engine,
            recordings,
            KeeperSettings(
                node=config.node.name,
                retention_days=config.recordings.retention_days,
                form=config.recordings.form,
                shortest=config.calls.min_recording_seconds,
                mute_keys=config.recordings.mute_keys,
            ),
            proof=self.proof,
            on_stored=None if self.follower is None else self.follower.stored,
        )
        self.delivery = Delivery(
            self.engine,
            self.client,
            DeliverySettings(
                host_name=config.node.name,
                record_domain=record_domain(config),
                retry_minutes=config.events.retry_minutes,
                merge_seconds=config.events.merge_seconds,
                timeout_seconds=config.events.timeout_seconds,
                retention_days=config.recordings.retention_days,
                service_types={str(mode): text for mode, text in config.events.service_types.items()},
            ),
            steady=self.keeper.now,
            on_attempt=None if self.follower is None else self.follower.tried,
        )
        self._tones = ToneFolder(config.tones.folder, config.tones.approved)
        self.asker = Asker(
            self.engine,
            store,
            self.client,
            self._tone_exists,
            seconds=config.events.question_seconds,
            clock=time.time,
        )
        self._answering: set[asyncio.Task[None]] = set()
        self.mailer = Mailer(
            self.engine,
            MailSettings(
                **config.mail.model_dump(exclude={"password"}), password=config.mail.password.get_secret_value()
            ),
            _now,
        )
        keep, zone = config.records, ZoneInfo(config.records.time_zone)
        self.records = RecordKeeping(
            self.engine, KeepingSettings(days=keep.days, statistics_days=keep.statistics_days, zone=zone), _now
        )
        self.shelf = Shelf(self.engine, config.tones.approved)
        self.tally = Tally()
        self.traces = TraceKeeper(
            self.engine,
            config.node.name,
            keep_calls=config.trace.keep_calls,
            keep_days=config.trace.keep_days,
            tell=lambda switches: self.channel.send(SetSwitches(switches)),
        )
        self.backlog = Backlog(self.engine)
        self.admin = self._admin_context(recordings)
        self.app = create_app(
            ApiContext(
                store=store,
                engine=self.engine,
                recordings=recordings,
                settings=ApiSettings(
                    host_name=config.node.name,
                    public_url=config.web.public_url,
                    link_seconds=config.web.link_seconds,
                    created_window=config.web.created_window_seconds,
                    requests_per_second=config.web.requests_per_second,
                    store_links=config.recordings.links == "store",
                ),
                stop_call=self._stop_call,
                ready=self._ready,
                tone_exists=self._tone_exists,
                clock=_now,
                monotonic=time.monotonic,
                wake_keeper=self.keeper.wake,
            ),
            {"/v1": create_admin(self.admin), "/console": create_console(self.admin)},
            {"/metrics": metrics_page(config.metrics.allow, self._rows), "/console": console_home},
        )

    async def _rows(self) -> list[Row]:
        """The figures of all processes of the node."""
        others, backlog = await asyncio.gather(self.channel.metrics(), self.backlog.rows())
        return [*others, *backlog, *self.tally.rows()]

    def _admin_context(self, recordings: RecordingStore) -> AdminContext:
        config, calls = self._config, exchange_settings(self._config)

        async def explained(
            caller: PhoneNumber | None, called: PhoneNumber, at: datetime, extension: str, masked: bool
        ) -> list[tuple[str, str, bool | None]]:
            lines = await explain(self.store, calls, caller, called, at, extension, masked=masked)
            return [(line.what, line.text, line.good) for line in lines]

        return AdminContext(
            engine=self.engine,
            store=self.store,
            ledger=Ledger(self.engine),
            settings=AdminSettings(
                address_delay=config.web.address_delay_seconds,
                zone=ZoneInfo(config.records.time_zone),
                phones=phone_server(config),
            ),
            clock=_now,
            monotonic=time.monotonic,
            live_calls=self.channel.list_calls,
            stop_call=self._stop_call,
            bans=self.channel.list_bans,
            lift_bans=self.channel.lift_bans,
            trunks=self.channel.list_trunks,
            explain=explained,
            wake=self._wake,
            tone_exists=self._tone_exists,
            sync_tones=self.shelf.sync,
            audio=AudioReader(recordings),
            recordings=self.recordings,
            proof=self.proof,
        )

    def _tone_exists(self, application: str, name: str) -> bool:
        return self._tones.find(application, name) is not None

    def _wake(self) -> None:
        self.delivery.wake()
        self.mailer.wake()
        self.traces.wake()

    def _hear(self, message: Message) -> None:
        match message:
            case Nudge(recordings):
                self.begin.set()
                self.delivery.wake()
                if recordings:
                    self.keeper.wake()
            case Question():
                task = asyncio.get_running_loop().create_task(self._answer(message))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case TextQuestion():
                task = asyncio.get_running_loop().create_task(self._answer_text(message))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case Traced():
                self.traces.put(message)
            case Journey():
                if self.follower is not None:
                    self.follower.closed(message)
            case Finish():
                self.finish.set()
            case _:
                pass

    async def _answer(self, question: Question) -> None:
        """Ask the customer's server; the call goes on with its verdict before the ledger is written."""
        verdict, note = await self.asker.ask(question)
        self.channel.send(verdict)
        await self.asker.write_down(question, note)

    async def _answer_text(self, question: TextQuestion) -> None:
        self.channel.send(await self.asker.ask_text(question))

    async def _stop_call(self, application: str, session: str) -> bool:
        return (await self.channel.ask(lambda number: StopCall(number, application, session))).ok

    async def _ready(self) -> tuple[bool, Sequence[str]]:
        said = await self.channel.ask(AskStatus, seconds=2.0)
        return said.ok, said.notes

    async def run(self, end: socket.socket, listening: socket.socket) -> None:
        """Serve until told to finish."""
        await self.channel.open(end)
        gone = asyncio.create_task(self.channel.closed.wait())
        begun = asyncio.create_task(self.begin.wait())
        await asyncio.wait({gone, begun}, return_when=asyncio.FIRST_COMPLETED)
        if not self.begin.is_set():
            return
        certificate = open_certificate(self._config)
        server = web_server(self.app, certificate.context if certificate else None, _limits(self._config))
        renewing = asyncio.create_task(keep_renewed(certificate))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        self.delivery.start()
        self.keeper.start()
        self.mailer.start()
        self.shelf.start()
        keeping = asyncio.create_task(self.records.run())
        purging = asyncio.create_task(keep_purged(self.store, _now))
        applying = asyncio.create_task(keep_applied(self.admin))
        stalls = asyncio.create_task(watch_stalls(self.tally, "web"))
        tracing = asyncio.create_task(self.traces.run())
        told = asyncio.create_task(self.finish.wait())
        look_seldom()
        await asyncio.wait({serving, gone, told}, return_when=asyncio.FIRST_COMPLETED)
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                await asyncio.gather(*self._answering, return_exceptions=True)
                await self.keeper.settle()
                await self.delivery.settle()
        except TimeoutError:
            _log.warning("work was left for the next start")
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        for task in (gone, told, purging, applying, keeping, renewing, stalls, tracing):
            task.cancel()
        # A connection that a cancelled task still holds would outlive the engine.
        await asyncio.gather(purging, applying, keeping, renewing, tracing, return_exceptions=True)
        await self.delivery.stop()
        await self.mailer.stop()
        await self.shelf.stop()
        await self.keeper.stop()
        await self.client.close()
        if self.follower is not None:
            await self.follower.stop()
        await self.engine.dispose()
        await self.channel.close()


def _limits(config: Config) -> WebLimits:
    web = config.web
    return WebLimits(
        handshake_seconds=web.handshake_seconds,
        head_seconds=web.head_seconds,
        body_seconds=web.body_seconds,
        idle_seconds=web.idle_seconds,
        stall_seconds=web.stall_seconds,
        per_host=web.connections_per_host,
        in_all=web.connections,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--channel-fd", type=int, required=True)
    parser.add_argument("--listen-fd", type=int, required=True)
    arguments = parser.parse_args()
    config = load(arguments.config)
    log.configure(config.node.log)
    # Where processors are short, calls and their audio come first: what is told of them may be a little late.
    os.nice(NICE)

    async def serve() -> None:
        # The node decides when we end: a Ctrl-C in the terminal reaches the whole process group.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        await Web(config).run(
            socket.socket(fileno=arguments.channel_fd),
            socket.socket(fileno=arguments.listen_fd),
        )

    uvloop.run(serve())


if __name__ == "__main__":
    main()
