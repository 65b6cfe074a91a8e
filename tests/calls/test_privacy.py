from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.calls.identity import called_number, caller_number
from gateway.calls.policy import IdentityPolicy
from gateway.calls.privacy import callee_invite, reason
from gateway.calls.settings import AccountSettings
from gateway.causes import Cause
from gateway.numbers import NumberRules
from gateway.sip.hop import Hop
from gateway.sip.message import Headers, Request
from tests.calls.fakes import TRUNK, A, B, X


def test_the_callee_sees_x_and_nothing_else() -> None:
    invite = callee_invite(X, B, TRUNK, "198.51.100.1")
    assert invite.target == TRUNK.peers[0]
    assert invite.uri == "sip:+8613800000023@192.0.2.20:5060;user=phone"
    assert invite.from_ == "<sip:+8617000000001@198.51.100.1;user=phone>"
    assert invite.to == "<sip:+8613800000023@192.0.2.20:5060;user=phone>"
    assert invite.headers == (("P-Asserted-Identity", invite.from_),)


def test_numbers_are_written_as_the_trunk_wants_them() -> None:
    peer = Hop("tcp", "2001:db8::1", 5070)
    trunk = replace(TRUNK, peers=(peer,), domain="ims.example", rules=NumberRules(form="national", add="9"))
    invite = callee_invite(X, B, trunk, "198.51.100.1")
    assert invite.uri == "sip:913800000023@[2001:db8::1]:5070;transport=tcp"
    assert invite.from_ == "<sip:917000000001@ims.example>"
    assert invite.to == "<sip:913800000023@ims.example>"


@pytest.mark.parametrize("cause", list(Cause))
def test_the_reason_is_ours(cause: Cause) -> None:
    name, value = reason(cause)
    assert name == "Reason"
    assert value == f'Q.850;cause={cause.q850};text="{cause.text}"'
    assert '"' not in cause.text
    assert value.isascii()


# --- identity policies -----------------------------------------------------------------------------------------------

US = "198.51.100.1"
SIP = "<sip:+8617000000001@ims.example;user=phone>"
TEL = "<tel:+8617000000001>"
ACCOUNT = AccountSettings("4000001", "s", "ims.example")

POLICIES: list[tuple[str, dict[str, object], str, dict[str, str]]] = [
    ("asserted as sip", {}, SIP, {"P-Asserted-Identity": SIP}),
    ("asserted as tel", {"asserted": "tel"}, SIP, {"P-Asserted-Identity": TEL}),
    ("asserted as both", {"asserted": "both"}, SIP, {"P-Asserted-Identity": f"{SIP}, {TEL}"}),
    ("not asserted", {"asserted": "none"}, SIP, {}),
    ("preferred", {"asserted": "none", "preferred": "sip"}, SIP, {"P-Preferred-Identity": SIP}),
    ("preferred as tel", {"preferred": "tel"}, SIP, {"P-Asserted-Identity": SIP, "P-Preferred-Identity": TEL}),
    ("private", {"privacy": "id"}, SIP, {"P-Asserted-Identity": SIP, "Privacy": "id"}),
    (
        "anonymous",
        {"from_": "anonymous", "privacy": "id"},
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        {"P-Asserted-Identity": SIP, "Privacy": "id"},
    ),
    (
        "our account",
        {"from_": "account"},
        "<sip:4000001@ims.example>",
        {"P-Asserted-Identity": SIP},
    ),
    (
        "diverted",
        {"diversion": True},
        SIP,
        {"P-Asserted-Identity": SIP, "Diversion": f"{SIP};reason=unconditional;privacy=off;counter=1"},
    ),
    (
        "history",
        {"history": True},
        SIP,
        {
            "P-Asserted-Identity": SIP,
            "History-Info": f"{SIP};index=1, <sip:+8613800000023@ims.example;user=phone;cause=302>;index=1.1;mp=1",
        },
    ),
    (
        "a name",
        {"display": '顺丰 "SF" \\'},
        f'"顺丰 \\"SF\\" \\\\" {SIP}',
        {"P-Asserted-Identity": f'"顺丰 \\"SF\\" \\\\" {SIP}'},
    ),
    ("tel everywhere", {"tel": True}, TEL, {"P-Asserted-Identity": SIP}),
    ("tel, asserted too", {"tel": True, "asserted": "both"}, TEL, {"P-Asserted-Identity": f"{SIP}, {TEL}"}),
    (
        "never user=phone",
        {"user_phone": "never"},
        "<sip:+8617000000001@ims.example>",
        {"P-Asserted-Identity": "<sip:+8617000000001@ims.example>"},
    ),
    (
        "shown as dialled",
        {"shown_rules": NumberRules(form="national", add="0"), "user_phone": "always"},
        "<sip:017000000001@ims.example;user=phone>",
        {"P-Asserted-Identity": "<sip:017000000001@ims.example;user=phone>"},
    ),
    (
        "local with its context",
        {"shown_rules": NumberRules(form="national"), "phone_context": "ims.example", "asserted": "both"},
        "<sip:17000000001;phone-context=ims.example@ims.example;user=phone>",
        {
            "P-Asserted-Identity": "<sip:17000000001;phone-context=ims.example@ims.example;user=phone>, "
            "<tel:17000000001;phone-context=ims.example>"
        },
    ),
    (
        "local without",
        {"shown_rules": NumberRules(form="national"), "asserted": "tel"},
        "<sip:17000000001@ims.example>",
        {"P-Asserted-Identity": "<tel:17000000001;phone-context=+86>"},
    ),
]


