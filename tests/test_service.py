"""A node that can't start says why with the key to change, leaves nothing behind and ends with 1; one that can, cleans
up what its database holds."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.bindings.models import Application, Mode, Number, NumberStatus
from gateway.bindings.requests import NewAxb
from gateway.bindings.store import BindingStore
from gateway.config.reading import load
from gateway.database import migrate, open_engine, reading, writing
from gateway.lab.node import Node, NodePlan
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.numbers import PhoneNumber
from gateway.schema import binding, number, recording
from gateway.service import run
from gateway.start import StartError, check_notices
from gateway.tones.convert import convert
from gateway.tones.folder import SOUNDS
from gateway.tones.store import approve, upload

HOST = "127.0.0.1"
X = "+8617000000001"


def plan_in(folder: Path) -> NodePlan:
    return NodePlan(
        folder=folder, host=HOST, peer=f"udp:{HOST}:5090", key="app", secret="s", x=X, receiver=f"http://{HOST}:1",
        sip_port=free_tcp_and_udp_port(HOST), web_port=free_tcp_and_udp_port(HOST), media_ports=free_media_ports(HOST),
    )  # fmt: skip


def written(plan: NodePlan) -> Path:
    path = plan.folder / "maskline.toml"
    path.write_text(plan.toml(), encoding="utf-8")
    return path


def children() -> list[str]:
    return Path("/proc/thread-self/children").read_text().split()


def start(path: Path, capsys: pytest.CaptureFixture[str], **environment: str) -> str:
    """Run the node, which must end with 1, and leave no process; what it said."""
    config = load(path, {f"MASKLINE_{name}": value for name, value in environment.items()})
    before = children()
    assert run(config, path) == 1
    assert children() == before
    said = capsys.readouterr().err
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("can't start: ")]
    return line.removeprefix("can't start: ")


@contextmanager
def taken(kind: socket.SocketKind, port: int) -> Iterator[None]:
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind((HOST, port))
        if kind is socket.SOCK_STREAM:
            holder.listen()
        yield


def no_database(path: Path) -> None:
    path.write_bytes(b"this is a letter to my aunt, and no database" * 100)


def newer_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('v9999')")
    connection.close()


def half_made_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE binding (id INTEGER)")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (no_database, "file is not a database"),
        (newer_database, "Can't locate revision identified by 'v9999'"),
        (half_made_database, "table binding already exists"),
        (Path.mkdir, "unable to open database file"),
    ],
)
def test_a_database_that_can_t_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None], words: str
) -> None:
    plan = plan_in(tmp_path)
    spoil(tmp_path / "maskline.db")
    said = start(written(plan), capsys)
    assert said.startswith(f"database.url: sqlite+aiosqlite:///{tmp_path}/maskline.db: ")
    assert words in said


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+asyncpg://nobody:hidden@127.0.0.1:{port}/maskline", "Connection refused"),
        ("postgresql+asyncpg://127.0.0.1:port/maskline", "port"),
        ("sqlite+aiosqlite:////dev/null/maskline.db", "File exists: /dev/null"),
    ],
)
def test_a_database_out_of_reach(tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, words: str) -> None:
    path = written(plan_in(tmp_path))
    said = start(path, capsys, DATABASE__URL=url.format(port=free_tcp_and_udp_port(HOST)))
    assert said.startswith("database.url: ")
    assert words in said
    assert "hidden" not in said


@pytest.mark.parametrize(("key", "name"), [("recordings.url", "recordings"), ("recordings.spool", "spool")])
def test_a_folder_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, name: str) -> None:
    (tmp_path / name).touch()
    said = start(written(plan_in(tmp_path)), capsys)
    assert said.startswith(f"{key}: ")
    assert said.endswith((f"{tmp_path / name}: File exists", f"File exists: {tmp_path / name}"))


def test_a_folder_that_can_t_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Root may write anywhere but into /proc, where nobody makes a file."""
    said = start(written(plan_in(tmp_path)), capsys, RECORDINGS__SPOOL="/proc/self/fdinfo")
    assert said.startswith("recordings.spool: /proc/self/fdinfo: ")


def test_a_recordings_address_with_more_than_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = start(written(plan_in(tmp_path)), capsys, RECORDINGS__URL=f"file://{tmp_path}/r?x=1")
    assert said.startswith("recordings.url: ")


def test_addresses_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = plan_in(tmp_path)
    path = written(plan)
    with taken(socket.SOCK_STREAM, plan.web_port):
        assert start(path, capsys) == f"web.listen: {HOST}:{plan.web_port}: Address already in use"
    with taken(socket.SOCK_DGRAM, plan.sip_port):
        said = start(path, capsys)
    assert said == f"sip.listen: udp:{HOST}:{plan.sip_port}: Address already in use"
    with taken(socket.SOCK_STREAM, plan.sip_port):
        said = start(path, capsys)
    assert said.startswith(f"sip.listen: tcp:{HOST}:{plan.sip_port}: ")
    assert "ddress already in use" in said
    # What the failed starts had opened is free again.
    with taken(socket.SOCK_STREAM, plan.web_port), taken(socket.SOCK_DGRAM, plan.sip_port):
        pass


