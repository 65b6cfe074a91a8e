"""HTTPS with a certificate made here: versions, old clients, renewal under standing connections, bad pairs."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gateway.api.guard import WebLimits
from gateway.api.server import web_server
from gateway.certificate import Certificate


def make(folder: Path, name: str, *, days: int = 1) -> tuple[Path, Path]:
    """A self-signed pair whose common name is ``name``."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return files


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(Request(scope).url.scheme)(scope, receive, send)


@dataclass
class Served:
    port: int
    certificate: Certificate


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    certificate = Certificate(*make(tmp_path / "pair", "first"))
    listening = socket.create_server(("127.0.0.1", 0))
    server = web_server(app, certificate.context)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield Served(listening.getsockname()[1], certificate)
    server.should_exit = True
    await serving
    listening.close()


Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(port: int, version: ssl.TLSVersion | None = None) -> Pipe:
    """A client that checks nothing, as the vendor's samples do."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.maximum_version = version
    return await asyncio.open_connection("127.0.0.1", port, ssl=context)


async def get(pipe: Pipe, version: str = "1.1") -> bytes:
    reader, writer = pipe
    writer.write(f"GET / HTTP/{version}\r\nHost: gw\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return await reader.readexactly(size)


def name_of(pipe: Pipe) -> str:
    found = pipe[1].get_extra_info("ssl_object").getpeercert(binary_form=True)
    (name,) = x509.load_der_x509_certificate(found).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


async def close(pipe: Pipe) -> None:
    pipe[1].close()
    await pipe[1].wait_closed()


@pytest.mark.parametrize("http", ["1.0", "1.1"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_it_speaks_https(served: Served, http: str, version: ssl.TLSVersion) -> None:
    pipe = await connect(served.port, version)
    assert await get(pipe, http) == b"https"
    await close(pipe)


async def test_a_renewed_pair_serves_new_connections_and_drops_no_old_one(served: Served, tmp_path: Path) -> None:
    old = await connect(served.port)
    assert not served.certificate.renew()
    make(tmp_path / "pair", "second one")
    assert served.certificate.renew()
    new = await connect(served.port)
    assert (name_of(old), name_of(new)) == ("first", "second one")
    assert await get(old) == await get(new) == b"https"
    await close(old)
    await close(new)


async def test_a_half_written_pair_changes_nothing(served: Served, tmp_path: Path) -> None:
    files = make(tmp_path / "other", "other")
    (tmp_path / "pair" / "certificate.pem").write_bytes(files[0].read_bytes())
    with pytest.raises(ssl.SSLError):
        served.certificate.renew()
    pipe = await connect(served.port)
    assert name_of(pipe) == "first"
    await close(pipe)
    (tmp_path / "pair" / "key.pem").write_bytes(files[1].read_bytes())
    assert served.certificate.renew()


Serve = Callable[[WebLimits], Awaitable[int]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """A server with limits; its port."""
    certificate = Certificate(*make(tmp_path / "limited", "limited"))
    async with AsyncExitStack() as stack:

        async def start(limits: WebLimits) -> int:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            server = web_server(app, certificate.context, limits)
            serving = asyncio.create_task(server.serve(sockets=[listening]))

            async def stop() -> None:
                server.should_exit = True
                await serving

            stack.push_async_callback(stop)
            port: int = listening.getsockname()[1]
            return port

        yield start


async def test_who_begins_a_handshake_and_ends_none_is_closed(serve: Serve) -> None:
    port = await serve(WebLimits(handshake_seconds=0.1, per_host=3))
    pipes = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    pipes[1][1].write(b"\x16\x03\x01\x02\x00")
    pipes[2][1].write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(30):
        for reader, writer in pipes:
            with suppress(ConnectionError):
                await reader.read()
            writer.close()


async def test_handshakes_are_a_crowd_too(serve: Serve) -> None:
    port = await serve(WebLimits(handshake_seconds=600, per_host=2))
    first = await connect(port)
    _, begun = await asyncio.open_connection("127.0.0.1", port)
    reader, over = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(30):
        with suppress(ConnectionError):
            assert await reader.read() == b""
        begun.transport.abort()
        while True:
            try:
                again = await connect(port)
                break
            except OSError:
                await asyncio.sleep(0)
    assert await get(first) == await get(again) == b"https"
    over.close()
    await close(again)
    await close(first)


def test_pairs_that_can_t_be_used(tmp_path: Path) -> None:
    good, key = make(tmp_path / "good", "good")
    late, its_key = make(tmp_path / "late", "late", days=-1)
    with pytest.raises(ValueError, match=r"certificate\.pem: expired on 20"):
        Certificate(late, its_key)
    with pytest.raises(ssl.SSLError):
        Certificate(good, its_key)
    with pytest.raises(FileNotFoundError):
        Certificate(good, tmp_path / "none.pem")
    with pytest.raises(ValueError, match="PEM"):
        Certificate(key, key)


@pytest.mark.parametrize("old", [True, False])
async def test_old_versions_only_by_choice(tmp_path: Path, old: bool) -> None:
    certificate = Certificate(*make(tmp_path / "pair", "gw"), old=old)
    listening = socket.create_server(("127.0.0.1", 0))
    server = web_server(app, certificate.context)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.deprecated_call():
        client.maximum_version = ssl.TLSVersion.TLSv1
    port = listening.getsockname()[1]
    if old:
        pipe = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        assert pipe[1].get_extra_info("ssl_object").version() == "TLSv1"
        assert await get(pipe, "1.0") == b"https"
        await close(pipe)
    else:
        # Either the server's alert comes first, or the end of its connection.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=client)
    server.should_exit = True
    await serving
    listening.close()
