"""One torture message at a whole user agent: what comes of it in a datagram, and on a real TCP connection.

An outcome is text, as it stands in docs/torture.md:

    taken          a new call: 100 was sent, and the INVITE handed up
    <status>       answered with it; several messages in one stream: ``405, taken``
    no answer      nothing was sent
    closed         TCP: the connection is closed at once, behind whatever was answered
    waits          TCP: the message isn't whole; nothing is sent until its time is over, then the connection is closed
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from gateway.sip.endpoint import Endpoint
from gateway.sip.framing import StreamFramer
from gateway.sip.gate import Gate, GateSettings
from gateway.sip.hop import Hop
from gateway.sip.message import Response, parse_message
from gateway.sip.outputs import Incoming
from gateway.sip.user_agent import Transmit, UserAgent, UserAgentSettings

SOURCE = Hop("udp", "198.51.100.77", 5060)
MINE = Hop("udp", "192.0.2.1", 5060)
TAKEN, NO_ANSWER, CLOSED, WAITS = "taken", "no answer", "closed", "waits"
PROBE = (
    b"OPTIONS sip:gw SIP/2.0\r\nVia: SIP/2.0/%s 198.51.100.77;branch=z9hG4bKafter;rport\r\nMax-Forwards: 9\r\n"
    b"From: <sip:a@b>;tag=1\r\nTo: <sip:gw>\r\nCall-ID: after\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
# A message that isn't whole by then never will be: the tests' messages come in one write.
PATIENCE = 0.3


def agent() -> UserAgent:
    numbers = count()
    return UserAgent(UserAgentSettings({"udp": MINE}), lambda: f"token{next(numbers)}")


def in_a_datagram(user_agent: UserAgent, data: bytes) -> str:
    """The outcome over UDP, or of one message of a stream."""
    outputs = user_agent.receive_message(data, SOURCE, 1.0)
    sent = [output for output in outputs if isinstance(output, Transmit)]
    assert all(output.hop.host == SOURCE.host for output in sent), "sent to an address that the message claims"
    if any(isinstance(output, Incoming) for output in outputs):
        return TAKEN
    if not sent:
        return NO_ANSWER
    assert isinstance(sent[-1].message, Response)
    return str(sent[-1].message.status)


def still_answers(user_agent: UserAgent) -> bool:
    return in_a_datagram(user_agent, PROBE % b"UDP") == "200"


async def on_a_connection(data: bytes) -> str:
    """The outcome over TCP, from a user agent on real sockets; another connection is answered after it."""
    calls: list[Any] = []
    endpoint = Endpoint(agent(), calls.extend, Gate(GateSettings(), lambda host: True, lambda host: "trunk"),
                        message_seconds=PATIENCE)  # fmt: skip
    await endpoint.start([Hop("tcp", "127.0.0.1", 0)])
    try:
        said, closed = await _say(endpoint.bound[0].port, data)
        assert await _say(endpoint.bound[0].port, b"") == ([], False), "deaf afterwards"
        assert endpoint.faults == 0
    finally:
        await endpoint.stop()
    # A 100 is a call that was taken; nothing has told the node to do more with it.
    # Two requests are two transactions: a call and a registration wait their turns apart, in whichever order.
    words = sorted(TAKEN if status == 100 else str(status) for status in said)
    assert words.count(TAKEN) == sum(isinstance(output, Incoming) for output in calls)
    if not words:
        return WAITS if closed else NO_ANSWER
    return ", ".join([*words, CLOSED] if closed else words)


async def _say(port: int, data: bytes) -> tuple[list[int], bool]:
    """The statuses that a message gets, and whether the connection is closed; else it answers an OPTIONS behind it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    framer, statuses = StreamFramer(), list[int]()
    asks = not data or data.startswith(b"SIP/2.0 ")
    writer.write(data + (PROBE % b"TCP" if asks else b""))
    try:
        async with asyncio.timeout(30):
            while part := await reader.read(1 << 16):
                for message in framer.feed(part):
                    response = parse_message(message)
                    assert isinstance(response, Response)
                    if response.headers.get("Call-ID") == "after":
                        return statuses, False
                    statuses.append(response.status)
                if not asks:
                    asks = True
                    writer.write(PROBE % b"TCP")
    except ConnectionError:
        pass
    finally:
        writer.close()
    return statuses, True
