"""A PostgreSQL of the tests' own: Debian's package, installed when absent, in a folder of its own and reached by a
socket there, so that no port is taken and no other server is met.

It runs as an unprivileged user, keeps nothing safe (fsync off), and dies with the tests even when they are killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from gateway.database import migrate
from gateway.vault.keys import add_key
from tests.debian import NoPackage, install

PACKAGE = "postgresql"
USER = "postgres"
OWNER = "maskline"
_MIGRATED = "migrated"
_SEALED = "sealed"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Its worker in a template would keep copies of it waiting.
    "autovacuum": "off",
    "max_connections": "100",
}
_SET_DEATH_SIGNAL = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class NoPostgres(Exception):
    """There is no PostgreSQL and none can be installed, in words for the person at the terminal."""


def programs() -> Path:
    """The folder of initdb and postgres, from Debian's package when they aren't there. NoPostgres."""
    found = _found()
    if found is None:
        _install()
        found = _found()
    if found is None:
        raise NoPostgres("the package has no initdb")
    return found


def _found() -> Path | None:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    here = [*debian, *([Path(on_path).resolve()] if on_path else [])]
    return here[-1].parent if here else None


def _install() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoPostgres(f"install Debian's package once, as root: apt-get install {PACKAGE}")
    try:
        install(PACKAGE, _found)
    except NoPackage as error:
        raise NoPostgres(str(error)) from None


class Postgres:
    """``start``, then ``database`` for a fresh one as often as you like, then ``stop``."""

    def __init__(self) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="maskline-postgres-"))
        self._user = pwd.getpwnam(USER) if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        self._has_template = False

    def start(self) -> None:
        """Make its folder and run it; it takes connections when this returns."""
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        data = self._folder / "data"
        initdb = [self._programs / "initdb", "--no-sync", "-A", "trust", "-U", OWNER, "-E", "UTF8",
                  "--locale=C.UTF-8", "-D", data]  # fmt: skip
        with (self._folder / "initdb.log").open("wb") as log:
            self._run(initdb, log.fileno()).wait()
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        server = [self._programs / "postgres", "-D", data, *settings, f"--unix_socket_directories={self._folder}"]
        with (self._folder / "server.log").open("wb") as log:
            self._process = self._run(server, log.fileno())
        ask = [self._programs / "pg_isready", "-q", "-h", str(self._folder)]
        while subprocess.run(ask, check=False).returncode:
            if self._process.poll() is not None:
                raise NoPostgres(f"the server ended at once: {(self._folder / 'server.log').read_text()[-500:]}")

    def _run(self, command: list[str | Path], log: int) -> subprocess.Popen[bytes]:
        user = {} if self._user is None else {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": ()}
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
            preexec_fn=lambda: _LIBC.prctl(_SET_DEATH_SIGNAL, signal.SIGQUIT), **user,
        )  # fmt: skip

    def stop(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self._folder)

    def url(self, name: str) -> str:
        """The address of a database."""
        return f"postgresql+asyncpg://{OWNER}@/{name}?host={self._folder}"

    def sealed(self, name: str) -> str:
        """The address of a database with a key file, which is made."""
        keys = self._folder / "keys"
        if not keys.exists():
            add_key(keys)
        return f"{self.url(name)}&key_file={keys}"

    @asynccontextmanager
    async def database(self, *, migrated: bool = True, sealed: bool = False) -> AsyncIterator[str]:
        """The address of a database with the tables of this version, or none; gone at the end. ``sealed``: encrypted
        at rest, with the key file in the address."""
        connection = await asyncpg.connect(user=OWNER, database="postgres", host=str(self._folder))
        self._made += 1
        name = f"test{self._made}"
        try:
            if migrated and not self._has_template:
                await connection.execute(f"CREATE DATABASE {_MIGRATED}")
                await migrate(self.url(_MIGRATED))
                await connection.execute(f"CREATE DATABASE {_SEALED} TEMPLATE {_MIGRATED}")
                await migrate(self.sealed(_SEALED))
                self._has_template = True
            template = (_SEALED if sealed else _MIGRATED) if migrated else "template0"
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            yield self.sealed(name) if sealed else self.url(name)
            # A test that failed may have left a connection.
            with contextlib.suppress(asyncpg.PostgresError):
                await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        finally:
            await connection.close()
