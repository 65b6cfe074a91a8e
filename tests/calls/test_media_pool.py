"""The media workers as real processes: what they say, what happens when one dies and can't be replaced at once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from typing import Any

import pytest

from gateway.calls import media_pool
from gateway.calls.media_pool import MediaPool
from gateway.lab.ports import free_media_ports
from media import control

HOST = "127.0.0.1"


class Bench:
    """A pool that notes what it is told."""

    def __init__(self, workers: int) -> None:
        self.reports: list[tuple[int, control.Report]] = []
        self.gone: list[tuple[int, str]] = []
        self._more = asyncio.Event()
        self.pool = MediaPool(
            host=HOST,
            ports=free_media_ports(HOST, 8),
            workers=workers,
            rest=1,
            on_report=lambda index, report: self._note(self.reports, (index, report)),
            on_gone=lambda index, why: self._note(self.gone, (index, why)),
        )

    def _note(self, where: list[Any], what: Any) -> None:
        where.append(what)
        self._more.set()

    async def until(self, count: int, kind: type[control.Report]) -> None:
        async with asyncio.timeout(30):
            while sum(isinstance(report, kind) for _, report in self.reports) < count:
                self._more.clear()
                await self._more.wait()


async def test_a_worker_that_dies_is_replaced_also_when_the_first_try_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(workers=2)
    await bench.pool.start()
    try:
        await bench.until(2, control.Ready)
        refusals = ["no memory"]
        spawn = asyncio.create_subprocess_exec

        async def scarce(*arguments: Any, **more: Any) -> Any:
            if refusals:
                raise OSError(12, refusals.pop())
            return await spawn(*arguments, **more)

        monkeypatch.setattr(asyncio, "create_subprocess_exec", scarce)
        os.kill(bench.pool.process_ids[0], signal.SIGKILL)
        await bench.until(3, control.Ready)
        assert bench.gone == [(0, "ended")]
        assert refusals == []
        bench.pool.send(0, control.Open("s"))
        await bench.until(1, control.Opened)
        assert bench.reports[-1][0] == 0
    finally:
        await bench.pool.stop()
    assert bench.pool.process_ids == []


async def test_stop_ends_every_worker_and_says_nothing_of_it() -> None:
    bench = Bench(workers=2)
    await bench.pool.start()
    await bench.until(2, control.Ready)
    await bench.pool.stop()
    assert bench.pool.process_ids == []
    assert bench.gone == []
    bench.pool.send(0, control.Open("s"))


async def test_a_worker_that_hangs_is_ended_and_the_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_pool, "SPARE_AFTER", 0.0)
    spawn, started = asyncio.create_subprocess_exec, asyncio.Queue[int]()

    async def noted(*arguments: Any, **more: Any) -> Any:
        process = await spawn(*arguments, **more)
        started.put_nowait(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    bench = Bench(workers=2)
    await bench.pool.start()
    try:
        await bench.until(2, control.Ready)
        _, stopped, spare = [await started.get() for _ in range(3)]
        os.kill(stopped, signal.SIGSTOP)
        await bench.until(3, control.Ready)
        assert bench.gone == [(1, "hung")]
        assert bench.pool.process_ids[1] == spare, "the spare has taken its place"
        assert bench.reports[-1] == (1, control.Ready(2)), "with its ports"
        with pytest.raises(ProcessLookupError):
            os.kill(stopped, 0)
        bench.pool.send(1, control.Open("s"))
        await bench.until(1, control.Opened)
    finally:
        await bench.pool.stop()
    assert bench.pool.process_ids == []


def test_only_a_process_that_would_run_if_it_could_is_given_time() -> None:
    assert media_pool._runnable(os.getpid())
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as still:
        os.kill(still.pid, signal.SIGSTOP)
        os.waitpid(still.pid, os.WUNTRACED)
        assert not media_pool._runnable(still.pid), "it stands still"
        still.kill()
    assert not media_pool._runnable(2**22 + 1), "it is gone"


async def test_a_spare_that_hangs_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_pool, "SPARE_AFTER", 0.0)
    monkeypatch.setattr(media_pool, "STARTING", 0.2)
    spawn = asyncio.create_subprocess_exec
    spare = asyncio.Event()

    async def noted(*arguments: Any, **more: Any) -> Any:
        process = await spawn(*arguments, **more)
        if not spare.is_set() and bench.pool.process_ids:
            os.kill(process.pid, signal.SIGSTOP)
            spare.set()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    bench = Bench(workers=1)
    await bench.pool.start()
    try:
        await bench.until(1, control.Ready)
        await spare.wait()
        os.kill(bench.pool.process_ids[0], signal.SIGKILL)
        await bench.until(2, control.Ready)
        assert bench.gone[:2] == [(0, "ended"), (0, "hung")]
    finally:
        await bench.pool.stop()
