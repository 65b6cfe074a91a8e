"""Keys that a party pressed, taken out of what is kept: card numbers and secrets are dialled in calls (pains.md P11).

Keys as telephone-events are never in a recording. Those in the sound itself are found as in a call (``media.dtmf``) and
become silence, from ``BEFORE`` their discovery, which is longer than that takes, until the detector counts them as
ended. All other samples stay as they are. An hour of a channel takes some fifteen seconds of processor time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from media.dtmf import HOP, RATE, Detector
from media.g711 import PCMA
from media.recording.wav import SILENCE

BEFORE = RATE * 6 // 100


def without_keys(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A channel (A-law codes at 8 kHz) in which in-band digits are silence: a copy, or the same if there are none."""
    detector, sound, quiet = Detector(), codes.tobytes(), codes
    for start in range(0, len(sound), HOP):
        end = start + HOP
        if detector.receive(start, sound[start:end], PCMA):
            if quiet is codes:
                quiet = codes.copy()
            quiet[max(0, end - BEFORE) : end] = SILENCE
        elif detector.sounding:
            quiet[start:end] = SILENCE
    return quiet
