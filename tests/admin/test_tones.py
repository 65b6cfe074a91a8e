"""Tones by HTTP: upload, review, replacement, download, and whose they are."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import numpy as np
import pytest
import soundfile

from gateway.tones.folder import ToneFolder
from tests.admin.bench import Bench


def flac(level: float = 0.3) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, level * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000), 16000, format="FLAC")
    return out.getvalue()


async def make(bench: Bench) -> str:
    return str((await bench.ok("operator", "POST", "/applications", {"mode": "AXB", "enterprise": "shop"}))["key"])


async def put(bench: Bench, who: str, raw: bytes | io.BytesIO, **query: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {bench.tokens[who]}"}
    async with bench.http.put("/tones", params=query, data=raw, headers=headers) as response:
        return response.status, await response.json()


def there(bench: Bench, application: str, name: str) -> bool:
    return ToneFolder("", str(bench.shelf._folder)).find(application, name) is not None


async def test_uploaded_reviewed_played(bench: Bench) -> None:
    key = await make(bench)
    status, made = await put(bench, "tenant", flac(), application=key, name="w.wav")
    assert (status, made["state"], made["version"], made["converted"]) == (201, "review", "candidate", True)
    assert made["seconds"] == pytest.approx(1.0)
    assert not there(bench, key, "w.wav")
    live = await bench.ok("reviewer", "POST", "/tones/approve", application=key, name="w.wav")
    assert (live["state"], live["version"], live["sha256"]) == ("approved", "live", made["sha256"])
    assert there(bench, key, "w.wav")
    headers = {"Authorization": f"Bearer {bench.tokens['tenant']}"}
    async with bench.http.get("/tones/sound", params={"application": key, "name": "w.wav"}, headers=headers) as answer:
        raw = await answer.read()
        assert answer.headers["Content-Type"] == "audio/wav"
    info = soundfile.info(io.BytesIO(raw))
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("WAV", "ALAW", 8000, 1)
    assert [one["action"] for one in await bench.audited("tone")] == ["tone.approve", "tone.upload"]


async def test_rejected_submitted_again_corrected(bench: Bench) -> None:
    key = await make(bench)
    where = {"application": key, "name": "w.wav"}
    await put(bench, "tenant", flac(), **where)
    rejected = await bench.ok("reviewer", "POST", "/tones/reject", {"reason": "Too quiet."}, **where)
    assert (rejected["state"], rejected["reason"]) == ("rejected", "Too quiet.")
    assert await bench.refused("reviewer", "POST", "/tones/approve", **where) == (409, "conflict", "name")
    again = await bench.ok("tenant", "POST", "/tones/resubmit", **where)
    assert (again["state"], again["reason"], again["sha256"]) == ("review", "", rejected["sha256"])
    await bench.ok("reviewer", "POST", "/tones/reject", {"reason": "Too quiet."}, **where)
    _, corrected = await put(bench, "tenant", flac(0.6), **where)
    assert (corrected["state"], corrected["reason"]) == ("review", "")
    assert corrected["sha256"] != rejected["sha256"]
    assert len((await bench.ok("reviewer", "GET", "/tones", state="review"))["items"]) == 1


async def test_the_live_one_stays_until_its_successor_is_approved(bench: Bench) -> None:
    key = await make(bench)
    where = {"application": key, "name": "w.wav"}
    await put(bench, "tenant", flac(), **where)
    first = await bench.ok("reviewer", "POST", "/tones/approve", **where)
    _, second = await put(bench, "tenant", flac(0.6), **where)
    rows = (await bench.ok("tenant", "GET", "/tones", **where))["items"]
    assert [(row["version"], row["sha256"]) for row in rows] == [
        ("candidate", second["sha256"]), ("live", first["sha256"])]  # fmt: skip
    await bench.ok("reviewer", "POST", "/tones/reject", {"reason": "r"}, **where)
    assert there(bench, key, "w.wav")
    await put(bench, "tenant", flac(0.7), **where)
    await bench.ok("reviewer", "POST", "/tones/approve", **where)
    assert len((await bench.ok("tenant", "GET", "/tones", **where))["items"]) == 1
    assert await bench.ask("tenant", "DELETE", "/tones", **where) == (204, None)
    assert not there(bench, key, "w.wav")
    assert await bench.refused("tenant", "DELETE", "/tones", **where) == (404, "not_found", "name")


async def test_two_reviewers_at_once_agree_on_one_answer(bench: Bench) -> None:
    key = await make(bench)
    where = {"application": key, "name": "w.wav"}
    await put(bench, "tenant", flac(), **where)
    answers = await asyncio.gather(
        bench.ask("reviewer", "POST", "/tones/approve", **where),
        bench.ask("reviewer", "POST", "/tones/reject", {"reason": "r"}, **where),
        bench.ask("operator", "POST", "/tones/approve", **where),
    )
    assert sorted(status for status, _ in answers) == [200, 409, 409]


async def test_whose_they_are(bench: Bench) -> None:
    key = await make(bench)
    await put(bench, "tenant", flac(), application=key, name="w.wav")
    await put(bench, "operator", flac(), name="all.wav")
    assert [row["name"] for row in (await bench.ok("tenant", "GET", "/tones"))["items"]] == ["all.wav", "w.wav"]
    assert [row["name"] for row in (await bench.ok("rival", "GET", "/tones"))["items"]] == ["all.wav"]
    for status, body in (
        await put(bench, "rival", flac(), application=key, name="w.wav"),
        await put(bench, "tenant", flac(), name="all.wav"),
        await put(bench, "tenant", flac(), application="file", name="w.wav"),
    ):
        assert (status, body["error"]["field"]) == (404, "application")
    where = {"application": key, "name": "w.wav", "version": "candidate"}
    assert await bench.refused("rival", "GET", "/tones/sound", **where) == (404, "not_found", "application")
    assert (await put(bench, "auditor", flac(), application=key, name="x.wav"))[0] == 403
    assert await bench.refused("tenant", "POST", "/tones/approve", application=key, name="w.wav") == (
        403, "forbidden", None)  # fmt: skip


@pytest.mark.parametrize("name", ["../x.wav", ".x", "a b.wav", "", "x" * 129, "ä.wav", "a/b.wav"])
async def test_names_that_are_none(bench: Bench, name: str) -> None:
    status, body = await put(bench, "operator", flac(), name=name)
    assert (status, body["error"]["field"]) == (400, "name")


async def test_what_is_no_sound_says_why(bench: Bench) -> None:
    status, body = await put(bench, "operator", b"hello", name="x.wav")
    assert (status, body["error"]["code"], body["error"]["field"]) == (400, "invalid", "body")
    assert "no sound file" in body["error"]["message"]
    status, body = await put(bench, "operator", io.BytesIO(b"\0" * 32_000_001), name="x.wav")
    assert (status, body["error"]["code"]) == (413, "too_large")
    assert (await bench.ok("operator", "GET", "/tones"))["items"] == []
