"""What all calls of a node stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.calls.disk import DiskTrouble
from gateway.calls.leg import Leg
from gateway.calls.media_session import Workers
from gateway.calls.phones import Phones
from gateway.calls.quota import Quota
from gateway.calls.settings import ExchangeSettings
from gateway.calls.surge import Usual
from gateway.calls.trunks import Trunks
from gateway.calls.ways import Way
from gateway.numbers import PhoneNumber
from gateway.sip.user_agent import UserAgent

if TYPE_CHECKING:
    from gateway.calls.call import Call


@dataclass(slots=True)
class Plant:
    """``sessions``: whose leg a SIP session is. ``phones`` None: none can register. ``disk``: of the recordings."""

    settings: ExchangeSettings
    agent: UserAgent
    token: Callable[[], str]
    trunks: Trunks
    usual: Usual
    phones: Phones | None = None
    workers: Workers = field(default_factory=Workers)
    quota: Quota = field(default_factory=Quota)
    disk: DiskTrouble = field(default_factory=DiskTrouble)
    sessions: dict[str, tuple[Call, Leg]] = field(default_factory=dict)

    def ways(self, came_in: str, application: str, callee: PhoneNumber, now: float) -> list[Way]:
        """How a callee may be called, the best way first: at his registered phones, then by trunks."""
        by_trunk = self.trunks.ways.of(came_in, application, callee)
        return by_trunk if self.phones is None else [*self.phones.ways(callee, now), *by_trunk]
