"""Both channels of an hour (issue 5): 100 ppm apart, 5 % loss, reordering, DTX. What was sent is found in what was
recorded by cross-correlation, piece by piece."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from media.recording import wav
from media.recording.timeline import place
from media.rtp import HEADER

HOUR = 3600
RATE = 8000
FRAME = 160
TALK, PAUSE = 150, 100  # packets: 3 s of talk, 2 s of nothing
BURST = 8 * FRAME

Samples = npt.NDArray[np.float64]


def voice(seed: int) -> Samples:
    """An hour of noise that sounds only while one talks."""
    random = np.random.default_rng(seed)
    sound = 0.2 * random.standard_normal(HOUR * RATE)
    packet = np.arange(HOUR * 50)
    sound *= np.repeat(packet % (TALK + PAUSE) < TALK, FRAME)
    return sound


def arrive(sound: Samples, ppm: float, seed: int) -> list[tuple[float, bytes]]:
    """The packets of one side, by a clock that is ``ppm`` fast: 5 % lost, up to 60 ms late (so out of order), DTX."""
    random = np.random.default_rng(seed)
    codes = wav.encode(sound).tobytes()
    packets = []
    for number in range(HOUR * 50):
        if number % (TALK + PAUSE) >= TALK or random.random() < 0.05:
            continue
        head = HEADER.pack(0x80, 8, number & 0xFFFF, (0xFFFFFF00 + FRAME * number) & 0xFFFFFFFF, seed)
        when = 100.0 + number * 0.02 / (1 + ppm * 1e-6) + 0.06 * random.random()
        packets.append((when, head + codes[FRAME * number : FRAME * number + FRAME]))
    return sorted(packets)


def offsets(sound: Samples, recorded: Samples, ppm: float) -> list[float]:
    """By how many seconds the recording is late, once for each talk of the hour that can be judged."""
    found = []
    for start in range(0, HOUR * RATE - 40_000, (TALK + PAUSE) * FRAME * 4):
        at = start + 20 * FRAME
        sent = sound[at : at + BURST]
        true = round(at / (1 + ppm * 1e-6))
        heard = recorded[true - 1600 : true + BURST + 1600]
        likeness = np.correlate(heard, sent, "valid")
        found.append((int(np.argmax(likeness)) - 1600) / RATE)
    return found


def test_an_hour_of_both_stays_within_20_ms() -> None:
    late = []
    for seed, ppm in ((1, 100.0), (2, -100.0)):
        sound = voice(seed)
        placed = place(arrive(sound, ppm, seed), 100.0)
        late.append(offsets(sound, wav.decode(placed.samples(HOUR * RATE)), ppm))
    caller, callee = (np.array(one) for one in late)
    assert len(caller) > 150
    assert np.abs(caller).max() <= 0.010
    assert np.abs(callee).max() <= 0.010
    assert np.abs(caller - callee).max() <= 0.020
