"""Whether what the documentation names exists: commands and their options, Makefile's targets, keys, metrics, files.

Each check gives a list of faults in words, empty when all is well.
"""

from __future__ import annotations

import ast
import re
import shlex
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from gateway.cli import app
from gateway.config.tree import Config
from gateway.metrics.catalog import METRICS
from tests.docs.pages import ROOT

SOURCE = re.compile(r"^(?:gateway|media|tests|docs|configs|\.ci)(?:/[\w.*-]+)+$")


# --- commands


@cache
def root() -> Any:
    return typer.main.get_command(app)


def command_faults(line: str) -> list[str]:
    """``maskline ...`` or a synopsis: ``a|b|c`` are several, what is in capitals, <> or [] is the reader's."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        words = line.split()
    words = [word for word in words if word]
    return [f"`{line}`: {fault}" for fault in _faults(root(), words[words.index("maskline") + 1 :])]


def _faults(command: Any, words: list[str]) -> Iterator[str]:
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        names = [name for name in words[0].split("|") if name]
        if re.match(r"^[A-Z.\[<…]", words[0]):
            return
        if missing := [name for name in names if name not in command.commands]:
            yield f"maskline has no {missing[0]}"
            return
        command, words = command.commands[names[-1]], words[1:]
    known = {"--help", *_options(command)}
    for word in words:
        option = re.match(r"^\[?(--[a-z][a-z-]*|-[a-z])\b", word)
        if option and option[1] not in known:
            yield f"{command.name} has no option {option[1]}"


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    for below in getattr(command, "commands", {}).values():
        yield from _options(below)


@cache
def targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.M))


def make_faults(line: str) -> list[str]:
    words = [word for word in line.split("#")[0].split()[1:] if "=" not in word and not word.startswith("-")]
    return [f"`{line}`: no such target: {word}" for word in words if word not in targets()]


def shell_lines(text: str) -> Iterator[str]:
    """The simple commands of a block, roughly: lines joined at backslashes, cut at ``|``, ``;``, ``&&`` and ``$(``."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        for part in re.split(r"\|\||&&|[|;]|\$\(", line.removeprefix("$ ")):
            yield part.strip().rstrip("&").strip()


def block_faults(text: str) -> list[str]:
    """Of the ``maskline`` and ``make`` commands in a block."""
    faults: list[str] = []
    for line in shell_lines(text):
        bare = re.sub(r"^(?:\w+=\S* +)*(?:sudo +|time +|exec +)?(?:\.venv/bin/)?", "", line)
        if bare.startswith("maskline "):
            faults += command_faults(bare)
        elif bare.startswith("make "):
            faults += make_faults(bare)
    return faults


# --- configuration


def _model(annotation: Any) -> type[BaseModel] | None:
    """The section that an annotation holds, alone, in a tuple or in a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _model(part))), None)


def fields(model: type[BaseModel]) -> dict[str, Any]:
    """By the name that the file has for it."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def key_faults(table: dict[str, Any], model: type[BaseModel] = Config, where: str = "") -> list[str]:
    """The keys of a table, and of those in it, that the configuration does not have."""
    known, faults = fields(model), []
    for name, value in table.items():
        if name not in known:
            faults.append(f"no key {where}{name}")
            continue
        below = _model(known[name])
        for one in value if isinstance(value, list) else [value]:
            if below and isinstance(one, dict):
                faults += key_faults(one, below, f"{where}{name}.")
    return faults


def is_key(path: str) -> bool:
    """``section.key``, ``trunk.numbers.form``."""
    model: type[BaseModel] | None = Config
    for name in path.split("."):
        if model is None or name not in fields(model):
            return False
        model = _model(fields(model)[name])
    return True


def named_keys(codes: tuple[str, ...]) -> Iterator[str]:
    """The keys that are meant by what stands in backticks."""
    for code in codes:
        if re.fullmatch(r"[a-z]+\.[a-z_0-9]+(?:\.[a-z_0-9]+)?", code) and code.split(".")[0] in fields(Config):
            yield code
        elif found := re.match(r"^\[\[?([a-z]+(?:\.[a-z]+)?)\]\]?(?: (.*))?$", code):
            names = re.split(r", *| = ", found[2].split(" = ")[0]) if found[2] else [""]
            yield from (f"{found[1]}.{name.strip()}".rstrip(".") for name in names)
        elif (found := re.match(r"^MASKLINE_([A-Z0-9_]+?)(?:=.*)?$", code)) and "__" in found[1]:
            yield re.sub(r"\.\d+\.", ".", found[1].lower().replace("__", "."))


# --- metrics, files


def metric_faults(codes: tuple[str, ...]) -> list[str]:
    """Fixtures of pytest are named like metrics."""
    known = {metric.name for metric in METRICS}
    faults = []
    for code in codes:
        for name in re.findall(r"\bmaskline_[a-z_]+\*?", code):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            if name.endswith("*") and any(one.startswith(name[:-1]) for one in known):
                continue
            if name not in known and base not in known and not defines(ROOT / "maskline/pytest.py", name):
                faults.append(f"no metric {name}")
    return faults


def file_faults(codes: tuple[str, ...]) -> list[str]:
    """Paths of the tree, ``path::name`` with what the file must define."""
    faults = []
    for code in codes:
        path, _, name = code.partition("::")
        if not SOURCE.match(path):
            continue
        if "*" in path:
            faults += [] if list(ROOT.glob(path)) else [f"no file {path}"]
        elif not any((ROOT / one).exists() for one in (path, path + ".py")):
            faults.append(f"no file {path}")
        elif name and not defines(ROOT / path, name):
            faults.append(f"{path} has no {name}")
    return faults


def defines(file: Path, name: str) -> bool:
    """Whether a Python file has the class, function, method or constant."""
    nodes: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    for part in name.removesuffix("()").split("."):
        bodies = [one for node in nodes for one in getattr(node, "body", [])]
        nodes = [one for one in bodies if getattr(one, "name", "") == part or part in _assigned(one)]
        if not nodes:
            return False
    return True


def _assigned(node: ast.AST) -> set[str]:
    names = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {name.id for name in names if isinstance(name, ast.Name)}
