"""What SRTP costs a packet: one opened from one party and sealed for the other, beside plain RTP, in this process.

    python -m tests.bench.srtp_bench [PACKETS]

The system calls of a packet cost the same either way; ``relay_bench`` says how much. Medians of turns of equal length.
"""

from __future__ import annotations

import sys
import time
from statistics import median

from pylibsrtp import Policy, Session

from media.control import CALLEE, CALLER, Connect, SrtpKeys
from media.rtp import HEADER
from media.sender import Sender
from media.session import Leg, pair

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": (30, Policy.SRTP_PROFILE_AES128_CM_SHA1_80),
    "AEAD_AES_128_GCM": (28, Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
}
TURNS = 7


def _legs(suite: str, secure: tuple[int, ...]) -> tuple[Leg, Leg]:
    caller, callee = (Leg("s", side, 20000 + 2 * side, Sender(side, 1, 1)) for side in (CALLER, CALLEE))
    pair(caller, callee)
    for leg in (caller, callee):
        keys = None
        if leg.side in secure:
            size = SUITES[suite][0]
            keys = SrtpKeys(suite, b"o" * size, b"t" * size)  # type: ignore[arg-type]
        leg.connect(Connect(session="s", leg=leg.side, host="192.0.2.1", port=4000, events=101, srtp=keys), 0.0)
        leg.hear(True)
    return caller, callee


def _turn(suite: str, secure: tuple[int, ...], packets: list[bytes]) -> float:
    caller, callee = _legs(suite, secure)
    if CALLER in secure:
        size, profile = SUITES[suite]
        phone = Session(Policy(b"t" * size, Policy.SSRC_ANY_OUTBOUND, 0, profile))
        packets = [phone.protect(packet) for packet in packets]
    now = 1.0
    begun = time.process_time()
    for packet in packets:
        now += 0.02
        clear = caller.open(packet)
        out = caller.receive(clear, now) if clear is not None else None
        if out is not None and callee.guard is not None:
            callee.guard.seal(out)
    return 1e6 * (time.process_time() - begun) / len(packets)


def run(count: int) -> dict[str, float]:
    """Microseconds a packet, by what is done."""
    packets = [
        HEADER.pack(0x80, 8, index & 0xFFFF, (160 * index) & 0xFFFFFFFF, 7) + b"\xd5" * 160 for index in range(count)
    ]
    ways: list[tuple[str, str, tuple[int, ...]]] = [("plain RTP", "", ())]
    for suite in SUITES:
        ways += [(f"{suite}, one leg", suite, (CALLEE,)), (f"{suite}, both legs", suite, (CALLER, CALLEE))]
    costs: dict[str, list[float]] = {name: [] for name, _, _ in ways}
    for _ in range(TURNS):
        for name, suite, secure in ways:
            costs[name].append(_turn(suite, secure, packets))
    found = {name: median(one) for name, one in costs.items()}
    for name, cost in found.items():
        print(f"{name:<36}{cost:>8.2f} us a packet")
    return found


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 20000)
