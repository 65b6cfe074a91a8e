"""From the packets of one leg to A-law samples on the clock of the recording.

Arrival says roughly when a packet was heard, its RTP timestamp (RFC 3550 5.1) exactly where it stands among its
neighbours. So each stream (SSRC) is laid out by its timestamps and hung on the clock by its earliest arrivals: the
*offset* of a packet is its arrival, in samples, less its timestamp; the least offset of the packets around it is that
of the one which waited least, and the jitter of the others is gone.

The least is taken twice, over the ``WINDOW`` packets from this one on and over those up to it, and the greater counts.
While the offset is steady both are the same. Where it steps up for good (the sender paused and its timestamps don't
tell, pjproject #4785; a longer way through the network) or down, one of the two looks across the step and is too small,
and the other is right from the very packet at which it happened. The last packets before a step up have few of their
kind ahead of them, but each came earlier than the level after the step allows: they stay at the level of those before.

    jitter, bursts          don't move the least offset
    loss, DTX, hold         a hole in the timestamps: silence, 0xD5
    reordering, duplicates  their timestamps put them where they belong
    wrap of timestamps      differences are taken modulo 2^32
    clock drift             the offset creeps; what is more than ``SLACK`` off follows by one sample a packet, unheard
    new SSRC                laid out on its own
    pauses nobody stamped   the offset steps up and stays: a hole from there on
    timestamps that jump    the offset jumps while the sequence goes on: hung on the clock anew

Only payload types 8 and 0 (PCMA, PCMU; RFC 3551 table 4) are audio; telephone events and comfort noise leave silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from media.recording.wav import FROM_MULAW, RATE, SILENCE, Codes

PCMU = 0
PCMA = 8
WINDOW = 128  # packets; a power of two
TRUSTED = 8  # packets: the least of fewer still holds jitter
SLACK = 40  # samples: so far from the clock audio may stay
STEP = 160  # samples: an offset further off than this is followed at once
ODD = 320  # samples: so far from the usual step a timestamp may be and still be rounding
JUMP = 2000  # samples: no jitter
LATE = 100  # packets: further behind in sequence is a restart
FAR = 5 * RATE  # samples: what would be laid further from its arrival is no audio of this call

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where each packet's payload goes: ``codes[starts[i]:stops[i]]`` (A-law) at sample ``positions[i]``."""

    codes: Codes
    starts: Ints
    stops: Ints
    positions: Ints

    @property
    def end(self) -> int:
        """The sample after the last; 0 without packets."""
        return max(0, int((self.positions + self.stops - self.starts).max(initial=0)))

    def samples(self, length: int) -> Codes:
        """``length`` A-law samples: what is placed before 0 or after ``length`` is cut off."""
        out = np.full(length, SILENCE, np.uint8)
        last = -1
        for start, stop, position in zip(
            self.starts.tolist(), self.stops.tolist(), self.positions.tolist(), strict=True
        ):
            if position < 0:
                start, position = start - position, 0
            if start >= stop or position >= length:
                continue
            end = min(length, position + stop - start)
            if last > 0 and 0 < position - last <= 2:
                out[last:position] = out[last - 1]
            out[position:end] = self.codes[start : start + end - position]
            last = end
        return out


@dataclass(frozen=True, slots=True)
class _Packets:
    """The audio packets of a leg in the order of arrival; ``arrivals`` in samples since the origin."""

    codes: Codes
    starts: Ints
    stops: Ints
    arrivals: Floats
    sequences: Ints
    stamps: Ints
    sources: Ints


def place(packets: Sequence[tuple[float, bytes]], origin: float) -> Placed:
    """Lay out one leg: (monotonic seconds of arrival, RTP packet) in the order of arrival. Sample 0 is at ``origin``.

    What is no RTP packet, or carries no audio, is passed over.
    """
    audio = _audio(packets, origin)
    positions = np.zeros(len(audio.starts), np.int64)
    order = np.argsort(audio.sources, kind="stable")
    borders = np.flatnonzero(np.diff(audio.sources[order])) + 1
    for stream in np.split(order, borders):
        if len(stream):
            positions[stream] = _lay_out(audio.arrivals[stream], audio.sequences[stream], audio.stamps[stream])
    kept = np.abs(positions - audio.arrivals) <= FAR
    return Placed(audio.codes, audio.starts[kept], audio.stops[kept], positions[kept])


def _audio(packets: Sequence[tuple[float, bytes]], origin: float) -> _Packets:
    packets = [(now, packet) for now, packet in packets if len(packet) > 12]
    raw = np.frombuffer(b"".join([packet for _, packet in packets]), np.uint8)
    sizes = np.array([len(packet) for _, packet in packets], np.int64)
    stops = np.cumsum(sizes)
    begins = stops - sizes

    def number(at: Ints, size: int) -> Ints:
        value = np.zeros(len(at), np.int64)
        for shift in range(size):
            value = value << 8 | raw[np.minimum(at + shift, len(raw) - 1)]
        return value

    first, kind = number(begins, 1), number(begins + 1, 1) & 0x7F
    starts = begins + 12 + 4 * (first & 0x0F)
    starts = np.where(first & 0x10, starts + 4 + 4 * number(starts + 2, 2), starts)
    ends = np.where(first & 0x20, stops - number(stops - 1, 1), stops)
    good = (first >> 6 == 2) & ((kind == PCMA) | (kind == PCMU)) & (starts < ends)
    codes = raw
    if bool((good & (kind == PCMU)).any()):
        codes = np.where(np.repeat(kind == PCMU, sizes), FROM_MULAW[raw], raw)
    arrivals = (np.array([now for now, _ in packets], np.float64) - origin) * RATE
    fields = (number(begins + 2, 2), number(begins + 4, 4), number(begins + 8, 4))
    sequences, stamps, sources = (field[good] for field in fields)
    return _Packets(codes, starts[good], ends[good], arrivals[good], sequences, stamps, sources)


