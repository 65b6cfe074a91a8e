"""[IO] The scenarios one after the other; a line each as it ends, then the ladder of each that failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.markup import escape

from gateway.tracing.masking import mask_message
from gateway.tracing.messages import Seen
from gateway.tracing.shown import show
from gateway.trunktest.scenarios import SCENARIOS, NotAnswered, Outcome, Verdict
from gateway.trunktest.stage import Stage
from gateway.trunktest.verdict import failed

_STYLES = {Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.UNSUPPORTED: "yellow"}


@dataclass(frozen=True, slots=True)
class Result:
    """``trace``: every message of the scenario."""

    name: str
    verdict: Verdict
    trace: tuple[tuple[int, Seen], ...]


async def run(stage: Stage, names: Sequence[str], tell: Callable[[Result], None] = lambda result: None) -> list[Result]:
    """Play scenarios by name; where the trunk wants a registration, that first, since nothing else may pass before."""
    results = []
    if stage.trunk.registration is not None and not stage.shared:
        names = ["register", *(name for name in names if name != "register")]
    for name in names:
        stage.forget()
        try:
            verdict = await SCENARIOS[name](stage)
        except NotAnswered as error:
            verdict = failed(f"the call was not answered: {error}")
        results.append(Result(name, verdict, tuple(stage.trace)))
        tell(results[-1])
    return results


def line(result: Result, console: Console) -> None:
    """One scenario's line."""
    outcome = result.verdict.outcome
    console.print(
        f"[{_STYLES[outcome]}]{outcome:<13}[/] {result.name:<15} {escape(result.verdict.said)}", soft_wrap=True
    )


def report(results: Sequence[Result], stage: Stage, console: Console, *, numbers: bool) -> None:
    """What failed, message by message; numbers starred unless they may be seen."""
    known = [number.e164 for number in stage.numbers]
    for result in results:
        if result.verdict.outcome is not Outcome.FAIL or not result.trace:
            continue
        console.print(f"\n[bold]{result.name}[/]: {escape(result.verdict.said)}", soft_wrap=True)
        trace = [
            (side, seen if numbers else replace(seen, data=mask_message(seen.data, known)))
            for side, seen in result.trace
        ]
        show(console, trace, full=True)
    counts = {outcome: sum(one.verdict.outcome is outcome for one in results) for outcome in Outcome}
    console.print("\n" + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
