"""What the answer of the customer's server means to a call of X mode."""

from __future__ import annotations

from gateway.bindings.decisions import Connect, Reject
from gateway.bindings.models import Mode
from gateway.calls.outputs import Consult
from gateway.causes import Cause
from gateway.numbers import PhoneNumber
from gateway.questions import Verdict

# X mode knows no A: its CDR says 0, as for a call to a protected party (not stated by the vendor, docs/choices.md).
DIRECTION = 0


def decided(verdict: Verdict | None, asked: Consult) -> Connect | Reject:
    """The decision on the call that ``asked``; no verdict is a bad answer (8014)."""
    if verdict is None:
        verdict = Verdict(id=0, cause=int(Cause.NO_BINDING))
    if not verdict.callee:
        cause = Cause(verdict.cause)
        return Reject(
            cause=cause,
            tone="no_binding" if cause is Cause.NO_BINDING else "failed",
            file=verdict.close_tone,
            application=asked.application,
            mode=Mode.X,
            user_data=verdict.user_data,
            rule="The customer's server did not connect.",
        )
    return Connect(
        binding=None,
        application=asked.application,
        mode=Mode.X,
        direction=DIRECTION,
        callee=PhoneNumber(verdict.callee),
        shown=PhoneNumber(verdict.shown),
        waiting_tone=verdict.waiting_tone,
        callee_tone=verdict.callee_tone,
        notice=verdict.notice,
        record=verdict.record,
        last_minute=verdict.last_minute,
        max_seconds=60 * verdict.max_minutes,
        user_data=verdict.user_data,
        rule="The customer's server said whom.",
    )
