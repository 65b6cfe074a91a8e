"""The server's half of digest: row by row of the module's table, and what forgetting does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import ParseError
from gateway.sip.digest import Challenge, Credentials, choose, respond, secret_of
from gateway.sip.uri import equivalent, parse_uri
from gateway.sip.verifier import Verdict, Verifier

KEY = b"0123456789abcdef"
URI = "sip:gw.example"


def verifier(**options: object) -> Verifier:
    return Verifier(KEY, "gw", **options)  # type: ignore[arg-type]


def challenged(one: Verifier, now: float) -> Challenge:
    found = choose(one.challenges(now))
    assert found is not None
    return found


def said_to(
    challenge: Challenge, *, nc: int = 1, password: str = "p", uri: str = URI, body: bytes = b""
) -> Credentials:
    return respond(challenge, "u", password, "REGISTER", uri, cnonce="c", nc=nc, body=body)


def judged(one: Verifier, said: Credentials, now: float, uri: str = URI, body: bytes = b"") -> Verdict:
    return one.judge(said, secret_of(said.algorithm, "u", "gw", "p"), "REGISTER", uri, now, body)


def test_sha_256_is_offered_first_and_md5_only_where_it_is_allowed() -> None:
    assert [Challenge.parse(value).algorithm for value in verifier().challenges(0.0)] == ["SHA-256"]
    both = verifier(algorithms=("SHA-256", "MD5"))
    first, second = map(Challenge.parse, both.challenges(0.0))
    assert (first.algorithm, second.algorithm, first.qop) == ("SHA-256", "MD5", ("auth",))
    assert judged(both, said_to(second), 1.0) is Verdict.RIGHT
    weak = replace(challenged(verifier(), 0.0), algorithm="MD5")
    assert judged(verifier(), said_to(weak), 1.0) is Verdict.WRONG


def test_a_right_answer_and_a_wrong_one() -> None:
    one = verifier()
    challenge = challenged(one, 5.0)
    assert judged(one, said_to(challenge, password="q"), 6.0) is Verdict.WRONG
    assert one.judge(said_to(challenge), None, "REGISTER", URI, 6.0) is Verdict.WRONG
    assert judged(one, said_to(challenge), 6.0) is Verdict.RIGHT
    assert len(one) == 1


def test_an_answer_without_qop_or_for_another_realm_is_wrong() -> None:
    one = verifier()
    challenge = challenged(one, 0.0)
    assert judged(one, said_to(replace(challenge, qop=())), 0.0) is Verdict.WRONG
    assert judged(one, said_to(replace(challenge, realm="other")), 0.0) is Verdict.WRONG
    assert judged(one, said_to(replace(challenge, qop=("auth-int",))), 0.0) is Verdict.WRONG


def test_auth_int_covers_the_body() -> None:
    one = verifier(qop=("auth-int", "auth"))
    said = said_to(replace(challenged(one, 0.0), qop=("auth-int",)), body=b"hello")
    assert judged(one, said, 0.0, body=b"hallo") is Verdict.WRONG
    assert judged(one, said, 0.0, body=b"hello") is Verdict.RIGHT


def test_a_nonce_grows_old() -> None:
    one = verifier(life=30.0)
    challenge = challenged(one, 100.0)
    assert judged(one, said_to(challenge), 130.0) is Verdict.RIGHT
    assert judged(one, said_to(challenge, nc=2), 130.1) is Verdict.STALE
    assert judged(one, said_to(challenge, nc=3, password="q"), 130.1) is Verdict.WRONG
    assert Challenge.parse(one.challenges(130.1, stale=True)[0]).stale


@pytest.mark.parametrize("nonce", ["", "-", "0-1-", "x", "é-1-ff", "64-1-é", "64-1-" + "0" * 32])
def test_a_nonce_that_is_not_ours_is_stale(nonce: str) -> None:
    """As after a restart: the phone knows its password and shall not ask for it again."""
    one = verifier()
    assert judged(one, said_to(replace(challenged(one, 0.0), nonce=nonce)), 0.1) is Verdict.STALE
    other = Verifier(b"another secret key", "gw")
    assert judged(one, said_to(challenged(other, 0.0)), 0.1) is Verdict.STALE
    assert judged(one, said_to(challenged(one, 10.0)), 9.0) is Verdict.STALE


def test_nc_only_rises() -> None:
    one = verifier()
    challenge = challenged(one, 0.0)
    uses = [(1, Verdict.RIGHT), (1, Verdict.STALE), (3, Verdict.RIGHT), (2, Verdict.STALE), (4, Verdict.RIGHT)]
    for nc, verdict in [(0, Verdict.STALE), *uses]:
        assert judged(one, said_to(challenge, nc=nc), 1.0) is verdict


def test_two_that_are_challenged_at_once_do_not_meet() -> None:
    one = verifier()
    first, second = challenged(one, 1.0), challenged(one, 1.0)
    assert judged(one, said_to(first), 1.0) is judged(one, said_to(second), 1.0) is Verdict.RIGHT


def test_memory_is_bounded_and_what_is_forgotten_can_not_be_replayed() -> None:
    one = verifier(limit=3)
    used = [challenged(one, float(second)) for second in range(6)]
    waiting = challenged(one, 1.5)
    for challenge in used:
        assert judged(one, said_to(challenge), 6.0) is Verdict.RIGHT
        assert len(one) <= 3
    for challenge in used:
        assert judged(one, said_to(challenge), 7.0) is Verdict.STALE
    assert judged(one, said_to(waiting), 7.0) is Verdict.STALE
    assert judged(one, said_to(challenged(one, 7.0)), 7.0) is Verdict.RIGHT


def test_what_is_old_is_forgotten_by_itself() -> None:
    one = verifier()
    for second in range(200):
        assert judged(one, said_to(challenged(one, float(second))), float(second)) is Verdict.RIGHT
    assert len(one) <= 62


@pytest.mark.parametrize(
    ("said", "asked", "verdict"),
    [
        ("sip:GW.example", "sip:gw.example", Verdict.RIGHT),
        ("sip:gw.example;transport=tcp", "sip:gw.example", Verdict.RIGHT),
        ("sip:gw.example:5060", "sip:gw.example", Verdict.MISDIRECTED),
        ("sip:%61@gw", "sip:a@gw", Verdict.RIGHT),
        ("sip:A@gw", "sip:a@gw", Verdict.MISDIRECTED),
        ("not a uri", "sip:a@gw", Verdict.MISDIRECTED),
    ],
)
def test_the_uri_is_compared_by_what_it_means(said: str, asked: str, verdict: Verdict) -> None:
    one = verifier()
    assert judged(one, said_to(challenged(one, 0.0), uri=said), 0.0, uri=asked) is verdict


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", True),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", True),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", True),
        ("sip:a@b?Subject=x&Priority=urgent", "sip:a@b?Priority=urgent&Subject=x", True),
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", False),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com", False),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next", False),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", False),
        ("sip:+86138@gw;user=phone", "sip:+86138@gw", False),
        ("sip:bob@b;maddr=192.0.2.1", "sip:bob@b", False),
        ("sip:bob:secret@b", "sip:bob@b", False),
        ("tel:+86138", "TEL:+86138", True),
        ("tel:+86138", "sip:+86138@gw", False),
        ("sip:%fe@b", "sip:%ff@b", False),
    ],
)
def test_the_examples_of_rfc_3261_19_1_4(one: str, other: str, same: bool) -> None:
    assert equivalent(parse_uri(one), parse_uri(other)) is same
    assert equivalent(parse_uri(other), parse_uri(one)) is same


def test_the_credentials_of_our_realm_are_found() -> None:
    one = verifier()
    mine = said_to(challenged(one, 0.0))
    assert one.find(["Basic abc", str(replace(mine, realm="other")), str(mine)]) == mine
    assert one.find(["Basic abc"]) is None
    with pytest.raises(ParseError):
        one.find(["Digest nothing"])


@pytest.mark.parametrize(
    "options", [{"life": 61.0}, {"life": 0.0}, {"algorithms": ()}, {"algorithms": ("CRC",)}, {"limit": 0}, {"qop": ()}]
)
def test_what_must_not_be_asked_for(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"nonce|algorithm"):
        verifier(**options)
    with pytest.raises(ValueError, match="16"):
        Verifier(b"short", "gw")
