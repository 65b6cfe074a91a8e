"""What is elsewhere, there and not there; and the machine's facts as they are read."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.bindings.models import Application, Mode
from gateway.bindings.store import BindingStore
from gateway.config.tree import ApplicationEntry
from gateway.config.trunk import Trunk
from gateway.database import migrate, open_engine
from gateway.doctor import services, world
from gateway.doctor.finding import Finding, State
from gateway.sip.hop import Hop
from gateway.sip.resolver import Known
from gateway.sip.target import Located, Target
from media.recording.store import RecordingStore


def config(url: str) -> Any:
    return SimpleNamespace(database=SimpleNamespace(location=url))


def states(found: list[Finding]) -> list[State]:
    return [one.state for one in found]


async def test_a_database_that_is_ready(database_url: str) -> None:
    found = await services.database(config(database_url))
    assert [one.check for one in found] == ["database tables", "database speed"]
    assert found[0].state is State.OK


async def test_a_database_of_an_older_version(empty_database_url: str) -> None:
    await migrate(empty_database_url, "0005")
    assert (await services.database(config(empty_database_url)))[0].state is State.WARNING


async def test_databases_that_are_not_there(tmp_path: Path) -> None:
    absent = tmp_path / "none" / "m.db"
    assert states(await services.database(config(f"sqlite+aiosqlite:///{absent}"))) == [State.OK]
    assert not absent.parent.exists()
    (tmp_path / "file").write_text("no database " * 1000)
    assert states(await services.database(config(f"sqlite+aiosqlite:///{tmp_path}/file"))) == [State.FAILURE]
    gone = await services.database(config("postgresql+asyncpg://me:secret@127.0.0.1:1/none"))
    assert states(gone) == [State.FAILURE]
    assert "secret" not in str(gone)


async def test_the_recordings_store(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    found = await services.recordings(lambda: RecordingStore(f"file://{folder}"))
    assert found.state is State.OK
    assert list(folder.rglob("*.wav")) == []
    (tmp_path / "file").write_text("")
    found = await services.recordings(lambda: RecordingStore(f"file://{tmp_path}/file/in"))
    assert found.state is State.FAILURE


async def test_callbacks() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/status"
    assert (await services.callback("app", "status_url", url, private=True)).state is State.OK
    refused = await services.callback("app", "status_url", url, private=False)
    assert (refused.state, "private_callbacks" in refused.hint) == (State.FAILURE, True)
    server.close()
    await server.wait_closed()
    assert (await services.callback("app", "status_url", url, private=True)).state is State.FAILURE
    nobody = await services.callback("app", "fee_url", "https://no-such-host.invalid/", private=False)
    assert nobody.state is State.FAILURE


async def test_applications_of_the_file_and_of_the_management_api(database_url: str, tmp_path: Path) -> None:
    engine = open_engine(database_url)
    made = Application(key="api", secret="s", mode=Mode.AXB, status_url="https://api.example/")
    await BindingStore(engine).seed([made], [])
    await engine.dispose()
    entry = ApplicationEntry(key="file", secret=SecretStr("s"), mode="AXB", fee_url="https://file.example/")
    settings = config(database_url)
    settings.application = (entry,)
    found = {one.key: (one.status_url, one.fee_url) for one in await services.applications(settings)}
    assert found == {"api": ("https://api.example/", ""), "file": ("", "https://file.example/")}
    settings.database.location = f"sqlite+aiosqlite:///{tmp_path}/absent.db"
    assert [one.key for one in await services.applications(settings)] == ["file"]
    assert not (tmp_path / "absent.db").exists()


async def test_peers_that_are_names_are_looked_up() -> None:
    there = Hop("tls", "192.0.2.7", 5061)

    async def locate(target: Target) -> Known:
        return Known((Located(there),) if target.name == "sbc.example" else (), 0.0)

    trunk = Trunk(
        name="t", peers=("udp:192.0.2.1:5060", "sip:sbc.example", "sip:gone.example"), allow=("192.0.2.0/24",),
        tls_name="cert.example",
    )  # fmt: skip
    peers, findings = await services.trunk_peers([trunk], locate)
    assert peers == [("t", Hop("udp", "192.0.2.1", 5060)), ("t", replace(there, name="cert.example"))]
    assert states(findings) == [State.OK, State.FAILURE]
    assert "192.0.2.7" in findings[0].said


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((200, True), State.OK), ((404, True), State.OK), ((503, True), State.WARNING), ((408, False), State.FAILURE),
        ((503, False), State.FAILURE),
    ],
)  # fmt: skip
async def test_trunk_peers(answer: tuple[int, bool], state: State) -> None:
    async def ask(hop: Hop) -> tuple[int, bool]:
        return answer

    peer = Hop("udp", "192.0.2.1", 5060)
    assert (await services.trunk_peer("carrier", peer, ask)).state is state
    silent = answer == (408, False)
    assert (await services.trunk_peer("carrier", peer, ask, quiet=True)).state is (State.WARNING if silent else state)


def test_the_machine_s_facts(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert ("udp", port) in world.used_ports()
    assert ("udp", port) not in world.used_ports()
    assert world.has_address("127.0.0.1")
    assert not world.has_address("192.0.2.1")
    low, high = world.kernel_ports()
    assert 0 < low < high < 65536
    proc = tmp_path / "sys/net/ipv4"
    proc.mkdir(parents=True)
    (proc / "ip_local_reserved_ports").write_text("20000-29999,31000\n")
    assert world.reserved_ports(tmp_path) == [(20000, 29999), (31000, 31000)]
    assert world.kernel_ports(tmp_path) == (32768, 60999)
    assert world.receive_buffer() is not None
    assert world.file_limit() > 0
    assert world.clock().synchronised in (True, False, None)


def test_folders_are_tried(tmp_path: Path) -> None:
    assert world.try_folder(tmp_path)[0] == ""
    assert world.try_folder(tmp_path / "a" / "b")[0] == ""
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").write_text("")
    trouble, free, total = world.try_folder(tmp_path / "file" / "in")
    assert trouble != ""
    assert 0 < free <= total
