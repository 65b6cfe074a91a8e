"""When the garbage collector looks: seldom, for nothing of ours needs it.

An ended call is freed by its counts alone (calls/phase.py, ``let_go``). As Python comes, the collector looks each time
that 700 more objects have been made than freed, several times in each call that is set up: of the exchange's time in
calls of virtual time (tests/sim) that was a quarter. At 10,000 a look takes a millisecond, and it costs a hundredth.
Circles that a library leaves are still found.
"""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 10_000, 20, 20


def look_seldom() -> None:
    """What stands now will never be garbage and is looked at no more; what comes, by the thresholds. Once all is up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
