"""The session timer of a session (session_timer.py) at work: what it adds to messages, refreshes, and the end.

A refresh is an UPDATE without a body where the other side takes UPDATE (RFC 4028 §7.4), else a re-INVITE with the
description that we sent last, unchanged, so that its version stays (RFC 3264 §8). Every re-INVITE and UPDATE, of either
side, refreshes too.
"""

from __future__ import annotations

from gateway.sip.grammar import retry_seconds
from gateway.sip.invite_offers import LONGEST_WAIT, OfferingSession
from gateway.sip.invite_session import SessionState
from gateway.sip.message import Request, Response
from gateway.sip.methods import ALLOW
from gateway.sip.outputs import OfferRefused, Output
from gateway.sip.policy import Policy
from gateway.sip.server_transaction import ServerTransaction
from gateway.sip.session_timer import SessionTimer
from gateway.sip.transaction import ClientTransaction
from gateway.sip.wire import Wire

BUSY = 2.0
"""A refresh that meets an exchange under way, which refreshes itself, looks again in so many seconds."""


class RefreshingSession(OfferingSession):
    """``timer`` None: session timers are off."""

    __slots__ = ("_refreshing", "_update", "timer")

    def __init__(self, session: str, wire: Wire) -> None:
        super().__init__(session, wire)
        self.timer: SessionTimer | None = None
        self._refreshing = False
        """Our open offer is only a refresh."""
        self._update: ClientTransaction | None = None

    def govern(self, policy: Policy) -> None:
        """Go on under ``policy``."""
        self.policy = policy
        self.timer = SessionTimer(policy.session_expires) if policy.session_expires else None

    # --- what messages say --------------------------------------------------------------------------------------------

    def asked(self) -> list[tuple[str, str]]:
        """Further lines of a re-INVITE or UPDATE of ours."""
        return [("Supported", "timer"), *self.timer.ask()] if self.timer is not None else []

    def asked_first(self) -> list[tuple[str, str]]:
        """The same of our first INVITE, whose Supported says more (``Policy.offered``)."""
        return [] if self.timer is None else self.timer.ask()

    def agreed(self, request: Request, now: float) -> list[tuple[str, str]]:
        """Further lines of the 2xx to ``request``, which refreshes the session if it can."""
        if self.timer is None or request.method == "PRACK" or self.state is SessionState.EARLY:
            return []
        lines = self.timer.answer(request, now)
        self._set_timers()
        return lines

    def renewed(self, response: Response, now: float) -> None:
        """A 2xx to our INVITE or UPDATE."""
        if self.timer is not None:
            self.timer.answered(response, now)
            self._set_timers()

    def receive_other(self, transaction: ServerTransaction, request: Request, now: float) -> list[Output]:
        """An INVITE or UPDATE that wants too short an interval is refused."""
        if self.timer is not None and request.method in ("INVITE", "UPDATE"):
            refusal = self.timer.refusal(request)
            if refusal is not None:
                return self.respond(transaction, refusal[0], now, headers=refusal[2])
        return super().receive_other(transaction, request, now)

    # --- refreshes of ours --------------------------------------------------------------------------------------------

    def fire(self, name: str, now: float) -> list[Output]:
        """``refresh`` and ``expired``."""
        match name:
            case "refresh":
                return self._refresh(now)
            case "expired":
                return [*self.bye((), now), *self.end("timeout", "expired", "", now)]
            case "glare" if self._refreshing and self.timer is not None and (self.timer.refresh_at or now + 1) > now:
                # A request of theirs has refreshed the session meanwhile.
                self._refreshing = False
                return []
        return super().fire(name, now)

    def reoffer(self, body: bytes, now: float, method: str = "INVITE") -> list[Output]:
        """Send an offer; one that only refreshes gives way to it."""
        if self.offer is None and self.pending is None:
            self._refreshing = False
        return super().reoffer(body, now, method)

    def _refresh(self, now: float) -> list[Output]:
        if self.state is SessionState.GONE or self.dialog is None:
            return []
        if self.offer or self.pending or self.unacked or self._update or "glare" in self.timers:
            self.timers["refresh"] = now + BUSY
            return []
        if self.allows_update:
            request, hop = self.dialog.request(
                "UPDATE", via=self.wire.via, contact=self.contact, headers=[("Allow", ALLOW), *self.asked()]
            )
            self._update, outputs = self.wire.layer.send(request, hop, self, now)
            return list(outputs)
        self._refreshing = True
        self.offer_body = self.sdp
        return self.send_offer("INVITE", now)

    def repeated(self, old: ClientTransaction, new: ClientTransaction) -> None:
        """A request of ours has been sent again."""
        if old is self._update:
            self._update = new
        super().repeated(old, new)

    def answered(self, transaction: ClientTransaction, response: Response, now: float) -> list[Output]:
        """A response to our refresh, or to something else."""
        if transaction is not self._update:
            return super().answered(transaction, response, now)
        if response.status < 200:
            return []
        self._update = None
        if response.status < 300:
            assert self.dialog is not None
            self.dialog.refresh_target(response)
            self.renewed(response, now)
            return []
        return self.lost(response.status, now) or self._refused(response, now)

    def offer_answered(self, response: Response, now: float) -> list[Output]:
        """The 2xx to our offer, which refreshes."""
        self._refreshing = False
        self.renewed(response, now)
        return super().offer_answered(response, now)

    def offer_refused(self, response: Response, now: float) -> list[Output]:
        """The refusal of our offer; of a refresh nobody else is told."""
        if response.status == 422 and self.timer is not None and self.timer.raised(response):
            return self.send_offer("", now)
        if not self._refreshing:
            return [OfferRefused(self.id, response.status)]
        self._refreshing = False
        return self._refused(response, now)

    def unanswered(self, transaction: ClientTransaction, reason: str, now: float) -> list[Output]:
        """A request of ours within the dialog got no answer."""
        if transaction is self._update:
            self._update = None
        return super().unanswered(transaction, reason, now)

    def _refused(self, response: Response, now: float) -> list[Output]:
        """A refresh was refused: try it another way, or later."""
        assert self.timer is not None
        if response.status in (405, 501) and self.allows_update:
            self.allows_update = False
            return self._refresh(now)
        if response.status == 422 and self.timer.raised(response):
            return self._refresh(now)
        self.timer.postponed(now)
        wait = retry_seconds(response.headers.get("Retry-After")) if response.status in (491, 500) else None
        if wait is not None and wait <= LONGEST_WAIT:
            self.timer.refresh_at = now + max(wait, 1)
        self._set_timers()
        return []

    def _set_timers(self) -> None:
        assert self.timer is not None
        for name, at in (("refresh", self.timer.refresh_at), ("expired", self.timer.end_at)):
            if at is None:
                self.timers.pop(name, None)
            else:
                self.timers[name] = at
