"""``maskline phone``: what is printed opens the registrar; in a pipe it is plain lines; all is written down."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from gateway.admin.tables import audit_entry
from gateway.cli import app
from gateway.database import open_engine, reading
from gateway.phones.tables import phone
from gateway.sip.digest import secret_of

NUMBER = "+8613800000021"
CONFIG = """
[sip]
listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5062"]
[phones]
enabled = {enabled}
realm = "{realm}"
[database]
url = "sqlite+aiosqlite:///{folder}/maskline.db"
[[trunk]]
name = "t"
peers = ["udp:127.0.0.1:5090"]
allow = ["127.0.0.0/24"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(folder: Path, *, enabled: str = "true", realm: str = "gw") -> Path:
    path = folder / "maskline.toml"
    path.write_text(CONFIG.format(folder=folder, enabled=enabled, realm=realm), encoding="utf-8")
    return path


def run(config: Path, *words: str, status: int = 0) -> tuple[str, str]:
    done = CliRunner().invoke(app, ["phone", *words, "--config", str(config)], env={"COLUMNS": "200"})
    assert done.exit_code == status, (done.output, done.exception)
    return done.stdout, done.stderr


def typed(text: str) -> dict[str, str]:
    return dict(line.split("\t") for line in text.splitlines())


def rows(config: Path, table: object) -> list[object]:
    async def read() -> list[object]:
        engine = open_engine(f"sqlite+aiosqlite:///{config.parent}/maskline.db")
        async with reading(engine) as connection:
            found = (await connection.execute(select(table))).all()  # type: ignore[call-overload]
        await engine.dispose()
        return list(found)

    return asyncio.run(read())


def opens(config: Path, said: dict[str, str]) -> bool:
    (row,) = rows(config, phone)
    made = secret_of("SHA-256", said["user"], said["realm"], said["password"])
    return bool(json.loads(row.digests)["SHA-256"] == made)  # type: ignore[attr-defined]


def test_what_to_type_in(config: Path) -> None:
    out, err = run(config, "add", NUMBER)
    said = typed(out)
    assert list(said) == ["server", "transport and port", "user", "password", "realm"]
    assert (said["server"], said["transport and port"], said["user"], said["realm"]) == (
        "127.0.0.1", "udp 5060 or tcp 5062", "8613800000021", "gw")  # fmt: skip
    assert opens(config, said)
    assert (err, "\x1b" in out) == ("", False)


def test_another_password(config: Path) -> None:
    first = typed(run(config, "add", "13800000021")[0])
    second = typed(run(config, "password", NUMBER)[0])
    assert first["password"] != second["password"]
    assert opens(config, second)
    assert not opens(config, first)


def test_what_there_is_or_is_not(config: Path) -> None:
    run(config, "add", NUMBER)
    assert "already" in run(config, "add", NUMBER, status=1)[1]
    run(config, "remove", NUMBER)
    for verb in ("remove", "password"):
        assert "no such phone" in run(config, verb, NUMBER, status=1)[1]
    assert "not a phone number" in run(config, "add", "x", status=2)[1]


def test_the_list_masks_numbers_unless_they_are_asked_for(config: Path) -> None:
    run(config, "add", NUMBER)
    assert "+8613*******21" in run(config, "list")[0]
    assert NUMBER not in run(config, "list")[0]
    assert NUMBER in run(config, "list", "--numbers")[0]
    assert "nowhere: its password is for the realm gw" in run(written(config.parent, realm="new"), "list")[0]


def test_a_node_that_takes_no_phones_says_so(tmp_path: Path) -> None:
    assert "phones.enabled is false" in run(written(tmp_path, enabled="false"), "add", NUMBER)[1]


def test_it_is_written_down_without_the_number(config: Path) -> None:
    run(config, "add", NUMBER)
    run(config, "password", NUMBER)
    run(config, "remove", NUMBER)
    entries = rows(config, audit_entry)
    assert [entry.action for entry in entries] == ["phone.add", "phone.password", "phone.remove"]  # type: ignore[attr-defined]
    assert {entry.subject for entry in entries} == {"phone/+8613*******21"}  # type: ignore[attr-defined]
    assert "13800000021" not in repr(entries)
