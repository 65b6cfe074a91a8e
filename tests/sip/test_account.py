"""Our requests at a server that challenges them: the real verifier judges what we say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest

from gateway.sip.account import Account
from gateway.sip.build import response_to
from gateway.sip.digest import secret_of
from gateway.sip.hop import Hop
from gateway.sip.message import Request, parse_message
from gateway.sip.outputs import Accepted, Answered, Ended, OfferAnswered, PageAnswered, Rejected
from gateway.sip.standalone import send
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from gateway.sip.verifier import Verdict, Verifier

US, PEER = Hop("udp", "198.51.100.1", 5060), Hop("udp", "192.0.2.10", 5060)
USER, PASSWORD, REALM = "gw", 'open "sesame"', "ims.example"


class Server:
    """A carrier that wants credentials of everything but ACK and CANCEL. ``seen``: the requests that came."""

    def __init__(
        self, *, proxy: bool = False, realm: str = REALM, algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        qop: tuple[str, ...] = ("auth",), life: float = 60.0,
    ) -> None:  # fmt: skip
        self.verifier = Verifier(b"k" * 16, realm, algorithms=algorithms, qop=qop, life=life)
        self.status, self.asks, self.reads = (
            (407, "Proxy-Authenticate", "Proxy-Authorization") if proxy else (401, "WWW-Authenticate", "Authorization")
        )
        self.seen: list[Request] = []
        self.verdicts: list[str] = []
        self.always_stale = False
        self.password = PASSWORD

    def receive(self, request: Request, now: float) -> list[bytes]:
        self.seen.append(request)
        if request.method in ("ACK", "CANCEL"):
            return []
        said = self.verifier.find(request.headers.get_all(self.reads))
        if said is None:
            return self._ask(request, now, stale=False)
        secret = secret_of(said.algorithm, USER, REALM, self.password)
        verdict = self.verifier.judge(said, secret, request.method, request.uri_text, now, request.body)
        self.verdicts.append(verdict.value)
        if self.always_stale or verdict is Verdict.STALE:
            return self._ask(request, now, stale=True)
        if verdict is not Verdict.RIGHT:
            return self._ask(request, now, stale=False)
        return self.accept(request)

    def accept(self, request: Request) -> list[bytes]:
        """Whoever is known gets what he wants."""
        contact = [("Contact", "<sip:192.0.2.10>")]
        return [bytes(response_to(request, 200, to_tag="s", headers=contact, body=b"answer"))]

    def _ask(self, request: Request, now: float, *, stale: bool) -> list[bytes]:
        self.verdicts.append("asked" + " stale" * stale)
        lines = [(self.asks, value) for value in self.verifier.challenges(now, stale=stale)]
        return [bytes(response_to(request, self.status, to_tag="s", headers=lines))]


class Bench:
    """Our user agent and the server, who hear each other at once."""

    def __init__(self, server: Server, **account: Any) -> None:
        numbers = count()
        self.server = server
        self.agent = UserAgent(UserAgentSettings({"udp": US, "tcp": US}), lambda: f"t{next(numbers)}")
        self.account = Account(USER, PASSWORD, REALM, lambda: f"c{next(numbers)}", **account)
        self.told: list[Any] = []
        self.sent: list[Request] = []
        self.now = 0.0

    def take(self, outputs: Sequence[Any]) -> None:
        for output in outputs:
            if not isinstance(output, Transmit):
                self.told.append(output)
                continue
            assert isinstance(output.message, Request)
            request = parse_message(output.data)
            assert isinstance(request, Request)
            self.sent.append(request)
            for answer in self.server.receive(request, self.now):
                self.take(self.agent.receive_message(answer, PEER, self.now))

    def call(self, *, account: bool = True) -> str:
        session, outputs = self.agent.invite(
            PEER, "sip:b@192.0.2.10", from_="<sip:x@198.51.100.1>", to="<sip:b@192.0.2.10>", body=b"offer",
            account=self.account if account else None, now=self.now,
        )  # fmt: skip
        self.take(outputs)
        return session

    def register(self) -> None:
        _, outputs = send(
            self.agent.wire, "REGISTER", PEER, "sip:ims.example", from_="<sip:gw@ims.example>",
            to="<sip:gw@ims.example>", account=self.account, now=self.now,
        )  # fmt: skip
        self.take(outputs)

    @property
    def methods(self) -> list[str]:
        return [f"{request.cseq.number} {request.method}" for request in self.sent]

    def rest(self) -> None:
        """Nothing is left when all timers have run."""
        while (due := self.agent.deadline) is not None:
            self.now = max(self.now, due)
            self.take(self.agent.handle_timeout(self.now))
        assert len(self.agent.layer) == 0
        assert self.agent.sessions == 0


@pytest.mark.parametrize("proxy", [False, True])
@pytest.mark.parametrize("algorithms", [("SHA-256", "MD5"), ("MD5",), ("SHA-256",), ("MD5-sess",)])
@pytest.mark.parametrize("qop", [("auth",), ("auth-int",), ("auth", "auth-int")])
def test_a_whole_call_at_a_server_that_challenges(
    proxy: bool, algorithms: tuple[str, ...], qop: tuple[str, ...]
) -> None:
    bench = Bench(Server(proxy=proxy, algorithms=algorithms, qop=qop))
    session = bench.call()
    first, ack, second, ack_of_2xx = bench.sent
    assert [ack.method, ack_of_2xx.method] == ["ACK", "ACK"]
    assert (first.call_id, first.from_.tag, first.to.tag) == (second.call_id, second.from_.tag, None)
    assert second.to.tag is None
    assert first.via.branch != second.via.branch
    assert (first.cseq.number, second.cseq.number, ack_of_2xx.cseq.number) == (1, 2, 2)
    header = bench.server.reads
    assert first.headers.get(header) is None
    assert ack.headers.get(header) is None
    assert ack_of_2xx.headers.get(header) == second.headers.get(header)
    assert len(second.headers.get_all(header)) == 1
    assert isinstance(bench.told[-1], Accepted)
    bench.take(bench.agent.reoffer(session, b"other", 1.0))
    bench.take(bench.agent.info(session, "application/dtmf", b"1", 1.0))
    bench.take(bench.agent.hang_up(session, 2.0))
    assert [type(one) for one in bench.told] == [Accepted, OfferAnswered, Ended]
    assert bench.methods[4:] == ["3 INVITE", "3 ACK", "4 INFO", "5 BYE"]
    assert bench.server.verdicts == ["asked", "right", "right", "right", "right"]
    bench.rest()


def test_each_use_of_a_nonce_is_counted_and_a_stale_one_replaced() -> None:
    bench = Bench(Server(life=30.0))
    for bench.now in (0.0, 10.0, 20.0, 50.0, 51.0):
        bench.register()
    assert [one.status for one in bench.told] == [200] * 5
    assert bench.server.verdicts == ["asked", "right", "right", "right", "stale", "asked stale", "right", "right"]
    said = [bench.server.verifier.find(one.headers.get_all("Authorization")) for one in bench.sent]
    assert [one and one.nc for one in said] == [None, 1, 2, 3, 4, 1, 2]
    assert bench.told[0].cseq == 2
    assert bench.told[1].cseq == 1


def test_what_the_registrar_asked_is_not_answered_to_others() -> None:
    """It would travel on to whoever is called; an INVITE's own challenge is another."""
    bench = Bench(Server())
    bench.register()
    bench.call()
    bench.register()
    bench.call()
    said = [(one.method, bool(one.headers.get("Authorization"))) for one in bench.sent]
    assert said == [
        ("REGISTER", False), ("REGISTER", True), ("INVITE", False), ("ACK", False), ("INVITE", True), ("ACK", True),
        ("REGISTER", True), ("INVITE", True), ("ACK", True),
    ]  # fmt: skip


