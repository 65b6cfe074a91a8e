"""Recordings after the call: rendered, cleared away, erased when due; what fails for one holds up no other."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from gateway.database import open_engine, reading, writing
from gateway.recordings import erasing, part, rendering
from gateway.recordings.audio import AudioError, AudioReader
from gateway.recordings.holding import HoldError, erase, hold, release
from gateway.recordings.keeper import Keeper
from gateway.recordings.part import KeeperSettings
from gateway.recordings.proof import Proof, ProofKey
from gateway.recordings.tables import recording_day, recording_proof
from gateway.recordings.verifying import Verified, verify
from gateway.schema import application, recording
from media.recording import wav
from media.recording.render import Rendered
from media.recording.spool import SpoolFlusher
from media.recording.store import RecordingStore
from media.rtp import HEADER
from tests.s3 import BUCKET, S3, Line

NOW = 1_700_000_000.0  # past: a database's own clock is not behind it
DAY = 86400.0
B = recording.c.name == "b.wav"


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.ticks: float | None = None
        """Seconds that have surely passed; None: as the clock says."""
        self.proof = Proof(ProofKey(bytes(32)))

    async def up(self, database_url: str) -> Bench:
        self.engine = open_engine(database_url, synchronous="OFF")
        self.store = RecordingStore(f"file://{self.folder}/recordings")
        self.use(self.store)
        return self

    def use(self, store: RecordingStore) -> None:
        """Another keeper, as after a restart."""
        self.store = store
        self.keeper = Keeper(
            self.engine,
            store,
            KeeperSettings(node="gw"),
            clock=lambda: self.now,
            ticks=lambda: self.ticks if self.ticks is not None else self.now,
            proof=self.proof,
        )

    def spool(self, name: str, seconds: float, data_key: bytes = b"", kept_key: bytes = b"", **header: Any) -> Path:
        """A spool of both legs' silence."""
        path = self.folder / f"{name}.spool"
        flusher = SpoolFlusher()
        writer = flusher.open(path, {"started": 100.0, **header}, data_key, kept_key)
        for index in range(int(seconds * 50)):
            for leg in (0, 1):
                writer.append(leg, 100.0 + index / 50, HEADER.pack(0x80, 8, index, 160 * index, 1) + b"\xd5" * 160)
        writer.close(now=100.0 + seconds)
        assert flusher.stop()
        return path

    async def add(
        self, name: str, state: str, spool: Path | str = "", erase_at: float | None = None, *, node: str = "gw",
        data_key: bytes = b"",
    ) -> None:  # fmt: skip
        row: dict[str, Any] = {
            "name": name,
            "session": name,
            "application": "app",
            "spool": str(spool),
            "state": state,
            "node": node,
            "object": name if state in ("ready", "rendered") else "",
        }
        async with writing(self.engine) as connection:
            key = base64.b64encode(data_key).decode() or None
            row |= {"erase_at": erase_at, "ended_at": NOW, "created_at": NOW, "data_key": key}
            await connection.execute(insert(recording).values(**row))

    async def row(self, name: str) -> Any:
        async with reading(self.engine) as connection:
            return (await connection.execute(select(recording).where(recording.c.name == name))).one()

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.suffix in (".spool", ".done"))


@pytest.fixture
async def bench(tmp_path: Path, database_url: str) -> AsyncIterator[Bench]:
    made = await Bench(tmp_path).up(database_url)
    yield made
    await made.keeper.stop()
    await made.engine.dispose()


async def test_a_pending_recording_is_rendered_kept_and_erased_when_due(bench: Bench) -> None:
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    await bench.keeper.settle()
    row = await bench.row("a.wav")
    assert (row.state, row.seconds, row.spool, len(row.sha256)) == ("ready", 4.0, "", 64)
    assert await bench.store.size("a.wav") == row.size
    assert bench.files() == []
    bench.now = NOW + 8 * DAY - 1
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "ready"
    bench.now = NOW + 8 * DAY
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "erased"
    assert await bench.store.size("a.wav") is None


