"""A node that records only with room, and connects only after the notice: what real phones hear, what is recorded, and
what is proven of it. The spool lies on a disk of its own, which is full at first."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
from pathlib import Path

import pytest

from gateway.lab.analysis import dominant, level
from gateway.lab.audio import RATE, Samples, decode
from gateway.lab.phone import Phase, Phone
from gateway.lab.script import Script
from gateway.lab.wave import Wave
from media.g711 import to_alaw
from media.recording import wav
from tests.integration.test_node import KEY, Stand
from tests.media.test_worker_disk import mounted

pytestmark = pytest.mark.interop
NOTICE_HZ, A_HZ, B_HZ = 950, 700, 1300
NOTICE_SECONDS = 1.2
CALLER = Script(tone_hz=A_HZ, hang_up_after=5.0)
CALLEE = Script(tone_hz=B_HZ, ring_after=0.1, answer_after=0.3)


def spoken(path: Path) -> None:
    """A notice of one tone."""
    codes = bytes(
        to_alaw(round(8000 * math.sin(2 * math.pi * NOTICE_HZ * n / RATE))) for n in range(int(RATE * NOTICE_SECONDS))
    )
    path.parent.mkdir(parents=True)
    path.write_bytes(wav.head(1, len(codes)) + codes)


def heard_since_the_answer(phone: Phone) -> Samples:
    assert phone.answered_at is not None
    return decode(b"".join(audio for at, audio in phone.heard() if at >= phone.answered_at))


async def test_full_it_refuses_before_the_answer_else_the_notice_comes_first(tmp_path: Path) -> None:
    here = Stand(tmp_path, CALLER, CALLEE)
    keys = {"NOTICE_FIRST": "true", "REQUIRED": "true", "LEAST_MB": "8", "PROOF_KEY": str(tmp_path / "proof")}
    here.settings = {f"MASKLINE_RECORDINGS__{key}": value for key, value in keys.items()}
    here.settings["MASKLINE_TONES__FOLDER"] = str(tmp_path / "own")
    spoken(tmp_path / "own" / KEY / "notice.wav")
    with mounted(tmp_path / "spool", "16m") as disk:
        (disk / "filler").write_bytes(bytes(12 << 20))
        try:
            await here.up()
            await here.bind()
            await _refused(here)
            (disk / "filler").unlink()
            await _until_ready(here, [])
            here.caller = here._line("C", CALLER)  # another seed: another Call-ID
            here.stack.push_async_callback(here.caller.stop)
            await here.caller.start()
            here.dial()
            await here.until(lambda: here.caller.phone.phase is here.callee.phone.phase is Phase.OVER, 30)
            fee = await here.receiver.wait_for("fee", 60)
            assert fee is not None, here.node.log_tail()
            said = _heard(here)
            name = fee.fields["recordObjectName"]
            download = await here.customer.recording(name, fee.fields["recordDomain"])
        finally:
            await here.stack.aclose()
    _recorded(Wave.parse(download.content), tmp_path / "maskline.db", name, said)


async def _refused(here: Stand) -> None:
    """The callee is not even called, and the caller gets 500; both are told why."""
    await _until_ready(here, ["the volume of the spool is full: 0.0 GiB free of 0.0"])
    here.dial()
    await here.until(lambda: here.caller.phone.phase is Phase.OVER)
    fee = await here.receiver.wait_for("fee", 60)
    assert fee is not None, here.node.log_tail()
    assert (here.caller.phone.status, here.callee.phone.phase, here.callee.phone.traces) == (500, Phase.IDLE, [])
    assert (fee.fields["ulFailReason"], fee.fields["recordFlag"]) == (8015, 0)
    here.receiver.events.clear()


async def _until_ready(here: Stand, notes: list[str]) -> None:
    async with asyncio.timeout(20):
        while True:
            async with here.http.get(here.node.plan.base_url + "/readyz") as answer:
                if (await answer.json()).get("notes", []) == notes:
                    return


def _heard(here: Stand) -> float:
    """Each hears the notice whole, then the other, and nothing of the other before; how long they could talk."""
    talks = []
    for phone, other in ((here.caller.phone, B_HZ), (here.callee.phone, A_HZ)):
        samples = heard_since_the_answer(phone)
        blocks = [dominant(samples[at : at + RATE // 10]) for at in range(0, len(samples) - RATE // 10, RATE // 10)]
        first = blocks.index(other)
        assert set(blocks[:first]) <= {NOTICE_HZ, None, 450}
        assert NOTICE_SECONDS - 0.2 <= blocks[:first].count(NOTICE_HZ) / 10 <= NOTICE_SECONDS
        assert level(samples[: (first - 1) * RATE // 10], other) < -50
        assert blocks[first + 1 : -1].count(other) >= 0.95 * (len(blocks) - first - 2)
        talks.append((len(blocks) - first) / 10)
    return min(talks)


def _recorded(wave: Wave, database: Path, name: str, talked: float) -> None:
    """The recording is of what was said after the notice, and nothing else; its proof says who heard that when."""
    left, right = (decode(wave.channel(number)) for number in (0, 1))
    for samples, own, other in ((left, A_HZ, B_HZ), (right, B_HZ, A_HZ)):
        assert level(samples, own) > -20
        assert level(samples, other) < -50
        assert level(samples, NOTICE_HZ) < -50
    assert abs(wave.seconds - talked) < 0.4
    with sqlite3.connect(database) as connection:
        (said,) = connection.execute("SELECT facts FROM recording_proof WHERE name = ?", (name,)).fetchone()
    connection.close()
    facts = json.loads(said)
    for begun, ended in facts["notice"]:
        assert abs(ended - begun - NOTICE_SECONDS) < 0.1
        assert 0 <= begun - facts["answered"] < 0.3
        assert abs(facts["ended"] - ended - wave.seconds) < 0.2
