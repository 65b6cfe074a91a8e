"""[IO] What a node needs of its machine before it starts. What can't be had is told in words, with the key to change.

| key            | what is tried                                                                        |
|----------------|--------------------------------------------------------------------------------------|
| database.url   | driver there, database reached, tables brought up to date, configuration written to it |
| database.key_file | read by its owner only, goes with what the database is sealed under             |
| recordings.url | the folder is made, a file is written; an S3 server may be away, recordings wait for it |
| recordings.proof_key | read, or made                                                                  |
| recordings.spool | likewise                                                                           |
| application.notice | where the notice comes first: its file is there and can be played                  |
| media.listen   | a UDP socket on the address                                                          |
| otel.endpoint  | the extra is installed                                                               |
| web.listen     | the socket itself                                                                    |
| web.certificate | read, and matched with its key                                                      |
| sip.certificate | likewise, and the authorities that are trusted                                      |
| sip.listen     | the sockets themselves (service.py)                                                  |
| media.workers  | the processes themselves (service.py)                                                |
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.assembly import proof_of, recording_store, seed_of
from gateway.bindings.store import BindingStore
from gateway.calls.journal import Journal
from gateway.certificate import Certificate
from gateway.config.tree import Config, media_listen
from gateway.database import migrate, open_engine, reading
from gateway.metrics.tally import Tally
from gateway.recordings.orphans import adopt
from gateway.sip.tls import Tls, Trust
from gateway.tones.folder import ToneFolder
from gateway.tones.states import LIVE
from gateway.tones.tables import tone
from gateway.vault.cipher import VaultError
from media.tones import ToneError, parse_tone

_log = structlog.get_logger()
BACKLOG = 512


class StartError(Exception):
    """What keeps the node from starting, in words for its operator."""


@contextmanager
def needed(key: str, *others: type[Exception], value: object = "") -> Iterator[None]:
    """What fails inside is a StartError that names ``key`` and ``value``: an OSError, or one of ``others``."""
    expected: tuple[type[Exception], ...] = (OSError, *others)
    try:
        yield
    except VaultError as error:
        raise StartError(f"database.key_file: {error}") from None
    except expected as error:
        raise StartError(": ".join(filter(None, (key, str(value), _words(error))))) from None


def open_database(config: Config) -> AsyncEngine:
    """The engine; nothing is reached yet."""
    # A driver that isn't installed, a URL that can't be read, a folder that can't be made: each library has its own.
    with needed("database.url", Exception):
        return open_engine(config.database.location)


async def prepare_database(config: Config, engine: AsyncEngine, store: BindingStore, journal: Journal) -> None:
    """Tables of this version; the configuration's applications and numbers, and no others; calls of a crash closed."""
    # Printed, the engine's URL has its password starred.
    with needed("database.url", Exception, value=engine.url):
        await migrate(config.database.location)
        given = seed_of(config)
        await store.seed(*given)
        applications, numbers = await store.take_out(*given)
        await journal.recover()
    if applications or numbers:
        _log.warning("no longer in the configuration, now off", applications=applications, numbers=numbers)


def check_folders(config: Config) -> None:
    """Make the folders of recordings, and write to each: a volume may be full, read-only or another user's."""
    with needed("recordings.url", ValueError):
        folder = recording_store(config).folder
        if folder is not None:
            _try_folder(folder)
    with needed("recordings.proof_key", ValueError, value=config.recordings.proof_key):
        proof_of(config)
    with needed("recordings.spool"):
        _try_folder(Path(config.recordings.spool))


async def adopt_orphans(config: Config, engine: AsyncEngine, tally: Tally) -> None:
    """What a node that died has left in the spool without a word in the database."""
    with needed("recordings.spool"):
        for orphan in await adopt(engine, Path(config.recordings.spool), config.node.name, time.time()):
            tally.add("maskline_recordings_orphaned_total", "failed" if orphan.trouble else "kept")


async def check_notices(config: Config, engine: AsyncEngine) -> None:
    """Where the notice comes first, nobody is connected without it: better find out now than in each call. One that
    was approved lies in the database, and comes from there."""
    folder = ToneFolder(config.tones.folder, config.tones.approved)
    for index, entry in enumerate(config.application):
        first = entry.notice_first or config.recordings.notice_first
        if not (entry.recording and first and entry.notice):
            continue
        file = folder.find(entry.key, entry.notice)
        with needed(f"application[{index}].notice", ToneError, value=entry.notice):
            if file is not None:
                parse_tone(await asyncio.to_thread(Path(file).read_bytes))
            elif not await _approved(engine, entry.key, entry.notice):
                raise FileNotFoundError("it must be heard first, and is not there")


async def _approved(engine: AsyncEngine, application: str, name: str) -> bool:
    wanted = (tone.c.application.in_((application, "")), tone.c.name == name, tone.c.slot == LIVE)
    async with reading(engine) as connection:
        return (await connection.execute(select(tone.c.name).where(*wanted))).first() is not None


def check_media(config: Config) -> None:
    """The media workers find out about their address in the first call only: find out now."""
    host = media_listen(config)
    with needed("media.listen"), _naming(host), socket.socket(_family(host), socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))


def check_telemetry(config: Config) -> None:
    """The web process, which sends traces, would end over what isn't installed."""
    if config.otel.endpoint:
        with needed("otel.endpoint", ImportError, value="pip install 'maskline[otel]'"):
            importlib.import_module("opentelemetry.exporter.otlp.proto.http")


def open_certificate(config: Config) -> Certificate | None:
    """The API's certificate, or None for plain HTTP."""
    if not config.web.certificate:
        return None
    with needed("web.certificate", ValueError, value=f"{config.web.certificate} with {config.web.key}"):
        return Certificate(Path(config.web.certificate), Path(config.web.key), old=config.web.old_tls)


def open_tls(config: Config) -> Tls:
    """What SIP over TLS needs; a listener that lacks its certificate is a fault of the configuration."""
    sip = config.sip
    files = {"certificate": sip.certificate, "key": sip.key, "ca": sip.ca, "client_ca": sip.client_ca}
    trunks = {trunk.name: Trust(trunk.client_ca, trunk.tls_name) for trunk in config.trunk if trunk.client_ca}
    named = [*files.values(), *(trust.ca for trust in trunks.values())]
    with needed("sip.certificate", ValueError, value=", ".join(file for file in named if file)):
        return Tls(**files, trunks=trunks)


def bind_web(config: Config) -> socket.socket:
    """The listening socket of the API."""
    host, port = config.web.listen
    with needed("web.listen"), _naming(f"{host}:{port}"):
        listening = socket.socket(_family(host), socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(BACKLOG)
        except BaseException:
            listening.close()
            raise
    return listening


def _try_folder(folder: Path) -> None:
    with _naming(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"maskline")


@contextmanager
def _naming(subject: str) -> Iterator[None]:
    """An OSError's text begins with what it is about."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{subject}: {error.strerror or error}") from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _words(error: Exception) -> str:
    """One line. Of a database error what the driver said: the rest is the statement and a link."""
    said: object = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(said, OSError) and said.strerror:
        said = f"{said.strerror}: {said.filename}" if said.filename else said.strerror
    return " ".join(str(said).split()) or type(error).__name__
