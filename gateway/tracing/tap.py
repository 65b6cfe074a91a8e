"""[IO] What the SIP endpoint tells: every message is counted; while somebody wants more, it is kept for the loop's next
turn, when the exchange knows whose call it was. Nothing here is done for a message while nobody wants it but a count.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from gateway.metrics.tally import Tally, gauge
from gateway.metrics.traffic import Traffic
from gateway.sip.hop import Hop
from gateway.tracing.collector import Collector
from gateway.tracing.hep import hep3
from gateway.tracing.masking import mask_message, without_keys
from gateway.tracing.messages import Seen, call_id_of
from gateway.tracing.recorder import Parties, Recorder, Switch
from gateway.tracing.store import Traced
from gateway.tracing.threads import Known, Threads

_log = structlog.get_logger()
MOST_WAITING = 10_000
MOST_STRANGE = 500
MOST_HELD = 8
TIDY_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hep:
    """``numbers``: messages go to the collector as they are."""

    collector: Hop
    agent: int
    key: str
    numbers: bool


class Tap:
    """``here``: what stands in our Via, by transport. ``call_of`` and ``numbers_of`` (X first; whether all are known)
    ask the exchange. ``send`` gets what is to be stored."""

    def __init__(
        self,
        tally: Tally,
        here: Mapping[str, Hop],
        *,
        trunk_of: Callable[[str], str | None],
        call_of: Callable[[str], Known | None],
        numbers_of: Callable[[str], tuple[list[str], bool] | None],
        send: Callable[[Traced], None],
        hep: Hep | None = None,
    ) -> None:
        self._traffic = Traffic(tally, trunk_of)
        self._tally = tally
        self._here = here
        self._threads = Threads(call_of)
        self._numbers_of = numbers_of
        self._recorder = Recorder(self._parties)
        self._send = send
        self._hep = hep
        self._collector = None if hep is None else Collector(hep.collector)
        self._waiting: deque[tuple[float, bool, bytes, Hop]] = deque()
        self._on = hep is not None
        self._last_numbers: dict[str, list[str]] = {}
        self._strange: dict[str, list[Seen]] = {}
        """Messages by Call-ID that belong to no call yet."""
        tally.source("maskline_trace_switches", gauge(lambda: self._recorder.switches))
        if self._collector is not None:
            collector = self._collector
            tally.source(
                "maskline_hep_packets_total", lambda: {("sent",): collector.sent, ("failed",): collector.failed}
            )

    def received(self, data: bytes, source: Hop) -> None:
        """A message has come."""
        self._traffic.received(data, source)
        if self._on:
            self._wait(False, data, source)

    def sent(self, data: bytes, target: Hop) -> None:
        """A message goes."""
        self._traffic.sent(data, target)
        if self._on:
            self._wait(True, data, target)

    def switch(self, switches: Iterable[Switch]) -> None:
        """These are on from now on."""
        self._recorder.switch(switches)
        self._on = self._hep is not None or self._recorder.active

    async def tidy(self) -> None:
        """See now and then what is over; until cancelled."""
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            self._recorder.tidy(lambda session: self._numbers_of(session) is not None, time.time())
            self._on = self._hep is not None or self._recorder.active
            if not self._on:
                self._last_numbers.clear()
            if not self._recorder.active:
                self._strange.clear()

    def close(self) -> None:
        """Nothing more goes to the collector."""
        if self._collector is not None:
            self._collector.close()

    def _wait(self, sent: bool, data: bytes, peer: Hop) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._tally.add("maskline_trace_messages_total", "dropped")
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._work)
        self._waiting.append((time.time(), sent, data, peer))

    def _work(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for at, sent, message, peer in waiting:
            try:
                data = without_keys(message)
                here = self._here.get(peer.transport) or next(iter(self._here.values()))
                self._look(Seen(at, sent, peer, here, data))
            except Exception:
                # Whoever watches a call must not end it, nor the watching of others.
                _log.exception("a message could not be traced")

    def _look(self, seen: Seen) -> None:
        known = self._threads.find(call_id_of(seen.data))
        if self._hep is not None:
            self._tell(self._hep, seen, known)
        if not self._recorder.active:
            return
        if known is None:
            self._hold(seen)
            return
        for earlier in self._strange.pop(call_id_of(seen.data), ()):
            self._record(known, earlier)
        self._record(known, seen)

    def _hold(self, seen: Seen) -> None:
        """What comes before there is a call: an INVITE that was challenged, and is sent again with credentials."""
        if len(self._strange) >= MOST_STRANGE:
            del self._strange[next(iter(self._strange))]
        held = self._strange.setdefault(call_id_of(seen.data), [])
        if len(held) < MOST_HELD:
            held.append(seen)

    def _record(self, known: Known, seen: Seen) -> None:
        dropped = self._recorder.dropped
        for kept in self._recorder.see(known, seen, seen.at):
            one, session = kept.seen, kept.session
            self._send(
                Traced(
                    session=session, switch=kept.switch, order=kept.order, side=kept.side, sent=one.sent, at=one.at,
                    peer=_plain(one.peer), here=_plain(one.here), data=one.data, numbers=self._numbers(session),
                )
            )  # fmt: skip
            self._tally.add("maskline_trace_messages_total", "kept")
        if self._recorder.dropped > dropped:
            self._tally.add("maskline_trace_messages_total", "dropped", count=self._recorder.dropped - dropped)

    def _tell(self, hep: Hep, seen: Seen, known: Known | None) -> None:
        data = seen.data
        session = known[0] if known is not None else ""
        if not hep.numbers:
            numbers = self._numbers(session)
            data = mask_message(data, numbers[1:], numbers[:1])
        if self._collector is not None:
            self._collector.send(hep3(seen, data, agent=hep.agent, key=hep.key, correlation=session))

    def _numbers(self, session: str) -> list[str]:
        """Those of a call, also for what comes when it is over."""
        found = self._numbers_of(session) if session else None
        if found is None:
            return self._last_numbers.get(session, [])
        while len(self._last_numbers) >= MOST_WAITING:
            del self._last_numbers[next(iter(self._last_numbers))]
        self._last_numbers[session] = found[0]
        return found[0]

    def _parties(self, session: str) -> Parties | None:
        found = self._numbers_of(session)
        return None if found is None else Parties(frozenset(found[0]), found[1])


def _plain(hop: Hop) -> tuple[str, str, int]:
    return hop.transport, hop.host, hop.port
