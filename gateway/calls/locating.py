"""[IO] Keeps the addresses of peers that are names as DNS has them, ahead of the calls that want them.

Every name is looked up at the start, and again when its records are no longer fresh. An answer without any address
doesn't take away what was there: whether a peer lives is for OPTIONS to say (probing.py), not for a slip in a zone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from gateway.calls.addresses import Addresses
from gateway.calls.exchange import Exchange
from gateway.sip.hop import Hop
from gateway.sip.resolver import Resolver
from gateway.sip.target import Located, Target

_log = structlog.get_logger()


async def locate(peers: Sequence[Hop], resolver: Resolver) -> None:
    """Once, for somebody who needs a trunk's peers now."""
    if isinstance(peers, Addresses):
        for entry, target in peers.targets.items():
            peers.fill(entry, (await resolver.locate(target)).located)


class Locating:
    """``execute`` carries out what the exchange returns."""

    def __init__(self, exchange: Exchange, resolver: Resolver, execute: Callable[[Sequence[Any]], None]) -> None:
        self._exchange = exchange
        self._resolver = resolver
        self._execute = execute
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to look up, and never end."""
        for trunk, entry, target in self._exchange.targets:
            task = asyncio.get_running_loop().create_task(self._keep(trunk, entry, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Look up no more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._resolver.stop()

    async def _keep(self, trunk: str, entry: int, target: Target) -> None:
        before: tuple[Located, ...] | None = None
        while True:
            found = await self._resolver.locate(target)
            if found.located != before:
                before = found.located
                self._tell(trunk, entry, target, before)
            await asyncio.sleep(max(0.0, found.until - time.monotonic()))

    def _tell(self, trunk: str, entry: int, target: Target, located: tuple[Located, ...]) -> None:
        if not located:
            _log.warning("a peer of a trunk can't be located", trunk=trunk, peer=str(target))
            return
        _log.info("a peer of a trunk is located", trunk=trunk, peer=str(target), at=[str(one.hop) for one in located])
        self._execute(self._exchange.peer_located(trunk, entry, located, time.monotonic()))
