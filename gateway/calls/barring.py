"""What the operator lets through, whatever a binding says: toll fraud is stopped here (security.md, pains.md P34)."""

from __future__ import annotations

from gateway.bindings.decisions import Connect, Decision
from gateway.calls.settings import ExchangeSettings
from gateway.causes import Cause
from gateway.numbers import PhoneNumber


def barred(settings: ExchangeSettings, caller: PhoneNumber | None, decision: Decision) -> Cause | None:
    """Why a call is barred by its numbers, or None."""
    if caller is not None and not settings.international_in and not caller.e164.startswith(settings.home):
        return Cause.INTERNATIONAL_IN_BARRED
    if not isinstance(decision, Connect):
        return None
    callee = decision.callee.e164
    if not settings.international_out and not callee.startswith(settings.home):
        return Cause.INTERNATIONAL_OUT_BARRED
    if settings.allowed_prefixes and not callee.startswith(settings.allowed_prefixes):
        return Cause.PREFIX_BARRED
    return None
