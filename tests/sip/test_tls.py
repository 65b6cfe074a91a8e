"""SIP over TLS on loopback: who is let in, who is believed, what a stuck or silent peer costs the others."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from gateway.sip.hop import Hop
from gateway.sip.resolver import Resolver
from gateway.sip.stream import QUEUE_LIMIT
from gateway.sip.tls import Tls, Trust
from gateway.sip.transport import Transport
from tests.name_server import NameServer
from tests.sip.loopback import BAD, HOST, MESSAGE, Bench, closed
from tests.sip.pki import Authority, Pair

LISTEN = Hop("tls", HOST, 0), Hop("udp", HOST, 0)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.sign("gw", "gw.example", HOST)


def tls(authority: Authority, pair: Pair, *, client_ca: bool = False) -> Tls:
    ca = authority.ca
    return Tls(certificate=pair.certificate, key=pair.key, ca=ca, client_ca=ca if client_ca else "")


def to(transport: Transport, name: str = "") -> Hop:
    return Hop("tls", HOST, transport.bound[0].port, name)


def client(authority: Authority, version: ssl.TLSVersion | None = None, pair: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.ca)
    if version is not None:
        context.maximum_version = version
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[..., Awaitable[Pipe]]


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Connects a plain client of Python's own TLS (or, without a context, of none)."""
    writers: list[asyncio.StreamWriter] = []

    async def connect(transport: Transport, context: ssl.SSLContext | None = None) -> Pipe:
        name = None if context is None else "gw.example"
        port = transport.bound[0].port
        reader, writer = await asyncio.open_connection(HOST, port, ssl=context, server_hostname=name)
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.transport.abort()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def test_there_and_back_on_one_connection(bench: Bench, authority: Authority, pair: Pair) -> None:
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    two = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    for _ in range(3):
        one.send(MESSAGE, to(two, "gw.example"))
    await bench.until(lambda: len(bench.messages) == 3)
    source = bench.messages[0][1]
    assert (source.transport, source.host) == ("tls", HOST)
    two.send(MESSAGE, source)
    await bench.until(lambda: len(bench.messages) == 4)
    assert bench.messages[3][1] == to(two, "gw.example")
    assert (one.streams, two.streams) == (1, 1)


async def test_large_messages_cross_whole(bench: Bench, authority: Authority, pair: Pair) -> None:
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    two = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    body = os.urandom(60000)
    large = b"MESSAGE sip:a SIP/2.0\r\nContent-Length: 60000\r\n\r\n" + body
    for _ in range(8):
        one.send(large, to(two))
    await bench.until(lambda: len(bench.messages) == 8)
    assert {data for data, _ in bench.messages} == {large}


@pytest.mark.parametrize(
    ("names", "asked", "believed"),
    [
        (["gw.example"], "gw.example", True),
        (["sip:gw.example", "other.example"], "gw.example", True),
        (["sip:gw.example", "other.example"], "other.example", False),
        (["*.example"], "gw.example", False),
        ([HOST], "", True),
        (["gw.example"], "", False),
    ],
)
async def test_the_peer_must_prove_its_name(
    bench: Bench, authority: Authority, names: list[str], asked: str, believed: bool
) -> None:
    two = await bench.start(listen=LISTEN, tls=tls(authority, authority.sign("two", *names)))
    one = await bench.start(listen=LISTEN, tls=tls(authority, authority.sign("one", "one.example")))
    one.send(MESSAGE, to(two, asked))
    await bench.until(lambda: bool(bench.messages or bench.failed))
    assert ([data for data, _ in bench.messages], bench.failed) == (
        ([MESSAGE], []) if believed else ([], [to(two, asked)])
    )
    assert one.counters["TLS failed"] == (0 if believed else 1)


