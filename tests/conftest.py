"""What needs a database runs on both kinds: ``database_url`` and ``empty_database_url`` make two tests of one.

Without a PostgreSQL that can be had, the run says so in one line and fails: half of the tests did not run.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from gateway.database import migrate
from tests.postgres import NoPostgres, Postgres, programs
from tests.s3 import S3

# structlog's own choice draws every local variable of a traceback, which takes seconds where they are large.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)
KINDS = ("sqlite", "postgresql")
_MISSING = pytest.StashKey[str]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    there = [item for item in items if "postgres" in item.fixturenames or _kind(item) == KINDS[1]]
    if not there or config.option.collectonly:
        return
    try:
        programs()
    except NoPostgres as error:
        config.stash[_MISSING] = f"{len(there)} tests on PostgreSQL did not run: {error}"
        config.hook.pytest_deselected(items=there)
        items[:] = [item for item in items if item not in there]


def _kind(item: pytest.Item) -> object:
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("database_kind")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _MISSING in session.config.stash:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _MISSING in config.stash:
        terminalreporter.write_line(f"FAILED {config.stash[_MISSING]}", red=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this run."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database: each test that needs one is run once for each."""
    return str(request.param)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, to be copied."""
    made = tmp_path_factory.mktemp("template") / "maskline.db"
    asyncio.run(migrate(f"sqlite+aiosqlite:///{made}"))
    return made


@pytest.fixture
async def database_url(
    database_kind: str, tmp_path: Path, sqlite_template: Path, request: pytest.FixtureRequest
) -> AsyncIterator[str]:
    """A database of the test's own with the tables of this version."""
    if database_kind == "sqlite":
        shutil.copyfile(sqlite_template, tmp_path / "maskline.db")
        yield f"sqlite+aiosqlite:///{tmp_path}/maskline.db"
        return
    # What runs on both kinds runs plain on one and encrypted on the other.
    async with request.getfixturevalue("postgres").database(sealed=True) as url:
        yield url


@pytest.fixture
async def empty_database_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A database of the test's own without tables."""
    if database_kind == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/empty.db"
        return
    async with request.getfixturevalue("postgres").database(migrated=False) as url:
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """The S3 server of this run."""
    server = S3()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server: S3) -> S3:
    """The S3 server, with an empty bucket."""
    s3_server.empty()
    return s3_server
