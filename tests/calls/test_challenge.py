"""A trunk that has to say who it is, against our own client: INVITE and MESSAGE, and nothing of a call before."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.calls.exchange import Exchange
from gateway.calls.outputs import Resolve, TextReceived
from gateway.calls.settings import AccountSettings, ExchangeSettings, ToneFiles, TrunkSettings
from gateway.sip.account import Account
from gateway.sip.hop import Hop
from gateway.sip.outputs import Offence, PageAnswered, Rejected
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from tests.calls.fakes import START, TRUNK, A, X, sdp

US, THEM = Hop("udp", "198.51.100.1", 5060), Hop("udp", "192.0.2.10", 5060)
ASKED = replace(TRUNK, challenge=AccountSettings("carrier", "s3cret", "gw.example"))
OPEN = replace(TRUNK, name="open", allow=(ip_network("203.0.113.0/24"),))


class Bench:
    """Our node, and a carrier's user agent."""

    def __init__(self, trunk: TrunkSettings = ASKED, password: str = "s3cret") -> None:
        self._tokens = 0
        agent = UserAgent(UserAgentSettings({"udp": US}), self._token)
        self.exchange = Exchange(
            ExchangeSettings(
                trunks=(trunk, OPEN),
                tones=ToneFiles(ringback="r"),
                media_host=US.host,
                spool="/",
                wall=lambda now: START,
            ),
            agent,
            self._token,
        )
        self.exchange.worker_ready(0, 10, 0.0)
        self.carrier = UserAgent(UserAgentSettings({"udp": THEM}), self._token)
        self.account = Account("carrier", password, "gw.example", self._token)
        self.ours: list[Any] = []
        self.theirs: list[Any] = []
        self.sent: list[str] = []
        self.source = THEM

    def _token(self) -> str:
        self._tokens += 1
        return f"token-number-{self._tokens}"

    def take(self, outputs: Any, *, ours: bool, now: float) -> None:
        for output in outputs:
            if not isinstance(output, Transmit):
                (self.ours if ours else self.theirs).append(output)
                continue
            what = output.message
            self.sent.append(what.method if hasattr(what, "method") else str(what.status))
            if ours:
                self.take(self.carrier.receive_message(output.data, US, now), ours=False, now=now)
            else:
                self.take(self.exchange.receive_message(output.data, self.source, now), ours=True, now=now)

    def call(self, now: float = 0.0) -> str:
        session, outputs = self.carrier.invite(
            US, f"sip:{X.e164}@198.51.100.1", from_=f"<sip:{A.e164}@c>", to=f"<sip:{X.e164}@gw>", body=sdp(),
            account=self.account, now=now,
        )  # fmt: skip
        self.take(outputs, ours=False, now=now)
        return session


@pytest.mark.parametrize("algorithms", [("SHA-256", "MD5"), ("MD5",)])
def test_a_call_is_let_in_with_credentials(algorithms: tuple[str, ...]) -> None:
    bench = Bench(replace(ASKED, challenge_algorithms=algorithms))
    session = bench.call()
    assert [type(one) for one in bench.ours] == [Resolve]
    assert bench.sent == ["INVITE", "401", "ACK", "INVITE", "100"]
    assert bench.exchange.active == 1
    bench.take(bench.carrier.hang_up(session, 1.0), ours=False, now=1.0)
    assert bench.sent[5:] == ["CANCEL", "200", "487", "ACK"], "neither CANCEL nor ACK is challenged"


def test_nothing_is_kept_of_a_call_without_them() -> None:
    bench = Bench()
    bench.account = None  # type: ignore[assignment]
    bench.call()
    assert bench.sent == ["INVITE", "401", "ACK"]
    assert bench.ours == []
    assert bench.exchange.active == 0
    assert len(bench.exchange._plant.agent.layer) == 0
    assert isinstance(bench.theirs[-1], Rejected)


def test_a_wrong_password_is_refused_and_told_to_the_door() -> None:
    bench = Bench(password="wrong")
    bench.call()
    assert bench.sent == ["INVITE", "401", "ACK", "INVITE", "401", "ACK"]
    assert bench.ours == [Offence(THEM, "digest")]


def test_an_old_nonce_is_answered_with_a_new_one() -> None:
    bench = Bench()
    bench.call(0.0)
    bench.call(100.0)
    assert bench.sent[5:] == ["INVITE", "401", "ACK", "INVITE", "100"]
    assert len([one for one in bench.ours if isinstance(one, Resolve)]) == 2


def test_a_message_is_challenged_too() -> None:
    bench = Bench()
    _, outputs = bench.carrier.pager.send(
        US, f"sip:{X.e164}@gw", from_=f"<sip:{A.e164}@c>", to=f"<sip:{X.e164}@gw>", body=b"hi",
        content_type="text/plain", account=bench.account, now=0.0,
    )  # fmt: skip
    bench.take(outputs, ours=False, now=0.0)
    (text,) = bench.ours
    assert isinstance(text, TextReceived)
    assert bench.sent == ["MESSAGE", "401", "MESSAGE"]
    bench.take(bench.exchange.answer_text(text.id, 200, 0.1), ours=True, now=0.1)
    assert [one.status for one in bench.theirs if isinstance(one, PageAnswered)] == [200]


def test_another_trunk_is_not_asked() -> None:
    bench = Bench()
    bench.source = Hop("udp", "203.0.113.9", 5060)
    bench.call()
    assert bench.sent[:2] == ["INVITE", "100"]
