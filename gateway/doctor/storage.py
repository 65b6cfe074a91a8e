"""Folders and what lies in them. Each function is told what was tried; world.py tries."""

from __future__ import annotations

from gateway.doctor.finding import Finding, failure, ok, warning

GIB = 1 << 30
CALL_OCTETS = 3 * 60 * 16_000
"""Raw packets of a call of three minutes, both ways."""


def folder(
    key: str, path: str, trouble: str, free: int, total: int, need: int = GIB, low_percent: float = 10.0
) -> Finding:
    """``trouble``: why nothing can be written, "" when it can; octets of its disk."""
    check = f"{key} {path}"
    if trouble:
        return failure(check, trouble, "make it, or give it to the user that Maskline runs as")
    if free < need:
        return failure(check, f"{free / GIB:.1f} GiB free", f"{need / GIB:.0f} GiB at least: make room or move it")
    room = f"{free / GIB:.1f} GiB free of {total / GIB:.1f}"
    if free < total * low_percent / 100:
        return warning(check, f"{room}, less than {low_percent:g} %", "make room, or keep recordings for less long")
    return ok(check, f"can be written, {room}")


def spool_need(calls: int) -> int:
    """Octets that the spool should have for so many calls at once."""
    return max(GIB, calls * CALL_OCTETS)


def tones(missing: list[tuple[str, str, str]], read: int) -> Finding:
    """``missing``: (application, tone, why)."""
    if missing:
        application, name, why = missing[0]
        hint = "upload it (PUT /v1/tones), or put an 8 kHz A-law WAV there; calls get a tone that ships instead"
        return failure("tones", f"{len(missing)} can't be played: {application} {name}: {why}", hint)
    return ok("tones", f"{read} can be played")


def key_file(path: str, trouble: str, keys: int) -> Finding:
    """``trouble``: why it can't be used."""
    if not path:
        return warning("database.key_file", "none: real numbers lie readable in the database", "docs/encryption.md")
    if trouble:
        return failure(
            f"database.key_file {path}", trouble, "without it nothing sealed can be read: docs/encryption.md"
        )
    return ok(f"database.key_file {path}", f"{keys} key(s), readable by its owner only")
