"""What people and CI servers read of scenarios: lines, ladders and tables on a console, JUnit's XML.

Nothing of it tells how long anything took in real time, so that a seed gives the same bytes; numbers stand as the names
that the file gives them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.text import Text

from gateway.lab.analysis import ToneWatch
from gateway.lab.ladder import Ladder
from gateway.lab.memory import audio_of
from gateway.lab.phone import Phone
from gateway.scenarios.played import Played, PlayedCall

SHOWN = ("caller", "called", "stateCode", "digitInfo", "fwdDstNum", "ulFailReason", "recordObjectName")
Note = tuple[float, str, str, bool | None]
"""When, who (or "" for no message), what, whether it was sent."""


def show(played: Played, console: Console, *, verbose: bool = False) -> None:
    """One line for a scenario that passed; ladder and table besides for one that did not, and when ``verbose``."""
    mark, style = ("✔", "green") if played.passed else ("✘", "bold red")
    if not console.encoding.lower().startswith("utf"):
        mark = "ok" if played.passed else "FAILED"
    where = f"  ({played.scenario.file})" if played.scenario.file and not played.passed else ""
    told = f"{len(played.pushes)} requests, {played.seconds:.1f} s"
    line = Text(f"{mark} ", style).append(played.scenario.name, "bold").append(f"  {told}{where}", "dim")
    console.print(line, soft_wrap=True)
    if verbose or not played.passed:
        draw(played, console)


def draw(played: Played, console: Console) -> None:
    """The ladder of each call, and the table of what was checked."""
    ladder = Ladder(console, played.began)
    for index, call in enumerate(played.calls, 1):
        if len(played.calls) > 1:
            ladder.heading(f"call {index}")
        for at, party, text, sent in sorted(_notes(call), key=lambda note: note[0]):
            if sent is None:
                ladder.note(at, played.scenario.form.shown(text), "blue" if party == "event" else "magenta")
            else:
                ladder.message(at, party, sent=sent, title=text)
    for index, message in enumerate(played.messages, 1):
        ladder.heading(f"message {index}")
        answer = f"answered {message.status or 'nothing'}"
        notes = [(message.at, f"{message.form.from_} writes to {message.form.to}, {answer}")]
        notes += [(one.at, f"{one.receiver.e164} gets it by {one.by}") for one in message.arrivals]
        notes += [(one.at, f"{'question' if one.asked else 'event'} {one.kind}") for one in message.events]
        for at, text in sorted(notes):
            ladder.note(at, played.scenario.form.shown(text), "blue")
    ladder.table([(check.name, played.scenario.form.shown(check.measured), check.passed) for check in played.checks])


def _notes(call: PlayedCall) -> list[Note]:
    notes: list[Note] = []
    for party, phone in (("A", call.caller), ("B", call.callee)):
        if phone is not None:
            notes += [(trace.at, party, trace.title, trace.sent) for trace in phone.traces]
            notes += _tones(party, phone)
    for event in call.events:
        fields = ", ".join(f"{name} {event.fields[name]}" for name in SHOWN if name in event.fields)
        notes.append((event.at, "event", f"{'question' if event.asked else 'event'} {event.kind}: {fields}", None))
    return notes


def _tones(party: str, phone: Phone) -> list[Note]:
    watch, notes = ToneWatch(), list[Note]()
    for arrival in phone.arrivals:
        if audio := audio_of(arrival):
            for change in watch.feed(arrival.at, audio):
                side, tone = ("caller", "callee")[party == "B"], f"{change.hertz} Hz ({change.meaning})"
                text = f"hears {tone}" if change.started else f"no longer hears {tone}, after {change.lasted:.1f} s"
                notes.append((change.at, "tone", f"{side} {text}", None))
    return notes


def summary(all_played: Sequence[Played], console: Console) -> None:
    """The last line."""
    failed = sum(not played.passed for played in all_played)
    count = f"{len(all_played)} scenario{'s' if len(all_played) != 1 else ''}"
    text = f"{failed} of {count} failed" if failed else f"{count} passed"
    console.print(Text(text, "bold red" if failed else "bold green"))


def plain(played: Played) -> str:
    """Ladder and table as text."""
    out = io.StringIO()
    draw(played, Console(file=out, width=110, no_color=True, highlight=False, force_terminal=False))
    return out.getvalue()


def write_junit(all_played: Sequence[Played], path: Path) -> None:
    """A test case for each scenario; what it took is in the scenario's seconds."""
    failed = sum(not played.passed for played in all_played)
    seconds = sum(played.seconds for played in all_played)
    counts = {"tests": str(len(all_played)), "failures": str(failed), "errors": "0", "time": f"{seconds:.3f}"}
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "maskline lab"} | counts)
    for played in all_played:
        told = {"classname": played.scenario.file or "maskline", "name": played.scenario.name}
        case = ElementTree.SubElement(suite, "testcase", told | {"time": f"{played.seconds:.3f}"})
        if not played.passed:
            shown = [played.scenario.form.shown(line) for line in played.failures]
            failure = ElementTree.SubElement(case, "failure", {"message": _clean(shown[0])})
            failure.text = _clean("\n".join(shown))
            ElementTree.SubElement(case, "system-out").text = _clean(plain(played))
    ElementTree.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _clean(text: str) -> str:
    """What XML may hold: a customer's server may answer anything."""
    return "".join(one if one in "\t\n" or " " <= one < "\ud800" or "\ue000" <= one < "\ufffe" else "?" for one in text)
