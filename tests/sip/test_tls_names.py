"""Whom a certificate speaks for."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.sip.tls_names import identities, proves


def named(*names: tuple[str, str], common: str = "common.example") -> dict[str, Any]:
    return {"subject": ((("commonName", common),),), "subjectAltName": names}


DNS = ("DNS", "dns.example")


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        (named(DNS, ("DNS", "Other.Example")), {"dns.example", "other.example"}),
        (named(("URI", "sip:sip.example"), DNS), {"sip.example"}),
        (named(("URI", "SIP:Sip.Example:5061;x=y"), DNS), {"sip.example"}),
        (named(("URI", "sip:user@sip.example"), DNS), {"dns.example"}),
        (named(("URI", "sips:sip.example"), ("URI", "https://sip.example"), DNS), {"dns.example"}),
        (named(("email", "a@b")), set()),
        (named(common="Common.Example"), {"common.example"}),
        ({}, set()),
    ],
)
def test_identities(certificate: dict[str, Any], expected: set[str]) -> None:
    assert identities(certificate) == expected


@pytest.mark.parametrize(
    ("names", "name", "expected"),
    [
        ([DNS], "DNS.example", True),
        ([DNS], "dns.example.", True),
        ([DNS], "a.dns.example", False),
        ([("DNS", "*.example")], "dns.example", False),
        ([("DNS", "192.0.2.1")], "192.0.2.1", False),
        ([("IP Address", "192.0.2.1")], "192.0.2.1", True),
        ([("IP Address", "2001:DB8:0:0:0:0:0:1")], "2001:db8::1", True),
        ([("IP Address", "192.0.2.2")], "192.0.2.1", False),
    ],
)
def test_proves(names: list[tuple[str, str]], name: str, expected: bool) -> None:
    assert proves(named(*names), name) is expected


def test_the_common_name_counts_only_alone() -> None:
    assert proves(named(common="gw.example"), "gw.example")
    assert not proves(named(DNS, common="gw.example"), "gw.example")
