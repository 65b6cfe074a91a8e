"""Anything in any order, on a wire that loses: nothing is raised, everybody is told once how it ended, and nothing is
left behind (the fixture looks)."""

from __future__ import annotations

from random import Random

import pytest

from gateway.sip.outputs import Accepted, Ended, Incoming, OfferAnswered, ReInvited, Rejected
from gateway.sip.policy import Policy, Reliable
from tests.sip.pair import MakePair, Pair

POLICIES = [
    Policy(),
    Policy(90),
    Policy(0, Reliable.SUPPORTED),
    Policy(90, Reliable.SUPPORTED),
    Policy(120, Reliable.REQUIRED),
]


def act(line: Pair, random: Random) -> None:
    """One thing that either side may do, sensible or not."""
    side = random.randrange(2)
    if side == 1 and not any(isinstance(output, Incoming) for output in line.seen[1]):
        return
    body = random.choice([b"offer", b"other"])
    match random.randrange(12):
        case 0 | 1:
            if any(isinstance(output, Incoming) for output in line.seen[1]):
                line.ring(random.choice([180, 182, 183]), random.choice([b"", b"answer"]))
        case 2 | 3:
            line.do(side, "accept", b"answer")
        case 4 | 5 | 6:
            line.offer(side, body, random.choice(["UPDATE", "INVITE"]))
        case 7:
            line.do(side, "answer_offer", b"answer")
        case 8:
            line.do(side, "refuse_offer", 488)
        case 9:
            line.do(side, "info", "application/dtmf", b"1")
        case 10 if random.random() < 0.3:
            line.do(side, "hang_up")
        case 11 if random.random() < 0.2:
            line.do(side, "reject", random.choice([486, 503, 302]))
        case _:
            line.run(random.choice([0.0, 0.005, 0.3, 2.0, 20.0, 61.0]))
    line.run(random.choice([0.0, 0.005, 0.02, 0.1, 0.7]))


def settle(line: Pair) -> None:
    """A user who has been asked answers, in the end."""
    for side in (0, 1):
        if line.kinds(side) and line.kinds(side)[-1] is ReInvited:
            line.do(side, "answer_offer", b"answer")


@pytest.mark.parametrize("seed", range(150))
def test_any_sequence(pair: MakePair, seed: int) -> None:
    random = Random(seed)
    loss = random.choice([0.0, 0.0, 0.1, 0.3])
    line = pair(lambda what, nth: random.random() < loss, policies=(random.choice(POLICIES), random.choice(POLICIES)))
    line.dial(random.choice([b"offer", b"offer", b""]))
    for _ in range(random.randrange(3, 25)):
        act(line, random)
        settle(line)
    for side in (0, 1):
        if side == 0 or any(isinstance(output, Incoming) for output in line.seen[1]):
            line.do(side, "hang_up")
    line.run(150.0)
    for side in (0, 1):
        ends = [output for output in line.seen[side] if isinstance(output, Ended | Rejected)]
        begun = side == 0 or Incoming in line.kinds(1)
        assert len(ends) <= 1
        assert side == 1 or len(ends) == 1 or not begun
        if ends and side == 0:
            last = [type(output) for output in line.seen[0]].index(type(ends[0]))
            assert not any(isinstance(output, Accepted | OfferAnswered) for output in line.seen[0][last:])


NAMES = [
    *(b"Session-Expires", b"Min-SE", b"RSeq", b"RAck", b"Require", b"Supported", b"Allow", b"Reason", b"Contact"),
    *(b"P-Early-Media", b"Retry-After", b"Record-Route", b"CSeq", b"To", b"Info-Package", b"Content-Type"),
]
VALUES = [
    *(b"", b";", b",", b"-1", b"0", b"10", b"4294967296", b"9" * 60, b"90;refresher=", b";;refresher=uac;uas"),
    *(b"\xff\x00", b"1 1", b"1 1 INVITE", b"1 INVITE", b"100rel, timer", b"sip:", b"<sip:[::1]:0;lr>", b'"'),
    *(b'Q.850;cause=999;text="', b"inactive, gated", b"application/sdp;x", b"2147483647"),
]


def spoilt(data: bytes, random: Random) -> bytes:
    """The message with one header line put in, or in place of its own."""
    name, value = random.choice(NAMES), random.choice(VALUES)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    places = [at for at, line in enumerate(lines) if line.lower().startswith(name.lower() + b":")]
    if places:
        lines[random.choice(places)] = name + b": " + value
    else:
        lines.insert(random.randrange(1, len(lines) + 1), name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize("seed", range(150))
def test_any_sequence_with_spoilt_headers(pair: MakePair, seed: int) -> None:
    """What a hostile or broken peer writes into a session's headers raises nothing and keeps nothing alive."""
    random = Random(1000 + seed)
    line = pair(policies=(random.choice(POLICIES), random.choice(POLICIES)))
    line.edit = lambda side, data: spoilt(data, random) if random.random() < 0.4 else data
    line.dial(random.choice([b"offer", b"offer", b""]))
    for _ in range(random.randrange(5, 25)):
        act(line, random)
        settle(line)
    line.edit = lambda side, data: data
    for side in (0, 1):
        for session in [output.session for output in line.seen[side] if isinstance(output, Incoming)] or [
            line.session(0)
        ]:
            if side == 0 or any(isinstance(output, Incoming) for output in line.seen[1]):
                line.take(side, line.agents[side].hang_up(session, line.now))
    line.run(150.0)
    assert [one.counters.get("faults", 0) for one in line.agents] == [0, 0]
