"""[IO] What is elsewhere: the database, the recordings' store, customers' servers, the trunks' peers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.api.callbacks import forbidden
from gateway.bindings.models import Application
from gateway.bindings.store import BindingStore
from gateway.calls.record import recording_name
from gateway.config.tree import Config
from gateway.config.trunk import Trunk
from gateway.database import MIGRATIONS, open_engine, reading, split_url
from gateway.doctor import browsers
from gateway.doctor.finding import Finding, failure, ok, warning
from gateway.entries import application_of
from gateway.sip.hop import Hop
from gateway.sip.resolver import Known
from gateway.sip.target import Target
from media.recording.store import RecordingStore

SLOW_SECONDS = 0.02
ROUNDS = 15
PATIENCE = 5.0


async def database(config: Config) -> list[Finding]:
    """Reached, of this version, fast enough to look calls up in."""
    url, check = config.database.location, "database"
    plain, _ = split_url(url)
    if plain.get_backend_name() == "sqlite" and plain.database and not os.path.exists(plain.database):  # noqa: ASYNC240
        return [ok(check, f"{plain.database} is not there yet: the first start makes it")]
    try:
        async with asyncio.timeout(PATIENCE):
            engine = open_engine(url)
            try:
                return [await _version(engine), await _speed(engine)]
            finally:
                await engine.dispose()
    except Exception as error:  # each driver has its own
        said = " ".join(str(getattr(error, "orig", error)).split()) or type(error).__name__
        return [failure(check, f"can't be reached: {said}", "see database.url, and that the server admits this host")]


async def _version(engine: AsyncEngine) -> Finding:
    said = AlembicConfig()
    said.set_main_option("script_location", str(MIGRATIONS))
    wanted = ScriptDirectory.from_config(said).get_current_head()

    def current(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with engine.connect() as connection:
        found = await connection.run_sync(current)
    if found == wanted:
        return ok("database tables", f"of this version ({wanted})")
    if found is not None and wanted is not None and found > wanted:
        return failure("database tables", f"of a newer version ({found})", "run the newer Maskline on every node")
    return warning(
        "database tables", f"of an older version ({found or 'none'})", "the next start brings them up to date"
    )


async def _speed(engine: AsyncEngine) -> Finding:
    async with reading(engine) as connection:
        await connection.execute(text("SELECT 1"))
        times = []
        for _ in range(ROUNDS):
            begun = time.monotonic()
            await connection.execute(text("SELECT 1"))
            times.append(time.monotonic() - begun)
    return database_speed(sorted(times)[ROUNDS // 2])


def database_speed(seconds: float) -> Finding:
    """A call's look-up takes one way there and back."""
    said = f"{1000 * seconds:.1f} ms there and back"
    if seconds > SLOW_SECONDS:
        return warning("database speed", said, "put it nearer: every call waits for it before it rings")
    return ok("database speed", said)


async def applications(config: Config) -> list[Application]:
    """Those of the file, and those that the management API made, as far as the database can be read."""
    found = {entry.key: application_of(entry) for entry in config.application}
    plain, _ = split_url(config.database.location)
    if plain.get_backend_name() == "sqlite" and plain.database and not os.path.exists(plain.database):  # noqa: ASYNC240
        return list(found.values())
    with contextlib.suppress(Exception):  # what is wrong with the database has been told above
        async with asyncio.timeout(PATIENCE):
            engine = open_engine(config.database.location)
            try:
                stored = await BindingStore(engine).applications()
            finally:
                await engine.dispose()
        found = {one.key: one for one in stored} | found
    return list(found.values())


async def recordings(make: Callable[[], RecordingStore]) -> Finding:
    """A probe is written, read and erased."""
    check = "recordings.url"
    content = secrets.token_bytes(64)
    name = recording_name(datetime.now(UTC), lambda: secrets.token_hex(12))
    try:
        async with asyncio.timeout(3 * PATIENCE):
            store = make()
            with tempfile.NamedTemporaryFile() as probe:
                probe.write(content)
                probe.flush()
                await store.put(name, probe.name)
            read = b"".join([chunk async for chunk in store.chunks(name)])
            await store.erase(name)
    except (OSError, ValueError, TimeoutError) as error:
        said = str(error) or "no answer in time"
        return failure(check, f"a probe could not be kept: {said}", "see recordings.*: address, keys, rights, space")
    if read != content:
        return failure(check, "what is read is not what was written", "see the store's own log")
    return ok(check, "a probe was written, read and erased")