async def test_a_talk_too_short_leaves_nothing(bench: Bench) -> None:
    await bench.add("short.wav", "pending", bench.spool("short", 2.0))
    await bench.add("unwanted.wav", "empty", bench.spool("unwanted", 4.0))
    await bench.keeper.settle()
    assert [(await bench.row(name)).state for name in ("short.wav", "unwanted.wav")] == ["empty", "empty"]
    assert bench.files() == []


async def test_what_can_not_be_read_fails_and_stays_for_a_look(bench: Bench) -> None:
    broken = bench.folder / "broken.spool"
    broken.write_bytes(b"no spool")
    await bench.add("broken.wav", "pending", broken)
    await bench.add("good.wav", "pending", bench.spool("good", 4.0))
    await bench.keeper.settle()
    assert ((await bench.row("broken.wav")).state, (await bench.row("good.wav")).state) == ("failed", "ready")
    assert bench.files() == ["broken.spool"]


async def test_a_store_that_is_away_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    await bench.add("old.wav", "ready", erase_at=NOW - 1)

    async def away(*arguments: Any) -> None:
        raise OSError("away")

    with monkeypatch.context() as patch:
        patch.setattr(RecordingStore, "put", away)
        await bench.keeper.settle()
    assert ((await bench.row("a.wav")).state, (await bench.row("old.wav")).state) == ("rendered", "erased")
    assert bench.files() == ["a.done", "a.spool"]
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "rendered"  # it waits
    bench.now += 5.0
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "ready"


async def test_one_that_can_not_be_erased_holds_up_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stuck.wav", "due.wav"):
        await bench.add(name, "ready", erase_at=NOW - 1)
    erase: Callable[..., Any] = RecordingStore.erase

    async def some(store: RecordingStore, name: str) -> None:
        if name == "stuck.wav":
            raise OSError("stuck")
        await erase(store, name)

    monkeypatch.setattr(RecordingStore, "erase", some)
    await bench.keeper.settle()
    assert ((await bench.row("stuck.wav")).state, (await bench.row("due.wav")).state) == ("ready", "erased")


