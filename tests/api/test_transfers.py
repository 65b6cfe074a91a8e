"""POSTs over libcurl: kept connections, certificates, what ends one that does not end by itself. Real sockets."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.api.callbacks import CallbackClient
from gateway.api.transfers import TransferError, Transfers
from tests.doctor.test_certificates import Authority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Takes requests, notes them and answers with bytes; ``closes``: each on a connection of its own."""

    def __init__(self, answer: bytes, closes: bool) -> None:
        self.answer = answer
        self.closes = closes
        self.connections = 0
        self.heads: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.asked = asyncio.Event()
        self.url = ""
        self.writers: list[asyncio.StreamWriter] = []
        self.serving: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        self.writers.append(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
                length = next(int(line.split(":")[1]) for line in head if line.lower().startswith("content-length"))
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(length))
                self.asked.set()
                writer.write(self.answer)
                if self.closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def served(
    answer: bytes = OK, *, closes: bool = False, host: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server(answer, closes)
    listening = await asyncio.start_server(server.serve, host, 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if context else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/status"
    try:
        yield server
    finally:
        listening.close()
        for writer in server.writers:
            writer.transport.abort()
        await asyncio.gather(*server.serving)


@pytest.fixture
async def transfers() -> AsyncIterator[Transfers]:
    made = Transfers()
    yield made
    made.close()


async def post(transfers: Transfers, url: str, body: bytes = b"{}", **headers: str) -> tuple[int, bytes]:
    return await transfers.post(url, body, headers, seconds=5.0, limit=1000)


async def test_one_after_the_other_share_a_connection(transfers: Transfers) -> None:
    async with served() as server:
        for number in range(20):
            assert await post(transfers, server.url, str(number).encode()) == (200, b"ok")
        assert (server.connections, server.bodies) == (1, [str(number).encode() for number in range(20)])


async def test_many_at_once(transfers: Transfers) -> None:
    async with served() as server:
        answers = await asyncio.gather(*(post(transfers, server.url, str(number).encode()) for number in range(200)))
        assert answers == [(200, b"ok")] * 200
        assert sorted(server.bodies) == sorted(str(number).encode() for number in range(200))


async def test_what_is_sent(transfers: Transfers) -> None:
    async with served() as server:
        await post(transfers, server.url, bytes(2_000_000), **{"Content-Type": "text/x", "X-Event-Id": "é"})
        assert server.heads[0][0] == "POST /status HTTP/1.1"
        assert sorted(server.heads[0][1:]) == sorted(
            [f"Host: {server.url.split('/')[2]}", "Accept: */*", "Accept-Encoding: identity", "User-Agent: Maskline",
             "Content-Type: text/x", "X-Event-Id: é", "Content-Length: 2000000"]
        )  # fmt: skip


@pytest.mark.parametrize("value", ["a\r\nX-More: b", "a\nb", "a\rb"])
async def test_a_header_is_one_line(transfers: Transfers, value: str) -> None:
    async with served() as server:
        with pytest.raises(ValueError, match="line"):
            await post(transfers, server.url, **{"X-Event-Id": value})
        assert server.connections == 0


async def test_a_server_that_closes_after_each_answer(transfers: Transfers) -> None:
    async with served(b"HTTP/1.1 200 OK\r\n\r\nto the end", closes=True) as server:
        for _ in range(3):
            assert await post(transfers, server.url) == (200, b"to the end")
        assert server.connections == 3


async def test_a_kept_connection_that_the_server_has_closed(transfers: Transfers) -> None:
    """The answer said that it stays."""
    async with served(closes=True) as server:
        for _ in range(3):
            assert await post(transfers, server.url) == (200, b"ok")


@pytest.mark.parametrize(
    ("answer", "why"),
    [(b"", "connection lost"), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "answer cut short")],
)
async def test_an_answer_that_is_none(transfers: Transfers, answer: bytes, why: str) -> None:
    async with served(answer, closes=True) as server:
        with pytest.raises(TransferError, match=why):
            await post(transfers, server.url)


async def test_nobody_listens(transfers: Transfers) -> None:
    async with served() as server:
        pass
    with pytest.raises(TransferError, match="no connection"):
        await post(transfers, server.url)


async def test_the_environments_proxy_is_not_used(transfers: Transfers, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with served() as server:
        assert (await post(transfers, server.url))[0] == 200


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher", "ws", "dict"])
async def test_no_other_protocol(transfers: Transfers, scheme: str) -> None:
    with pytest.raises(TransferError, match="no address"):
        await post(transfers, f"{scheme}://127.0.0.1/etc/passwd")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_that_is_refused_sees_no_connection(host: str) -> None:
    asked: list[str] = []

    def allows(address: str) -> bool:
        asked.append(address)
        return False

    guarded = Transfers(allows)
    async with served(host=host) as server:
        with pytest.raises(TransferError, match="address not allowed"):
            await post(guarded, server.url)
        with pytest.raises(TransferError, match="address not allowed"):
            await post(guarded, server.url.replace(host, "localhost").replace("[localhost]", "localhost"))
        assert server.connections == 0
    guarded.close()
    assert set(asked) <= {"127.0.0.1", "::1"}
    assert host in asked


async def test_a_name_with_one_forbidden_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def found(host: str, *_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, 0)) for address in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    client = CallbackClient(1.0)
    outcome = await client.post("http://customer.example/", b"", {}, private=False)
    await client.close()
    assert outcome.error == "address not allowed"


async def test_one_that_is_given_up_leaves_nothing(transfers: Transfers) -> None:
    async with served(b"") as server:
        hanging = asyncio.create_task(post(transfers, server.url))
        await server.asked.wait()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert (transfers._under_way, transfers._watched) == ({}, {})
        server.answer = OK
        assert await post(transfers, server.url) == (200, b"ok")


async def test_closing_ends_what_is_under_way_and_all_sockets() -> None:
    transfers = Transfers(lambda _address: True)
    async with served() as server:
        await asyncio.gather(*(post(transfers, server.url) for _ in range(20)))
        server.answer = b""
        server.asked.clear()
        hanging = asyncio.create_task(post(transfers, server.url))
        await server.asked.wait()
        gc.collect()
        there = len(os.listdir("/proc/self/fd"))
        transfers.close()
        with pytest.raises(TransferError, match="connection lost"):
            await hanging
        assert there - len(os.listdir("/proc/self/fd")) >= 20
        server.answer = OK
        assert await post(transfers, server.url) == (200, b"ok")
        transfers.close()


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ssl.SSLContext]:
    """Makes a server's context with a certificate for a host, which this process trusts."""
    file = tmp_path / "server.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    def context(host: str) -> ssl.SSLContext:
        server = Authority("server")
        file.write_bytes(server.issue("server", server, days=9999, since=-9999, hosts=(host,)) + server.private)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(file)
        return made

    return context


async def test_a_certificate_that_is_trusted(trusted: Callable[[str], ssl.SSLContext]) -> None:
    transfers = Transfers()
    async with served(context=trusted("127.0.0.1")) as server:
        for _ in range(3):
            assert await post(transfers, server.url) == (200, b"ok")
        assert server.connections == 1
    transfers.close()


async def test_a_certificate_of_another_host(trusted: Callable[[str], ssl.SSLContext]) -> None:
    transfers = Transfers()
    async with served(context=trusted("192.0.2.1")) as server:
        with pytest.raises(TransferError, match="not trusted"):
            await post(transfers, server.url)
    transfers.close()


async def test_a_certificate_of_nobody(
    trusted: Callable[[str], ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = trusted("127.0.0.1")
    monkeypatch.delenv("SSL_CERT_FILE")
    transfers = Transfers()
    async with served(context=context) as server:
        with pytest.raises(TransferError, match="not trusted"):
            await post(transfers, server.url)
    transfers.close()
