"""What is known of a call, as one frozen value: the substance of the CDR (privatenumber.md section 7) in neutral names.

A call hands out its record four times, each a fuller copy: opened, recording started, answered, closed. Times are
monotonic seconds and None for what has not happened; whoever writes the CDR turns them into wall time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from gateway.calls.tones import Tone
from gateway.causes import Cause
from gateway.numbers import PhoneNumber

_BEIJING = timezone(timedelta(hours=8))
_NAME_DIGITS = 40

Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call. ``direction``: 0 others to A (AXB: B to A), 1 A to others, 2 abnormal (no binding).

    ``cause`` is None until the call is over. ``sip_status`` is the SIP status it failed with and ``q850`` why the
    second leg failed; both 0 for an answered call. ``recorded`` and ``recording`` (object name) speak of a recording
    that will exist: at the end of a call too short to keep they are False and None. ``record_trouble``: why it holds
    only the beginning. ``notice`` holds, for the caller
    and the callee, when the recording notice was heard from its first to its last packet. ``extension``:
    AXE, as dialled. ``rule``, ``way`` (the trunk to the callee) and ``tones`` tell afterwards why it went as it did;
    ``heard`` (tones.py) and ``quality`` (quality.py), known at the end, what was played to both and how well they were
    heard. ``moved``: from when to when it had no
    media since a worker had died (moving.py).
    """

    session: str
    trunk: str
    application: str
    mode: str
    binding: str | None
    user_data: str | None
    direction: int
    x: PhoneNumber
    caller: PhoneNumber | None
    shown: PhoneNumber | None
    callee: PhoneNumber | None
    started: float
    forwarded: float | None = None
    rang: float | None = None
    answered: float | None = None
    ended: float | None = None
    cause: Cause | None = None
    sip_status: int = 0
    q850: int = 0
    recorded: bool = False
    recording: str | None = None
    record_started: float | None = None
    record_trouble: str = ""
    notice: tuple[Span | None, Span | None] = (None, None)
    extension: str = ""
    rule: str = ""
    way: str = ""
    tones: str = ""
    heard: tuple[Tone, ...] = ()
    quality: Mapping[str, Any] | None = None
    moved: tuple[Span, ...] = ()

    @property
    def talk_seconds(self) -> float:
        """From the answer to the end; 0 for a call that was not answered or is not over."""
        if self.answered is None or self.ended is None:
            return 0.0
        return max(0.0, self.ended - self.answered)

    @property
    def recorded_seconds(self) -> float:
        """From the recording's beginning to the end; 0 for a call that was not recorded or is not over."""
        if self.record_started is None or self.ended is None:
            return 0.0
        return max(0.0, self.ended - self.record_started)


def recording_name(answered: datetime, token: Callable[[], str]) -> str:
    """The object name of a recording: ``yyMMddHHmmss`` in Beijing time, 40 unguessable digits (132 bits), ``.wav``.

    The name travels in a CDR and opens a download, so it says nothing of the parties. ``answered`` is aware.
    """
    secret = hashlib.sha256(f"{token()} {token()}".encode()).digest()
    digits = int.from_bytes(secret, "big") % 10**_NAME_DIGITS
    return f"{answered.astimezone(_BEIJING):%y%m%d%H%M%S}{digits:0{_NAME_DIGITS}d}.wav"
