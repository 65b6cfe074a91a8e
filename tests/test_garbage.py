"""The collector's thresholds, in a process of its own: they are the whole process's."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc
from gateway.garbage import look_seldom

class Ring:
    freed = 0
    def __init__(self):
        self.me = self
    def __del__(self):
        Ring.freed += 1

look_seldom()
assert gc.get_freeze_count() > 1000, gc.get_freeze_count()
before = gc.get_stats()[0]["collections"]
kept = [[] for _ in range(9000)]
looks = gc.get_stats()[0]["collections"] - before
rings = [Ring() for _ in range(9000)]
del rings
kept += [[] for _ in range(30000)]
print(looks, Ring.freed)
"""


def test_thousands_of_objects_are_made_without_a_look_and_rings_are_still_freed() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    looks, freed = map(int, done.stdout.split())
    assert looks == 0
    assert freed > 5000, "some were older than a look when they were let go: they wait for the next generation's"
