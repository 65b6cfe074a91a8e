from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.calls.privacy import callee_invite, reason
from gateway.causes import Cause
from gateway.numbers import NumberRules
from gateway.sip.hop import Hop
from tests.calls.fakes import TRUNK, B, X


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
