"""A TOML file and the environment over the defaults of the tree.

A key ``[section] key`` is overridden by ``MASKLINE_SECTION__KEY``, the first table of a list (``[[trunk]]``) by
``MASKLINE_TRUNK__0__KEY``; a value that reads as JSON (numbers, booleans, lists) is taken as such, all else as text.
:func:`load` raises :class:`ConfigError` with every fault at once, each with its key's path.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from gateway.config.checking import contradictions
from gateway.config.profiles import apply_profiles
from gateway.config.tree import Config

PREFIX = "MASKLINE_"


class ConfigError(Exception):
    """Every fault of a configuration: ``faults`` is a list of (key path, what is wrong)."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{path}: {text}" for path, text in faults))
        self.faults = faults


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration file. ConfigError lists every fault with its key's path."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([(str(path), f"can't be read: {error.strerror}")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([(str(path), f"is not TOML: {error}")]) from None
    faults = _overlay(tree, os.environ if environment is None else environment)
    faults += apply_profiles(tree, path.parent)
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(faults + readable(error)) from None
    faults += contradictions(config)
    if faults:
        raise ConfigError(faults)
    return config


def _overlay(tree: dict[str, Any], environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Lay ``MASKLINE_SECTION__KEY`` variables over the tree; returns the faults of the variables themselves."""
    faults = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        parts = name[len(PREFIX) :].lower().split("__")
        here: Any = tree
        try:
            for part in parts[:-1]:
                here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
            last: Any = int(parts[-1]) if isinstance(here, list) else parts[-1]
            here[last] = _value(environment[name])
        except (ValueError, IndexError, TypeError, AttributeError):
            faults.append((name, "names no key of the configuration"))
    return faults


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def readable(error: ValidationError) -> list[tuple[str, str]]:
    """pydantic's faults as (path, text), less those that only follow from a fault further down."""
    rows = [(_path(row["loc"]), row["type"], row["msg"].removeprefix("Value error, ")) for row in error.errors()]
    texts = {"extra_forbidden": "is no key of the configuration", "missing": "is required"}
    return [
        (path, texts.get(kind, message))
        for path, kind, message in rows
        if kind != "too_short" or not any(other.startswith(path) and other != path for other, _, _ in rows)
    ]


def _path(location: tuple[int | str, ...]) -> str:
    """``("trunk", 0, "peers", 1)`` as ``trunk[0].peers[1]``; the branches of a union are left out."""
    out = ""
    for part in location:
        if isinstance(part, int):
            out += f"[{part}]"
        elif part.isidentifier() and part[:1].islower():
            out += f".{part}" if out else part
    return out or "(configuration)"


def open_config(path: Path) -> Config:
    """For a command: the configuration, or every fault of it on stderr and exit status 2."""
    try:
        return load(path)
    except ConfigError as error:
        console = Console(stderr=True, highlight=False)
        console.print(f"[red]{path}: {len(error.faults)} fault(s) in the configuration[/]")
        for where, text in error.faults:
            console.print(f"  [bold]{escape(where)}[/]: {escape(text)}", soft_wrap=True)
        raise SystemExit(2) from None
