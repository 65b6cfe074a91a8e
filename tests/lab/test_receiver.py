from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.lab.client import digest, signature
from gateway.lab.receiver import Event, Receiver

STATUS = {"eventType": "callin", "statusInfo": {"sessionId": "s", "caller": "+8613800000021"}}
FEE = {"eventType": "fee", "feeLst": [{"sessionId": "s"}, {"sessionId": "t"}]}


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str, list[Event]]]:
    seen: list[Event] = []
    receiver = Receiver("127.0.0.1", "k1", "s1", seen.append)
    address = await receiver.start()
    yield receiver, address, seen
    await receiver.stop()


def test_the_digest_of_the_interface_description() -> None:
    assert digest("66C92B11FF8A425FB8D4CCFE0ED9ED1F", "2018-02-12T15:30:20Z", "s1") == (
        "sGB4mPp5gQr8JIdlM9yHTL+tyyUkg2lS/OGLGpqhO8c="
    )


async def test_events_and_records_are_kept_and_their_signature_is_checked(
    receiver: tuple[Receiver, str, list[Event]],
) -> None:
    server, address, seen = receiver
    good = signature("k1", "s1", nonce="n", created="2026-01-01T00:00:00Z")
    bad = signature("k1", "wrong", nonce="n", created="2026-01-01T00:00:00Z")
    async with aiohttp.ClientSession() as http:
        for path, body, headers in (("/status", STATUS, good), ("/status", STATUS, bad), ("/fee", FEE, good)):
            async with http.post(address + path, json=body, headers=headers) as response:
                assert response.status == 200
                assert await response.read() == b""
        async with http.post(address + "/elsewhere", json=STATUS) as response:
            assert response.status == 404
    assert [(event.kind, event.signed, event.fields["sessionId"]) for event in seen] == [
        ("callin", True, "s"), ("callin", False, "s"), ("fee", True, "s"), ("fee", True, "t"),
    ]  # fmt: skip
    assert server.events == seen
    assert await server.wait_for("fee", 1.0) == seen[2]
    assert await server.wait_for("answer", 0.0) is None
