"""Whether a call that shall be recorded can be. Asked before anybody is called, and once more before the answer.

    ===================================================  ================
    what stands against it                               the call ends with
    ===================================================  ================
    notice first, and it has no file                     NOTICE_FAILED
    recording required, and the notice has no file       RECORDING_FAILED
    recording required, and the spool's disk has no      RECORDING_FAILED
    room, is read-only or away, or has just failed
    ===================================================  ================

A call that need not be recorded goes on without (talking.py): nobody is recorded unasked. What fails later than this,
ends the call in ``talking``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.bindings.decisions import Connect
from gateway.causes import Cause

if TYPE_CHECKING:
    from gateway.calls.call import Call


def must_be_recorded(call: Call, decision: Connect) -> bool:
    """Whether it may not be without its recording."""
    return decision.record and (decision.recording.required or call.settings.recording_required)


def notice_comes_first(call: Call, decision: Connect) -> bool:
    """Whether nobody is recorded, or hears the other, before both have heard the notice to its end."""
    return decision.record and (decision.recording.notice_first or call.settings.notice_first)


def unrecordable(call: Call, decision: Connect, now: float) -> Cause | None:
    """Why the call may not go on, as far as that is known beforehand."""
    required, first = must_be_recorded(call, decision), notice_comes_first(call, decision)
    if not (required or first):
        return None
    # The record has no application yet when this is asked first.
    missing = not decision.notice or call.settings.tones.lookup(decision.application, decision.notice) is None
    if first and missing:
        return Cause.NOTICE_FAILED
    if required and ((decision.notice and missing) or not call.plant.disk.takes(now)):
        return Cause.RECORDING_FAILED
    return None