@pytest.mark.parametrize(("name", "policy", "from_", "headers"), POLICIES, ids=[row[0] for row in POLICIES])
def test_each_header_is_made_of_the_number_shown(
    name: str, policy: dict[str, object], from_: str, headers: dict[str, str]
) -> None:
    trunk = replace(TRUNK, domain="ims.example", account=ACCOUNT, identity=IdentityPolicy(**policy))  # type: ignore[arg-type]
    invite = callee_invite(X, B, trunk, US)
    assert invite.from_ == from_
    assert dict(invite.headers) == headers
    assert len(dict(invite.headers)) == len(invite.headers)
    # What we write, anybody can read: as one number, X.
    said = Request("INVITE", invite.uri, Headers([("From", from_), *invite.headers]))
    assert caller_number(said, trunk) == X
    for text in (from_, *(value for header, value in invite.headers if header != "History-Info")):
        assert B.e164[3:] not in text
        assert A.e164[3:] not in text


@pytest.mark.parametrize(
    ("policy", "domain", "uri", "to"),
    [
        ({}, "", "sip:+8613800000023@192.0.2.20:5060;user=phone", "<sip:+8613800000023@192.0.2.20:5060;user=phone>"),
        ({}, "d", "sip:+8613800000023@192.0.2.20:5060;user=phone", "<sip:+8613800000023@d;user=phone>"),
        ({"request_domain": True}, "d", "sip:+8613800000023@d;user=phone", "<sip:+8613800000023@d;user=phone>"),
        ({"tel": True}, "d", "tel:+8613800000023", "<tel:+8613800000023>"),
        ({"user_phone": "never"}, "d", "sip:+8613800000023@192.0.2.20:5060", "<sip:+8613800000023@d>"),
    ],
)
def test_the_callee_is_named_as_the_trunk_wants(policy: dict[str, object], domain: str, uri: str, to: str) -> None:
    trunk = replace(TRUNK, domain=domain, identity=IdentityPolicy(**policy))  # type: ignore[arg-type]
    invite = callee_invite(X, B, trunk, US)
    assert (invite.uri, invite.to) == (uri, to)
    assert invite.target == TRUNK.peers[0]
    assert called_number(Request("INVITE", invite.uri, Headers([])), trunk) == B
