"""Spool files that no row names are given one, and end like any other recording."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import insert

from gateway.database import migrate, writing
from gateway.recordings.audio import AudioReader
from gateway.recordings.datakeys import make_key
from gateway.recordings.orphans import adopt
from gateway.schema import outbox
from gateway.vault.guard import put_key
from gateway.vault.keys import add_key
from media.recording import wav
from tests.recordings.test_keeper import DAY, NOW, Bench, bench  # noqa: F401


async def test_a_spool_that_no_row_names_is_rendered_for_its_application(bench: Bench) -> None:  # noqa: F811
    bench.spool("lost.wav", 4.0, session="call-1", wall=NOW - 4.0)
    bench.spool("bare.wav", 4.0)
    await bench.add("known.wav", "pending", bench.spool("known.wav", 4.0))
    for name in ("lost.wav", "bare.wav"):
        os.utime(bench.folder / f"{name}.spool", (NOW, NOW))
    event = {"id": "1", "application": "shop", "session": "call-1", "seq": 0, "kind": "callin", "payload": "{}",
             "created_at": NOW, "due_at": NOW, "tries": 0, "state": "done"}  # fmt: skip
    async with writing(bench.engine) as connection:
        await connection.execute(insert(outbox).values(**event))
    found = await adopt(bench.engine, bench.folder, "gw", NOW)
    assert [(one.name, one.trouble) for one in found] == [("bare.wav", ""), ("lost.wav", "")]
    assert await adopt(bench.engine, bench.folder, "gw", NOW) == []
    await bench.keeper.settle()
    assert bench.files() == []
    rows = [await bench.row(name) for name in ("lost.wav", "bare.wav")]
    assert [(row.state, row.application, row.session, row.seconds) for row in rows] == [
        ("ready", "shop", "call-1", 4.0), ("ready", "", "", 4.0)
    ]  # fmt: skip
    assert (rows[0].answered_at, rows[0].ended_at) == (NOW - 4.0, NOW)
    bench.now = NOW + 8.1 * DAY
    await bench.keeper.settle()
    assert {(await bench.row(name)).state for name in ("lost.wav", "bare.wav")} == {"erased"}


async def test_one_that_nobody_can_open_is_told_of_and_goes_in_time(bench: Bench) -> None:  # noqa: F811
    bench.spool("sealed.wav", 4.0, bytes(32))
    (bench.folder / "torn.wav.spool").write_bytes(b"MLSPOOL1")
    (bench.folder / "torn.wav.spool.1").write_bytes(b"more")
    found = await adopt(bench.engine, bench.folder, "gw", NOW)
    assert [(one.name, bool(one.trouble)) for one in found] == [("sealed.wav", True), ("torn.wav", True)]
    await bench.keeper.settle()
    for name, why in (("sealed.wav", "it keeps no key"), ("torn.wav", "it is no spool")):
        row = await bench.row(name)
        assert (row.state, why in row.trouble) == ("failed", True)
    assert len(bench.files()) == 2
    bench.now = NOW + 8.1 * DAY
    await bench.keeper.settle()
    assert list(bench.folder.glob("*.spool*")) == []
    assert {(await bench.row(name)).state for name in ("sealed.wav", "torn.wav")} == {"erased"}


async def test_one_whose_first_part_was_never_written_is_found_by_its_second(bench: Bench) -> None:  # noqa: F811
    """A worker died in its first half second; and one whose first file was cut before its header was whole."""
    for name in ("gone.wav", "cut.wav"):
        bench.spool(name, 4.0, session=name).rename(bench.folder / f"{name}.spool.1")
    (bench.folder / "cut.wav.spool").write_bytes(b"MLSPOOL1")
    (bench.folder / "cut.wav.spool.done").write_bytes(b"no part")
    found = await adopt(bench.engine, bench.folder, "gw", NOW)
    assert [(one.name, one.session, one.trouble) for one in found] == [
        ("cut.wav", "cut.wav", ""), ("gone.wav", "gone.wav", "")
    ]  # fmt: skip
    await bench.keeper.settle()
    assert [(row.state, row.seconds) for row in [await bench.row(one.name) for one in found]] == [("ready", 4.0)] * 2
    assert list(bench.folder.glob("*.spool*")) == [bench.folder / "cut.wav.spool.done"]


async def test_a_sealed_one_keeps_its_key_until_the_vault_has_another(tmp_path: Path) -> None:
    """The old key is in the file still; without it the spool file stays for who has a copy."""
    add_key(tmp_path / "keys")
    url = f"sqlite+aiosqlite:///{tmp_path}/maskline.db?key_file={tmp_path}/keys"
    await migrate(url)
    here = await Bench(tmp_path).up(url)
    async with writing(here.engine):
        secret, kept = make_key(here.engine)
    assert secret not in kept
    here.spool("a.wav", 4.0, secret, kept, session="call-1", wall=NOW - 4.0)
    assert secret not in (tmp_path / "a.wav.spool").read_bytes()
    here.spool("other.wav", 4.0, bytes(32), kept)
    here.spool("damaged.wav", 4.0, secret, kept[:-1] + b"\xff")
    newer = add_key(tmp_path / "keys")
    async with writing(here.engine) as connection:
        await put_key(connection, newer.id)
    found = await adopt(here.engine, tmp_path, "gw", NOW)
    assert [(one.name, one.trouble) for one in found] == [
        ("a.wav", ""), ("damaged.wav", "its key is damaged"),
        ("other.wav", "it: a sealed file was changed, or has another key"),
    ]  # fmt: skip
    await here.keeper.settle()
    row = await here.row("a.wav")
    assert (row.state, row.session, row.seconds, row.object) == ("ready", "call-1", 4.0, "a.wav.sealed")
    left, _ = wav.parse(await AudioReader(here.store).wav(row))
    assert len(left) == 32000
    here.spool("late.wav", 4.0, secret, kept)
    (tmp_path / "keys").write_text((tmp_path / "keys").read_text().splitlines()[-1])
    await here.keeper.stop()
    await here.engine.dispose()
    here = await Bench(tmp_path).up(url)
    (late,) = await adopt(here.engine, tmp_path, "gw", NOW)
    assert late.trouble.endswith(f"key {kept[:8].decode()} is not in it, and something is sealed under that")
    assert (tmp_path / "late.wav.spool").exists()
    await here.keeper.stop()
    await here.engine.dispose()


async def test_one_that_is_still_written_is_left_to_its_worker(bench: Bench) -> None:  # noqa: F811
    path = bench.spool("a.wav", 4.0)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert await adopt(bench.engine, bench.folder, "gw", NOW) == []
    assert len(await adopt(bench.engine, bench.folder, "gw", NOW)) == 1
