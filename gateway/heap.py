"""How the web process keeps its memory: in one heap.

The C library gives each thread a heap of its own, and keeps for it what was once large. The web process has a score of
threads that come and go, so in each of their heaps a little lies about, and half an hour of calls (``make soak``) left
5 MB more than Python knew of. Its threads wait for the interpreter's lock far longer than for a heap's.
"""

from __future__ import annotations

from collections.abc import Mapping

# glibc's; another C library does not read them. See mallopt(3).
ONE_HEAP = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """A process's environment made of ours; what the operator has set himself stays."""
    return {**ONE_HEAP, **ours}
