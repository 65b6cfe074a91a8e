"""What the API is given to work with, and the small words that all its routers share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import Response

from gateway.api.errors import SUCCESS
from gateway.bindings.store import BindingStore
from media.recording.store import RecordingStore

JSON_TYPE = "application/json;charset=UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """``public_url``: what recording links start with, "" for the address that the client called. Times in seconds.
    ``store_links``: whether an S3 server's own addresses are given."""

    host_name: str
    public_url: str = ""
    link_seconds: int = 3600
    created_window: float = 86400
    requests_per_second: float = 100
    lockout_failures: int = 10
    lockout_within: float = 300
    lockout_seconds: float = 1800
    render_patience: float = 10
    store_links: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """The stores, and what only the lead can answer: stopping a call, readiness, which tones exist, the time.

    ``clock`` gives aware UTC time, ``monotonic`` seconds. ``stop_call(application, session)`` is False for a session
    that is unknown, over or another application's. ``ready``: whether
    calls can be taken, and what is wrong all the same. ``wake_keeper`` nudges the rendering of pending recordings.
    """

    store: BindingStore
    engine: AsyncEngine
    recordings: RecordingStore
    settings: ApiSettings
    stop_call: Callable[[str, str], Awaitable[bool]]
    ready: Callable[[], Awaitable[tuple[bool, Sequence[str]]]]
    tone_exists: Callable[[str, str], bool]
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    wake_keeper: Callable[[], None]


class JsonReply(Response):
    """A body of ASCII only, whatever it holds: one popular client sends every reply through a GBK decoder."""

    media_type = JSON_TYPE

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def success(**members: Any) -> JsonReply:
    """HTTP 200 with the two members of every success, then ``members`` less those that are None."""
    body = {"resultcode": SUCCESS.code, "resultdesc": SUCCESS.text}
    body.update((name, value) for name, value in members.items() if value is not None)
    return JsonReply(body)
