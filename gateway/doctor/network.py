"""The advertised address, SIP ports and the RTP range: where most installations that don't work go wrong (P1, P2)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import ip_address

from gateway.doctor.finding import Finding, failure, ok, warning
from gateway.sip.hop import Hop


def advertised_address(key: str, shown: str, *, ours: bool, behind_nat: bool, peers: Collection[str]) -> Finding:
    """``shown`` stands in Contact or SDP. ``ours``: this host has it. ``peers``: addresses of the trunks."""
    check, address = f"{key} {shown}", ip_address(shown)
    away = [peer for peer in peers if ip_address(peer).version == address.version and not ip_address(peer).is_loopback]
    public = [peer for peer in away if ip_address(peer).is_global]
    if address.is_unspecified or address.is_multicast:
        return failure(check, "nobody can send to it", f"set {key} to the address at which the trunks reach this host")
    if address.is_loopback and away:
        return failure(check, f"loopback, but {away[0]} is elsewhere", f"set {key} to an address that it can reach")
    if address.is_link_local and away:
        return failure(check, "link-local: no router passes it on", f"set {key} to a routable address")
    if not address.is_global and public and not address.is_loopback:
        said = f"private, but trunk peer {public[0]} is on the internet: its ACK never arrives, calls drop at 32 s"
        return failure(check, said, f"set {key} to the public address")
    if not ours and not behind_nat:
        said = "no address of this host"
        return warning(check, said, "right only behind NAT that forwards SIP and RTP ports: then say --behind-nat")
    return ok(check, "behind NAT, as you say" if not ours else "an address of this host, reachable for the peers")


def sip_ports(listen: Sequence[Hop], used: Collection[tuple[str, int]], *, running: bool) -> list[Finding]:
    """``used``: ("udp" or "tcp", port) that some program holds; ``running``: a node of ours answers on this host."""
    found = []
    for hop in listen:
        kind = "udp" if hop.transport == "udp" else "tcp"
        check = f"port {hop}"
        if (kind, hop.port) not in used:
            found.append(ok(check, "free"))
        elif running:
            found.append(ok(check, "held by the node that runs"))
        else:
            hint = f"see who holds it: ss -lnp '( sport = :{hop.port} )'; end that program or change sip.listen"
            found.append(failure(check, "another program holds it", hint))
    return found


def rtp_range(
    ports: tuple[int, int], used: Collection[tuple[str, int]], *, running: bool, calls: int | None
) -> Finding:
    """The RTP range is free, and holds as many calls as are allowed."""
    low, high = ports
    check, pairs = f"media.ports {low}-{high}", (high - low + 1) // 2
    held = sorted(port for kind, port in used if kind == "udp" and low <= port <= high)
    if held and not running:
        hint = (
            f"see who: ss -ulnp; e.g. port {held[0]}. Such pairs are passed over, but move the range if there are many"
        )
        state = failure if len(held) > (high - low) // 2 else warning
        return state(check, f"{len(held)} of its ports are held by other programs", hint)
    if calls is not None and pairs // 2 < calls:
        return warning(check, f"room for {pairs // 2} calls, but {calls} are allowed", "widen media.ports: four a call")
    return ok(check, f"room for {pairs // 2} calls")


def ephemeral_range(ports: tuple[int, int], kernel: tuple[int, int], reserved: Collection[tuple[int, int]]) -> Finding:
    """What the kernel hands out to anybody must not lie in the RTP range. ``reserved``: kept out of it."""
    check = "media.ports and the kernel's own range"
    low, high = max(ports[0], kernel[0]), min(ports[1], kernel[1])
    if low > high:
        return ok(check, f"apart: the kernel hands out {kernel[0]}-{kernel[1]}")
    if any(first <= low and high <= last for first, last in reserved):
        return ok(check, "they overlap, but the overlap is reserved")
    return warning(
        check,
        f"{low}-{high} lie in both: any program may hold one of these when a call needs it",
        f"sysctl -w net.ipv4.ip_local_reserved_ports={ports[0]}-{ports[1]} (and in /etc/sysctl.d)",
    )
