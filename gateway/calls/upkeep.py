"""What the node does for its trunks besides calls: probes their peers (probing.py), registers with them and keeps that
(registration.py), and says of each change what it means.

It begins with ``start``, when the sockets are there; ``leave`` ends registrations. A trunk with a registration takes
calls out only while it is registered.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.calls.outputs import TrunkChanged
from gateway.calls.probing import Probe
from gateway.calls.registration import Registration, State
from gateway.calls.settings import ExchangeSettings
from gateway.calls.trunks import Trunks
from gateway.sip.hop import Hop
from gateway.sip.outputs import Answered, KeepAlive
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent

UpkeepOutput = Transmit | KeepAlive | TrunkChanged


class Upkeep:
    """``deadline``: when ``handle_timeout`` is due; None before the start, and for trunks that need no care."""

    def __init__(self, settings: ExchangeSettings, trunks: Trunks, agent: UserAgent) -> None:
        self.deadline: float | None = None
        self.registrations: dict[str, Registration] = {}
        self._settings = settings
        self._trunks = trunks
        self._agent = agent
        self._probes: list[Probe] = []
        self._waiting: dict[str, Probe | str] = {}
        """Who waits for the answer to a request: a probe, or the registration of that trunk."""
        self._said: dict[str, str] = {}
        """What was told last of each registration: its first failure is told, too."""
        trunks.away.update(trunk.name for trunk in settings.trunks if trunk.registration is not None)

    def start(self, now: float) -> list[UpkeepOutput]:
        """The sockets are there. Probes begin within one interval, not all at once."""
        wire = self._agent.wire
        us = f"<sip:ping@{self._settings.our_host}>"
        for trunk in self._settings.trunks:
            if trunk.probe is not None:
                for index in range(len(trunk.peers)):
                    at = now + trunk.probe.interval * wire.chance()
                    self._probes.append(Probe(self._trunks.peers[trunk.name, index], trunk.probe, us, at))
            if trunk.registration is not None:
                account = self._trunks.accounts.get(trunk.name)
                self.registrations[trunk.name] = Registration(trunk.registration, trunk.peers, account, wire, now)
        return self.handle_timeout(now)

    def handle_timeout(self, now: float) -> list[UpkeepOutput]:
        """Do what is due."""
        outputs: list[UpkeepOutput] = []
        for probe in self._probes:
            if probe.at <= now:
                self._waiting.pop(probe.asked, None)
                changed, sent = probe.due(self._agent.wire, now)
                if probe.asked:
                    self._waiting[probe.asked] = probe
                outputs += [*self._told(probe, changed), *sent]
        for name, registration in self.registrations.items():
            if registration.at <= now:
                outputs += self._noted(name, registration, registration.due(now), now)
        self._arm()
        return outputs

    def answered(self, answer: Answered, now: float) -> list[UpkeepOutput]:
        """A request of ours outside of any dialog has come to its end."""
        waiting = self._waiting.pop(answer.session, None)
        outputs: list[UpkeepOutput] = []
        if isinstance(waiting, Probe):
            outputs = self._told(waiting, waiting.answered(answer, now))
        elif waiting is not None:
            registration = self.registrations[waiting]
            outputs = self._noted(waiting, registration, registration.answered(answer, now), now)
        self._arm()
        return outputs

    def broken(self, hop: Hop, now: float) -> None:
        """The connection to ``hop`` is gone."""
        for registration in self.registrations.values():
            if registration.hop == hop:
                registration.broken(now)
        self._arm()

    def leave(self, now: float) -> list[UpkeepOutput]:
        """The node stops: no more registrations, no more probes."""
        outputs: list[UpkeepOutput] = []
        self._probes.clear()
        self._waiting.clear()
        for name, registration in self.registrations.items():
            outputs += registration.leave(now)
            if registration.asked:
                self._waiting[registration.asked] = name
        self._arm()
        return outputs

    @property
    def left(self) -> bool:
        """Whether every registration has ended, or never was."""
        return all(one.state is State.LEFT for one in self.registrations.values())

    @property
    def registered(self) -> dict[tuple[str, ...], float]:
        """1 or 0 for each trunk that we register with."""
        return {(name,): int(one.state is State.REGISTERED) for name, one in self.registrations.items()}

    # --- inside -------------------------------------------------------------------------------------------------------

    def _noted(
        self, name: str, registration: Registration, sent: Sequence[Transmit | KeepAlive], now: float
    ) -> list[UpkeepOutput]:
        """What a registration has done; whether calls may go by its trunk now."""
        if registration.asked:
            self._waiting[registration.asked] = name
        state, why = registration.state, ""
        if state is State.WAITING:
            self._trunks.away.add(name)
            if not registration.status:
                return list(sent)
            said, why = "not registered", f"status {registration.status}"
        else:
            self._trunks.away.discard(name)
            said = "unregistered" if state is State.LEFT else "registered"
        if self._said.get(name) == said:
            return list(sent)
        self._said[name] = said
        return [TrunkChanged(name, str(registration.hop), said, why), *sent]

    @staticmethod
    def _told(probe: Probe, changed: bool) -> list[UpkeepOutput]:
        if not changed:
            return []
        peer = probe.peer
        return [TrunkChanged(peer.trunk, str(peer.hop), "up" if peer.up else "down", probe.why)]

    def _arm(self) -> None:
        times = [one.at for one in self._probes] + [one.at for one in self.registrations.values()]
        first = min(times, default=float("inf"))
        self.deadline = None if first == float("inf") else first
