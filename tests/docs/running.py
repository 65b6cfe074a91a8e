"""A page's blocks as one shell script, and what came of each."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.pages import OWN, RUN, Fence, Page
from tests.docs.stand import Stand

SECONDS = 60.0
START = """set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
"""


@dataclass
class Script:
    """``parts``: (place, what runs, what it must print or None), in order."""

    lines: list[str] = field(default_factory=lambda: [START])
    parts: list[tuple[str, str, str | None]] = field(default_factory=list)

    def add(self, place: str, command: str, shown: str, prints: str | None, *, fails: bool, background: bool) -> None:
        number = len(self.parts)
        out = f'"$OUT/{number}"'
        if background:
            self.lines.append(f"{{ {command}\n}} > {out} 2>&1 &\n")
        elif fails:
            self.lines.append(f"if ( {command}\n) > {out} 2>&1; then echo 'it was to fail' >> {out}; exit 1; fi\n")
        else:
            self.lines.append(f"{{ {command}\n}} > {out} 2>&1\n")
        self.lines.append(f'echo {number} >> "$OUT/done"\n')
        self.parts.append((place, shown, prints))


def runs(fence: Fence) -> bool:
    return fence.language in RUN and not {"elsewhere", "make", "node"} & set(fence.words)


def faults(page: Page, stand: Stand, folder: Path) -> list[str]:
    """Run the page's blocks in their order; what went wrong, in words for its author."""
    here, more = stand.folder, {}
    if OWN in page.text:
        here = folder / "own"
        here.mkdir()
        more = stand.own(here)
    script = _script(page, stand, folder)
    file = folder / "page.sh"
    file.write_text("".join(script.lines), encoding="utf-8")
    names = {"SESSION", "RECORDING"} & set(re.findall(r"\b[A-Z]+\b", page.text))
    environment = {**stand.environment, "OUT": str(folder), **more, **(stand.called() if names else {})}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", str(file)], cwd=here, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        with suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return _judged(script, folder)


def _script(page: Page, stand: Stand, folder: Path) -> Script:
    script = Script()
    for number, fence in enumerate(page.fences):
        if not runs(fence):
            continue
        text = stand.put_in(fence.text)
        words = {"fails": "fails" in fence.words, "background": "background" in fence.words}
        if fence.language == "python":
            if not fence.title:
                file = folder / f"block-{number}.py"
                file.write_text(text + "\n", encoding="utf-8")
                script.add(fence.place, f"python3 {file}", text, None, **words)
        elif fence.language == "console":
            for command, prints in _commands(text):
                script.add(fence.place, command, command, prints, **words)
        else:
            script.add(fence.place, text, text, None, **words)
    return script


def _commands(text: str) -> list[tuple[str, str]]:
    """``$ command`` and what stands below it."""
    found = re.split(r"^\$ ", text, flags=re.M)
    assert not found[0].strip(), f"a console block begins with '$ ': {found[0]!r}"
    parts = []
    for one in found[1:]:
        command = re.match(r"(?:.*\\\n)*.*", one)
        assert command is not None
        parts.append((command[0], one[command.end() :].strip("\n")))
    return parts


def _judged(script: Script, folder: Path) -> list[str]:
    done = set((folder / "done").read_text().split()) if (folder / "done").exists() else set()
    for number, (place, shown, prints) in enumerate(script.parts):
        out = folder / str(number)
        printed = out.read_text(encoding="utf-8", errors="replace") if out.exists() else ""
        if str(number) not in done:
            rest = len(script.parts) - number - 1
            log = (folder / "log").read_text(encoding="utf-8", errors="replace")
            return [f"{place}: failed ({rest} more blocks did not run)\n{shown}\n--- printed:\n{printed}{log}"]
        if prints is not None and not matches(prints, printed):
            return [f"{place}: `{shown}` prints something else.\n--- the page:\n{prints}\n--- printed:\n{printed}"]
    return []


def matches(page: str, printed: str) -> bool:
    """Line by line; ``...`` is anything in a line, and any lines when it stands alone."""
    pattern = ""
    for line in page.splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*"
        else:
            pattern += ".*".join(re.escape(" ".join(part.split())) for part in line.split("...")) + r"\n"
    plain = "".join(" ".join(line.split()) + "\n" for line in printed.strip("\n").splitlines())
    # blanks around "..." may be what it stands for
    return re.fullmatch(pattern.replace(r"\ .*", ".*").replace(r".*\ ", ".*"), plain) is not None
