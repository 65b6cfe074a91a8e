"""A whole node that keeps sealed FLAC in a bucket, killed in mid-call: the recording, another key, the proof."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import numpy as np

from gateway.lab.phone import Phase
from gateway.vault.keys import add_key
from media.recording.wav import decode, parse
from tests.integration.test_node import TALK_A, TALK_B, Stand
from tests.s3 import BUCKET, KEYS, S3


async def maskline(stand: Stand, *words: str) -> tuple[int | None, str]:
    """A command on the node's configuration."""
    command = [sys.executable, "-m", "gateway", *words, "--config", str(stand.folder / "demo.toml")]
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **stand.settings}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_sealed_flac_in_a_bucket_outlives_a_kill_and_a_change_of_the_key(tmp_path: Path, s3: S3) -> None:
    add_key(tmp_path / "keys")
    here = Stand(tmp_path, TALK_A, TALK_B)
    recordings = {
        "url": f"s3://{BUCKET}/gw", "endpoint": s3.endpoint, **KEYS, "form": "flac", "encrypt": "true",
        "proof_key": str(tmp_path / "proof"),
    }  # fmt: skip
    here.settings = {f"MASKLINE_RECORDINGS__{name.upper()}": value for name, value in recordings.items()}
    here.settings["MASKLINE_DATABASE__KEY_FILE"] = str(tmp_path / "keys")
    try:
        await here.up()
        await here.bind()
        here.dial()
        await here.until(lambda: here.caller.phone.phase is Phase.TALKING)
        answered, loop = here.caller.phone.answered_at, asyncio.get_running_loop()
        await here.until(lambda: "answer" in here.kinds() and loop.time() > answered + 6.0)
        here.kill()
        (spool,) = (tmp_path / "spool").glob("*.spool")
        assert spool.read_bytes().startswith(b"MLSEAL01")
        await here.node.start(30)
        fee = await here.receiver.wait_for("fee", 20)
        assert fee is not None, here.node.log_tail()
        name, domain = fee.fields["recordObjectName"], fee.fields["recordDomain"]
        first = await here.customer.recording(name, domain)
        left, right = (decode(channel) for channel in parse(first.content))
        assert len(left) == len(right) >= 8000 * 4.5
        for channel, wanted in ((left, 700), (right, 1300)):
            spectrum = np.abs(np.fft.rfft(channel[8000 * 3 : 8000 * 4]))
            assert int(np.argmax(spectrum)) == wanted
        await here.until(lambda: not list((tmp_path / "spool").iterdir()))
        (kept,) = s3.names()
        assert kept == f"gw/{name.removesuffix('.wav')}.flac.sealed"
        raw = s3.client.get_object(Bucket=BUCKET, Key=kept)["Body"].read()
        assert raw.startswith(b"MLSEAL01")
        assert b"fLaC" not in raw
        code, out = await maskline(here, "vault", "rotate")
        assert code == 0, out
        assert s3.client.get_object(Bucket=BUCKET, Key=kept)["Body"].read() == raw, "only its key was sealed anew"
        assert (await here.customer.recording(name, domain)).content == first.content
        code, out = await maskline(here, "recordings", "verify")
        assert (code, "1 recordings looked at" in out) == (0, True), out
    finally:
        await here.stack.aclose()