def test_a_bye_that_is_challenged_is_repeated_though_the_session_is_over() -> None:
    bench = Bench(Server(life=30.0))
    session = bench.call()
    bench.now = 100.0
    bench.take(bench.agent.hang_up(session, bench.now))
    assert bench.methods[-2:] == ["3 BYE", "4 BYE"]
    assert bench.server.verdicts[-1] == "right"
    bench.rest()


def test_a_reinvite_that_is_challenged_is_repeated_in_the_dialog() -> None:
    bench = Bench(Server(life=30.0))
    session = bench.call()
    bench.now = 100.0
    bench.take(bench.agent.reoffer(session, b"other", bench.now))
    assert bench.methods[-4:] == ["3 INVITE", "3 ACK", "4 INVITE", "4 ACK"]
    assert isinstance(bench.told[-1], OfferAnswered)
    bench.take(bench.agent.hang_up(session, bench.now))
    bench.rest()


class Ringing(Server):
    """It rings reliably (RFC 3262), and takes its time: the nonce of the INVITE is old when the PRACK comes."""

    def receive(self, request: Request, now: float) -> list[bytes]:
        return super().receive(request, now + (60.0 if request.method == "PRACK" else 0.0))

    def accept(self, request: Request) -> list[bytes]:
        if request.method == "INVITE":
            lines = [("Contact", "<sip:192.0.2.10>"), ("Require", "100rel"), ("RSeq", "1")]
            return [bytes(response_to(request, 183, to_tag="s", headers=lines))]
        return super().accept(request)


