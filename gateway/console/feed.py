"""[IO] What happens, as it happens: the calls that stand, to every console that is open.

The signalling process is asked ``PACE`` seconds after its last answer, once for all consoles and not at all without
any; who listens is sent the list when it differs from what he was sent before. A console that doesn't read is dropped
by the server's own limits, since nothing is queued for it but the newest list.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

from gateway.admin.calls import view_of
from gateway.admin.context import AdminContext, application_keys
from gateway.admin.roles import Actor, Permission
from gateway.database import reading
from gateway.standing import StandingCall

PACE = 0.4
ALIVE_SECONDS = 15.0
MOST = 500
NEVER = object()


class Feed:
    """The newest list of calls, and who waits for a newer one."""

    def __init__(self, context: AdminContext) -> None:
        self.context = context
        self.calls: list[StandingCall] | None = []
        self._listeners = 0
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def listen(self) -> AsyncIterator[list[StandingCall] | None]:
        """The list now, and each time that it has changed or ``ALIVE_SECONDS`` have passed. None: no answer."""
        self._listeners += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask())
        try:
            while True:
                yield self.calls
                try:
                    async with asyncio.timeout(ALIVE_SECONDS), self._changed:
                        await self._changed.wait()
                except TimeoutError:
                    pass
        finally:
            self._listeners -= 1

    async def _ask(self) -> None:
        while self._listeners:
            found = await self.context.live_calls()
            if found != self.calls:
                self.calls = found
                async with self._changed:
                    self._changed.notify_all()
            await asyncio.sleep(PACE)


def stream(feed: Feed, actor: Actor) -> StreamingResponse:
    """The feed as an actor may see it."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(feed, actor), media_type="text/event-stream", headers=headers)


async def _events(feed: Feed, actor: Actor) -> AsyncIterator[str]:
    sent: object = NEVER
    async with reading(feed.context.engine) as connection:
        keys = await application_keys(connection, actor)
    async for calls in feed.listen():
        shown = None
        if calls is not None and actor.may(Permission.RECORDS):
            mine = [call for call in calls if keys is None or call.application in keys]
            mine.sort(key=lambda call: -call.started)
            shown = [view_of(call, actor).model_dump(mode="json") for call in mine[:MOST]]
        if shown == sent:
            yield ": alive\n\n"
        else:
            yield f"event: calls\ndata: {json.dumps(shown)}\n\n"
            sent = shown
