"""``maskline vault``: a key made, a database sealed, its key changed, and taken off again; each fault in one line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from gateway.cli import app
from gateway.database import migrate, open_engine, writing
from gateway.schema import registered_a
from gateway.vault.keys import read_keys

A = "+8613800000021"
MINIMAL = """[sip]
listen = ["udp:127.0.0.1:5060"]
[[trunk]]
name = "t"
peers = ["udp:127.0.0.1:5090"]
allow = ["127.0.0.0/24"]
"""


class Shell:
    """Commands on a configuration of one's own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.keys = folder, folder / "keys"
        self.url = f"sqlite+aiosqlite:///{folder}/maskline.db"
        self.config = folder / "maskline.toml"
        self.write()

    def write(self, key_file: bool = True) -> None:
        key = f'key_file = "{self.keys}"\n' if key_file else ""
        self.config.write_text(f'{MINIMAL}[database]\nurl = "{self.url}"\n{key}')

    def __call__(self, *words: str) -> tuple[int, str]:
        ran = CliRunner().invoke(app, [*words, "--config", str(self.config)] if "new-key" not in words else [*words])
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran.exit_code, " ".join(ran.output.split())

    def put(self, url: str) -> None:
        async def work() -> None:
            await migrate(url)
            engine = open_engine(url)
            async with writing(engine) as connection:
                await connection.execute(insert(registered_a).values(application="app", number=A))
            await engine.dispose()

        asyncio.run(work())

    def holds(self, word: str) -> bool:
        return any(word.encode() in path.read_bytes() for path in self.folder.glob("maskline.db*"))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_from_plain_to_sealed_to_another_key_to_plain(shell: Shell) -> None:
    shell.put(shell.url)
    assert shell("vault", "new-key", str(shell.keys)) == (0, (first := next(iter(read_keys(shell.keys)))))
    assert shell("vault", "status") == (0, f"database not sealed key {first}")
    assert shell("vault", "rotate") == (0, f"sealed under {first}")
    assert not shell.holds(A)
    assert shell("vault", "status") == (0, f"database sealed under {first} key {first} in use")

    code, said = shell("vault", "rotate")
    _, second = read_keys(shell.keys)
    assert (code, said) == (0, f"sealed under {second}; {first} is needed for older backups only")
    assert shell("vault", "status")[1].endswith(f"key {first} key {second} in use")
    assert shell("vault", "new-key", str(shell.keys)) == (0, (third := list(read_keys(shell.keys))[-1]))
    assert shell("vault", "rotate")[1].startswith(f"sealed under {third};")
    assert len(read_keys(shell.keys)) == 3

    assert shell("vault", "unseal") == (0, "not sealed; take database.key_file out of the configuration")
    assert shell.holds(A)


def test_rotate_makes_the_key_file_of_a_new_node(shell: Shell) -> None:
    code, said = shell("vault", "rotate")
    assert (code, said) == (0, f"sealed under {next(iter(read_keys(shell.keys)))}")


def test_a_command_that_reads_a_sealed_database_without_its_key(shell: Shell) -> None:
    shell("vault", "rotate")
    (id,) = read_keys(shell.keys)
    shell.write(key_file=False)
    wanted = f"the database is sealed under key {id}: set database.key_file"
    for words in (("ledger", "list"), ("token", "list"), ("explain", "--called", "+8617000000001")):
        assert shell(*words) == (1, f"the database: {wanted}")
    assert shell("vault", "rotate") == (1, "database.key_file: is not set")
    assert shell("vault", "status")[0] == 1
    shell.write()
    assert shell("token", "list")[0] == 0


def test_a_key_that_was_lost(shell: Shell) -> None:
    shell("vault", "rotate")
    (id,) = read_keys(shell.keys)
    shell.keys.unlink()
    shell("vault", "new-key", str(shell.keys))
    wanted = f"key {id}, which the database is sealed under, is not in the file"
    assert shell("vault", "rotate") == (1, wanted)
    assert shell("vault", "unseal") == (1, wanted)
    assert f"key {id} is not in the file" in shell("vault", "status")[1]
    assert shell("token", "list")[0] == 1
