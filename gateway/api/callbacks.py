"""[IO] One POST to a customer's server: bounded in time and size, to no address that a customer has no business with.

A customer names the address, so it is hostile input (SSRF): names are resolved here, every address is checked, and the
connection goes to the checked address. Redirects are failures, the environment's proxies are not used, and of the
answer only its status and first bytes are kept, as they came: a few kilobytes of gzip may hold gigabytes.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

BODY_LIMIT = 64 * 1024
POST_LIMIT = 4 * 1024
"""Bytes read of an answer of which nothing but the status counts; one that is longer costs its connection."""
SHOWN = 256
"""Bytes of an answer that the ledger keeps."""
# Besides what ipaddress calls not global: IETF protocol assignments, and the ranges that lead to IPv4 by translation.
_FORBIDDEN = [
    ip_network(text) for text in ("192.0.0.0/24", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "fd00:ec2::254/128")
]


def forbidden(address: str) -> bool:
    """Whether an address is private, local, shared, multicast or leads to one by translation."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if not found.is_global or found.is_multicast:
        return True
    return any(found.version == network.version and found in network for network in _FORBIDDEN)


class _Guard(AbstractResolver):
    """Resolves names; one forbidden address among the answers refuses the name."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        if any(forbidden(str(row[4][0])) for row in found):
            raise OSError("the name leads to an address that is not allowed")
        return [
            ResolveResult(
                hostname=host,
                host=str(row[4][0]),
                port=port,
                family=row[0],
                proto=row[2],
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for row in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a POST: the HTTP status, or in a few words why there is none; and how the answer began."""

    status: int | None
    error: str | None = None
    answer: str = ""

    @property
    def ok(self) -> bool:
        """Only 2xx is success."""
        return self.status is not None and 200 <= self.status < 300


async def _first(content: aiohttp.StreamReader, limit: int) -> bytes:
    """All of a body, or its first bytes."""
    parts, size = [], 0
    while size < limit and (part := await content.read(limit - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


class Client(Protocol):
    """What pushes and questions go by: the one below, or what stands in for a customer's server (gateway.scenarios)."""

    async def post(self, url: str, body: bytes, headers: dict[str, str], *, private: bool) -> Outcome:
        """POST and wait for the status."""

    async def ask(
        self, url: str, body: bytes, headers: dict[str, str], *, private: bool, seconds: float | None = None
    ) -> tuple[Outcome, bytes]:
        """POST and wait for the answer."""


class CallbackClient:
    """Two pools of connections: one for anywhere in the world, one for customers whose operator allows private ones."""

    def __init__(self, seconds: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._pools: dict[bool, aiohttp.ClientSession] = {}

    async def post(self, url: str, body: bytes, headers: dict[str, str], *, private: bool) -> Outcome:
        """POST and wait for the status. Never raises but when cancelled."""
        return (await self._exchange(url, body, headers, private, None, POST_LIMIT))[0]

    async def ask(
        self, url: str, body: bytes, headers: dict[str, str], *, private: bool, seconds: float | None = None
    ) -> tuple[Outcome, bytes]:
        """POST and wait for the answer, of which the first ``BODY_LIMIT`` bytes are given. Never raises likewise."""
        return await self._exchange(url, body, headers, private, seconds, BODY_LIMIT)

    async def _exchange(
        self, url: str, body: bytes, headers: dict[str, str], private: bool, seconds: float | None, limit: int
    ) -> tuple[Outcome, bytes]:
        host = urlsplit(url).hostname or ""
        try:
            if not private and forbidden(host):
                return Outcome(None, "address not allowed"), b""
        except ValueError:
            pass  # a name: the resolver checks where it leads
        try:
            async with (
                asyncio.timeout(seconds),
                self._pool(private).post(url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                answer = await _first(response.content, limit)
                return Outcome(response.status, answer=answer[:SHOWN].decode("utf-8", "replace")), answer
        except TimeoutError:
            return Outcome(None, "time-out"), b""
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(None, type(error).__name__), b""

    async def close(self) -> None:
        """Close the pools."""
        for pool in self._pools.values():
            await pool.close()

    def _pool(self, private: bool) -> aiohttp.ClientSession:
        if private not in self._pools:
            resolver = None if private else _Guard()
            # No limit here: a pool that one dead server fills would hold up all others. Who posts keeps the count.
            connector = aiohttp.TCPConnector(resolver=resolver, limit=0, use_dns_cache=private)
            self._pools[private] = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False,
                headers={"Accept-Encoding": "identity"}, auto_decompress=False,
            )  # fmt: skip
        return self._pools[private]
