"""A recording in several files: when a worker dies in a call, whoever takes the call over goes on in another one.

    x.spool      until the first worker died
    x.spool.1    from the moment the next one had the call ...

Their packets bear one clock (CLOCK_MONOTONIC), and each header says when the whole recording began, so read one after
the other they are one spool with a gap. A part that was never written, or is damaged, costs only what was in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from media.control import MOST_PARTS, part_path
from media.recording.spool import Record, SpoolError, read_spool, wait_written


def parts_of(spool: str | Path) -> list[Path]:
    """The files that are there, in their order; the first is named even if it isn't."""
    further = (Path(part_path(str(spool), part)) for part in range(1, MOST_PARTS))
    return [Path(spool), *(path for path in further if path.exists())]


def read_parts(spool: str | Path, data_key: bytes = b"") -> tuple[Mapping[str, Any], list[Record]]:
    """The header of the first part that has one, and the records of all. Waits while one is still written.

    Raises what reading the first part raises when none can be read: SpoolError, OSError.
    """
    found: Mapping[str, Any] | None = None
    trouble: Exception | None = None
    records: list[Record] = []
    for path in parts_of(spool):
        try:
            wait_written(path)
            header, more = read_spool(path, data_key)
        except (SpoolError, FileNotFoundError) as error:
            trouble = trouble or error
            continue
        found = found or header
        records.extend(more)
    if found is None:
        assert trouble is not None
        raise trouble
    return found, records


def remove_parts(spool: str | Path) -> None:
    """Remove all of them."""
    for path in parts_of(spool):
        path.unlink(missing_ok=True)
