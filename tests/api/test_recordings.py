"""A recording's address: given when the WAV can be had, waited for while it is rendered, refused otherwise."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from sqlalchemy import insert, select, update

from gateway.database import writing
from gateway.schema import application, recording
from media.recording import wav
from media.recording.store import RecordingStore
from tests.api.bench import RECORD, Bench
from tests.s3 import BUCKET, S3

AXB = application.c.key == "axb"
WANTED = {"fileName": "r.wav", "recordDomain": "rec"}


async def note(bench: Bench, state: str, **more: Any) -> None:
    row = {"name": "r.wav", "session": "s", "application": "axb", "spool": "", "state": state, "created_at": 0.0}
    async with writing(bench.engine) as connection:
        await connection.execute(insert(recording).values(**row, **more))


async def store(bench: Bench) -> None:
    wav = bench.folder / "finished.wav"
    wav.write_bytes(b"RIFF....")
    await bench.recordings.put("r.wav", wav)


async def location(bench: Bench, **more: str) -> str:
    params = {**WANTED, **more}
    async with bench.http.get(RECORD, params=params, headers=bench.headers("axb"), allow_redirects=False) as response:
        assert (response.status, await response.read()) == (301, b"")
        return response.headers["Location"]


async def test_a_recordings_address_as_old_clients_read_it(bench: Bench) -> None:
    await store(bench)
    await note(bench, "ready", erase_at=time.time() + 1000)
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
    lines = [f"{name}: {value}" for name, value in bench.headers("axb").items()]
    head = "\r\n".join(
        [f"GET {RECORD}?fileName=r.wav&recordDomain=rec HTTP/1.0", f"Host: 127.0.0.1:{bench.port}", *lines]
    )
    writer.write(head.encode() + b"\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 301 ")
    (location,) = [line[len("Location: ") :] for line in answer.split("\r\n") if line.startswith("Location: ")]
    async with bench.http.get(location) as response:
        assert (response.status, await response.read()) == (200, b"RIFF....")
        assert response.headers["Content-Length"] == "8"
        assert "X-Erase-At" in response.headers
    for spoilt in (location[:-1] + "x", location.replace("app=axb", "app=ax"), location.replace("r.wav", "q.wav")):
        async with bench.http.get(spoilt) as response:
            assert (response.status, (await response.json())["resultcode"]) == (403, "1012007")
    params = {"fileName": "r.wav", "recordDomain": "rec"}
    assert await bench.code("GET", RECORD, "ax", params=params) == (403, "1012007")
    assert await bench.code("GET", RECORD, params={"fileName": "r.wav"}) == (403, "1010002")


@pytest.mark.parametrize("state", ["pending", "spooling"])
async def test_no_address_before_the_wav_is_there(bench: Bench, state: str) -> None:
    """Who follows a 301 must receive the WAV: the answer waits until rendering is done."""
    await note(bench, state)
    work: list[asyncio.Task[None]] = []

    async def rendered() -> None:
        await store(bench)
        async with writing(bench.engine) as connection:
            await connection.execute(update(recording).values(state="ready"))

    bench.woken = lambda: work or work.append(asyncio.create_task(rendered()))
    where = await location(bench)
    assert work[0].done()
    async with bench.http.get(where) as response:
        assert (response.status, await response.read()) == (200, b"RIFF....")


@pytest.mark.parametrize("state", ["pending", "spooling", "empty", "failed", "erased", "ready"])
async def test_no_address_of_what_can_t_be_had(bench: Bench, state: str) -> None:
    """``ready``: the row says so, but the disk has lost it."""
    await note(bench, state)
    assert await bench.code("GET", RECORD, params=WANTED) == (403, "1012007")


async def test_no_address_once_it_is_over(bench: Bench) -> None:
    await store(bench)
    await note(bench, "ready", erase_at=time.time() - 1)
    assert await bench.code("GET", RECORD, params=WANTED) == (403, "1012007")


@pytest.mark.parametrize("missing", ["fileName", "recordDomain"])
async def test_both_parameters_are_required(bench: Bench, missing: str) -> None:
    status, body = await bench.ask("GET", RECORD, params={**WANTED, missing: ""})
    assert (status, body["resultcode"]) == (403, "1010002")
    assert body["resultdesc"] == f"Invalid request.{missing} is required."


async def test_the_mono_mix_by_question_or_by_the_application(bench: Bench) -> None:
    codes = np.arange(256, dtype=np.uint8)
    stereo = wav.build((codes, np.full(256, wav.SILENCE, np.uint8)))
    (bench.folder / "finished.wav").write_bytes(stereo)
    await bench.recordings.put("r.wav", bench.folder / "finished.wav")
    await note(bench, "ready", erase_at=time.time() + 1000)
    where = await location(bench, form="mono")
    async with bench.http.get(where) as response:
        (mixed,) = wav.parse(await response.read())
        assert int(response.headers["Content-Length"]) == 58 + 256
    assert len(mixed) == 256
    for spoilt in (where.replace("form=mono&", ""), where.replace("form=mono", "form=stereo")):
        async with bench.http.get(spoilt) as response:
            assert response.status == 403
    async with writing(bench.engine) as connection:
        said = json.loads((await connection.execute(select(application.c.settings).where(AXB))).scalar_one())
        settings = json.dumps({**said, "recording_mono": True})
        await connection.execute(update(application).where(AXB).values(settings=settings))
    for form, size in (("", 58 + 256), ("stereo", 58 + 512)):
        async with bench.http.get(await location(bench, form=form)) as response:
            assert len(await response.read()) == size
    status, body = await bench.ask("GET", RECORD, params={**WANTED, "form": "opus"})
    assert (status, body["resultcode"]) == (403, "1012007")


async def test_an_address_ends_with_the_recording(bench: Bench) -> None:
    await store(bench)
    await note(bench, "ready", erase_at=time.time() + 1000)
    where = await location(bench)
    async with writing(bench.engine) as connection:
        await connection.execute(update(recording).values(state="erased"))
    async with bench.http.get(where) as response:
        assert (response.status, (await response.json())["resultcode"]) == (403, "1012007")


async def test_the_store_s_own_address_when_it_shall(tmp_path: Path, database_url: str, s3: S3) -> None:
    kept = RecordingStore(f"s3://{BUCKET}", s3.access())
    bench = await Bench().up(tmp_path, database_url, kept, store_links=True, link_seconds=300)
    try:
        await store(bench)
        await note(bench, "ready", erase_at=time.time() + 1000, object="r.wav")
        where = await location(bench)
        assert where.startswith(s3.endpoint)
        assert "X-Amz-Expires=300" in where
        async with aiohttp.request("GET", where) as response:
            assert (response.status, await response.read()) == (200, b"RIFF....")
    finally:
        await bench.down()


async def test_readiness_tells_what_is_wrong_all_the_same(bench: Bench) -> None:
    bench.notes.append("calls are not recorded: No space left on device")
    async with bench.http.get("/readyz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ready", "notes": bench.notes})