@pytest.mark.parametrize("asked", ["gw.example", "other.example"])
async def test_the_name_is_said_so_that_the_peer_can_choose_its_certificate(
    bench: Bench, authority: Authority, asked: str
) -> None:
    """SNI (RFC 6066 §3): a carrier's front end has a certificate for each of its names."""
    contexts, heard = {}, []
    for name in ("gw.example", "other.example"):
        pair = authority.sign(name, name)
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[name].load_cert_chain(pair.certificate, pair.key)

    def choose(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        heard.append(name)
        connection.context = contexts[name or "gw.example"]

    contexts["gw.example"].sni_callback = choose
    came = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.put_nowait(await reader.readexactly(len(MESSAGE)))
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0, ssl=contexts["gw.example"]) as server:
        one = await bench.start(listen=LISTEN, tls=tls(authority, authority.sign("one", "one.example")))
        one.send(MESSAGE, Hop("tls", HOST, server.sockets[0].getsockname()[1], asked))
        async with asyncio.timeout(10):
            assert await came.get() == MESSAGE
    assert (heard, bench.failed) == ([asked], [])


async def test_a_stranger_authority_is_not_believed(
    bench: Bench, authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    two = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    other = Authority(tmp_path / "other")
    one = await bench.start(listen=LISTEN, tls=tls(other, other.sign("one", "one.example")))
    for _ in range(2):
        one.send(MESSAGE, to(two, "gw.example"))
    await bench.until(lambda: bool(bench.failed))
    assert (bench.messages, set(bench.failed)) == ([], {to(two, "gw.example")})


async def test_an_expired_certificate_is_not_believed(bench: Bench, authority: Authority, pair: Pair) -> None:
    late = authority.sign("late", "gw.example", days=-1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(late.certificate, late.key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0, ssl=context)
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    hop = Hop("tls", HOST, server.sockets[0].getsockname()[1], "gw.example")
    one.send(MESSAGE, hop)
    await bench.until(lambda: bool(bench.failed))
    assert bench.failed == [hop]
    server.close()


async def test_a_self_signed_certificate_is_believed_when_it_is_listed(bench: Bench, tmp_path: Path) -> None:
    own = Authority(tmp_path / "self")
    leaf = own.sign("leaf", "gw.example")
    two = await bench.start(listen=LISTEN, tls=Tls(certificate=leaf.certificate, key=leaf.key))
    one = await bench.start(listen=LISTEN, tls=Tls(ca=leaf.certificate, certificate=leaf.certificate, key=leaf.key))
    one.send(MESSAGE, to(two, "gw.example"))
    await bench.until(lambda: bool(bench.messages or bench.failed))
    assert bench.failed == []


@pytest.mark.parametrize("shown", ["ours", "theirs", "none"])
async def test_mutual_tls(bench: Bench, authority: Authority, pair: Pair, tmp_path: Path, shown: str) -> None:
    two = await bench.start(listen=LISTEN, tls=tls(authority, pair, client_ca=True))
    other = Authority(tmp_path / "other")
    theirs = other.sign("theirs", "one.example")
    match shown:
        case "ours":
            mine = tls(authority, authority.sign("ours", "one.example"))
        case "theirs":
            mine = Tls(certificate=theirs.certificate, key=theirs.key, ca=authority.ca)
        case _:
            mine = Tls(ca=authority.ca)
    one = await bench.start(listen=[Hop("udp", HOST, 0)], tls=mine)
    one.send(MESSAGE, to(two, "gw.example"))
    if shown == "ours":
        await bench.until(lambda: bool(bench.messages))
        assert bench.failed == []
    else:
        await bench.until(lambda: two.counters["TLS failed"] == 1 and one.streams == 0)
        assert bench.messages == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions(bench: Bench, dial: Dial, authority: Authority, pair: Pair, version: ssl.TLSVersion) -> None:
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    _, writer = await dial(one, client(authority, version))
    writer.write(MESSAGE)
    await bench.until(lambda: bool(bench.messages))
    assert writer.get_extra_info("ssl_object").version() == {"TLSv1_2": "TLSv1.2"}.get(version.name, "TLSv1.3")


async def test_old_versions_are_refused(bench: Bench, dial: Dial, authority: Authority, pair: Pair) -> None:
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    context = client(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await dial(one, context)
    await bench.until(lambda: one.counters["TLS failed"] == 1)


async def test_a_stranger_costs_no_handshake(bench: Bench, dial: Dial, authority: Authority, pair: Pair) -> None:
    deaf = await bench.start(listen=LISTEN, tls=tls(authority, pair), admits=lambda host: False)
    reader, _ = await dial(deaf)
    assert await closed(reader) == b""
    assert (deaf.gate.counters["stranger"], deaf.counters["TLS failed"]) == (1, 0)


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", MESSAGE, b"\x00" * 4096])
async def test_who_does_not_shake_hands_is_not_waited_for(
    bench: Bench, dial: Dial, authority: Authority, pair: Pair, said: bytes
) -> None:
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair), handshake_seconds=0.1)
    reader, writer = await dial(one)
    writer.write(said)
    await closed(reader)
    assert (bench.messages, bench.malformed, one.streams) == ([], [], 0)


async def test_a_peer_that_never_shakes_hands_is_told_of(bench: Bench, authority: Authority, pair: Pair) -> None:
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair), handshake_seconds=0.1)
    with socket.create_server((HOST, 0)) as silent:
        hop = Hop("tls", HOST, silent.getsockname()[1], "gw.example")
        one.send(MESSAGE, hop)
        await bench.until(lambda: bool(bench.failed))
    assert bench.failed == [hop]


