"""What the guard must not do: harm a client that behaves. What it must is in tests/integration/http_trial.py."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import h11
import pytest

from gateway.api.guard import MAX_HEADERS, Crowd, StrictConnection, WebLimits
from gateway.api.server import web_server

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers with the length of the body; without reading it when the path says so."""
    size, more = 0, scope["path"] == "/read"
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listening = socket.socket(fileno=socket.create_server(("127.0.0.1", 0)).detach())
    server = web_server(app, None, WebLimits(head_seconds=0.1, body_seconds=0.1, idle_seconds=5))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving


async def answer(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]))


async def test_a_connection_lives_on_between_requests_however_the_last_one_ended(port: int) -> None:
    """Longer than a head or a body may take: between requests only the idle time counts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in (GET, b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde", GET):
        writer.write(part)
        await answer(reader)
        await asyncio.sleep(0.2)
    writer.write(GET)
    assert await answer(reader) == b"0"
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_nobody_reads_may_still_arrive(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    assert await answer(reader) == b"0"
    writer.write(b"cde" + GET)
    assert await answer(reader) == b"0"
    writer.close()
    await writer.wait_closed()


async def test_a_body_of_lines_that_begin_with_blanks_is_no_folded_head(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b'{\r\n  "a": 1,\n\t"b": 2\n}'
    writer.write(b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert await answer(reader) == b"%d" % len(body)
    writer.close()
    await writer.wait_closed()


def test_a_crowd_is_counted_by_address_and_in_all() -> None:
    crowd = Crowd(WebLimits(per_host=2, in_all=3))
    assert [crowd.enter("a"), crowd.enter("a"), crowd.enter("a")] == [True, True, False]
    assert [crowd.enter("b"), crowd.enter("c")] == [True, False]
    crowd.leave("a")
    assert crowd.enter("c")
    assert crowd.counters["too many connections"] == 2


@pytest.mark.parametrize(
    ("lines", "taken"),
    [
        (b"Transfer-Encoding: chunked\r\n", True),
        (b"Transfer-Encoding: CHUNKED\r\n", True),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", False),
        (b"X: a\r\n b\r\n", False),
        (b"".join(b"A%d: b\r\n" % number for number in range(MAX_HEADERS - 1)), True),
        (b"".join(b"A%d: b\r\n" % number for number in range(MAX_HEADERS)), False),
    ],
)
def test_heads(lines: bytes, taken: bool) -> None:
    connection = StrictConnection(h11.SERVER)
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
    if taken:
        assert isinstance(connection.next_event(), h11.Request)
    else:
        with pytest.raises(h11.RemoteProtocolError):
            connection.next_event()
