"""What a hostile or broken client sends to an HTTP server, case by case, and what a server must do: tests/integration
runs it against a node, tests/bench/asgi_bench.py against other servers.

    ONE      exactly one answer, no 5xx: what was hidden behind or inside of the request is not served
    REFUSED  at most one answer, a 4xx, 501 or 505, and the connection is closed
    ENDS     the connection is closed in time, with at most one answer; a slow client gets no more than its limit
    LIVES    every request is answered without a 5xx

After each case another connection is answered at once.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

ONE, REFUSED, ENDS, LIVES = "one", "refused", "ends", "lives"
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")
REFUSALS = frozenset({400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 417, 421, 426, 431, 501, 505})
HOST = b"Host: a\r\n"
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Site:
    """Where the server is. ``patience``: by when each of its limits has struck. ``path``: takes a POST of JSON, with
    ``signed`` headers. ``large``: a GET with an answer of some size. ``per_host``: connections of one address."""

    host: str
    port: int
    patience: float
    path: str
    large: str
    per_host: int
    signed: Callable[[], Mapping[str, str]] = field(default=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back."""

    statuses: list[int]
    closed: bool
    seconds: float


Send = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def exchange(site: Site, send: Send, *, patience: float | None = None) -> Seen:
    """Connect, send, and read until the server closes or is quiet for ``patience``."""
    began, got, closed = time.monotonic(), b"", False
    reader, writer = await asyncio.open_connection(site.host, site.port, limit=1 << 14)
    sending = asyncio.create_task(send(writer))
    try:
        async with asyncio.timeout(site.patience if patience is None else patience):
            while part := await reader.read(1 << 16):
                got += part
            closed = True
    except TimeoutError:
        pass
    except ConnectionError:
        closed = True
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await _drop(writer)
    statuses = [int(found) for found in _STATUS.findall(got)]
    return Seen([status for status in statuses if status >= 200], closed, time.monotonic() - began)