async def test_what_can_not_be_framed_is_told_and_closes(
    bench: Bench, dial: Dial, authority: Authority, pair: Pair
) -> None:
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    reader, writer = await dial(one, client(authority))
    writer.write(MESSAGE + BAD)
    assert await closed(reader) == b""
    assert ([data for data, _ in bench.messages], bench.malformed) == ([MESSAGE], [BAD])


async def test_a_keep_alive_is_answered(bench: Bench, dial: Dial, authority: Authority, pair: Pair) -> None:
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    reader, writer = await dial(one, client(authority))
    writer.write(b"\r\n\r\n")
    async with asyncio.timeout(30):
        assert await reader.readexactly(2) == b"\r\n"


async def test_a_stuck_peer_stops_nobody(bench: Bench, dial: Dial, authority: Authority, pair: Pair) -> None:
    """It doesn't read; while its queue fills, and after it has been closed, others are served."""
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    two = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    _, writer = await dial(one, client(authority))
    writer.write(MESSAGE)
    await bench.until(lambda: len(bench.messages) == 1)
    stuck = bench.messages[0][1]
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    sent = 0
    while not one.counters["stuck peer"]:
        one.send(b"x" * 65536, stuck)
        sent += 65536
        assert sent < 64 * QUEUE_LIMIT
        if sent % (1 << 20) == 0:
            bench.messages.clear()
            two.send(MESSAGE, to(one, "gw.example"))
            await bench.until(lambda: bool(bench.messages))
    await bench.until(lambda: bool(bench.failed))
    assert bench.failed == [stuck]
    bench.messages.clear()
    two.send(MESSAGE, to(one, "gw.example"))
    await bench.until(lambda: bool(bench.messages))


async def test_a_certificate_is_renewed_under_standing_connections(
    bench: Bench, dial: Dial, authority: Authority, pair: Pair
) -> None:
    secured = tls(authority, pair)
    one = await bench.start(listen=LISTEN, tls=secured)
    _, old = await dial(one, client(authority))
    fresh = authority.sign("fresh", "gw.example", "second.example")
    shutil.copy(fresh.certificate, pair.certificate)
    shutil.copy(fresh.key, pair.key)
    assert secured.renew()
    assert not secured.renew()
    _, new = await dial(one, client(authority))
    named = [{value for _, value in writer.get_extra_info("peercert")["subjectAltName"]} for writer in (old, new)]
    assert named == [{"gw.example", HOST}, {"gw.example", "second.example"}]
    for writer in (old, new):
        writer.write(MESSAGE)
    await bench.until(lambda: len(bench.messages) == 2)


