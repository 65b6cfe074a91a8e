"""The pages of the documentation, taken apart: fences, headings, links, what stands in backticks.

A fence's first word is its language, the others say what the harness does with it (``LANGUAGES``, ``WORDS``).
``ADVICE`` is what an author reads whose block is none of these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
READMES = ("README.md", "README.zh-CN.md")

RUN = frozenset({"sh", "curl", "console", "python"})
READ = frozenset({"toml", "json", "yaml"})
LANGUAGES = RUN | READ | {"text", "{toctree}"}
WORDS = {
    "elsewhere": "sh: needs what isn't here (docker, kubectl, systemctl, apt-get ...); syntax and names are checked",
    "make": "sh: `make TARGET` lines, each known to the Makefile; CI runs the targets themselves",
    "node": "sh: starts the node that the tests have started already by the same command",
    "fails": "sh, curl, python: ends with another status than 0",
    "background": "sh, python: runs on until the page ends",
    "other": "toml: not Maskline's configuration; it is only parsed",
}
OWN = "<!-- tests: a database of its own -->"
ADVICE = f"""
How blocks of code in README.md, README.zh-CN.md and docs/ are written (tests/docs/pages.py):
  ```sh, ```curl   run, page by page, all blocks of a page in one bash with set -e, on a real node of
                   configs/dev.toml; ports are put in; maskline.toml is that configuration; TOKEN is an
                   operator's token, SESSION and RECORDING are a call that was made ("$SESSION" in the page's commands)
  ```console       the same: "$ command" lines and what they print; "..." is anything, alone on a line any lines
  ```python        run likewise; with title="name.py" it is a file that blocks of any page can use
  ```toml          Maskline's configuration: its keys must exist.  ```json, ```yaml: must parse.
  ```text          drawings, output
  {OWN} somewhere on a page: it gets a copy of the node's database
Words behind the language:
""" + "".join(f"  {word:<11} {meaning}\n" for word, meaning in WORDS.items())


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code: where it begins, its language, the words behind it, ``title="..."`` if there is one."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    title: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Page:
    """One file, by its path from the root."""

    name: str
    text: str

    @property
    def fences(self) -> tuple[Fence, ...]:
        return fences(self.name, self.text)

    @property
    def prose(self) -> str:
        """The text with nothing of the fences, line for line."""
        hidden = self.text.splitlines()
        for fence in self.fences:
            if fence.language or fence.text.startswith("```"):
                for number in range(fence.line - 1, fence.line + fence.text.count("\n") + 2):
                    hidden[number] = ""
        return "\n".join(hidden)

    @property
    def headings(self) -> tuple[tuple[int, str], ...]:
        found = re.findall(r"^(#{1,6}) +(.+?) *#*$", self.prose, re.M)
        return tuple((len(marks), title) for marks, title in found)

    @property
    def anchors(self) -> set[str]:
        return {slug(title) for _, title in self.headings}

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]+`", "", self.prose)))

    @property
    def codes(self) -> tuple[str, ...]:
        """What stands in backticks, outside of fences."""
        return tuple(re.findall(r"(?<!`)`([^`]+)`(?!`)", self.prose))


def pages() -> list[Page]:
    """All of them: the READMEs, then docs/."""
    files = [ROOT / name for name in READMES if (ROOT / name).exists()] + sorted((ROOT / "docs").rglob("*.md"))
    return [Page(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")) for file in files]


def fences(name: str, text: str) -> tuple[Fence, ...]:
    """Every fence, and every indented block as a fence without a language."""
    found: list[Fence] = []
    lines = text.splitlines()
    at, in_list = 0, False
    while at < len(lines):
        line = lines[at]
        opening = re.match(r"^( *)(```+|~~~+) *(.*)$", line)
        if opening:
            indent, marks, head = opening.groups()
            end = next((n for n in range(at + 1, len(lines)) if lines[n].strip() == marks), len(lines))
            body = "\n".join(one.removeprefix(indent) for one in lines[at + 1 : end])
            title = re.search(r'title="([^"]*)"', head)
            words = re.sub(r'\w+="[^"]*"', "", head).split()
            language = words[0] if words else ""
            found.append(Fence(name, at + 1, language, tuple(words[1:]), title[1] if title else "", body))
            at = end + 1
            continue
        if re.match(r"^ *([-*+]|\d+[.)]) ", line):
            in_list = True
        elif line and not line[0].isspace():
            in_list = False
        if line.startswith("    ") and line.strip() and not in_list and at and not lines[at - 1].strip():
            end = next(
                (n for n in range(at, len(lines)) if lines[n].strip() and not lines[n].startswith("    ")), len(lines)
            )
            found.append(Fence(name, at + 1, "", (), "", "\n".join(lines[at:end])))
            at = end
            continue
        at += 1
    return tuple(found)


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub and MyST make it."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[^\w\- ]", "", plain.strip().lower().replace(" ", "-"))
