"""What tests of SIP sockets share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.sip.loopback import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    for one in made.transports:
        await one.stop()