def test_a_prack_that_is_challenged_is_repeated_in_the_early_dialog() -> None:
    bench = Bench(Ringing(life=30.0))
    bench.call()
    assert bench.methods == ["1 INVITE", "1 ACK", "2 INVITE", "3 PRACK", "4 PRACK"]
    assert bench.server.verdicts == ["asked", "right", "stale", "asked stale", "right"]
    assert {one.headers.get("RAck") for one in bench.sent if one.method == "PRACK"} == {"1 2 INVITE"}


def test_a_page_is_answered_once() -> None:
    bench = Bench(Server())
    _, outputs = bench.agent.pager.send(
        PEER, "sip:b@peer", from_="<sip:x@gw>", to="<sip:b@peer>", body=b"hi", content_type="text/plain",
        account=bench.account, now=0.0,
    )  # fmt: skip
    bench.take(outputs)
    assert [type(one) for one in bench.told] == [PageAnswered]
    assert bench.told[0].status == 200
    assert bench.methods == ["1 MESSAGE", "2 MESSAGE"]


def test_a_wrong_password_is_said_once() -> None:
    bench = Bench(Server())
    bench.server.password = "another"
    bench.call()
    assert bench.methods == ["1 INVITE", "1 ACK", "2 INVITE", "2 ACK"]
    assert isinstance(bench.told[-1], Rejected)
    assert bench.told[-1].status == 401
    assert bench.account.problem == "refused"
    bench.rest()


def test_a_server_that_calls_every_nonce_stale_gets_two_answers() -> None:
    bench = Bench(Server())
    bench.server.always_stale = True
    bench.register()
    assert bench.methods == ["1 REGISTER", "2 REGISTER", "3 REGISTER"]
    assert (bench.told[-1].status, bench.told[-1].cseq) == (401, 3)


def test_another_realm_is_told_nothing() -> None:
    bench = Bench(Server(realm="elsewhere.example"))
    bench.call()
    bench.register()
    assert bench.methods == ["1 INVITE", "1 ACK", "1 REGISTER"]
    assert not [one for one in bench.sent if "uthorization" in str(list(one.headers))]
    assert bench.account.problem == "realm"
    bench.rest()


def test_whoever_has_no_account_is_told_of_the_challenge() -> None:
    bench = Bench(Server())
    bench.call(account=False)
    assert bench.methods == ["1 INVITE", "1 ACK"]
    assert bench.told[-1].status == 401
    bench.rest()


def test_a_call_given_up_is_not_placed_again() -> None:
    server = Server()
    bench = Bench(server)
    session, outputs = bench.agent.invite(
        PEER, "sip:b@192.0.2.10", from_="<sip:x@gw>", to="<sip:b@p>", account=bench.account, now=0.0
    )
    (invite,) = outputs
    assert bench.agent.hang_up(session, 0.1) == []
    (answer,) = server.receive(invite.message, 0.2)  # type: ignore[attr-defined]
    bench.take(bench.agent.receive_message(answer, PEER, 0.2))
    assert bench.methods == ["1 ACK"]
    assert bench.told[-1].status == 401
    bench.rest()


def test_a_request_that_nothing_answers_is_over_in_time() -> None:
    bench = Bench(Server())
    _, outputs = send(
        bench.agent.wire, "OPTIONS", PEER, "sip:192.0.2.10", from_="<sip:gw@us>", to="<sip:192.0.2.10>", now=0.0
    )
    told: list[Any] = []
    while (due := bench.agent.deadline) is not None and not told:
        told = [one for one in bench.agent.handle_timeout(due) if not isinstance(one, Transmit)]
    assert told == [Answered(told[0].session, 408, 1, None)]
    assert [one.hop for one in outputs] == [PEER]
    failed = bench.agent.transport_failed(PEER, 40.0)
    assert failed == []
