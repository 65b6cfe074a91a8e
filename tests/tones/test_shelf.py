"""The folder of approved tones is what the database says, after whatever happened to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.database import open_engine, writing
from gateway.tones import store
from gateway.tones.child import Converter
from gateway.tones.convert import Sound, SoundError
from gateway.tones.folder import ToneFolder
from gateway.tones.shelf import Shelf
from media.recording import wav

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def sound(level: float) -> Sound:
    samples = level * np.sin(2 * np.pi * 700 * np.arange(8000) / 8000)
    return Sound(wav.build((wav.encode(samples),)), 1.0, False)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_url, synchronous="OFF")
    yield made
    await made.dispose()


async def approve(engine: AsyncEngine, application: str, name: str, level: float) -> bytes:
    made = sound(level)
    async with writing(engine) as connection:
        await store.upload(connection, application, name, made, NOW)
        await store.approve(connection, application, name, NOW)
    return made.wav


def content(folder: ToneFolder, application: str, name: str) -> bytes | None:
    path = folder.find(application, name)
    return Path(path).read_bytes() if path else None


def damage(*places: Path) -> None:
    for place in places:
        place.write_bytes(b"damaged")


async def test_only_what_is_approved_is_there(engine: AsyncEngine, tmp_path: Path) -> None:
    shelf, folder = Shelf(engine, str(tmp_path / "tones")), ToneFolder("", str(tmp_path / "tones"))
    async with writing(engine) as connection:
        await store.upload(connection, "shop", "w.wav", sound(0.1), NOW)
    await shelf.sync()
    assert content(folder, "shop", "w.wav") is None
    async with writing(engine) as connection:
        await store.approve(connection, "shop", "w.wav", NOW)
    await shelf.sync()
    assert content(folder, "shop", "w.wav") == sound(0.1).wav
    assert content(folder, "other", "w.wav") is None


async def test_a_replacement_waits_for_its_approval(engine: AsyncEngine, tmp_path: Path) -> None:
    shelf, folder = Shelf(engine, str(tmp_path / "tones")), ToneFolder("", str(tmp_path / "tones"))
    first = await approve(engine, "shop", "w.wav", 0.1)
    async with writing(engine) as connection:
        await store.upload(connection, "shop", "w.wav", sound(0.5), NOW)
    await shelf.sync()
    assert content(folder, "shop", "w.wav") == first
    async with writing(engine) as connection:
        await store.approve(connection, "shop", "w.wav", NOW)
    await shelf.sync()
    assert content(folder, "shop", "w.wav") == sound(0.5).wav


async def test_which_file_counts(engine: AsyncEngine, tmp_path: Path) -> None:
    shelf, folder = Shelf(engine, str(tmp_path / "tones")), ToneFolder(str(tmp_path / "laid"), str(tmp_path / "tones"))
    built_in = content(folder, "shop", "notice.wav")
    assert built_in
    (tmp_path / "laid").mkdir()
    (tmp_path / "laid" / "notice.wav").write_bytes(b"all")
    assert content(folder, "shop", "notice.wav") == b"all"
    everybody = await approve(engine, "", "notice.wav", 0.2)
    await shelf.sync()
    assert content(folder, "shop", "notice.wav") == everybody
    (tmp_path / "laid" / "shop").mkdir()
    (tmp_path / "laid" / "shop" / "notice.wav").write_bytes(b"shop's")
    assert content(folder, "shop", "notice.wav") == b"shop's"
    assert content(folder, "other", "notice.wav") == everybody
    own = await approve(engine, "shop", "notice.wav", 0.3)
    await shelf.sync()
    assert content(folder, "shop", "notice.wav") == own


async def test_a_start_finds_what_is_there_and_mends_what_is_not(engine: AsyncEngine, tmp_path: Path) -> None:
    folder = ToneFolder("", str(tmp_path / "tones"))
    first = await approve(engine, "shop", "a.wav", 0.1)
    second = await approve(engine, "shop", "b.wav", 0.2)
    await Shelf(engine, str(tmp_path / "tones")).sync()
    places = [tmp_path / "tones" / "shop" / name for name in ("a.wav", "b.wav", "stranger.wav")]
    before = os.stat(places[0]).st_mtime_ns
    damage(*places[1:])
    await Shelf(engine, str(tmp_path / "tones")).sync()
    assert (content(folder, "shop", "a.wav"), content(folder, "shop", "b.wav")) == (first, second)
    assert os.stat(places[0]).st_mtime_ns == before
    assert content(folder, "shop", "stranger.wav") is None


async def test_a_tone_that_is_deleted_is_gone(engine: AsyncEngine, tmp_path: Path) -> None:
    shelf, folder = Shelf(engine, str(tmp_path / "tones")), ToneFolder("", str(tmp_path / "tones"))
    await approve(engine, "shop", "a.wav", 0.1)
    await shelf.sync()
    async with writing(engine) as connection:
        assert await store.remove(connection, "shop", "a.wav") == 1
    await shelf.sync()
    assert content(folder, "shop", "a.wav") is None


async def test_two_uploads_at_once_leave_one_whole_version(engine: AsyncEngine, tmp_path: Path) -> None:
    async def offer(level: float) -> None:
        async with writing(engine) as connection:
            await store.upload(connection, "shop", "a.wav", sound(level), NOW)

    await asyncio.gather(*(offer(level) for level in (0.1, 0.2, 0.3, 0.4)))
    async with writing(engine) as connection:
        await store.approve(connection, "shop", "a.wav", NOW)
        with pytest.raises(store.ToneStateError):
            await store.approve(connection, "shop", "a.wav", NOW)
    shelf, folder = Shelf(engine, str(tmp_path / "tones")), ToneFolder("", str(tmp_path / "tones"))
    await asyncio.gather(*(shelf.sync() for _ in range(4)))
    assert content(folder, "shop", "a.wav") in {sound(level).wav for level in (0.1, 0.2, 0.3, 0.4)}


@pytest.mark.parametrize(("application", "name"), [("..", "a.wav"), ("shop", "../a.wav"), ("shop", ".a"),
                                                   ("@", "a.wav"),
                                                   ("shop", ""), ("a/b", "a.wav"), ("shop", "a" * 129)])  # fmt: skip
def test_no_name_leads_out_of_the_folder(tmp_path: Path, application: str, name: str) -> None:
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "tones" / "@").mkdir(parents=True)
    (tmp_path / "tones" / "@" / "x.wav").write_bytes(b"x")
    assert ToneFolder(str(tmp_path / "tones"), str(tmp_path / "tones")).find(application, name) is None


async def test_a_conversion_apart() -> None:
    made = await Converter().convert(sound(0.3).wav)
    assert made == sound(0.3)
    with pytest.raises(SoundError, match="no sound file"):
        await Converter().convert(b"hello")