def trusting(authority: Authority, pair: Pair, theirs: Authority, name: str = "") -> Tls:
    """``carrier`` must show a certificate of ``theirs``, anybody else one of ``authority``."""
    return Tls(
        certificate=pair.certificate, key=pair.key, client_ca=authority.ca, trunks={"carrier": Trust(theirs.ca, name)}
    )


@pytest.mark.parametrize(
    ("trunk", "name", "shown", "let_in"),
    [
        ("carrier", "", "theirs", True),
        ("carrier", "", "ours", False),
        ("carrier", "sbc.example", "theirs", True),
        ("carrier", "other.example", "theirs", False),
        (None, "", "ours", True),
        (None, "", "theirs", False),
    ],
)
async def test_a_trunk_is_who_its_own_authority_says(
    bench: Bench,
    authority: Authority,
    pair: Pair,
    tmp_path: Path,
    trunk: str | None,
    name: str,
    shown: str,
    let_in: bool,
) -> None:
    other = Authority(tmp_path / "other")
    two = await bench.start(listen=LISTEN, tls=trusting(authority, pair, other, name), trunk_of=lambda host: trunk)
    mine = {"theirs": other, "ours": authority}[shown].sign("mine", "sbc.example")
    one = await bench.start(
        listen=[Hop("udp", HOST, 0)], tls=Tls(certificate=mine.certificate, key=mine.key, ca=authority.ca)
    )
    one.send(MESSAGE, to(two, "gw.example"))
    await bench.until(lambda: bool(bench.messages) or (two.counters["TLS failed"] == 1 and one.streams == 0))
    assert bool(bench.messages) is let_in


