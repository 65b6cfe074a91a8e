"""What the end of a call tells: cause, delays, duration; and what its media were like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.metrics.tally import Tally

if TYPE_CHECKING:
    from gateway.calls.record import CallRecord
    from media.control import Closed, Quality

_ASKS_FIRST = ("AXE", "X")
"""Modes in which the caller, or the customer's server, is asked first: ringing is then counted from the INVITE."""


def count_call(tally: Tally, record: CallRecord) -> None:
    """A call is over."""
    cause = record.cause.name.lower() if record.cause is not None else "none"
    tally.add("maskline_calls_total", record.mode or "none", cause, record.trunk)
    way = record.way or record.trunk
    heard = record.rang if record.rang is not None else record.answered
    if heard is not None and record.forwarded is not None:
        since = record.forwarded if record.mode in _ASKS_FIRST else record.started
        tally.observe("maskline_post_dial_delay_seconds", max(0.0, heard - since), way)
    if record.answered is not None and record.forwarded is not None:
        tally.observe("maskline_answer_seconds", max(0.0, record.answered - record.forwarded), way)
        tally.observe("maskline_call_duration_seconds", record.talk_seconds, way)


def count_media(tally: Tally, closed: Closed) -> None:
    """A media session is over."""
    for leg, stats in (("caller", closed.caller), ("callee", closed.callee)):
        if stats.received > 1:
            tally.observe("maskline_rtp_jitter_seconds", stats.jitter, leg)


def count_quality(tally: Tally, quality: Quality) -> None:
    """Five seconds of a call have been judged."""
    for leg, one in (("caller", quality.caller), ("callee", quality.callee)):
        if one.received:
            tally.observe("maskline_rtp_mos", one.mos, leg)