def test_addresses_of_another_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(plan_in(tmp_path))
    elsewhere = "192.0.2.1"
    assert start(path, capsys, WEB__LISTEN=f"{elsewhere}:8080").startswith(f"web.listen: {elsewhere}:8080: ")
    said = start(path, capsys, MEDIA__LISTEN=elsewhere, MEDIA__ADVERTISED=elsewhere)
    assert said.startswith(f"media.listen: {elsewhere}: ")
    said = start(path, capsys, SIP__LISTEN=f'["udp:{elsewhere}:5060"]', SIP__ADVERTISED=elsewhere)
    assert said.startswith(f"sip.listen: udp:{elsewhere}:5060: ")


async def test_a_notice_that_must_be_heard_first_has_to_be_there(tmp_path: Path) -> None:
    path = written(plan_in(tmp_path))
    engine = open_engine(await migrated(tmp_path))

    async def said(name: str, first: bool = True) -> str:
        names = {"APPLICATION__0__NOTICE": name, "APPLICATION__0__NOTICE_FIRST": str(first).lower(),
                 "TONES__FOLDER": str(tmp_path)}  # fmt: skip
        try:
            await check_notices(load(path, {f"MASKLINE_{key}": value for key, value in names.items()}), engine)
        except StartError as error:
            return str(error)
        return ""

    (tmp_path / "bad.wav").write_bytes(b"a song")
    assert await said("none.wav") == "application[0].notice: none.wav: it must be heard first, and is not there"
    assert (await said("bad.wav")).startswith("application[0].notice: bad.wav: ")
    assert await said("none.wav", first=False) == await said("notice.wav") == ""
    async with writing(engine) as connection:
        sound = convert((SOUNDS / "notice.wav").read_bytes())
        await upload(connection, "app", "none.wav", sound, datetime(2026, 1, 1, tzinfo=UTC))
    assert await said("none.wav") != "", "nobody has approved it"
    async with writing(engine) as connection:
        await approve(connection, "app", "none.wav", datetime(2026, 1, 1, tzinfo=UTC))
    assert await said("none.wav") == ""
    await engine.dispose()


async def migrated(folder: Path) -> str:
    url = f"sqlite+aiosqlite:///{folder}/maskline.db"
    await migrate(url)
    return url


def test_processes_that_can_t_be_had(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(plan_in(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    assert start(path, capsys).startswith("media.workers: No such file or directory")


def test_the_command_ends_with_1(tmp_path: Path) -> None:
    path = written(plan_in(tmp_path))
    (tmp_path / "spool").touch()
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert [line for line in ended.stderr.splitlines() if "[info" not in line] == [
        f"can't start: recordings.spool: {tmp_path / 'spool'}: File exists"
    ]


async def test_a_start_takes_off_what_the_file_no_longer_names_and_purges(tmp_path: Path) -> None:
    """A whole node. Its database is of a file that named another application, and holds a binding that is over."""
    plan = plan_in(tmp_path)
    url = f"sqlite+aiosqlite:///{tmp_path}/maskline.db"
    await migrate(url)
    engine = open_engine(url)
    store = BindingStore(engine)
    old = Application(key="old", secret="s", mode=Mode.AXB)
    x = PhoneNumber("+8617000000009")
    await store.seed([old], [Number(x=x, application="old")])
    pair = NewAxb(a=PhoneNumber("+8613800000021"), b=PhoneNumber("+8613800000023"), x=x, duration=60)
    await store.bind_axb(old, pair, datetime(2026, 1, 1, tzinfo=UTC))
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "orphan.wav.spool").write_bytes(b"MLSEAL01")
    node = Node(plan)
    await node.start(60)
    try:
        async with reading(engine) as connection:
            (orphan,) = (await connection.execute(select(recording))).all()
        assert (orphan.name, orphan.state, orphan.node) == ("orphan.wav", "failed", "demo")
        assert [(one.key, one.enabled) for one in await store.applications()] == [("app", True), ("old", False)]
        async with reading(engine) as connection:
            states = (await connection.execute(select(number.c.x, number.c.status).order_by(number.c.x))).all()
        assert [tuple(row) for row in states] == [(X, NumberStatus.NORMAL), (x.e164, NumberStatus.UNAVAILABLE)]
        async with asyncio.timeout(20), aiohttp.ClientSession() as http:
            while await bindings(engine):
                async with http.get(plan.base_url + "/healthz") as response:
                    assert response.status == 200
    finally:
        assert await node.stop() == 0, node.log_tail()
        await engine.dispose()


async def bindings(engine: AsyncEngine) -> int:
    async with reading(engine) as connection:
        return (await connection.execute(select(func.count()).select_from(binding))).scalar_one()
