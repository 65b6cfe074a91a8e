"""Open files, socket buffers and the clock."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.doctor.finding import Finding, failure, ok, warning

SPARE_FILES = 1024
"""For the database, connections of SIP and of the API, logs."""
CALL_SECONDS = 100
MESSAGES_PER_CALL = 6
MESSAGE_OCTETS = 2304
"""What the kernel charges for a SIP message in a socket's buffer."""
LEAST_BUFFER = 212_992


@dataclass(frozen=True, slots=True)
class Clock:
    """What the kernel says (adjtimex(2)); times in seconds. ``synchronised`` None: it can't be asked."""

    synchronised: bool | None
    offset: float = 0.0
    error: float = 0.0


def open_files(hard: int, pairs: int, workers: int) -> Finding:
    """``hard``: the limit that a process may raise itself to; a worker needs two sockets for each pair of ports."""
    check, wanted = "open files", 2 * pairs // workers + SPARE_FILES
    if hard < wanted:
        hint = f"LimitNOFILE={wanted} in the unit, or ulimit -Hn {wanted}; or fewer media.ports, more media.workers"
        return failure(check, f"{hard} allowed, a media worker may need {wanted}", hint)
    return ok(check, f"{hard} allowed, {wanted} needed at most")


def socket_buffers(default: int, pairs: int) -> Finding:
    """What of SIP may wait while the signalling process is busy for half a second."""
    check, rate = "net.core.rmem_default", pairs / 2 / CALL_SECONDS
    wanted = max(LEAST_BUFFER, round(rate * MESSAGES_PER_CALL * 0.5 * MESSAGE_OCTETS))
    if default < wanted:
        hint = f"sysctl -w net.core.rmem_default={wanted} net.core.rmem_max={wanted} (and in /etc/sysctl.d)"
        return warning(check, f"{default} octets; {rate:.0f} calls/s may need {wanted}", hint)
    return ok(check, f"{default} octets")


def clock(seen: Clock) -> Finding:
    """CDRs, signatures and recordings go by the clock."""
    if seen.synchronised is None:
        return warning("clock", "the kernel can't be asked here", "see on the host: timedatectl")
    if not seen.synchronised:
        hint = "run chrony or systemd-timesyncd: signed requests fail and CDRs are wrong when it drifts"
        return warning("clock", "no program keeps it synchronised", hint)
    if abs(seen.offset) > 0.5 or seen.error > 5.0:
        said = f"off by {seen.offset:.3f} s, uncertain by {seen.error:.3f} s"
        return warning("clock", said, "wait for NTP, or see why it doesn't settle: chronyc tracking")
    return ok("clock", f"synchronised, off by {1000 * abs(seen.offset):.1f} ms")
