"""The sessions of a user agent: by their id, by the tag that the peer calls them by, and by when they want to wake."""

from __future__ import annotations

from gateway.sip.alarms import Alarms
from gateway.sip.invite_refresh import RefreshingSession
from gateway.sip.invite_session import InviteSession, SessionState
from gateway.sip.message import Request
from gateway.sip.outputs import Output


class Sessions:
    """Those not yet forgotten. Whoever gives a session an input hands what came of it to ``settle``."""

    __slots__ = ("_alarms", "_by_id", "_by_tag", "_tags")

    def __init__(self) -> None:
        self._by_id: dict[str, RefreshingSession] = {}
        self._by_tag: dict[str, RefreshingSession] = {}
        self._tags: dict[str, str] = {}
        """The local tag of each session: a caller's session has no dialog before the first tagged response."""
        self._alarms: Alarms[InviteSession] = Alarms()

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, session: RefreshingSession, local_tag: str) -> None:
        """A new session."""
        session.home = self
        self._by_id[session.id] = self._by_tag[local_tag] = session
        self._tags[session.id] = local_tag

    def get(self, id: str) -> RefreshingSession | None:
        """The session of that id."""
        return self._by_id.get(id)

    def of_dialog(self, request: Request) -> RefreshingSession | None:
        """The session whose dialog a request is sent in (RFC 3261 §12.2.2)."""
        session = self._by_tag.get(request.to.tag or "")
        return None if session is None or session.dialog_with(request) is None else session

    def settle(self, session: InviteSession, outputs: list[Output]) -> list[Output]:
        """Forget a session that is over; note when one that waits wants to wake."""
        deadline = session.deadline
        self._alarms.set(session, deadline)
        if deadline is None and session.state is SessionState.GONE and self._by_id.pop(session.id, None) is not None:
            self._by_tag.pop(self._tags.pop(session.id), None)
        return outputs

    @property
    def deadline(self) -> float | None:
        """The earliest deadline of any session."""
        return self._alarms.deadline

    def handle_timeout(self, now: float) -> list[Output]:
        """Let every session that is due act."""
        outputs: list[Output] = []
        while (session := self._alarms.next_due(now)) is not None:
            outputs += self.settle(session, session.handle_timeout(now))
        return outputs
