"""A phone at the registrar's door, in virtual time: it answers challenges as a phone does."""

from __future__ import annotations

from itertools import count

from gateway.sip.authenticator import Authenticator
from gateway.sip.digest import choose, respond, secret_of
from gateway.sip.hop import Hop
from gateway.sip.message import Request, Response
from gateway.sip.outputs import ContactsChanged, Output
from gateway.sip.registrar import Registrar, RegistrarSettings
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from gateway.sip.verifier import Verifier

HERE = Hop("udp", "192.0.2.10", 5060)
REALM = "gw"
PASSWORDS = {"anna": "secret-a", "ben": "secret-b"}
_branches = count()


def secret(user: str, algorithm: str) -> str | None:
    return secret_of(algorithm, user, REALM, PASSWORDS[user]) if user in PASSWORDS else None


def node(**settings: object) -> UserAgent:
    """A user agent with a registrar; names of To are users."""
    numbers = count()
    agent = UserAgent(
        UserAgentSettings({"udp": Hop("udp", "198.51.100.1", 5060)}), lambda: f"token{next(numbers)}"
    )  # fmt: skip
    authenticator = Authenticator(Verifier(b"k" * 16, REALM, algorithms=("SHA-256", "MD5")), secret)
    agent.serve(
        Registrar(
            RegistrarSettings(**settings),  # type: ignore[arg-type]
            agent.wire,
            authenticator,
            lambda name: name if name in PASSWORDS else None,
            lambda now: "a date",
        )
    )
    return agent


def registrar(agent: UserAgent) -> Registrar:
    assert agent.registrar is not None
    return agent.registrar


def lines(
    method: str, user: str, *, call_id: str, cseq: int, uri: str = "sip:gw", via: str = "192.0.2.10:5060",
    more: tuple[str, ...] = (),
) -> bytes:  # fmt: skip
    head = [
        f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP {via};branch=z9hG4bK{next(_branches)};rport", "Max-Forwards: 70",
        f"From: <sip:{user}@gw>;tag=f", f"To: <sip:{user}@gw>", f"Call-ID: {call_id}", f"CSeq: {cseq} {method}", *more,
    ]  # fmt: skip
    return "\r\n".join([*head, "", ""]).encode()


def answer_of(outputs: list[Output]) -> Response:
    (sent,) = [one.message for one in outputs if isinstance(one, Transmit)]
    assert isinstance(sent, Response)
    return sent


class Registering:
    """One phone: ``register`` goes twice when it is challenged, and gives the last answer."""

    def __init__(self, agent: UserAgent, user: str = "anna", *, source: Hop = HERE, call_id: str = "c1") -> None:
        self.agent = agent
        self.user = user
        self.password = PASSWORDS.get(user, "")
        self.source = source
        self.call_id = call_id
        self.cseq = 0
        self.changes: list[ContactsChanged] = []
        self.last = b""

    def register(
        self,
        *contacts: str,
        now: float = 0.0,
        expires: str | None = None,
        to: str | None = None,
        cseq: int | None = None,
    ) -> Response:
        more = [f"Contact: {one}" for one in contacts]
        if expires is not None:
            more.append(f"Expires: {expires}")
        asked = self._send(more, now, to, cseq)
        if asked.status != 401:
            return asked
        challenge = choose(asked.headers.get_all("WWW-Authenticate"), REALM)
        assert challenge is not None
        said = respond(challenge, self.user, self.password, "REGISTER", "sip:gw", cnonce="cn")
        return self._send([*more, f"Authorization: {said}"], now, to, cseq)

    def _send(self, more: list[str], now: float, to: str | None, cseq: int | None) -> Response:
        self.cseq = self.cseq + 1 if cseq is None else cseq
        data = lines("REGISTER", self.user, call_id=self.call_id, cseq=self.cseq, more=tuple(more))
        if to is not None:
            data = data.replace(f"To: <sip:{self.user}@gw>".encode(), f"To: {to}".encode())
        self.last = data
        outputs = self.agent.receive_message(data, self.source, now)
        self.changes += [one for one in outputs if isinstance(one, ContactsChanged)]
        return answer_of(outputs)

    @property
    def at(self) -> list[str]:
        """Where it is, as last told."""
        return [one.uri for one in self.changes[-1].contacts]


def contacts(answer: Response) -> list[str]:
    assert answer.status == 200
    return answer.headers.get_all("Contact")


def requests(outputs: list[Output]) -> list[Request]:
    return [one.message for one in outputs if isinstance(one, Transmit) and isinstance(one.message, Request)]
