"""The time that retention goes by: wall time that a jump of the machine's clock can't move.

``ticks`` are seconds that have surely passed (CLOCK_BOOTTIME). Wall time is believed while it goes with them; a slow
correction of at most ``SLEW`` between two looks is followed. Otherwise it has jumped, and the steady time goes on by
the ticks alone until the new wall time has stood for ``SETTLE``: a day, in which somebody will have seen that a clock
is wrong. Then it is believed. ``later`` is by how much it was ahead of ours: whoever kept times of the old kind moves
them on by so much, so that nothing is erased before it has been kept as long as was promised.

    after a restart on the same boot     the ticks tell how much has passed
    after another boot                   a wall time up to ``DOWN`` ahead of the last one known is believed at once,
                                         any other as after a jump
"""

from __future__ import annotations

SLEW = 60.0
SETTLE = 86400.0
DOWN = 3 * 86400.0


class SteadyClock:
    """``known``: steady time and ticks when it was last written down, and whether that was in this boot."""

    def __init__(self, wall: float, ticks: float, known: tuple[float, float, bool] | None = None) -> None:
        self._base = wall - ticks
        self._strange: tuple[float, float] | None = None
        self._ticks = ticks
        if known is not None:
            at, then, same_boot = known
            ours = at + (ticks - then if same_boot else 0.0)
            believed = abs(wall - ours) <= SLEW if same_boot else 0.0 <= wall - ours <= DOWN
            if not believed:
                self._strange = (self._base, ticks)
                self._base = ours - ticks
        self.later = 0.0

    @property
    def strange(self) -> bool:
        """The wall clock has jumped, and is not believed yet."""
        return self._strange is not None

    def now(self, wall: float, ticks: float) -> float:
        """The steady time."""
        offset = wall - ticks
        if abs(offset - self._base) <= SLEW:
            self._base, self._strange = offset, None
        elif self._strange is None or abs(offset - self._strange[0]) > SLEW:
            self._strange = (offset, ticks)
        elif ticks - self._strange[1] >= SETTLE:
            self.later += max(0.0, offset - self._base)
            self._base, self._strange = offset, None
        return self._base + ticks
