"""[IO] One POST to a customer's server: bounded in time and size, to no address that a customer has no business with.

A customer names the address, so it is hostile input (SSRF): names are resolved here, every address is checked, and so
is the one that a connection goes to, when it does. Redirects are failures, the environment's proxies are not used, and
of the answer only its status and first bytes are kept, as they came: a few kilobytes of gzip may hold gigabytes.
"""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

from yarl import URL

from gateway.api.transfers import TransferError, Transfers

BODY_LIMIT = 64 * 1024
POST_LIMIT = 4 * 1024
"""Bytes read of an answer of which nothing but the status counts; one that is longer costs its connection."""
SHOWN = 256
"""Bytes of an answer that the ledger keeps."""
NAMES = 1000
NAME_SECONDS = 10.0
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


@lru_cache(NAMES)
def _plain(url: str) -> tuple[str, str]:
    """An address in ASCII, and its host. ValueError."""
    parsed = URL(url)
    return str(parsed), parsed.raw_host or ""


class _Guard:
    """Whether a host may be sent to: one forbidden address among those of a name refuses the name. For some seconds the
    answer holds; the address that a connection is made to is looked at again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, bool]] = {}

    async def allows(self, host: str) -> bool:
        """OSError: the name leads nowhere."""
        try:
            return not forbidden(host)
        except ValueError:
            pass  # a name, or another spelling of a number
        until, good = self._known.get(host, (0.0, False))
        if until <= time.monotonic():
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
            good = not any(forbidden(str(row[4][0])) for row in found)
            if len(self._known) >= NAMES:
                self._known.clear()
            self._known[host] = time.monotonic() + NAME_SECONDS, good
        return good


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
        self._seconds = seconds
        self._guard = _Guard()
        # No limit here: a pool that one dead server fills would hold up all others. Who posts keeps the count.
        self._pools = {False: Transfers(lambda address: not forbidden(address)), True: Transfers()}

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
        ends = time.monotonic() + (self._seconds if seconds is None else min(seconds, self._seconds))
        try:
            address, host = _plain(url)
            if not private:
                async with asyncio.timeout(ends - time.monotonic()):
                    if not await self._guard.allows(host):
                        return Outcome(None, "address not allowed"), b""
            status, answer = await self._pools[private].post(
                address, body, headers, seconds=ends - time.monotonic(), limit=limit
            )
        except TimeoutError:
            return Outcome(None, "time-out"), b""
        except TransferError as error:
            return Outcome(None, str(error)), b""
        except OSError:
            return Outcome(None, "no such host"), b""
        except ValueError:
            return Outcome(None, "no address"), b""
        return Outcome(status, answer=answer[:SHOWN].decode("utf-8", "replace")), answer

    async def close(self) -> None:
        """Close the pools."""
        for pool in self._pools.values():
            pool.close()