async def _drop(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


def fault(want: str, seen: Seen) -> str:
    """What is wrong with it; "" when it is as wanted."""
    if any(status >= 500 and status not in REFUSALS for status in seen.statuses):
        return f"failed: {seen.statuses}"
    if want == LIVES:
        return "" if seen.statuses else "no answer"
    if len(seen.statuses) > 1:
        return f"served more than one: {seen.statuses}"
    if want == ONE:
        return "" if seen.statuses or seen.closed else "no answer"
    if not seen.closed:
        return f"left open, after {seen.statuses}"
    if want == REFUSED and not set(seen.statuses) <= REFUSALS:
        return f"served: {seen.statuses}"
    return ""


def once(data: bytes, *, half: bool = False) -> Send:
    """Send it all; ``half``: then say that nothing more comes."""

    async def send(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            writer.write(data)
            await writer.drain()
            if half:
                writer.write_eof()

    return send


def trickle(head: bytes, drop: bytes, every: float = 0.05) -> Send:
    """``head``, then ``drop`` again and again; ``every`` 0: as fast as it goes."""

    async def send(writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            writer.write(head)
            while True:
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(every)

    return send


def post(headers: bytes, body: bytes = b"", path: bytes = b"/healthz") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def get(headers: bytes = b"", target: bytes = b"/healthz") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked\r\n"
ZERO = b"0\r\n\r\n"


RAW: dict[str, tuple[str, bytes]] = {
    # what one server takes for a body another takes for a request
    "length and chunks, CL.TE": (REFUSED, post(b"Content-Length: 6\r\n" + CHUNKED, ZERO + b"G" + HIDDEN)),
    "length and chunks, TE.CL": (REFUSED, post(CHUNKED + b"Content-Length: 4\r\n", b"5c\r\n" + ZERO + HIDDEN)),
    "two lengths that differ": (REFUSED, post(b"Content-Length: 0\r\nContent-Length: 36\r\n", HIDDEN)),
    "two lengths in one line": (REFUSED, post(b"Content-Length: 0, 36\r\n", HIDDEN)),
    "a length with a sign": (REFUSED, post(b"Content-Length: +36\r\n", HIDDEN)),
    "a negative length": (REFUSED, post(b"Content-Length: -1\r\n", HIDDEN)),
    "a length in hex": (REFUSED, post(b"Content-Length: 0x24\r\n", HIDDEN)),
    "a length with an underscore": (REFUSED, post(b"Content-Length: 3_6\r\n", HIDDEN)),
    "a length with a blank inside": (REFUSED, post(b"Content-Length: 3 6\r\n", HIDDEN)),
    "a length in Arabic digits": (REFUSED, post("Content-Length: ٣٦\r\n".encode(), HIDDEN)),
    "a length of thirty digits": (REFUSED, post(b"Content-Length: 1" + b"0" * 30 + b"\r\n", b"x")),
    "an empty length": (REFUSED, post(b"Content-Length: \r\n", HIDDEN)),
    "a blank before the colon of a length": (REFUSED, post(b"Content-Length : 36\r\n", HIDDEN)),
    "a blank before the colon of chunks": (REFUSED, post(b"Transfer-Encoding : chunked\r\n", ZERO + HIDDEN)),
    "a folded length": (REFUSED, post(b"Content-Length:\r\n 36\r\n", HIDDEN)),
    "folded chunks": (REFUSED, post(b"X: a\r\n Transfer-Encoding: chunked\r\n", ZERO + HIDDEN)),
    "a coding that isn't known": (REFUSED, post(b"Transfer-Encoding: xchunked\r\n", ZERO + HIDDEN)),
    "chunks behind another coding": (REFUSED, post(b"Transfer-Encoding: gzip, chunked\r\n", ZERO + HIDDEN)),
    "chunks before another coding": (REFUSED, post(b"Transfer-Encoding: chunked, identity\r\n", ZERO + HIDDEN)),
    "chunks with a tab that isn't one": (REFUSED, post(b"Transfer-Encoding: \x0bchunked\r\n", ZERO + HIDDEN)),
    "two codings": (REFUSED, post(CHUNKED + b"Transfer-Encoding: identity\r\n", ZERO + HIDDEN)),
    "chunks in HTTP/1.0": (REFUSED, post(CHUNKED, ZERO).replace(b"HTTP/1.1", b"HTTP/1.0")),
    "a chunk of negative size": (ENDS, post(CHUNKED, b"-1\r\n" + HIDDEN)),
    "a chunk of 0x5": (ENDS, post(CHUNKED, b"0x5\r\nabcde\r\n" + ZERO)),
    "a chunk of 1_0": (ENDS, post(CHUNKED, b"1_0\r\n" + b"a" * 16 + b"\r\n" + ZERO)),
    "a chunk of twenty digits": (ENDS, post(CHUNKED, b"f" * 20 + b"\r\n" + b"a" * 100)),
    "a chunk without its end": (ENDS, post(CHUNKED, b"5\r\nabcdeXX" + ZERO)),
    "a chunk line that ends bare": (ENDS, post(CHUNKED, b"5\nabcde\r\n" + ZERO + HIDDEN)),
    "a chunk with an extension without end": (ENDS, post(CHUNKED, b"5;" + b"a" * 100_000)),
    "a trailer that is a length": (ONE, post(CHUNKED, b"0\r\nContent-Length: 36\r\n\r\n")),
    "a request in the body of a GET": (ONE, get(b"Content-Length: %d\r\n" % len(HIDDEN)) + HIDDEN),
    # heads that are none
    "no Host": (REFUSED, b"GET /healthz HTTP/1.1\r\n\r\n"),
    "two Hosts": (REFUSED, get(b"Host: b\r\n")),
    "a header without a colon": (REFUSED, get(b"nonsense\r\n")),
    "a header without a name": (REFUSED, get(b": x\r\n")),
    "a name with a blank": (REFUSED, get(b"a b: x\r\n")),
    "a NUL in a value": (REFUSED, get(b"a: x\x00y\r\n")),
    "a bare CR in a value": (REFUSED, get(b"a: x\ry: z\r\n")),
    "a header before the first name": (REFUSED, b"GET /healthz HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n"),
    "two blanks in the first line": (REFUSED, b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a method that is none": (REFUSED, b"G(T /healthz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a target with a control character": (REFUSED, get(target=b"/health\x01z")),
    "a version that is none": (REFUSED, b"GET /healthz HTTP/1.10\r\n" + HOST + b"\r\n"),
    "HTTP/0.9": (REFUSED, b"GET /healthz\r\n\r\n"),
    "the preface of HTTP/2": (REFUSED, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 20),
    "TLS where HTTP is spoken": (REFUSED, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500),
    "a first line without end": (REFUSED, b"GET /" + b"a" * 200_000),
    "a header without end": (REFUSED, get(b"a: " + b"b" * 200_000)),
    "ten thousand headers": (REFUSED, get(b"".join(b"a%d: b\r\n" % number for number in range(10_000)))),
    "an expectation that isn't known": (ONE, post(b"Expect: wonders\r\nContent-Length: 0\r\n")),
    "an upgrade to h2c": (ONE, get(b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n")),
    "an upgrade to WebSocket": (ONE, get(b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                         b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")),
    "CONNECT": (ONE, b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "TRACE": (ONE, b"TRACE /healthz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a path that climbs": (ONE, get(target=b"/../../etc/passwd")),
    "a path with a NUL": (ONE, get(target=b"/health%00z")),
    "an escape that is none": (ONE, get(target=b"/healthz%zz?%zz=%f")),
    "a path that is no UTF-8": (ONE, get(target=b"/healthz/%ff%fe")),
}  # fmt: skip


JSON: dict[str, tuple[str, bytes]] = {
    "nested lists": ("application/json", b"[" * 30_000 + b"]" * 30_000),
    "nested objects": ("application/json", b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "nesting without end": ("application/json", b'{"callerNum":' * 5_000),
    "a number of many digits": ("application/json", b'{"duration":1' + b"0" * 50_000 + b"}"),
    "no number": ("application/json", b'{"duration":NaN,"maxDuration":-Infinity,"x":1e999}'),
    "a name twice": ("application/json", b'{"callerNum":"+8613800000021","callerNum":{}}'),
    "a half of a pair": ("application/json", b'{"callerNum":"\\ud800","calleeNum":"\\udfff","relationNum":"\\ud83d"}'),
    "no UTF-8": ("application/json", b'{"callerNum":"\xff\xfe"}'),
    "UTF-16": ("application/json", '{"callerNum":"1"}'.encode("utf-16")),
    "not an object": ("application/json", b"null"),
    "a form that says it is JSON": ("application/json", b"callerNum=1&calleeNum=2"),
    "JSON that says it is a picture": ("image/png", b'{"callerNum":"1"}'),
    "NULs in a text": ("application/json", b'{"callerNum":"+86138\\u0000\\u0000","userData":"\\u0000"}'),
}


async def _json(site: Site, name: str, path: str, headers: Mapping[str, str]) -> str:
    kind, body = JSON[name]
    lines = {**headers, "Content-Type": kind, "Content-Length": str(len(body))}
    head = "".join(f"{key}: {value}\r\n" for key, value in lines.items()).encode()
    return fault(LIVES, await exchange(site, once(post(head, body, path.encode()))))


async def _packed(site: Site) -> str:
    """A body that says it is packed is not unpacked."""
    head = "".join(f"{key}: {value}\r\n" for key, value in site.signed().items()).encode()
    packed = b"\x1f\x8b\x08" + b"\x00" * 97
    data = post(head + b"Content-Encoding: gzip\r\nContent-Length: 100\r\n", packed, site.path.encode())
    return fault(LIVES, await exchange(site, once(data)))


async def _too_large(site: Site) -> str:
    head = "".join(f"{key}: {value}\r\n" for key, value in site.signed().items()).encode()
    data = post(head + b"Content-Length: 900000000\r\n", b"[" * 300_000, site.path.encode())
    return fault(REFUSED, await exchange(site, once(data)))


async def _never_ending(site: Site) -> str:
    """Chunks without end, as fast as they are taken."""
    head = "".join(f"{key}: {value}\r\n" for key, value in site.signed().items()).encode()
    data = post(head + CHUNKED, b"", site.path.encode())
    return fault(ENDS, await exchange(site, trickle(data, b"1000\r\n" + b"[" * 0x1000 + b"\r\n", 0.0)))


async def _never_ending_unread(site: Site) -> str:
    """Likewise to a path that reads no body."""
    return fault(ENDS, await exchange(site, trickle(get(CHUNKED), b"1000\r\n" + b"[" * 0x1000 + b"\r\n", 0.0)))


async def _trailers(site: Site) -> str:
    return fault(ENDS, await exchange(site, trickle(post(CHUNKED, b"0\r\n"), b"a: b\r\n", 0.0)))


def _slow(data: bytes, drop: bytes) -> Callable[[Site], Awaitable[str]]:
    async def run(site: Site) -> str:
        send = trickle(data, drop) if drop else once(data)
        return fault(ENDS, await exchange(site, send))

    return run


def _signed_slow(headers: bytes, drop: bytes) -> Callable[[Site], Awaitable[str]]:
    async def run(site: Site) -> str:
        head = "".join(f"{key}: {value}\r\n" for key, value in site.signed().items()).encode()
        data = post(head + headers, b"", site.path.encode())
        return fault(ENDS, await exchange(site, trickle(data, drop) if drop else once(data)))

    return run


async def _half_closed(site: Site) -> str:
    """The length lies: nothing more will come."""
    head = "".join(f"{key}: {value}\r\n" for key, value in site.signed().items()).encode()
    data = post(head + b"Content-Length: 100\r\n", b"{}", site.path.encode())
    return fault(ENDS, await exchange(site, once(data, half=True)))


async def _unread(site: Site) -> str:
    """Ask for much, and read nothing."""
    until = time.monotonic() + site.patience
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setblocking(False)
        await asyncio.get_running_loop().sock_connect(peer, (site.host, site.port))
        try:
            while time.monotonic() < until:
                with suppress(BlockingIOError):
                    peer.send(get(target=site.large.encode()))
                await asyncio.sleep(0.02)
        except ConnectionError:
            return ""
    return "left open"


async def _pipelined(site: Site) -> str:
    """They are answered one by one, or not all; none fails."""
    return fault(LIVES, await exchange(site, once(get() * 1000)))


@asynccontextmanager
async def _opened(site: Site) -> AsyncIterator[list[asyncio.StreamReader]]:
    """More connections of one address than it may have; at the end the server has noticed that they are gone."""
    made = [await asyncio.open_connection(site.host, site.port) for _ in range(site.per_host + 40)]
    try:
        yield [reader for reader, _ in made]
    finally:
        for _, writer in made:
            await _drop(writer)
        for _ in range(50):
            if (await exchange(site, once(get(b"Connection: close\r\n")))).statuses:
                break
            await asyncio.sleep(0.05)


async def _crowd(site: Site) -> str:
    """One address opens more connections than it may: the others are closed, before the first of its limits closes all.
    A machine that is busy elsewhere may be slower than that once."""
    said = ""
    for _ in range(3):
        said = await _crowd_once(site)
        if not said:
            break
    return said


async def _crowd_once(site: Site) -> str:
    async with _opened(site) as readers:
        ends = [asyncio.create_task(reader.read()) for reader in readers]
        done, left = await asyncio.wait(ends, timeout=0.7)
        for end in left:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        return "" if len(done) >= 40 else f"{len(left)} connections of one address stand"


async def _apart(site: Site) -> str:
    """While one address holds all it may, another is served."""
    async with _opened(site):
        try:
            reader, writer = await asyncio.open_connection(site.host, site.port, local_addr=("127.0.0.2", 0))
        except OSError:
            return "another address is not let in"
        writer.write(get(b"Connection: close\r\n"))
        try:
            async with asyncio.timeout(site.patience):
                return "" if b" 200 " in await reader.read() else "another address is refused"
        except (TimeoutError, OSError):
            return "another address is not served"
        finally:
            await _drop(writer)


async def _second_head(site: Site) -> str:
    """The first request is answered, the next begins and never ends."""
    seen = await exchange(site, trickle(get() + b"GET /", b"a"))
    return fault(ENDS, seen)


async def _second_silence(site: Site) -> str:
    return fault(ENDS, await exchange(site, once(get())))


SLOW: dict[str, Callable[[Site], Awaitable[str]]] = {
    "a connection that says nothing": _slow(b"", b""),
    "a head that trickles": _slow(b"GET /healthz HTTP/1.1\r\n", b"a: b\r\n"),
    "a first line that trickles": _slow(b"GET /", b"a"),
    "empty lines that trickle": _slow(b"\r\n", b"\r\n"),
    "a head that stops": _slow(b"GET /healthz HTTP/1.1\r\nHost: a\r\n", b""),
    "a second head that trickles": _second_head,
    "a connection that goes on saying nothing": _second_silence,
    "a body that trickles": _signed_slow(b"Content-Length: 60000\r\n", b" "),
    "a body that never comes": _signed_slow(b"Content-Length: 60000\r\n", b""),
    "a body that is waited for": _signed_slow(b"Expect: 100-continue\r\nContent-Length: 60000\r\n", b""),
    "chunks that trickle": _signed_slow(CHUNKED, b"1\r\n \r\n"),
    "a body nobody reads that trickles": _slow(get(b"Content-Length: 60000\r\n"), b" "),
    "chunks without end": _never_ending,
    "chunks without end that nobody reads": _never_ending_unread,
    "trailers without end": _trailers,
    "a body larger than allowed": _too_large,
    "a length that lies, and an end": _half_closed,
    "answers that nobody reads": _unread,
}


def cases(admin: str = "") -> dict[str, Callable[[Site], Awaitable[str]]]:
    """All cases by name. ``admin``: a path of the management API that takes a POST, to be tried without a token too."""

    def raw(want: str, data: bytes) -> Callable[[Site], Awaitable[str]]:
        async def run(site: Site) -> str:
            return fault(want, await exchange(site, once(data)))

        return run

    def json(name: str, path: str) -> Callable[[Site], Awaitable[str]]:
        async def run(site: Site) -> str:
            return await _json(site, name, path or site.path, {} if path else site.signed())

        return run

    found = {name: raw(*row) for name, row in RAW.items()}
    found |= {f"JSON: {name}": json(name, "") for name in JSON}
    if admin:
        found |= {f"JSON without a token: {name}": json(name, admin) for name in JSON}
    return found | SLOW | {"a body that says it is packed": _packed, "a thousand requests at once": _pipelined}


CROWDS = {"too many connections": _crowd, "another address beside them": _apart}


async def trial(site: Site, some: Mapping[str, Callable[[Site], Awaitable[str]]], at_once: int = 12) -> dict[str, str]:
    """What doesn't hold, by case; while they run, another client is answered."""
    wrong: dict[str, str] = {}
    places = asyncio.Semaphore(at_once)

    async def one(name: str, run: Callable[[Site], Awaitable[str]]) -> None:
        async with places:
            try:
                found = await run(site)
            except OSError as error:
                found = f"{type(error).__name__}"
            if not found:
                seen = await exchange(site, once(get(b"Connection: close\r\n")), patience=5.0)
                found = "" if seen.statuses == [200] else f"deaf afterwards: {seen}"
            if found:
                wrong[name] = found

    await asyncio.gather(*(one(name, run) for name, run in some.items()))
    return wrong
