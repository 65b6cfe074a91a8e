"""Digest: the examples of RFC 7616 and 2617, what is read and written, what a client answers; hypothesis at the end."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ParseError
from gateway.sip.digest import HASHES, Challenge, Credentials, choose, expected_response, is_right, respond, secret_of

REALM, NONCE = "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE, CNONCE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
MD5_RESPONSE = "8ca523f5e9506fed4657c9700eebdbec"
SHA_RESPONSE = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
ASKED = f'Digest  realm="{REALM}", qop="auth, auth-int", algorithm=%s, nonce="{NONCE}", opaque="{OPAQUE}"'


@pytest.mark.parametrize(("algorithm", "response"), [("MD5", MD5_RESPONSE), ("SHA-256", SHA_RESPONSE)])
def test_section_3_9_1_of_rfc_7616(algorithm: str, response: str) -> None:
    challenge = Challenge.parse(ASKED % algorithm)
    assert challenge == Challenge(REALM, NONCE, algorithm, ("auth", "auth-int"), OPAQUE)
    said = respond(challenge, "Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce=CNONCE)
    assert said == Credentials(
        "Mufasa", REALM, NONCE, "/dir/index.html", response, algorithm, "auth", 1, CNONCE, OPAQUE
    )  # fmt: skip
    assert Credentials.parse(str(said)) == said


def test_section_3_9_2_of_rfc_7616_as_corrected_by_its_erratum() -> None:
    """Erratum 4897: the printed response is of SHA-512 cut short, not of SHA-512/256."""
    challenge = Challenge(
        "api@example.org", "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", "SHA-512-256", ("auth",)
    )  # fmt: skip
    cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    said = respond(challenge, "J\u00e4s\u00f8n Doe", "Secret, or not?", "GET", "/doe.json", cnonce=cnonce)
    assert said.response == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


def test_section_3_5_of_rfc_2617() -> None:
    said = Credentials.parse(
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
        'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    assert is_right(said, secret_of("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life"), "GET")
    assert not is_right(said, secret_of("MD5", "Mufasa", "testrealm@host.com", "Circle Of Death"), "GET")


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def test_without_qop_as_rfc_2069_has_it() -> None:
    said = respond(Challenge("r", "n"), "u", "p", "REGISTER", "sip:x", cnonce="c")
    assert said.response == md5(f"{md5('u:r:p')}:n:{md5('REGISTER:sip:x')}")
    assert (said.qop, said.nc, said.cnonce) == ("", 0, "")
    assert "cnonce" not in str(said)


def test_a_session_s_key_and_the_body_s_digest() -> None:
    challenge = Challenge("r", "n", "MD5-sess", ("auth-int",))
    said = respond(challenge, "u", "p", "INVITE", "sip:x", cnonce="c", nc=17, body=b"v=0")
    session, what = md5(f"{md5('u:r:p')}:n:c"), md5(f"INVITE:sip:x:{md5('v=0')}")
    assert said.response == md5(f"{session}:n:00000011:c:auth-int:{what}")
    assert is_right(said, secret_of("MD5", "u", "r", "p"), "INVITE", b"v=0")
    assert not is_right(said, secret_of("MD5", "u", "r", "p"), "INVITE", b"v=1")


def test_an_empty_body_has_a_digest_too() -> None:
    """RFC 3261 §22.4, 8: H(entity-body) of none is that of the empty string."""
    said = respond(Challenge("r", "n", "MD5", ("auth-int",)), "u", "p", "BYE", "sip:x", cnonce="c")
    what = md5("BYE:sip:x:d41d8cd98f00b204e9800998ecf8427e")
    assert said.response == md5(f"{md5('u:r:p')}:n:00000001:c:auth-int:{what}")


def test_integrity_is_taken_where_it_is_wanted() -> None:
    challenge = Challenge("r", "n", "MD5", ("auth", "auth-int"))
    assert respond(challenge, "u", "p", "BYE", "sip:x", cnonce="c").qop == "auth"
    assert respond(challenge, "u", "p", "BYE", "sip:x", cnonce="c", integrity=True).qop == "auth-int"


def test_the_topmost_that_we_know_is_answered() -> None:
    """RFC 8760 §2.4."""
    values = [
        'Basic realm="r"', 'Digest realm="r", nonce="0", algorithm=AKAv1-MD5, qop="auth"',
        'Digest realm="r", nonce="1", algorithm=SHA-256, qop="auth-conf"', 'Digest realm="other", nonce="2"',
        'Digest realm="r", nonce="3", algorithm=sha-256, qop="auth"', 'Digest realm="r", nonce="4", algorithm=MD5',
    ]  # fmt: skip
    found = choose(values, "r")
    assert found == Challenge("r", "3", "SHA-256", ("auth",))
    assert choose(values) == Challenge("other", "2")
    assert choose(values[:3], "r") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('digest realm="r",nonce="n"', Challenge("r", "n")),
        ('Digest realm="r", nonce="n", stale=TRUE, domain="sip:x"', Challenge("r", "n", stale=True)),
        ('Digest realm = "a, \\"b\\"" , nonce="n", , qop=auth', Challenge('a, "b"', "n", qop=("auth",))),
        ('Digest realm=r,nonce=n==,algorithm="MD5",opaque=""', Challenge("r", "n==", opaque="")),
        ('Digest realm="", nonce="", algorithm=SHA-512-256-SESS', Challenge("", "", "SHA-512-256-sess")),
    ],
)
def test_challenges_that_are_read(text: str, expected: Challenge) -> None:
    found = Challenge.parse(text)
    assert found == expected
    assert Challenge.parse(str(found)) == found


WHOLE = 'Digest username="u", realm="r", nonce="n", uri="sip:x", response="' + "0" * 32 + '"'


@pytest.mark.parametrize(
    "text",
    [
        "", "Digest", 'Basic realm="r", nonce="n"', 'Digest realm="r"', 'Digest nonce="n"',
        'Digest realm="r, nonce="n"', 'Digest realm="r", nonce="n", nonce="m"',
        'Digest realm="r", nonce', 'Digest realm="r", nonce=',
        'Digest realm="r" x, nonce="n"', 'Digest realm="r", nonce="n", algorithm="a b"', 'Digest realm="\x00", nonce=n',
        'Digest realm="r", nonce="n", Digest realm="r", nonce="m"',
    ],
)  # fmt: skip
def test_challenges_that_are_none(text: str) -> None:
    with pytest.raises(ParseError):
        Challenge.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        WHOLE.replace("0" * 32, "0" * 31), WHOLE.replace("0" * 32, "g" * 32), WHOLE.replace('uri="sip:x", ', ""),
        WHOLE.replace('username="u", ', ""), WHOLE + ', qop=auth, nc=1, cnonce="c"', WHOLE + ", qop=auth, nc=00000001",
        WHOLE + ', qop=auth, cnonce="c"', WHOLE + ', qop=auth-conf, nc=00000001, cnonce="c"',
    ],
)  # fmt: skip
def test_credentials_that_are_none(text: str) -> None:
    Credentials.parse(WHOLE)
    with pytest.raises(ParseError):
        Credentials.parse(text)


def test_credentials_print_without_names() -> None:
    assert repr(Credentials.parse(WHOLE)) == "<Credentials MD5>"


fuzz = settings(max_examples=400, derandomize=True, deadline=None)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)


@fuzz
@given(words, words, words, st.sampled_from(sorted(HASHES)), st.sampled_from(["", "auth", "auth-int"]), st.binary())
def test_whatever_the_words_both_sides_agree(
    user: str, realm: str, password: str, algorithm: str, qop: str, body: bytes
) -> None:
    challenge = Challenge.parse(str(Challenge(realm, "n", algorithm, (qop,) if qop else ())))
    said = Credentials.parse(str(respond(challenge, user, password, "INVITE", "sip:x", cnonce="c", nc=3, body=body)))
    assert is_right(said, secret_of(algorithm, user, realm, password), "INVITE", body)
    assert not is_right(said, secret_of(algorithm, user, realm, password + "x"), "INVITE", body)
    assert expected_response(said, secret_of(algorithm, user, realm, password), "BYE", body) != said.response


PIECES = [
    "Digest ",
    "realm=",
    '"',
    "\\",
    ",",
    "=",
    "nonce=",
    "r",
    "qop=auth",
    "algorithm=MD5",
    " ",
    "\x00",
    "\udcff",
    "é",
]


@fuzz
@given(st.lists(st.sampled_from([*PIECES, WHOLE, ASKED % "MD5"]), max_size=12))
def test_a_value_or_a_parse_error(pieces: list[str]) -> None:
    for text in ("".join(pieces), "Digest " + "".join(pieces)):
        with suppress(ParseError):
            challenge = Challenge.parse(text)
            assert Challenge.parse(str(challenge)) == challenge
        with suppress(ParseError):
            said = Credentials.parse(text)
            assert Credentials.parse(str(said)) == said
