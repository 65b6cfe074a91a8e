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
