"""[IO] Deletes expired bindings for as long as a node runs.

Expiry itself needs no clock work: an expired binding counts no longer, at once. But its row keeps two people's numbers,
and nobody else deletes it unless the same numbers are bound on the same X again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from gateway.bindings.store import BindingStore

_log = structlog.get_logger()
EVERY_SECONDS = 60.0


async def keep_purged(
    store: BindingStore,
    clock: Callable[[], datetime],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Purge now and after each ``pause``, until cancelled. ``clock`` gives aware UTC."""
    while True:
        try:
            gone = await store.purge_expired(clock())
        except Exception as error:
            # The database is locked or away. Its error may name a statement, never a number; the type says enough.
            _log.error("expired bindings could not be purged", error=type(error).__name__)
        else:
            if gone:
                _log.info("expired bindings purged", bindings=gone)
        await pause(EVERY_SECONDS)
