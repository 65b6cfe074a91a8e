"""Plain dictionaries that are counted in, and rows of numbers that travel between processes.

To count costs one dictionary operation; everything else is done when somebody asks. Three ways in:

    tally.add("maskline_bans_total", "scanner")            count one
    tally.observe("maskline_lookup_seconds", 0.003)        put a value into a histogram
    tally.source("maskline_banned", lambda: {(): 3})       ask when Prometheus asks: label values -> value

Label values stand in the order of the catalogue. A source may give a ``Counter[str]`` for a metric with one label
(``words``), so a counter that exists already need only be named. A metric has at most ``MOST`` sets of labels;
what would be more is counted as "other".
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

from gateway.metrics.catalog import BY_NAME

Labels = tuple[str, ...]
Row = tuple[str, list[str], list[float]]
"""Name, label values, and one number; of a histogram the count of each bucket (not added up), then the sum."""
Source = Callable[[], Mapping[Labels, float]]
MOST = 5000
_STRANGE = re.compile(r"[^a-z0-9.-]")


class Histogram:
    """Counts by bucket."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def numbers(self) -> list[float]:
        """As in a Row."""
        return [*map(float, self.counts), self.sum]


class Tally:
    """What one process counts."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[tuple[str, Labels], Histogram] = {}
        self._sources: list[tuple[str, Source]] = []

    def counts(self, name: str) -> dict[Labels, float]:
        """The dictionary of a counter, for who counts often: ``counts[labels] = counts.get(labels, 0) + 1``."""
        assert BY_NAME[name].kind == "counter"
        return self._counts.setdefault(name, {})

    def add(self, name: str, *labels: str, count: float = 1) -> None:
        """Count."""
        assert len(labels) == len(BY_NAME[name].labels), name
        counts = self.counts(name)
        if labels not in counts and len(counts) >= MOST:
            labels = ("other",) * len(labels)
        counts[labels] = counts.get(labels, 0) + count

    def histogram(self, name: str, *labels: str) -> Histogram:
        """The histogram of these labels, to be observed in."""
        found = self._histograms.get((name, labels))
        if found is None:
            assert len(labels) == len(BY_NAME[name].labels), name
            found = self._histograms[name, labels] = Histogram(BY_NAME[name].bounds)
        return found

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Put a value into a histogram."""
        self.histogram(name, *labels).observe(value)

    def source(self, name: str, source: Source) -> None:
        """Ask ``source`` whenever somebody asks."""
        assert name in BY_NAME, name
        self._sources.append((name, source))

    def rows(self) -> list[Row]:
        """All that was counted."""
        rows: list[Row] = [
            (name, list(labels), [value]) for name, counts in self._counts.items() for labels, value in counts.items()
        ]
        rows += [(name, list(labels), one.numbers()) for (name, labels), one in self._histograms.items()]
        for name, source in self._sources:
            rows += [(name, list(labels), [float(value)]) for labels, value in source().items()]
        return rows


def words(counter: Mapping[str, float], prefix: str = "") -> dict[Labels, float]:
    """A counter by words as a source's answer: those with ``prefix``, less it; in lower case, nothing but letters,
    digits, dots and lines."""
    found: dict[Labels, float] = {}
    for text, value in counter.items():
        if text.startswith(prefix):
            labels = (_STRANGE.sub("_", text[len(prefix) :].lower())[:40],)
            if labels not in found and len(found) >= 100:
                labels = ("other",)
            found[labels] = found.get(labels, 0) + value
    return found


def gauge(read: Callable[[], float]) -> Source:
    """A source of one value without labels."""
    return lambda: {(): float(read())}


def merged(rows: Iterable[Row]) -> dict[str, dict[Labels, list[float]]]:
    """Rows of several processes, by name and labels; where two speak of the same, they are added."""
    found: dict[str, dict[Labels, list[float]]] = {}
    for name, labels, numbers in rows:
        series = found.setdefault(name, {})
        before = series.get(tuple(labels))
        series[tuple(labels)] = (
            list(numbers) if before is None else [a + b for a, b in zip(before, numbers, strict=True)]
        )
    return found


def buckets(name: str, numbers: list[float]) -> tuple[list[tuple[str, float]], float]:
    """A histogram's row as Prometheus wants it: (upper end, how many up to it), and the sum."""
    ends = [*(repr(bound) for bound in BY_NAME[name].bounds), "+Inf"]
    return list(zip(ends, accumulate(numbers[:-1]), strict=True)), numbers[-1]
