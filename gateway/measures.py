"""[IO] What a node measures of itself: the sources that its parts are, and the rows of all its processes.

    signalling   tally and sources (``watch_parts``), asked by the web process over the channel
    media        each worker's Usage, asked by signalling over its control socket
    web          its own tally, and the database's backlog

A part that counts in a ``Counter[str]`` is named here in one line; one that counts by labels calls ``Tally.add``.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import structlog

from gateway.browsers.line import Bridge
from gateway.calls.exchange import Exchange
from gateway.calls.journal import Journal
from gateway.calls.media_pool import MediaPool
from gateway.calls.switchboard import Switchboard, wall
from gateway.metrics.tally import Row, Source, Tally, gauge, words
from gateway.sip.endpoint import Endpoint
from gateway.sip.gate import Gate
from gateway.sip.hop import Hop
from gateway.sip.pressure import dropped
from gateway.sip.user_agent import UserAgent
from gateway.telemetry.journey import Journey, Journeys
from gateway.tracing.store import Traced
from gateway.tracing.tap import Hep, Tap
from media.control import Report, Usage

_log = structlog.get_logger()
Told = tuple[Callable[[Sequence[object]], None], Callable[[int, Report], None]]


def watch_parts(tally: Tally, exchange: Exchange, agent: UserAgent, endpoint: Endpoint, journal: Journal) -> None:
    """Name what the parts of the signalling process count anyway."""
    tally.source("maskline_calls_standing", gauge(lambda: exchange.active))
    tally.source("maskline_calls_limit", gauge(lambda: exchange.capacity))
    tally.source("maskline_ready", gauge(lambda: exchange.ready))
    tally.source("maskline_calls_refused_total", lambda: words(_but(exchange.counters, "faults")))
    tally.source("maskline_shed_total", lambda: _shed(endpoint))
    tally.source("maskline_tasks", gauge(lambda: len(asyncio.all_tasks())))
    tally.source("maskline_journal_backlog", gauge(lambda: journal.backlog))
    tally.source("maskline_sip_faults_total", gauge(lambda: endpoint.faults + exchange.counters["faults"]))
    tally.source("maskline_sip_dropped_total", lambda: words(agent.counters, "dropped "))
    tally.source("maskline_sip_dropped_total", lambda: words(endpoint.transport.counters))
    tally.source("maskline_trunk_peers", lambda: exchange.trunks.peer_states)
    tally.source("maskline_trunk_registered", lambda: exchange.upkeep.registered)
    tally.source("maskline_trunk_calls_out", lambda: {(name,): count for name, count in exchange.trunks.calls.items()})
    tally.source("maskline_phones", lambda: exchange.registered)
    tally.source("maskline_surges_total", gauge(lambda: exchange.usual.surges))
    tally.source("maskline_sip_large_total", lambda: words(agent.counters, "large "))


def _shed(endpoint: Endpoint) -> dict[tuple[str, ...], float]:
    """Calls and registrations that were refused in overload, and messages that there was no room for."""
    overload = endpoint.overload
    lost = sum(map(dropped, endpoint.transport.datagram_sockets))
    return {
        ("overload",): overload.shed,
        ("registrations",): overload.put_off,
        ("no room",): lost + overload.dropped,
    }


def watch_browsers(tally: Tally, bridge: Bridge) -> None:
    """What the edge for browsers counts."""
    tally.source(
        "maskline_browser_legs",
        lambda: {("opening",): bridge.counts.opening, ("connected",): bridge.counts.connected},
    )
    tally.source("maskline_browser_failed_total", lambda: words({"port": bridge.unopened, **bridge.counts.failed}))
    for what, read in (
        ("packets", lambda: (bridge.counts.packets_in, bridge.counts.packets_out)),
        ("bytes", lambda: (bridge.counts.octets_in, bridge.counts.octets_out)),
    ):
        tally.source(f"maskline_browser_{what}_total", _both_ways(read))
    tally.source("maskline_browser_lost_total", gauge(lambda: bridge.counts.lost))
    tally.source("maskline_browser_stun_failed_total", gauge(lambda: bridge.counts.stun_failed))
    tally.source("maskline_browser_edge_ended_total", gauge(lambda: bridge.ended))
    tally.source("maskline_browser_tasks", gauge(lambda: bridge.counts.tasks))


def _both_ways(read: Callable[[], tuple[int, int]]) -> Source:
    return lambda: dict(zip((("received",), ("sent",)), read(), strict=True))


def make_tap(
    tally: Tally, here: Mapping[str, Hop], exchange: Exchange, send: Callable[[Traced], None], hep: Hep | None
) -> Tap:
    """What sees every SIP message."""
    return Tap(
        tally,
        here,
        trunk_of=exchange.trunk_name,
        call_of=exchange.call_of,
        numbers_of=exchange.numbers_of,
        send=send,
        hep=hep,
    )


def watch_calls(board: Switchboard, send: Callable[[Journey], None] | None) -> Told:
    """What the endpoint and the media workers tell of calls: the board, and the journeys where somebody wants them."""
    if send is None:
        return board.carry_out, board.media_report
    journeys = Journeys(send, time.monotonic, lambda now: wall(now).timestamp())

    def carry_out(outputs: Sequence[object]) -> None:
        _spared(lambda: journeys.see(outputs))
        board.carry_out(outputs)

    def media_report(worker: int, report: Report) -> None:
        _spared(lambda: journeys.heard(report))
        board.media_report(worker, report)

    return carry_out, media_report


def _spared(watch: Callable[[], None]) -> None:
    """Whoever watches a call must not end it."""
    try:
        watch()
    except Exception:
        _log.exception("a call could not be followed")


def watch_gate(tally: Tally, gate: Gate, clock: Callable[[], float]) -> None:
    """What the door counts: bans, what was over a rate, and the rest that it did not let in."""
    over, ban = "over the rate of ", "ban: "
    apart = (over, ban, "strike: ", "stream held back")
    tally.source("maskline_shed_total", lambda: words(gate.counters, over))
    tally.source("maskline_bans_total", lambda: words(gate.counters, ban))
    tally.source("maskline_banned", gauge(lambda: len(gate.bans(clock()))))
    tally.source(
        "maskline_sip_dropped_total",
        lambda: words({name: count for name, count in gate.counters.items() if not name.startswith(apart)}),
    )


def _but(counter: Counter[str], without: str) -> dict[str, int]:
    return {name: count for name, count in counter.items() if name != without}


async def node_rows(tally: Tally, pool: MediaPool) -> list[Row]:
    """Of the signalling process and the media workers."""
    usages = await pool.usage()
    return [*tally.rows(), ("maskline_media_workers", [], [float(len(usages))]), *media_rows(usages)]


def media_rows(usages: dict[int, Usage]) -> list[Row]:
    """What the workers have counted."""
    rows: list[Row] = []
    for index, usage in usages.items():
        worker, counted = str(index), usage.counted
        ports = {"in_use": usage.in_use, "resting": usage.resting, "free": usage.free}
        rows += [("maskline_rtp_ports", [worker, state], [float(count)]) for state, count in ports.items()]
        for direction, count in (("received", counted.received), ("sent", counted.sent)):
            rows.append(("maskline_rtp_packets_total", [worker, direction], [float(count)]))
        for what in ("lost", "refused", "malformed", "unopened"):
            rows.append((f"maskline_rtp_{what}_total", [worker], [float(getattr(counted, what))]))
        rows.append(("maskline_loop_stall_seconds", [f"media-{worker}"], list(usage.stalls)))
    return rows
