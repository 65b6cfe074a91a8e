"""When many things want to be woken, and who is the next: a heap from which nothing is taken out but in front.

What changes its mind, or is over, leaves its old entry behind. An entry far ahead (a session's refresh in a quarter of
an hour, a call's longest duration) would hold what is over until then, so the heap is made anew as soon as more than
half of it is left behind: what is held is never more than twice what waits, and a ``set`` costs O(log n) on average.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import Generic, Protocol, TypeVar

FEW = 64


class Waiting(Protocol):
    """``armed``: when it is to be woken, None when it isn't. Alarms alone write it."""

    armed: float | None


T = TypeVar("T", bound=Waiting)


class Alarms(Generic[T]):
    """``set`` when something wants to be woken, ``next_due`` what is."""

    __slots__ = ("_heap", "_order", "_stale")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._order = count()
        self._stale = 0

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, one: T, deadline: float | None) -> None:
        """Wake it then; None: not at all."""
        armed = one.armed
        if deadline == armed:
            return
        one.armed = deadline
        if deadline is not None:
            heapq.heappush(self._heap, (deadline, next(self._order), one))
        if armed is not None:
            self._stale += 1
            if self._stale > FEW and 2 * self._stale > len(self._heap):
                self._heap = [row for row in self._heap if row[2].armed == row[0]]
                heapq.heapify(self._heap)
                self._stale = 0

    @property
    def deadline(self) -> float | None:
        """The earliest."""
        heap = self._heap
        while heap and heap[0][2].armed != heap[0][0]:
            heapq.heappop(heap)
            self._stale -= 1
        return heap[0][0] if heap else None

    def next_due(self, now: float) -> T | None:
        """What is to be woken now; it is not armed any more."""
        deadline = self.deadline
        if deadline is None or deadline > now:
            return None
        one = heapq.heappop(self._heap)[2]
        one.armed = None
        return one
