"""What tests of SIP sockets share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.sip.loopback import Bench
from tests.sip.pair import MakePair, Pair


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    for one in made.transports:
        await one.stop()


@pytest.fixture
def pair() -> Iterator[MakePair]:
    """Makes pairs; in the end nothing is left in them."""
    made: list[Pair] = []

    def make(*arguments: Any, **more: Any) -> Pair:
        made.append(Pair(*arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.run(200.0)
        assert [(agent.sessions, len(agent.layer), agent.deadline) for agent in one.agents] == [(0, 0, None)] * 2