def _signed(differences: Ints, bits: int) -> Ints:
    """Differences of counters that wrap at 2^bits, the short way round."""
    half = 1 << (bits - 1)
    return (differences + half) % (1 << bits) - half


def _lay_out(arrivals: Floats, sequences: Ints, stamps: Ints) -> Ints:
    """Positions, in samples, of the packets of one stream."""
    steps = _signed(np.diff(stamps), 32)
    counts = _signed(np.diff(sequences), 16)
    counts = np.where(counts < -LATE, 1, counts)
    media = np.concatenate([[0], np.cumsum(steps)])
    count = np.concatenate([[0], np.cumsum(counts)])
    # A packet that came twice is judged by its first copy.
    _, index, inverse = np.unique(count, return_index=True, return_inverse=True)
    firsts = np.sort(index)
    offsets = (arrivals - media)[firsts]
    used = _followed(_least(offsets, _runs(offsets, media[firsts], count[firsts])))
    return media + used[np.searchsorted(firsts, index[inverse])]


def _runs(offsets: Floats, media: Ints, count: Ints) -> Ints:
    """The run that each packet is in, from 0 on: a run ends where the timestamps jump. What was only held up somewhere
    and then came all at once has not jumped: soon after it the offset is back."""
    newest = np.maximum.accumulate(count)
    ahead = np.flatnonzero(np.concatenate([[True], count[1:] > newest[:-1]]))
    moved = np.abs(np.diff(offsets[ahead]))
    steps, counts = np.diff(media[ahead]), np.diff(count[ahead])
    usual = np.median(steps / counts) if len(steps) else 0.0
    odd = np.abs(steps - usual * counts) > ODD
    soon = offsets[ahead]
    reach = 1
    while reach < min(WINDOW, len(soon)):
        soon[:-reach] = np.minimum(soon[:-reach], soon[reach:])
        reach *= 2
    stays = soon[1:] > offsets[ahead][:-1] + STEP
    stays |= np.diff(offsets[ahead]) < 0
    run = np.zeros(len(offsets), np.int64)
    run[ahead[1:][((moved > JUMP) & (stays | odd)) | ((moved > ODD) & odd)]] = 1
    return np.cumsum(run)


def _least(offsets: Floats, run: Ints) -> Floats:
    """The offset of each packet without jitter: see the head of this file. Windows end where their run does."""
    after, before = offsets.copy(), offsets.copy()
    reach = 1
    while reach < min(WINDOW, len(offsets)):
        # The least of a window of twice the reach is the lesser of two of the reach, side by side.
        same = run[reach:] == run[:-reach]
        after[:-reach] = np.where(same, np.minimum(after[:-reach], after[reach:]), after[:-reach])
        before[reach:] = np.where(same, np.minimum(before[reach:], before[:-reach]), before[reach:])
        reach *= 2
    places = np.arange(len(run))
    firsts = np.flatnonzero(np.diff(run, prepend=-1))
    lasts = np.append(firsts[1:], len(run)) - 1
    before_step = offsets < after[np.minimum(places + TRUSTED, lasts[run])] - STEP
    # The next before it that is known well counts; where a run begins nothing lies behind, where it ends little ahead.
    known = np.maximum.accumulate(np.where(before_step, firsts[run], places))
    known = np.minimum(known, np.maximum(lasts - TRUSTED, firsts)[run])
    least: Floats = np.where(known - firsts[run] < TRUSTED, after, np.maximum(after, before))[known]
    return least


def _followed(least: Floats) -> Ints:
    """The offset to use for each packet: the least, followed slowly while it is near."""
    wanted_at = np.rint(least).astype(np.int64)
    begins = np.flatnonzero(np.diff(wanted_at, prepend=wanted_at[0] - 1))
    sizes = np.diff(np.append(begins, len(wanted_at)))
    used: list[Ints] = []
    offset = int(wanted_at[0])
    for wanted, size in zip(wanted_at[begins].tolist(), sizes.tolist(), strict=True):
        away = wanted - offset
        if abs(away) > STEP:
            offset = wanted
            used.append(np.full(size, offset, np.int64))
        elif abs(away) > SLACK:
            creep = np.minimum(np.arange(1, size + 1), abs(away) - SLACK) * (1 if away > 0 else -1)
            used.append(offset + creep)
            offset += int(creep[-1])
        else:
            used.append(np.full(size, offset, np.int64))
    return np.concatenate(used)
