"""Browsers as phones: what they need of the configuration, and what a NAT makes of the edge's address."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gateway.doctor.finding import Finding, failure, ok, warning
from gateway.sip.hop import Hop

NAT = "webrtc.stun"


def sockets(listen: Sequence[Hop], origins: Sequence[str], *, installed: bool) -> list[Finding]:
    """A WebSocket to register on, from pages that may, and the library for their audio."""
    found = []
    if not installed:
        found.append(failure("webrtc.enabled", "aiortc is not installed", "pip install 'maskline[webrtc]'"))
    if not any(hop.transport in ("ws", "wss") for hop in listen):
        hint = 'add "wss:ADDRESS:5063" (with sip.certificate), or "ws:127.0.0.1:5062" for this machine'
        found.append(failure("sip.listen for browsers", "no WebSocket is listened on", hint))
    elif not origins:
        hint = 'set sip.origins to the pages that may connect, e.g. ["https://console.example"]'
        found.append(failure("sip.origins", "no page may connect", hint))
    else:
        found.append(ok("sockets for browsers", f"for pages of {', '.join(origins)}"))
    return found


def port_range(
    ports: tuple[int, int], media: tuple[int, int], used: Collection[tuple[str, int]], *, running: bool
) -> Finding:
    """Apart from the workers' range, and free."""
    check, legs = f"webrtc.ports {ports[0]}-{ports[1]}", (ports[1] - ports[0] + 1) // 2
    if ports[0] <= media[1] and media[0] <= ports[1]:
        hint = "give each a range of its own"
        return failure(check, f"overlaps media.ports {media[0]}-{media[1]}", hint)
    held = sorted(port for kind, port in used if kind == "udp" and ports[0] <= port <= ports[1])
    if held and not running:
        return warning(check, f"{len(held)} of its ports are held by other programs", f"see who: ss -ulnp; {held[0]}")
    return ok(check, f"room for {legs} legs; a firewall must let UDP in to them")


def addresses(bound: Sequence[tuple[str, bool]]) -> list[Finding]:
    """Each address that the edge binds, and whether this machine has it."""
    hint = "set webrtc.addresses to this machine's own, and webrtc.advertised to what a NAT makes of it"
    return [
        ok("webrtc.addresses", one) if ours else failure("webrtc.addresses", f"{one} is not an address here", hint)
        for one, ours in bound
    ]


def nat(bound: str, shown: str, seen: str | None, server: str) -> Finding:
    """``seen``: the address that a STUN server has seen of ``bound``, which browsers are told as ``shown``."""
    if seen is None:
        hint = "see the name, the port and the firewall: UDP must come back; or set webrtc.advertised instead"
        return warning(NAT, f"{server} doesn't answer: each call waits a second for it, twice a minute", hint)
    if seen == shown:
        return ok(NAT, f"{server} sees {seen}, as browsers are told")
    if shown != bound:
        hint = f'if that is the address browsers reach us at: webrtc.advertised = ["{seen}"]'
        return warning(NAT, f"{server} sees {seen}, but browsers are told {shown}", hint)
    return ok(NAT, f"a NAT makes {seen} of {bound}; browsers are told both")
