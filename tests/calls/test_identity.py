"""What is read of who calls whom, in tables: From, P-Asserted-Identity, P-Preferred-Identity, To, tel:, contexts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.calls.identity import called_number, caller_number, caller_of
from gateway.calls.policy import IdentityPolicy
from gateway.numbers import NumberRules, PhoneNumber
from tests.calls.fakes import TRUNK, A, X, invite

NOBODY = "From: <sip:anonymous@anonymous.invalid>;tag=a"
OTHER = PhoneNumber("+8613900000009")

CALLED = [
    ("sip:+8617000000001@gw", X),
    ("sip:+8617000000001@gw;user=phone", X),
    ("sip:8617000000001@198.51.100.1:5060;transport=tcp", X),
    ("sip:008617000000001@gw;user=phone", X),
    ("sip:17000000001@gw", X),
    ("sip:017000000001@gw", X),
    ("sips:+8617000000001@gw", X),
    ("sip:17000000001;phone-context=+86@gw;user=phone", X),
    ("sip:17000000001;phone-context=ims.mnc000.mcc460.3gppnetwork.org@gw;user=phone", X),
    ("sip:+8617000000001;npdi;rn=+8613999999999@gw;user=phone", X),
    ("tel:+8617000000001", X),
    ("tel:+86-170-0000-0001", X),
    ("tel:17000000001;phone-context=+86", X),
    ("tel:17000000001;phone-context=ims.mnc000.mcc460.3gppnetwork.org", X),
    ("tel:+8617000000001;npdi;rn=+8613999999999;cic=+8610", X),
    ("sip:%2B8617000000001@gw", X),
    ("sip:gw", None),
    ("sip:alice@gw", None),
    ("tel:+1", None),
]


@pytest.mark.parametrize(("uri", "number"), CALLED, ids=[row[0] for row in CALLED])
def test_the_number_that_was_dialled(uri: str, number: PhoneNumber | None) -> None:
    assert called_number(invite(uri), TRUNK) == number


@pytest.mark.parametrize(
    ("where", "headers", "number"),
    [
        ("To", [], X),
        ("P-Called-Party-ID", ["P-Called-Party-ID: <tel:+8617000000001>"], X),
        ("P-Called-Party-ID", ['P-Called-Party-ID: "X" <sip:17000000001@ims>;cpc=ordinary'], X),
        ("P-Called-Party-ID", ["P-Called-Party-ID: <broken"], PhoneNumber("+864000001")),
        ("P-Called-Party-ID", [], PhoneNumber("+864000001")),
    ],
)
def test_where_the_uri_names_our_registration_another_header_is_read(
    where: str, headers: list[str], number: PhoneNumber
) -> None:
    trunk = replace(TRUNK, identity=IdentityPolicy(called=where))
    request = invite("sip:4000001@198.51.100.1", headers=headers)
    if where == "To":
        request.headers.set("To", f"<sip:{X.e164}@ims.example>")
    assert called_number(request, trunk) == number


CALLERS = [
    ([], A),
    (["P-Asserted-Identity: <sip:+8613900000009@c>"], OTHER),
    (['P-Asserted-Identity: "顺丰" <sip:+8613900000009@c>, <tel:+8613900000009>'], OTHER),
    (["P-Asserted-Identity: <sip:alice@c>, <tel:13900000009;phone-context=+86>"], OTHER),
    (["P-Asserted-Identity: <tel:13900000009;phone-context=ims.mnc000.mcc460.3gppnetwork.org>"], OTHER),
    (["P-Asserted-Identity: <sip:alice@c>"], A),
    (['P-Asserted-Identity: "unbalanced <sip:+8613900000009@c>'], A),
    (["P-Asserted-Identity: <sip:+8613900000009@c>", "Privacy: id"], OTHER),
    (["P-Preferred-Identity: <sip:+8613900000009@c>"], OTHER),
    (["P-Preferred-Identity: <sip:+8613900000001@c>", "P-Asserted-Identity: <sip:+8613900000009@c>"], OTHER),
    ([NOBODY], None),
    ([NOBODY, "P-Asserted-Identity: <tel:+8613900000009>"], OTHER),
    (['From: "匿名" <sip:anonymous@ims.example>;tag=a'], None),
    (["From: <tel:+8613900000009;rn=+8613999999999>;tag=a"], OTHER),
    (["From: sip:13900000009@c;tag=a"], OTHER),
    (["Diversion: <sip:+8613900000009@c>;reason=unconditional"], A),
]


@pytest.mark.parametrize(("headers", "number"), CALLERS, ids=[str(row[0]) for row in CALLERS])
def test_the_number_of_who_calls(headers: list[str], number: PhoneNumber | None) -> None:
    assert caller_number(invite(headers=headers), TRUNK) == number


@pytest.mark.parametrize(
    ("order", "number"),
    [(("From",), A), (("P-Preferred-Identity", "From"), PhoneNumber("+8613900000001")), (("Remote-Party-ID",), None)],
)
def test_a_trunk_says_where_the_caller_is_looked_for(order: tuple[str, ...], number: PhoneNumber | None) -> None:
    trunk = replace(TRUNK, identity=IdentityPolicy(caller=order))
    headers = ["P-Asserted-Identity: <sip:+8613900000009@c>", "P-Preferred-Identity: <sip:+8613900000001@c>"]
    assert caller_number(invite(headers=headers), trunk) == number


def test_access_codes_of_a_trunk_are_taken_off_on_both_sides() -> None:
    trunk = replace(TRUNK, rules=NumberRules(strip_in=("12593",)))
    request = invite("sip:1259317000000001@gw", headers=["From: <sip:1259313800000021@c>;tag=a"])
    assert called_number(request, trunk) == X
    assert caller_number(request, trunk) == A


def test_a_phone_that_proved_who_it_is_says_nothing_else() -> None:
    assert caller_of(invite(headers=["P-Asserted-Identity: <sip:+1@c>"]), "8613900000009", TRUNK) == OTHER
    assert caller_of(invite(), "", TRUNK) == A