async def callback(application: str, key: str, url: str, *, private: bool) -> Finding:
    """The address of a customer's server can be resolved, may be called, and takes a connection."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    check = f"{application} {key} {host}:{port}"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PATIENCE):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = [str(row[4][0]) for row in found]
            inside = [address for address in addresses if forbidden(address)]
            if inside and not private:
                hint = "give a public address, or set private_callbacks for an application that you trust"
                return failure(check, f"leads to {inside[0]}, which is not allowed", hint)
            _, writer = await asyncio.open_connection(addresses[0], port)
            writer.close()
    except (OSError, TimeoutError) as error:
        said = str(error) or "no answer in time"
        return failure(check, f"can't be reached: {said}", "see the address, DNS and firewalls between")
    if parts.scheme == "http" and not private:
        return warning(check, "reached, but in clear: numbers can be read on the way", "use https")
    return ok(check, "reached")


async def browsers_nat(bound: str, shown: str, ports: tuple[int, int], server: str) -> Finding:
    """What a STUN server sees of a socket of the edge."""
    from media.candidates import Ice, Stun  # of an extra

    for port in range(ports[0] + ports[0] % 2, ports[1], 2):
        ice = Ice([bound], port, controlling=False, stun=Stun(server))
        try:
            await ice.gather_candidates()
        except OSError:
            continue
        else:
            told = [one.host for one in ice.local_candidates]
            return browsers.nat(bound, shown, None if ice.unseen else told[-1], server)
        finally:
            await ice.close()
    return browsers.nat(bound, shown, None, server)


async def trunk_peers(
    trunks: Iterable[Trunk], locate: Callable[[Target], Awaitable[Known]]
) -> tuple[list[tuple[str, Hop]], list[Finding]]:
    """Each peer's address with its trunk's name; those that are names are looked up (RFC 3263), which is told."""
    found: list[tuple[str, Hop]] = []
    findings = []
    for trunk in trunks:
        for peer in trunk.peers:
            if isinstance(peer, Hop):
                found.append((trunk.name, replace(peer, name=trunk.tls_name) if peer.secure else peer))
                continue
            check, located = f"trunk {trunk.name} {peer}", (await locate(peer)).located
            if located:
                said = f"DNS leads to {', '.join(str(one.hop) for one in located[:4])}"
                findings.append(ok(check, said))
            else:
                hint = "see the name, and the name servers: sip.dns, else those of /etc/resolv.conf"
                findings.append(failure(check, "DNS knows no address of it", hint))
            found += [
                (trunk.name, replace(one.hop, name=trunk.tls_name) if trunk.tls_name and one.hop.secure else one.hop)
                for one in located
            ]
    return found, findings


async def trunk_peer(
    trunk: str, peer: Hop, ask: Callable[[Hop], Awaitable[tuple[int, bool]]], *, quiet: bool = False
) -> Finding:
    """``ask`` sends OPTIONS: the status, and whether it was the peer's own (else: none came). ``quiet``: the
    configuration says that it never answers."""
    check = f"trunk {trunk} {peer}"
    status, answered = await ask(peer)
    if not answered and quiet and status == 408:
        return warning(check, 'no answer to OPTIONS, as health = "off" says', "maskline trunk-test calls it instead")
    if not answered:
        said = "no answer to OPTIONS" if status == 408 else "can't be reached"
        hint = 'see firewalls, and that the carrier knows this address; some never answer OPTIONS: health = "off"'
        return failure(check, said, hint)
    if status == 503:
        return warning(check, "answers 503", "the peer is overloaded or drained: ask the carrier")
    return ok(check, f"answers OPTIONS with {status}")
