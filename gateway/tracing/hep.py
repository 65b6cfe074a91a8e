"""One SIP message as a HEPv3 packet, as Homer's agents send it.

"HEP3", total length (16 bits, these six octets included), then chunks:
vendor (16 bits, 0: generic), type (16 bits), length (16 bits, these six octets included), value

type    value                                    type    value
0x0001  IP family: 2 IPv4, 10 IPv6    8 bits     0x0008  target port              16 bits
0x0002  IP protocol: 17 UDP, 6 TCP    8 bits     0x0009  time, seconds            32 bits
0x0003  source, IPv4                  4 octets   0x000a  time, microseconds       32 bits
0x0004  target, IPv4                  4 octets   0x000b  protocol: 1 SIP           8 bits
0x0005  source, IPv6                 16 octets   0x000c  capture agent's number   32 bits
0x0006  target, IPv6                 16 octets   0x000e  key
0x0007  source port                  16 bits     0x000f  the message
                                                 0x0011  correlation id: the call's session id
"""

from __future__ import annotations

import struct
from ipaddress import ip_address

from gateway.tracing.messages import Seen

SIP = 1
_DATAGRAMS = 17
_STREAMS = 6
LARGEST = 65000


def hep3(seen: Seen, data: bytes, *, agent: int, key: str = "", correlation: str = "") -> bytes:
    """The packet. ``data``: what is told of the message, masked or not."""
    source, target = (seen.here, seen.peer) if seen.sent else (seen.peer, seen.here)
    one, two = ip_address(source.host), ip_address(target.host)
    six = one.version == 6 or two.version == 6
    seconds, microseconds = divmod(round(seen.at * 1_000_000), 1_000_000)
    chunks = [
        (0x0001, bytes((10 if six else 2,))),
        (0x0002, bytes((_DATAGRAMS if seen.peer.transport == "udp" else _STREAMS,))),
        (0x0005 if six else 0x0003, _packed(source.host, six)),
        (0x0006 if six else 0x0004, _packed(target.host, six)),
        (0x0007, struct.pack(">H", source.port)),
        (0x0008, struct.pack(">H", target.port)),
        (0x0009, struct.pack(">I", seconds)),
        (0x000A, struct.pack(">I", microseconds)),
        (0x000B, bytes((SIP,))),
        (0x000C, struct.pack(">I", agent)),
    ]
    if key:
        chunks.append((0x000E, key.encode()))
    if correlation:
        chunks.append((0x0011, correlation.encode()))
    chunks.append((0x000F, data[:LARGEST]))
    body = b"".join(struct.pack(">HHH", 0, kind, 6 + len(value)) + value for kind, value in chunks)
    return b"HEP3" + struct.pack(">H", 6 + len(body)) + body


def _packed(host: str, six: bool) -> bytes:
    address = ip_address(host)
    if six and address.version == 4:
        return b"\0" * 10 + b"\xff\xff" + address.packed
    return address.packed
