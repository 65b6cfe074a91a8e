"""A DNS server on loopback that answers from a zone given by the test; over UDP and, when told to truncate, TCP."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

HOST = "127.0.0.1"
SOA = "ns.example. root.example. 1 3600 600 86400 30"


class NameServer(asyncio.DatagramProtocol):
    """``zone``: records as text by (name, type), e.g. ("example.com", "SRV"). ``silent``: it doesn't answer."""

    def __init__(self, zone: dict[tuple[str, str], list[str]]) -> None:
        self.zone = zone
        self.ttl = 60
        self.silent = False
        self.truncates = False
        self.asked: Counter[tuple[str, str]] = Counter()
        self.changed = asyncio.Event()
        self._transport: asyncio.DatagramTransport
        self._server: asyncio.Server

    async def start(self) -> tuple[str, int]:
        made, port = _pair()
        self._server = await asyncio.start_server(self._stream, sock=made[0])
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=made[1])
        return HOST, port

    async def stop(self) -> None:
        self._transport.close()
        self._server.close()
        await self._server.wait_closed()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if (answer := self._answer(data, truncated=self.truncates)) is not None:
            self._transport.sendto(answer, addr)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        answer = self._answer(await reader.readexactly(size), truncated=False)
        if answer is not None:
            writer.write(struct.pack("!H", len(answer)) + answer)
        writer.close()

    def _answer(self, data: bytes, *, truncated: bool) -> bytes | None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        self.changed.set()
        if self.silent:
            return None
        answer = dns.message.make_response(query)
        records = self.zone.get((name, kind), [])
        if truncated:
            answer.flags |= dns.flags.TC
        elif records:
            answer.answer.append(dns.rrset.from_text_list(question.name, self.ttl, "IN", kind, records))
        else:
            if not any(known == name for known, _ in self.zone):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            answer.authority.append(dns.rrset.from_text(question.name, 30, "IN", "SOA", SOA))
        return answer.to_wire()


def _pair() -> tuple[list[socket.socket], int]:
    """Two sockets, for TCP and UDP, on one free port."""
    for _ in range(50):
        made = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        try:
            made[0].bind((HOST, 0))
            port = made[0].getsockname()[1]
            made[1].bind((HOST, port))
            return made, port
        except OSError:
            for one in made:
                one.close()
    raise OSError("no port free for both TCP and UDP")
