"""[IO] POSTs by libcurl (pycurl) on asyncio's loop, over connections that are kept.

A message to a customer costs the node more in its HTTP client than in all else together. Processor time of one POST
over a kept connection on loopback, in one run on one machine: aiohttp's client 90-140 us, this 40-55, bare sockets 10.

libcurl tells which sockets it waits for (``_watch``) and for how long (``_wait``), and is told when there is something
to be done (``_act``). What is given is bounded: the seconds of the whole transfer, the bytes of an answer of which
nothing but the first matter, what libcurl takes of header lines (some hundred kilobytes). Nothing of the environment
counts (proxies, netrc), no redirect is followed, nothing is unpacked, no cookie is kept, certificates are verified
against the system's.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pycurl

SPARE = 64
IDLE_SECONDS = 15
NAME_SECONDS = 10
_WORDS = {
    pycurl.E_URL_MALFORMAT: "no address",
    pycurl.E_UNSUPPORTED_PROTOCOL: "no address",
    pycurl.E_COULDNT_RESOLVE_HOST: "no such host",
    pycurl.E_COULDNT_CONNECT: "no connection",
    pycurl.E_PEER_FAILED_VERIFICATION: "certificate not trusted",
    pycurl.E_SSL_CONNECT_ERROR: "no TLS connection",
    pycurl.E_SEND_ERROR: "connection lost",
    pycurl.E_RECV_ERROR: "connection lost",
    pycurl.E_GOT_NOTHING: "connection lost",
    pycurl.E_PARTIAL_FILE: "answer cut short",
    pycurl.E_OPERATION_TIMEDOUT: "time-out",
}


class TransferError(Exception):
    """There is no answer; its text says why in a few words."""


class Transfers:
    """One pool of connections. ``allows`` is asked for each address before a connection to it is made."""

    def __init__(self, allows: Callable[[str], bool] | None = None) -> None:
        self._allows = allows
        self._multi: Any = None
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._watched: dict[int, int] = {}
        self._spare: list[_Transfer] = []
        self._under_way: dict[Any, _Transfer] = {}

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, limit: int
    ) -> tuple[int, bytes]:
        """The status, and of the body as much as ``limit`` says. TransferError; ValueError: no request can be made."""
        lines = _lines(headers)
        if self._multi is None:
            self._open()
        transfer = self._spare.pop() if self._spare else _Transfer(self._allows)
        curl, sound = transfer.curl, False
        try:
            transfer.prepare(url, body, lines, seconds, limit)
            self._under_way[curl] = transfer
            self._multi.add_handle(curl)
            try:
                answer = await transfer.future
                sound = True
            finally:
                # Not there any more when it was closed meanwhile.
                if self._under_way.pop(curl, None) is not None:
                    self._multi.remove_handle(curl)
        finally:
            if sound and len(self._spare) < SPARE:
                self._spare.append(transfer)
            else:
                curl.close()
            transfer.release()
        return answer

    def close(self) -> None:
        """Close all connections; what is under way fails."""
        for curl, transfer in self._under_way.items():
            self._multi.remove_handle(curl)
            transfer.fail(TransferError("connection lost"))
        self._under_way.clear()
        for transfer in self._spare:
            transfer.curl.close()
        self._spare.clear()
        if self._multi is not None:
            self._multi.close()
            self._multi = None
        loop = asyncio.get_running_loop()
        for fd in self._watched:
            loop.remove_reader(fd)
            loop.remove_writer(fd)
        self._watched.clear()
        self._wait(-1)

    # --- libcurl and the loop -----------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._wait)
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1024)

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        loop, before = asyncio.get_running_loop(), self._watched.pop(fd, 0)
        now = 0 if what == pycurl.POLL_REMOVE else what
        if now:
            self._watched[fd] = now
        changed = before ^ now
        if changed & pycurl.POLL_IN:
            if now & pycurl.POLL_IN:
                loop.add_reader(fd, self._act, fd, pycurl.CSELECT_IN)
            else:
                loop.remove_reader(fd)
        if changed & pycurl.POLL_OUT:
            if now & pycurl.POLL_OUT:
                loop.add_writer(fd, self._act, fd, pycurl.CSELECT_OUT)
            else:
                loop.remove_writer(fd)

    def _wait(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds >= 0:
            loop = asyncio.get_running_loop()
            # Not at once: libcurl must not be called by what it calls.
            act = partial(self._act, pycurl.SOCKET_TIMEOUT, 0)
            self._timer = loop.call_later(milliseconds / 1000, act) if milliseconds else loop.call_soon(act)

    def _act(self, fd: int, events: int) -> None:
        if self._multi is None:
            return
        self._multi.socket_action(fd, events)
        more = 1
        while more:
            more, good, bad = self._multi.info_read()
            for curl in good:
                self._under_way[curl].end()
            for curl, code, _text in bad:
                self._under_way[curl].end(code)


class _Transfer:
    """A handle of libcurl's, used again and again, and the request that it is used for."""

    def __init__(self, allows: Callable[[str], bool] | None) -> None:
        self.curl = curl = pycurl.Curl()
        self._allows = allows
        trusted = ssl.get_default_verify_paths()
        for option, value in (
            (pycurl.NOSIGNAL, 1), (pycurl.POST, 1), (pycurl.PROXY, ""), (pycurl.FOLLOWLOCATION, 0),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS), (pycurl.SSL_VERIFYPEER, 1),
            (pycurl.SSL_VERIFYHOST, 2), (pycurl.CAINFO, trusted.cafile), (pycurl.CAPATH, trusted.capath),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1), (pycurl.MAXAGE_CONN, IDLE_SECONDS),
            (pycurl.DNS_CACHE_TIMEOUT, NAME_SECONDS), (pycurl.TCP_NODELAY, 1), (pycurl.WRITEFUNCTION, self._take),
            (pycurl.OPENSOCKETFUNCTION, self._connect if allows else None),
        ):  # fmt: skip
            if value is not None:
                curl.setopt(option, value)
        self._parts: list[bytes] = []
        self._size = self._limit = 0
        self._refused = False
        self._made: list[socket.socket] = []
        self.future: asyncio.Future[tuple[int, bytes]]

    def prepare(self, url: str, body: bytes, lines: list[bytes], seconds: float, limit: int) -> None:
        """For the next request. ValueError: such an address can't be."""
        self.curl.setopt(pycurl.URL, url.encode("ascii"))
        self.curl.setopt(pycurl.POSTFIELDS, body)
        self.curl.setopt(pycurl.HTTPHEADER, lines)
        self.curl.setopt(pycurl.TIMEOUT_MS, max(1, int(1000 * seconds)))
        self._parts, self._size, self._limit, self._refused = [], 0, limit, False
        self.future = asyncio.get_running_loop().create_future()

    def end(self, code: int = pycurl.E_OK) -> None:
        """It is over; what is longer than its limit was broken off by ourselves."""
        if code == pycurl.E_OK or (code == pycurl.E_WRITE_ERROR and self._size >= self._limit):
            if not self.future.done():
                self.future.set_result((self.curl.getinfo(pycurl.RESPONSE_CODE), b"".join(self._parts)))
        elif self._refused:
            self.fail(TransferError("address not allowed"))
        else:
            self.fail(TransferError(_WORDS.get(code, f"curl {code}")))

    def fail(self, error: TransferError) -> None:
        """There is no answer."""
        if not self.future.done():
            self.future.set_exception(error)

    def release(self) -> None:
        """pycurl has duplicated the sockets that it was given."""
        for made in self._made:
            made.close()
        self._made.clear()

    def _take(self, data: bytes) -> int | None:
        self._parts.append(data[: self._limit - self._size])
        self._size += len(self._parts[-1])
        return None if self._size < self._limit else 0

    def _connect(self, _purpose: int, address: Any) -> Any:
        """The socket for an address that libcurl is about to connect to: whatever its name led to, it is this one."""
        family, kind, protocol, where = address
        if self._allows is None or not isinstance(where, tuple) or not self._allows(where[0]):
            self._refused = True
            return pycurl.SOCKET_BAD
        made = socket.socket(family, kind, protocol)
        self._made.append(made)
        return made


def _lines(headers: Mapping[str, str]) -> list[bytes]:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise ValueError("a header of more than a line")
    # Without the last one libcurl would ask first whether a long body is welcome.
    return [line.encode() for line in (*lines, "Accept-Encoding: identity", "User-Agent: Maskline", "Expect:")]
