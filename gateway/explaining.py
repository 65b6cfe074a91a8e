"""[IO] Why a call would go where it goes: the same look-up, routing, lists and bars as a real call, without one.

What only a running node knows (limits in use, media ports) and what only the customer's server knows (X mode) is named,
not guessed. Numbers are masked unless ``masked`` is False.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.bindings.decisions import Ask, Collect, Connect, Decision, Found, NeedsRelation, Reject, barred_by
from gateway.bindings.routing import route
from gateway.bindings.store import BindingStore
from gateway.calls.barring import barred
from gateway.calls.settings import ExchangeSettings
from gateway.calls.ways import Ways
from gateway.numbers import PhoneNumber


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an explanation. ``good``: None where there is nothing to judge."""

    what: str
    text: str
    good: bool | None = None


async def explain(
    store: BindingStore,
    settings: ExchangeSettings,
    caller: PhoneNumber | None,
    called: PhoneNumber,
    at: datetime,
    extension: str = "",
    *,
    masked: bool = True,
) -> list[Line]:
    """The way of a call of ``caller`` (None: withheld) to ``called`` at ``at`` (aware UTC), line by line."""
    found = await store.find(caller, called, at, extension)
    lines = _found(found, masked)
    decision = route(caller, called, found, at, extension)
    if isinstance(decision, NeedsRelation):
        lines.append(Line("rule", "AXYB: the caller has no Y yet; the call itself would get him one."))
        lines.append(Line("outcome", f"A is called: {_shown(decision.ax.a, masked)}, and sees the new Y", True))
        return lines
    lines.append(Line("rule", decision.rule))
    if not isinstance(decision, Reject):
        cause = barred(settings, caller, decision) or await store.barred(found, caller, decision)
        if cause is not None:
            decision = barred_by(cause, decision)
            lines.append(Line("barred", decision.rule))
    return lines + _outcome(decision, settings, masked)


def _found(found: Found, masked: bool) -> list[Line]:
    number, application = found.number, found.application
    if number is None or application is None:
        return [Line("number", "is none of ours" if number is None else "has no application", False)]
    lines = [
        Line("number", f"{number.status.name.lower()}, of {application.key}", number.status.carries_calls),
        Line("application", f"{application.mode}, {'on' if application.enabled else 'off'}", application.enabled),
    ]
    for one in found.bindings:
        ends = f"until {one.expires_at:%Y-%m-%d %H:%M:%S} UTC" if one.expires_at else "for ever"
        who = ", ".join(
            f"{name} {_shown(party, masked)}" for name, party in (("A", one.a), ("B", one.b)) if party is not None
        )
        lines.append(Line("binding", f"{one.id}: {who}, {one.direction.name.lower()}, {ends}"))
    if not found.bindings:
        lines.append(Line("binding", "none for this caller"))
    return lines


def _outcome(decision: Decision, settings: ExchangeSettings, masked: bool) -> list[Line]:
    match decision:
        case Connect():
            tones = {"waiting": decision.waiting_tone, "notice": decision.notice, "last minute": decision.last_minute}
            lines = [Line("tone", f"{use}: {_tone(settings, decision, name)}") for use, name in tones.items() if name]
            lines.append(Line("recorded", "yes" if decision.record else "no"))
            if decision.max_seconds:
                lines.append(Line("longest", f"{decision.max_seconds // 60} minutes"))
            trunks = Ways(settings, lambda: 0.0).named(decision.application, decision.callee)
            lines.append(Line("trunk", " or ".join(trunks) or "the one that the call comes in by"))
            text = f"{_shown(decision.callee, masked)} is called and sees {_shown(decision.shown, masked)}"
            return [*lines, Line("outcome", text, True)]
        case Collect():
            text = f"an extension of at most {decision.length} digits is asked for, {decision.tries} times at most"
            return [Line("outcome", text, True)]
        case Ask():
            return [Line("outcome", "the customer's server is asked", True)]
        case Reject():
            cause = decision.cause
            tone = decision.file or decision.tone or "none"
            return [
                Line("tone", tone),
                Line("outcome", f"refused: {int(cause)} {cause.text} (SIP {cause.sip_status})", False),
            ]


def _tone(settings: ExchangeSettings, decision: Connect, name: str) -> str:
    there = settings.tones.lookup(decision.application, name) is not None
    return name if there else f"{name}, which is missing"


def _shown(number: PhoneNumber, masked: bool) -> str:
    return number.masked if masked else number.e164