def _die(spool: Path, out: Path, form: str, data_key: bytes, *, mute_keys: bool) -> Rendered:
    """What a rendering that runs out of memory looks like from outside."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


async def test_a_rendering_process_that_dies_costs_one_try(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    with monkeypatch.context() as patch:
        patch.setattr(rendering, "render", _die)
        await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "pending"
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "ready"


async def test_a_recording_that_kills_its_renderer_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    monkeypatch.setattr(rendering, "render", _die)
    for _ in range(3):
        await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "failed"
    assert bench.files() == ["a.spool"]


async def test_a_crash_before_the_spool_was_removed_is_made_good(bench: Bench) -> None:
    await bench.add("a.wav", "ready", bench.spool("a", 4.0), erase_at=NOW + DAY)
    await bench.keeper.settle()
    row = await bench.row("a.wav")
    assert (row.state, row.spool, bench.files()) == ("ready", "", [])


async def test_an_upload_that_a_restart_broke_off_is_done_by_the_next(bench: Bench, s3: S3) -> None:
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    async with Line(s3) as line:
        bench.use(RecordingStore(f"s3://{BUCKET}", s3.access(line.endpoint)))
        line.cut_after = 1000
        await bench.keeper.settle()
        row = await bench.row("a.wav")
        assert (row.state, row.tries, row.trouble, s3.names()) == ("rendered", 1, None, [])
        assert bench.files() == ["a.done", "a.spool"]
        await bench.keeper.stop()
        line.cut_after = None
        bench.use(RecordingStore(f"s3://{BUCKET}", s3.access(line.endpoint)))
        bench.now += 5.0
        await bench.keeper.settle()
        row = await bench.row("a.wav")
        assert (row.state, row.tries, row.trouble, s3.names(), bench.files()) == ("ready", 0, None, ["a.wav"], [])
        stored = b"".join([chunk async for chunk in bench.store.chunks("a.wav")])
        assert hashlib.sha256(stored).hexdigest() == row.sha256
        bench.now += 10 * DAY
        await bench.keeper.settle()
        assert ((await bench.row("a.wav")).state, s3.names()) == ("erased", [])


async def test_waits_grow_and_end_at_ten_minutes(bench: Bench, s3: S3) -> None:
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    bench.use(RecordingStore(f"s3://{BUCKET}", s3.access("http://127.0.0.1:9")))
    waits = []
    for tries in (None, None, 6, 7, 90):
        if tries is not None:
            async with writing(bench.engine) as connection:
                await connection.execute(update(recording).values(tries=tries))
        await bench.keeper.settle()
        row = await bench.row("a.wav")
        waits.append(row.due_at - bench.now)
        bench.now = row.due_at
    assert waits == [5, 10, 320, 600, 600]


async def test_a_rendered_file_that_is_gone_is_rendered_again(bench: Bench) -> None:
    await bench.add("a.wav", "rendered", bench.spool("a", 4.0))
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "pending"
    await bench.keeper.settle()
    assert ((await bench.row("a.wav")).state, bench.files()) == ("ready", [])


async def test_another_node_s_files_are_left_to_it(bench: Bench) -> None:
    await bench.add("a.wav", "pending", bench.folder / "not on this disk.spool", node="other")
    await bench.add("b.wav", "rendered", bench.folder / "nor this.spool", node="other")
    await bench.add("c.wav", "ready", erase_at=NOW - 1, node="other")
    await bench.keeper.settle()
    assert [(await bench.row(name)).state for name in ("a.wav", "b.wav", "c.wav")] == ["pending", "rendered", "ready"]


async def test_erasing_goes_on_past_a_batch(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "BATCH", 4)
    monkeypatch.setattr(part, "BATCH", 4)
    for number in range(10):
        await bench.add(f"{number}.wav", "ready", erase_at=NOW - 1)
    await bench.keeper.settle()
    assert {(await bench.row(f"{number}.wav")).state for number in range(10)} == {"erased"}


@pytest.mark.parametrize("form", ["wav", "flac"])
async def test_an_application_says_the_form_and_what_is_heard_is_the_same(bench: Bench, form: str) -> None:
    settings = json.dumps({"recording_form": form})
    async with writing(bench.engine) as connection:
        await connection.execute(insert(application).values(key="app", mode="AXB", settings=settings))
    key = bytes(range(32))
    await bench.add("a.wav", "pending", bench.spool("a", 4.0, key), data_key=key)
    await bench.add("b.wav", "pending", bench.spool("b", 4.0))
    await bench.keeper.settle()
    sealed, plain = await bench.row("a.wav"), await bench.row("b.wav")
    assert (sealed.object, plain.object) == (f"a.{form}.sealed", f"b.{form}")
    assert sealed.sha256 == plain.sha256
    reader = AudioReader(bench.store)
    for row in (sealed, plain):
        heard = await reader.wav(row)
        assert (hashlib.sha256(heard).hexdigest(), len(heard)) == (row.sha256, row.size)
        stereo, mono = await reader.open(row), await reader.open(row, "mono")
        assert stereo is not None
        assert mono is not None
        assert b"".join([piece async for piece in stereo.pieces]) == heard
        (mix,) = wav.parse(b"".join([piece async for piece in mono.pieces]))
        assert (stereo.size, mono.size, len(mix)) == (row.size, 58 + 32000, 32000)
    raw = b"".join([piece async for piece in bench.store.chunks(sealed.object)])
    (bench.folder / "recordings" / sealed.object).write_bytes(raw[:-10])
    with pytest.raises(AudioError):
        await reader.wav(sealed)


async def test_what_waits_for_its_store_is_heard_from_the_disk(bench: Bench, s3: S3) -> None:
    bench.use(RecordingStore(f"s3://{BUCKET}", s3.access("http://127.0.0.1:9")))
    await bench.add("a.wav", "pending", bench.spool("a", 4.0))
    await bench.keeper.settle()
    row = await bench.row("a.wav")
    assert row.state == "rendered"
    assert hashlib.sha256(await AudioReader(bench.store).wav(row)).hexdigest() == row.sha256


async def proven(bench: Bench, **more: Any) -> Verified:
    return await verify(bench.engine, AudioReader(bench.store), **more)


async def make(bench: Bench, *names: str) -> None:
    for name in names:
        await bench.add(name, "pending", bench.spool(name.removesuffix(".wav"), 4.0))
    await bench.keeper.settle()


async def test_a_chain_of_days_holds_and_outlives_what_it_proves(bench: Bench) -> None:
    await make(bench, "a.wav", "b.wav")
    bench.now += DAY
    await make(bench, "c.wav")
    told = await proven(bench, keys=[ProofKey(bytes(32)).public])
    assert (told.faults, told.entries, told.days, told.signed, told.recordings) == ([], 3, 1, 1, 3)
    bench.now += 8 * DAY
    await bench.keeper.settle()
    told = await proven(bench)
    assert (told.faults, told.entries, told.erased, told.recordings, told.days) == ([], 6, 3, 0, 2)
    async with reading(bench.engine) as connection:
        query = select(recording_proof).where(recording_proof.c.kind == "erased", recording_proof.c.name == "a.wav")
        row = (await connection.execute(query)).one()
    facts = json.loads(row.facts)
    assert (facts["by"], facts["why"], facts["at"]) == ("node gw", "retention", bench.now)
    assert facts["sha256"] == (await bench.row("a.wav")).sha256
    bench.now += DAY
    await bench.keeper.settle()
    told = await proven(bench)
    assert (told.faults, told.days, told.signed) == ([], 3, 3), "a day is signed when it is over, whatever follows"
    bench.now -= DAY / 2
    await make(bench, "d.wav")
    assert (await proven(bench)).faults == [], "what a clock that is behind adds is the next day's"
    async with writing(bench.engine) as connection:
        await connection.execute(delete(recording_proof).where(recording_proof.c.seq > 3))
    assert any("its entries are gone" in fault for fault in (await proven(bench)).faults)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (update(recording_proof).where(recording_proof.c.seq == 2).values(facts="{}"), "entry 2: was changed"),
        (delete(recording_proof).where(recording_proof.c.seq == 2), "entry 3: follows 1"),
        (
            delete(recording_proof).where(recording_proof.c.seq >= 2),
            "its entries are not those that were",
        ),
        (update(recording_day).values(head="0" * 64), "the signature is not its key's"),
        (update(recording).where(recording.c.name == "b.wav").values(state="erased"), "b.wav: is gone"),
        (
            update(recording).where(recording.c.name == "b.wav").values(notice="[[1.0, 2.0], null]"),
            "notice was changed",
        ),
    ],
)
async def test_whatever_is_changed_shows(bench: Bench, spoil: Any, fault: str) -> None:
    await make(bench, "a.wav", "b.wav")
    bench.now += DAY
    await make(bench, "c.wav")
    async with writing(bench.engine) as connection:
        await connection.execute(spoil)
    assert any(fault in one for one in (await proven(bench)).faults)


async def test_a_recording_that_is_changed_or_taken_away_shows(bench: Bench) -> None:
    await make(bench, "a.wav", "b.wav")
    file = bench.folder / "recordings" / "a.wav"
    raw = bytearray(file.read_bytes())
    raw[5000] ^= 1
    file.write_bytes(raw)
    (bench.folder / "recordings" / "b.wav").unlink()
    faults = sorted((await proven(bench)).faults)
    assert faults == ["a.wav: was changed", "b.wav: can't be read: there is no such recording, or no such bucket"]
    assert (await proven(bench, names=["x.wav"])).faults == ["x.wav: nothing is proven of it"]
    strict = await proven(bench, keys=["00" * 32])
    assert strict.days == 0


async def test_what_is_held_stays_until_it_is_released(bench: Bench) -> None:
    await make(bench, "a.wav")
    bench.now += 30
    async with writing(bench.engine) as connection:
        await hold(connection, bench.proof, "a.wav", "court", "case 7", bench.now)
    bench.now += 100 * DAY
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "ready"
    async with writing(bench.engine) as connection:
        with pytest.raises(HoldError, match="held"):
            await erase(connection, bench.store, bench.proof, "a.wav", "me", "now", bench.now)
    async with writing(bench.engine) as connection:
        await release(connection, bench.proof, "a.wav", "court", "closed", bench.now)
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "erased"
    assert (await proven(bench)).faults == []
    async with reading(bench.engine) as connection:
        kinds = (
            (await connection.execute(select(recording_proof.c.kind).order_by(recording_proof.c.seq))).scalars().all()
        )
    assert kinds == ["recorded", "held", "released", "erased"]


async def test_one_erased_by_hand_leaves_its_proof_and_no_key(bench: Bench) -> None:
    key = bytes(range(32))
    await bench.add("a.wav", "pending", bench.spool("a", 4.0, key), data_key=key)
    await bench.keeper.settle()
    async with writing(bench.engine) as connection:
        await erase(connection, bench.store, bench.proof, "a.wav", "me", "asked for", bench.now)
    row = await bench.row("a.wav")
    assert (row.state, row.data_key, await bench.store.size("a.wav.sealed")) == ("erased", None, None)
    assert (await proven(bench)).faults == []
    for act in (hold, release):
        async with writing(bench.engine) as connection:
            with pytest.raises(HoldError):
                await act(connection, bench.proof, "a.wav", "me", "", bench.now)


async def test_a_clock_that_jumps_ahead_erases_nothing_early(bench: Bench) -> None:
    bench.ticks = 0.0
    await bench.add("a.wav", "ready", erase_at=NOW + 7 * DAY)
    await bench.keeper.settle()
    bench.now += 30 * DAY
    for _ in range(3):
        bench.ticks += 3600
        bench.now += 3600
        await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "ready"
    assert bench.keeper.now() == NOW + 3 * 3600
    bench.use(bench.store)  # a restart believes it no sooner
    await bench.keeper.settle()
    bench.ticks += 2 * DAY
    bench.now += 2 * DAY
    await bench.keeper.settle()
    row = await bench.row("a.wav")
    assert (row.state, row.erase_at) == ("ready", NOW + 7 * DAY + 30 * DAY), "believed, and all kept by as much longer"
    bench.ticks += 6 * DAY
    bench.now += 6 * DAY
    await bench.keeper.settle()
    assert (await bench.row("a.wav")).state == "erased"


async def test_a_clock_that_was_behind_and_is_put_right_erases_nothing_early(bench: Bench) -> None:
    bench.ticks = 0.0
    await bench.keeper.settle()
    bench.now -= 20 * DAY
    bench.ticks += 60
    bench.now += 60
    assert bench.keeper.now() == NOW + 60
    await bench.add("a.wav", "ready", erase_at=bench.keeper.now() + 7 * DAY)
    bench.now += 20 * DAY
    await bench.keeper.settle()
    assert ((await bench.row("a.wav")).state, bench.keeper.now()) == ("ready", NOW + 60)


async def test_what_was_never_pushed_waits_for_the_longest_retention(bench: Bench) -> None:
    settings = json.dumps({"recording_days": 30})
    async with writing(bench.engine) as connection:
        await connection.execute(insert(application).values(key="other", mode="AXB", settings=settings))
    await bench.add("a.wav", "ready")
    for days, state in ((8, "ready"), (30.9, "ready"), (31, "erased")):
        bench.now = NOW + days * DAY
        await bench.keeper.settle()
        assert (await bench.row("a.wav")).state == state
