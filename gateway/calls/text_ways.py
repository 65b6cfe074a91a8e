"""By which ways a short message that we send is tried, one after the other (pains.md P24).

    no answer, no connection, 408, 503     the next phone, the next peer of the trunk, then the next trunk
    401, 407, 500, 502, 504                the next trunk
    any other status                       speaks of the receiver, and is final

It is a call's table (ringing.py), but for the time: silence ends a way with timer F, since no sign but the final answer
need come of a MESSAGE (RFC 4320 §4.1), and one that was only slow would be there twice. No more than MOST are tried.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.calls.privacy import CalleeInvite, callee_invite
from gateway.calls.ways import NOT_BY_THIS_TRUNK, NOT_HERE, Way
from gateway.numbers import PhoneNumber
from gateway.sms.bodies import Body
from gateway.sms.rpdu import CONTENT_TYPE

MOST = 4


@dataclass(slots=True, repr=False)
class Text:
    """One MESSAGE of ours: ``way`` is the one that it is on, ``left`` those behind that."""

    id: str
    sender: PhoneNumber
    receiver: PhoneNumber
    body: Body
    way: Way
    left: list[Way]

    def page(self, our_host: str) -> CalleeInvite:
        """Who is named in it, and where it goes."""
        return callee_invite(self.sender, self.receiver, self.way.trunk, our_host, self.way.peer)

    def goes_on(self, status: int) -> bool:
        """Turn to the next way after this answer; False: it was the last word."""
        if status in NOT_BY_THIS_TRUNK:
            self.left = [way for way in self.left if way.trunk.name != self.way.trunk.name]
        elif status not in NOT_HERE:
            return False
        if not self.left:
            return False
        self.way = self.left.pop(0)
        return True


def begin(id: str, sender: PhoneNumber, receiver: PhoneNumber, body: Body, ways: list[Way]) -> Text | None:
    """A message on the first of the ways that take its form; None: there is none."""
    as_3gpp = body.content_type == CONTENT_TYPE
    fit = [way for way in ways if way.trunk.sms_as_3gpp is as_3gpp][:MOST]
    return Text(id, sender, receiver, body, fit[0], fit[1:]) if fit else None
