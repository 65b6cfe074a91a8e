"""A whole node that keeps sealed FLAC in a bucket, killed in mid-call, before its journal was written and after: the
recordings, another key, the proof."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
from pathlib import Path

import numpy as np
from sqlalchemy import select

from gateway.assembly import recording_store
from gateway.config.reading import load
from gateway.database import open_engine, reading
from gateway.lab.phone import Phase
from gateway.lab.sockets import PhoneLine
from gateway.recordings.audio import AudioReader
from gateway.schema import recording
from gateway.vault.keys import add_key
from media.recording.sealed import is_sealed
from media.recording.wav import decode, parse
from tests.integration.test_node import TALK_A, TALK_B, Stand
from tests.s3 import BUCKET, KEYS, S3


async def maskline(folder: Path, settings: dict[str, str], *words: str) -> tuple[int | None, str]:
    """A command on the configuration of a node."""
    command = [sys.executable, "-m", "gateway", *words, "--config", str(folder / "demo.toml")]
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **settings}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


def check_heard(file: bytes, seconds: float) -> None:
    left, right = (decode(channel) for channel in parse(file))
    assert len(left) == len(right) >= 8000 * seconds
    for channel, wanted in ((left, 700), (right, 1300)):
        spectrum = np.abs(np.fft.rfft(channel[4000:]))
        # Where the phones stood still for a moment, what they say goes on with another phase.
        assert abs(int(np.argmax(spectrum)) * 8000 / (len(channel) - 4000) - wanted) < 5


async def call_without_a_journal(here: Stand, caller: PhoneLine) -> str:
    """One more call, of which not a word reaches the database, for somebody else writes to it; then the node is killed.
    The name of its recording."""
    spool = here.folder / "spool"
    first = set(spool.iterdir())
    with contextlib.closing(sqlite3.connect(here.folder / "maskline.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        here.dial(caller)
        # A second and a half and more of both: 188 bytes a packet, 100 packets a second.
        await here.until(lambda: sum(one.stat().st_size for one in {*spool.iterdir()} - first) > 40_000)
        here.kill()
        (made,) = {*spool.iterdir()} - first
        name = made.name.removesuffix(".spool")
        other.execute("ROLLBACK")
        assert other.execute("SELECT count(*) FROM recording WHERE name = ?", (name,)).fetchone() == (0,)
        assert other.execute("SELECT count(*) FROM open_call").fetchone() == (1,), "the first call's"
    return name


async def wav_of(here: Stand, name: str) -> bytes:
    """As the store gives it, opened with the key of its row."""
    engine = open_engine(f"sqlite+aiosqlite:///{here.folder / 'maskline.db'}?key_file={here.folder / 'keys'}")
    store = recording_store(load(here.folder / "demo.toml", here.settings))
    try:
        async with reading(engine) as connection:
            row = (await connection.execute(select(recording).where(recording.c.name == name))).one()
        return await AudioReader(store).wav(row)
    finally:
        await engine.dispose()


async def test_sealed_flac_in_a_bucket_outlives_a_kill_and_a_change_of_the_key(tmp_path: Path, s3: S3) -> None:
    add_key(tmp_path / "keys")
    here = Stand(tmp_path, TALK_A, TALK_B)
    recordings = {
        "url": f"s3://{BUCKET}/gw", "endpoint": s3.endpoint, **KEYS, "form": "flac", "encrypt": "true",
        "proof_key": str(tmp_path / "proof"),
    }  # fmt: skip
    here.settings = {f"MASKLINE_RECORDINGS__{name.upper()}": value for name, value in recordings.items()}
    here.settings["MASKLINE_DATABASE__KEY_FILE"] = str(tmp_path / "keys")
    here.settings["MASKLINE_CALLS__MIN_RECORDING_SECONDS"] = "1"
    async with here.stack:
        again = await here.two_calls(TALK_B, TALK_B)
        await here.up()
        await here.bind()
        here.dial()
        await here.until(lambda: here.caller.phone.phase is Phase.TALKING)
        answered, loop = here.caller.phone.answered_at, asyncio.get_running_loop()
        await here.until(lambda: "answer" in here.kinds() and loop.time() > answered + 2.0)
        lost = await call_without_a_journal(here, again)
        assert [is_sealed(spool.read_bytes()) for spool in (tmp_path / "spool").iterdir()] == [True, True]
        await here.node.start(60)
        fee = await here.receiver.wait_for("fee", 60)
        assert fee is not None, here.node.log_tail()
        name, domain = fee.fields["recordObjectName"], fee.fields["recordDomain"]
        first = await here.customer.recording(name, domain)
        check_heard(first.content, seconds=2.5)
        await here.until(lambda: not list((tmp_path / "spool").iterdir()))
        check_heard(await wav_of(here, lost), seconds=1.5)
        kept = f"gw/{name.removesuffix('.wav')}.flac.sealed"
        assert set(s3.names()) == {kept, f"gw/{lost.removesuffix('.wav')}.flac.sealed"}
        raw = s3.client.get_object(Bucket=BUCKET, Key=kept)["Body"].read()
        assert raw.startswith(b"MLSEAL01")
        assert b"fLaC" not in raw
        code, out = await maskline(tmp_path, here.settings, "vault", "rotate")
        assert code == 0, out
        assert s3.client.get_object(Bucket=BUCKET, Key=kept)["Body"].read() == raw, "only its key was sealed anew"
        assert (await here.customer.recording(name, domain)).content == first.content
        code, out = await maskline(tmp_path, here.settings, "recordings", "verify")
        assert (code, "2 recordings looked at" in out) == (0, True), out
