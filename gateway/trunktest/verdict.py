"""What is made of what happened in a scenario."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.trunktest.party import Got


class Outcome(StrEnum):
    """How it went."""

    PASS = "pass"
    FAIL = "fail"
    UNSUPPORTED = "not supported"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``said``: what was seen, in a sentence."""

    outcome: Outcome
    said: str


def passed(said: str) -> Verdict:
    """As it should be."""
    return Verdict(Outcome.PASS, said)


def failed(said: str) -> Verdict:
    """This breaks calls."""
    return Verdict(Outcome.FAIL, said)


def unsupported(said: str) -> Verdict:
    """The trunk does without."""
    return Verdict(Outcome.UNSUPPORTED, said)


def words(got: Got | None) -> str:
    """An answer, or that there is none."""
    if got is None or (got.response is None and got.status == 408):
        return "no answer in time"
    if got.response is None:
        return "could not be sent"
    return f"{got.status} {got.response.reason}"
