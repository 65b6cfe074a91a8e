"""Two user agents on a wire that loses what it is told to, in virtual time: what tests of sessions stand on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response, parse_message
from gateway.sip.outputs import Incoming
from gateway.sip.policy import Policy
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent, UserAgentSettings

ONE, TWO = Hop("udp", "192.0.2.1", 5060), Hop("udp", "192.0.2.2", 5060)
DELAY = 0.01
PLAIN = Policy()
Lose = Callable[[str, int], bool]


def title(message: Any) -> str:
    return message.method if isinstance(message, Request) else str(message.status)


class Pair:
    """``seen[0]`` and ``seen[1]``: what caller and callee were told. ``lose(title, nth)``: drop that message.

    ``messages``: what was sent, lost or not, as (time, side, message). Each side has its ``policies``.
    """

    def __init__(self, lose: Lose = lambda what, nth: False, policies: tuple[Policy, Policy] = (PLAIN, PLAIN)) -> None:
        self.policies = policies
        self.edit: Callable[[int, bytes], bytes] = lambda side, data: data
        """What the wire makes of a message that a side sends."""
        self.messages: list[tuple[float, int, Request | Response]] = []
        numbers = count()
        self.agents = [
            UserAgent(UserAgentSettings({"udp": hop, "tls": Hop("tls", hop.host, 5061)}), lambda: f"t{next(numbers)}")
            for hop in (ONE, TWO)
        ]
        self.seen: list[list[Any]] = [[], []]
        self.sent: list[str] = []
        self.now = 0.0
        self._lose = lose
        self._wire: list[tuple[float, int, int, bytes]] = []

    def take(self, side: int, outputs: list[Any]) -> None:
        for output in outputs:
            if isinstance(output, Transmit):
                what = title(output.message)
                self.sent.append(what)
                self.messages.append((self.now, side, parse_message(output.data)))
                if not self._lose(what, self.sent.count(what)):
                    self._wire.append((self.now + DELAY, len(self.sent), 1 - side, self.edit(side, output.data)))
            else:
                self.seen[side].append(output)
                if isinstance(output, Incoming):
                    refusal = self.agents[side].admit(output.session, self.policies[side])
                    if refusal is not None:
                        status, _, headers = refusal
                        self.take(side, self.agents[side].reject(output.session, status, self.now, headers=headers))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            due = [row[0] for row in self._wire] + [at for one in self.agents if (at := one.deadline) is not None]
            if not due or min(due) > end:
                break
            self.now = max(self.now, min(due))
            for row in sorted(self._wire):
                if row[0] <= self.now:
                    self._wire.remove(row)
                    self.take(row[2], self.agents[row[2]].receive_message(row[3], (ONE, TWO)[1 - row[2]], self.now))
            for side, agent in enumerate(self.agents):
                if agent.deadline is not None and agent.deadline <= self.now:
                    self.take(side, agent.handle_timeout(self.now))
        self.now = end

    def do(self, side: int, verb: str, *arguments: Any) -> None:
        agent = self.agents[side]
        self.take(side, getattr(agent, verb)(self.session(side), *arguments, now=self.now))

    def ring(self, status: int = 180, body: bytes = b"") -> None:
        """The callee's provisional response."""
        self.take(1, self.agents[1].ring(self.session(1), self.now, status, body))

    def offer(self, side: int, body: bytes, method: str) -> None:
        """An offer of a side."""
        self.take(side, self.agents[side].reoffer(self.session(side), body, self.now, method))

    def request(self, side: int, method: str, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> None:
        """A request in a side's dialog that its user agent knows nothing of."""
        session = self.agents[side]._sessions.get(self.session(side))
        assert session is not None
        assert session.dialog is not None
        wire = self.agents[side].wire
        made, hop = session.dialog.request(
            method, via=wire.via, contact=wire.contact, headers=headers, body=body, content_type="application/sdp"
        )
        self.take(side, wire.layer.send(made, hop, None, self.now)[1])

    def session(self, side: int) -> str:
        return self.caller if side == 0 else next(o.session for o in self.seen[1] if isinstance(o, Incoming))

    def dial(self, body: bytes = b"offer", uri: str = "sip:b@192.0.2.2") -> None:
        self.caller, outputs = self.agents[0].invite(
            TWO,
            uri,
            from_="<sip:a@192.0.2.1>",
            to="<sip:b@192.0.2.2>",
            body=body,
            policy=self.policies[0],
            now=self.now,
        )
        self.take(0, outputs)
        self.run(0.1)

    def talk(self) -> None:
        self.dial()
        self.run(1.0)
        self.do(1, "ring")
        self.run(0.1)
        self.do(1, "accept", b"answer")
        self.run(0.1)

    def of(self, what: str, side: int | None = None) -> list[Any]:
        """The messages of a title (``PRACK``, ``200 PRACK``), those that a side sent."""
        found = []
        for _, sender, message in self.messages:
            name = title(message)
            if isinstance(message, Response) and " " in what:
                name = f"{name} {message.cseq.method}"
            if name == what and side in (None, sender):
                found.append(message)
        return found

    def times(self, what: str, side: int | None = None) -> list[float]:
        """When they were sent."""
        wanted = self.of(what, side)
        return [at for at, _, message in self.messages if any(message is one for one in wanted)]

    def kinds(self, side: int) -> list[type]:
        return [type(output) for output in self.seen[side]]


MakePair = Callable[..., Pair]