async def test_authorities_are_renewed_and_a_bad_file_changes_nothing(
    bench: Bench, dial: Dial, authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    secured = trusting(authority, pair, old)
    one = await bench.start(listen=LISTEN, tls=secured, trunk_of=lambda host: "carrier")
    mine = {whose: whose.sign("mine", "sbc.example") for whose in (old, new)}
    _, standing = await dial(one, client(authority, pair=mine[old]))
    shutil.copy(pair.key, old.ca)
    with pytest.raises(OSError, match=r"(?i)ssl|pem|certificate"):
        secured.renew()
    _, still = await dial(one, client(authority, pair=mine[old]))
    shutil.copy(new.ca, old.ca)
    assert secured.renew()
    _, fresh = await dial(one, client(authority, pair=mine[new]))
    for writer in (standing, still, fresh):
        writer.write(MESSAGE)
    await bench.until(lambda: len(bench.messages) == 3)
    reader, _ = await dial(one, client(authority, ssl.TLSVersion.TLSv1_3, mine[old]))
    with suppress(ssl.SSLError, ConnectionError):
        await closed(reader)
    assert one.counters["TLS failed"] == 1


async def test_without_a_certificate_nothing_listens_and_nothing_is_dialled(bench: Bench) -> None:
    with pytest.raises(ValueError, match="needs a certificate"):
        await bench.start(listen=[Hop("tls", HOST, 0)], tls=Tls())
    one = await bench.start()
    one.send(MESSAGE, Hop("tls", HOST, 5061))
    await bench.until(lambda: bool(bench.failed))


@pytest.mark.parametrize("shown", [True, False])
async def test_an_alias_is_believed_of_who_has_shown_a_certificate(
    bench: Bench, dial: Dial, authority: Authority, pair: Pair, shown: bool
) -> None:
    secured = tls(authority, pair)
    assert secured.server is not None
    secured.server.verify_mode = ssl.CERT_OPTIONAL
    secured.server.load_verify_locations(authority.ca)
    one = await bench.start(listen=LISTEN, tls=secured, trunk_of=lambda host: "carrier")
    reader, writer = await dial(one, client(authority, pair=authority.sign("c", "c.example") if shown else None))
    _, second = await dial(one, client(authority))
    via = f"Via: SIP/2.0/TLS {HOST}:9;branch=z9hG4bK1;alias".encode()
    for each in (writer, second):
        each.write(b"OPTIONS sip:a SIP/2.0\r\n" + via + b"\r\nContent-Length: 0\r\n\r\n")
    await bench.until(lambda: len(bench.messages) == 2)
    one.send(MESSAGE, Hop("tls", HOST, 9))
    if shown:
        async with asyncio.timeout(30):
            assert await reader.readexactly(len(MESSAGE)) == MESSAGE
    await bench.until(lambda: bool(bench.failed) is not shown)


async def test_a_dialog_that_came_by_a_connection_stays_on_it_while_it_stands(
    bench: Bench, dial: Dial, authority: Authority, pair: Pair
) -> None:
    """Its Contact is an address, for which hardly anybody has a certificate; that is gone to when all else is gone."""
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    two = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    reader, writer = await dial(one, client(authority))
    writer.write(MESSAGE)
    await bench.until(lambda: len(bench.messages) == 1)
    came = bench.messages[0][1]
    hop = replace(came, target=str(to(two)))
    one.send(MESSAGE, hop)
    async with asyncio.timeout(30):
        assert await reader.readexactly(len(MESSAGE)) == MESSAGE
    one.send(MESSAGE, to(two))
    await bench.until(lambda: len(bench.messages) == 2)
    writer.transport.abort()
    await bench.until(lambda: bool(bench.closed))
    one.send(MESSAGE, hop)
    await bench.until(lambda: len(bench.messages) == 3)
    assert bench.failed == []


async def test_over_ipv6(bench: Bench, authority: Authority) -> None:
    listen = [Hop("tls", "::1", 0)]
    one, two = [
        await bench.start(listen=listen, tls=tls(authority, authority.sign(name, "::1"))) for name in ("one", "two")
    ]
    one.send(MESSAGE, two.bound[0])
    await bench.until(lambda: bool(bench.messages or bench.failed))
    two.send(MESSAGE, bench.messages[0][1])
    await bench.until(lambda: len(bench.messages) == 2)
    assert bench.failed == []


async def test_a_named_target_that_proves_nothing_is_passed_over(
    bench: Bench, authority: Authority, pair: Pair
) -> None:
    """A Record-Route's name that the certificate doesn't bear: the request goes where the dialog came from."""
    server = NameServer({("edge.example.com", "A"): [HOST]})
    resolver = Resolver([await server.start()])
    two = await bench.start(listen=LISTEN, tls=tls(authority, pair))
    one = await bench.start(listen=LISTEN, tls=tls(authority, pair), resolver=resolver)
    port = two.bound[0].port
    hop = Hop("tls", HOST, port, "gw.example", f"tls:edge.example.com:{port}")
    one.send(MESSAGE, hop)
    await bench.until(lambda: bool(bench.messages))
    assert (one.counters["TLS failed"], bench.failed) == (1, [])
    await server.stop()


def test_all_of_it_under_uvloop(authority: Authority, pair: Pair) -> None:
    """A node's loop is uvloop's: there and back, a refused name, a stranger, an orderly end."""

    async def run() -> tuple[list[Bench], list[object]]:
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
        benches = []
        for scene in (_there_and_back, _refused):
            bench = Bench()
            one = await bench.start(listen=LISTEN, tls=tls(authority, pair))
            two = await bench.start(listen=LISTEN, tls=tls(authority, pair))
            await scene(bench, one, two)
            for transport in (one, two):
                await transport.stop()
            benches.append(bench)
        return benches, faults

    (good, bad), faults = uvloop.run(run())
    assert (len(good.messages), good.failed, len(bad.messages), len(bad.failed), faults) == (2, [], 0, 1, [])


Scene = Callable[[Bench, Transport, Transport], object]


async def _there_and_back(bench: Bench, one: Transport, two: Transport) -> None:
    one.send(MESSAGE, to(two, "gw.example"))
    await bench.until(lambda: len(bench.messages) == 1)
    two.send(MESSAGE, bench.messages[0][1])
    await bench.until(lambda: len(bench.messages) == 2)


async def _refused(bench: Bench, one: Transport, two: Transport) -> None:
    one.send(MESSAGE, to(two, "not.example"))
    await bench.until(lambda: bool(bench.failed))
