"""What is said for a browser that is gone in mid-call, so that its call ends as if it had hung up (RFC 3261 §15).

    its call                         to the core, as from it     to it, as from the core
    it called, unanswered            CANCEL                      -
    it is called, unanswered         480                         CANCEL
    answered                         BYE                         BYE, if its socket is still there

A page that is loaded anew or closed says BYE itself when it can. A browser that crashes, a machine that is switched
off, a network that is cut: its socket closes, or is closed by unanswered pings, and the edge hears nothing of it any
more (crossing.py). Answers to what is said here concern nobody: ``is_answer``.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.sip.build import cancel_for, request, response_to
from gateway.sip.message import Request, Response

_BRANCH = "z9hG4bK-parted-"
_MARK = _BRANCH.encode()
_TAG = "parted"


@dataclass(slots=True)
class Parting:
    """What passed of one dialog. ``calls``: the browser is the caller."""

    invite: Request | None = None
    calls: bool = False
    answer: Response | None = None
    theirs: int = 0
    """The newest CSeq number of the browser's requests, and of ours."""
    ours: int = 0

    def note(self, message: Request | Response, *, inward: bool) -> None:
        """A message of the dialog passes."""
        if isinstance(message, Request):
            number = message.cseq.number
            if inward:
                self.theirs = max(self.theirs, number)
            else:
                self.ours = max(self.ours, number)
            if message.method == "INVITE" and self.answer is None:
                self.invite, self.calls = message, inward
        elif message.cseq.method == "INVITE" and message.status // 100 == 2 and self.answer is None:
            self.answer = message

    def to_core(self, key: int) -> bytes | None:
        """What the browser would say. ``key``: different for each dialog."""
        if self.invite is None:
            return None
        if self.answer is None:
            return bytes(cancel_for(self.invite) if self.calls else response_to(self.invite, 480, to_tag=_TAG))
        return self._bye(self.invite, self.answer, key, by_caller=self.calls, number=self.theirs + 1)

    def to_browser(self, key: int) -> bytes | None:
        """What the core would say."""
        if self.invite is None or self.answer is None:
            return bytes(cancel_for(self.invite)) if self.invite is not None and not self.calls else None
        return self._bye(self.invite, self.answer, key, by_caller=not self.calls, number=self.ours + 1)

    @staticmethod
    def _bye(invite: Request, answer: Response, key: int, *, by_caller: bool, number: int) -> bytes | None:
        caller, callee = invite.headers.get("From") or "", answer.headers.get("To") or ""
        contact = answer.contact if by_caller else invite.contact
        routes = [str(one) for one in (reversed(answer.record_routes) if by_caller else invite.record_routes)]
        if contact is None:
            return None
        made = request(
            "BYE",
            str(contact.uri),
            via=f"SIP/2.0/WS parted.invalid;branch={_BRANCH}{key}",
            from_=caller if by_caller else callee,
            to=callee if by_caller else caller,
            call_id=invite.call_id,
            cseq=number,
            routes=routes,
        )
        return bytes(made)


def is_answer(data: bytes) -> bool:
    """Whether a message answers one of ours."""
    return data.startswith(b"SIP/2.0 ") and _MARK in data
