"""[IO] What the database makes of a call's questions, for whoever drives an exchange: a node, or the lab."""

from __future__ import annotations

from datetime import datetime

from gateway.bindings.decisions import Connect, Decision, NeedsRelation, Reject, barred_by
from gateway.bindings.errors import BindingError
from gateway.bindings.routing import relation_not_made, route
from gateway.bindings.store import BindingStore
from gateway.calls.outputs import Consult, Resolve
from gateway.calls.verdict import decided
from gateway.questions import Question, Verdict


async def looked_up(store: BindingStore, question: Resolve, at: datetime) -> Decision:
    """The decision on a call that asks at ``at`` (aware)."""
    caller, called, extension = question.caller, question.called, question.extension
    found = await store.find(caller, called, at, extension)
    decision = route(caller, called, found, at, extension)
    if isinstance(decision, NeedsRelation):
        try:
            await store.relate(decision.application, decision.ax, decision.caller, at)
        except BindingError:
            return relation_not_made(decision)
        found = await store.find(caller, called, at)
        again = route(caller, called, found, at)
        decision = relation_not_made(again) if isinstance(again, NeedsRelation) else again
    if isinstance(decision, Reject):
        return decision
    cause = await store.barred(found, caller, decision)
    return decision if cause is None else barred_by(cause, decision)


def question_of(asked: Consult, number: int, at: float) -> Question:
    """X mode: what the customer's server is asked; ``at``: epoch seconds."""
    caller = asked.caller.e164 if asked.caller else ""
    return Question(number, asked.application, asked.call, caller, asked.called.e164, at)


async def answered(store: BindingStore, asked: Consult, verdict: Verdict | None, at: datetime) -> Decision:
    """The decision after its answer."""
    decision = decided(verdict, asked)
    if not isinstance(decision, Connect):
        return decision
    cause = await store.barred(await store.find(asked.caller, asked.called, at), asked.caller, decision)
    return decision if cause is None else barred_by(cause, decision)
