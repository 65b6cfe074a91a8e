"""The section [sip]: where SIP is heard, how we are called there, and what TLS needs."""

from __future__ import annotations

from ipaddress import ip_address

from pydantic import Field, model_validator

from gateway.config.forms import Address, HopField, Seconds, Section, ServerField
from gateway.sip.hop import Hop


class Sip(Section):
    """``listen`` are the sockets, ``advertised`` the address that we write into Via, Contact and SDP, ``advertised6``
    what stands in Via and Contact towards IPv6 peers instead.

    ``certificate`` and ``key``: PEM files, for tls: and wss: sockets and for peers that ask who we are. ``ca``: the
    authorities that the certificates of peers must come from. ``client_ca``: likewise for who connects to us; without
    it nobody is asked. ``origins``: the web pages whose scripts may connect to ws: and wss: sockets, or ``*``.
    ``keep_alive_seconds``: between two signs of life on connections that we made, and on WebSockets; 0: none.
    ``connections``, ``connections_per_source``: how many may stand, and how many one address may open.
    ``dns``: the servers that are asked for names, none: the system's. ``udp_limit``: larger requests go by TCP where
    that is heard (gateway.sip.large).
    """

    listen: tuple[HopField, ...] = (Hop("udp", "0.0.0.0", 5060), Hop("tcp", "0.0.0.0", 5060))
    advertised: Address = ""
    advertised6: Address = ""
    product: str = Field("Maskline", pattern=r"^[A-Za-z0-9._/-]{1,40}$")
    certificate: str = ""
    key: str = ""
    ca: str = ""
    client_ca: str = ""
    origins: tuple[str, ...] = ()
    keep_alive_seconds: Seconds = 0
    connections: int = Field(4096, ge=1, le=65535)
    connections_per_source: int = Field(60, ge=1, le=65535)
    dns: tuple[ServerField, ...] = ()
    udp_limit: int = Field(1300, ge=500, le=65535)

    @model_validator(mode="after")
    def _has_certificate(self) -> Sip:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key: one is of no use without the other")
        if not self.certificate and any(hop.secure for hop in self.listen):
            raise ValueError("certificate: needed, since listen has a tls: or wss: socket")
        return self

    @property
    def versions(self) -> frozenset[int]:
        """Of IP, that are spoken."""
        return frozenset(ip_address(hop.host).version for hop in self.listen)

    def shown(self, version: int) -> dict[str, Hop]:
        """For each transport that is heard over IPv4, or IPv6, our address there as peers are told it; maybe none."""
        here = [hop for hop in self.listen if ip_address(hop.host).version == version]
        if not here:
            return {}
        given = [text for text in (self.advertised, self.advertised6) if text and ip_address(text).version == version]
        host = given[0] if given else here[0].host
        return {hop.transport: Hop(hop.transport, host, hop.port) for hop in reversed(here)}
