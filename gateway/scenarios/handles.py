"""[IO] The lab for a test's own thread: an event loop beside it does the work, and plain calls wait for it.

A test that has a loop itself, which its server runs on, awaits ``play_async`` and ``call_async`` instead.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from gateway.api.callbacks import CallbackClient
from gateway.scenarios.desk import Tables
from gateway.scenarios.form import Form, RequestForm
from gateway.scenarios.played import Played, PlayedCall
from gateway.scenarios.real import RealNode
from gateway.scenarios.reporting import plain
from gateway.scenarios.scenario import Scenario, load_scenario, read_call, read_scenario
from gateway.scenarios.virtual import play_virtual

T = TypeVar("T")
Given = Mapping[str, Any] | str | Path
WEBHOOK_SECONDS = 10.0


def scenario_of(given: Given, *, calls: bool = True) -> Scenario:
    """A scenario by its file or its tables. ConfigError names every fault."""
    if isinstance(given, Mapping):
        return read_scenario(given, calls=calls)
    return load_scenario(Path(given), calls=calls)


class _Beside:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="maskline lab", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def run_async(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for it in another loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def stop(self) -> None:
        """No longer."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


class Lab:
    """Plays scenarios in virtual time."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="maskline-lab-")
        self._tables = Tables(Path(self._folder.name))
        self._beside = _Beside()
        return self

    def __exit__(self, *_: object) -> None:
        self._beside.stop()
        self._folder.cleanup()

    def play(self, scenario: Given, *, webhook: str = "", seed: int | None = None, check: bool = True) -> Played:
        """Play a file or tables. ``webhook``: your server; ``check``: AssertionError, with the ladder, when it came
        out otherwise than expected."""
        return _checked(self._beside.run(self._play(scenario, webhook, seed)), check)

    async def play_async(
        self, scenario: Given, *, webhook: str = "", seed: int | None = None, check: bool = True
    ) -> Played:
        """Likewise in a test that is a coroutine."""
        return _checked(await self._beside.run_async(self._play(scenario, webhook, seed)), check)

    async def _play(self, given: Given, webhook: str, seed: int | None) -> Played:
        scenario = scenario_of(given)
        client = CallbackClient(WEBHOOK_SECONDS) if webhook else None
        try:
            return await play_virtual(scenario, self._tables, webhook=webhook, client=client, seed=seed)
        finally:
            if client is not None:
                await client.close()


class LabNode:
    """A real node on loopback. ``url``: of its API, for which ``key`` and ``secret`` sign."""

    def __init__(self, given: Given = {}, webhook: str = "") -> None:  # noqa: B006 it is only read
        self._scenario = scenario_of(given, calls=False)
        self._webhook = webhook

    def __enter__(self) -> Self:
        self._beside = _Beside()
        try:
            self._node = self._beside.run(self._start())
        except BaseException:
            self._beside.stop()
            raise
        self.url = self._node.plan.base_url
        self.key, self.secret = self._scenario.key, self._scenario.secret
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._beside.run(self._node.__aexit__(None, None, None))
        finally:
            self._beside.stop()

    async def _start(self) -> RealNode:
        node = await RealNode(self._scenario, webhook=self._webhook).__aenter__()
        for request in self._scenario.form.request:
            await node.request(request)
        return node

    def request(self, api: str, body: Mapping[str, Any], *, method: str = "") -> dict[str, Any]:
        """The reply to a signed request of the REST API; names of numbers may stand in the body."""
        form = RequestForm.model_validate({"api": api, "body": dict(body), "method": method})
        return self._beside.run(self._node.request(form))

    def call(self, *, from_: str, to: str, check: bool = True, **more: Any) -> PlayedCall:
        """Let a phone call, as a [[call]] of a scenario says, and wait until the CDR has come."""
        return _checked_call(self._beside.run(self._call(from_, to, more)), self._scenario.form, check)

    async def call_async(self, *, from_: str, to: str, check: bool = True, **more: Any) -> PlayedCall:
        """Likewise in a test that is a coroutine."""
        return _checked_call(await self._beside.run_async(self._call(from_, to, more)), self._scenario.form, check)

    async def _call(self, from_: str, to: str, more: Mapping[str, Any]) -> PlayedCall:
        return await self._node.play(read_call({"from": from_, "to": to, **more}, self._scenario.form))


def _checked(played: Played, check: bool) -> Played:
    if check and not played.passed:
        said = played.scenario.form.shown("\n".join(played.failures))
        raise AssertionError("\n".join([played.scenario.name, said, plain(played)]))
    return played


def _checked_call(call: PlayedCall, form: Form, check: bool) -> PlayedCall:
    failures = [f"{row.name}: {row.measured}" for row in call.checks if not row.passed]
    if check and failures:
        raise AssertionError(form.shown("\n".join(failures)))
    return call
