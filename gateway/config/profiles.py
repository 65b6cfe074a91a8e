"""Carrier profiles: what trunks of one kind have in common, as a file of a trunk's keys.

``[[trunk]] profile = "ims"`` takes them from ``carriers/ims.toml`` beside the configuration file, else from those that
come with the source (configs/carriers). The trunk's own keys win, one by one, in its tables as well.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_OURS = Path(__file__).parents[2] / "configs" / "carriers"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def apply_profiles(tree: dict[str, Any], folder: Path) -> list[tuple[str, str]]:
    """Put the keys of their profiles under those of the trunks; the faults."""
    faults = []
    trunks = tree.get("trunk")
    if not isinstance(trunks, list):
        return []
    for index, trunk in enumerate(trunks):
        name = trunk.get("profile") if isinstance(trunk, dict) else None
        if not name:
            continue
        try:
            trunks[index] = _under(_read(str(name), folder), trunk)
        except ValueError as error:
            faults.append((f"trunk[{index}].profile", str(error)))
    return faults


def _read(name: str, folder: Path) -> dict[str, Any]:
    """A profile's keys. ValueError when there is none, or it can't be read."""
    folders = (folder / "carriers", _OURS)
    for file in (one / f"{name}.toml" for one in folders if _NAME.match(name)):
        try:
            return tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(f"{file} can't be read: {error}") from None
    known = sorted({file.stem for one in folders for file in one.glob("*.toml")})
    raise ValueError(f"there is no profile {name!r}: {', '.join(known) or 'none at all'}")


def _under(profile: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """``own`` over ``profile``."""
    merged = dict(profile)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = _under(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
