"""Dialogs: where requests go (RFC 3261 §12.2.1.1), in which order they count (§12.2.2), what refreshes the target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.sip.build import request, response_to
from gateway.sip.dialog import Dialog
from gateway.sip.hop import Hop
from gateway.sip.message import Headers, Request, Response

SOURCE = Hop("udp", "192.0.2.5", 5060)


def invite(*more: tuple[str, str]) -> Request:
    return request(
        "INVITE", "sip:b@192.0.2.1", via="SIP/2.0/UDP 192.0.2.5;branch=z9hG4bK1", from_="<sip:a@x>;tag=a",
        to="<sip:b@x>", call_id="c", cseq=4, contact="<sip:a@192.0.2.7:5070;transport=tcp>", headers=more,
    )  # fmt: skip


def server(*more: tuple[str, str]) -> Dialog:
    return Dialog.of_server(invite(*more), "b", SOURCE)


def client(*more: tuple[str, str]) -> Dialog:
    asked = invite()
    return Dialog.of_client(asked, response_to(asked, 200, to_tag="b", headers=more), SOURCE)


def sent(dialog: Dialog, method: str = "BYE") -> tuple[Request, Hop]:
    return dialog.request(method, via=lambda hop: "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2")


def test_without_routes_a_request_goes_to_the_contact() -> None:
    made, hop = sent(server())
    assert (made.uri_text, hop) == ("sip:a@192.0.2.7:5070;transport=tcp", Hop("tcp", "192.0.2.7", 5070))
    assert made.headers.get_all("Route") == []
    assert (made.from_.tag, made.to.tag, made.call_id) == ("b", "a", "c")


def test_loose_routes_stay_in_order_for_the_called_and_turn_round_for_the_caller() -> None:
    routes = [("Record-Route", "<sip:192.0.2.21;lr>, <sip:192.0.2.22;lr>"), ("Record-Route", "<sip:192.0.2.23;lr>")]
    made, hop = sent(server(*routes))
    assert made.uri_text == "sip:a@192.0.2.7:5070;transport=tcp"
    assert made.headers.get_all("Route") == [f"<sip:192.0.2.2{n};lr>" for n in (1, 2, 3)]
    assert hop == Hop("udp", "192.0.2.21", 5060)
    made, hop = sent(client(*routes, ("Contact", "<sip:b@192.0.2.30>")))
    assert made.headers.get_all("Route") == [f"<sip:192.0.2.2{n};lr>" for n in (3, 2, 1)]
    assert made.uri_text == "sip:b@192.0.2.30"
    assert hop == Hop("udp", "192.0.2.23", 5060)


@pytest.mark.parametrize(
    ("uri", "more", "contact", "sips"),
    [
        ("sip:b@192.0.2.1", (), "<sip:a@192.0.2.7>", False),
        ("SIPS:b@192.0.2.1", (), "<sip:a@192.0.2.7>", True),
        ("sip:b@192.0.2.1", (), "<sips:a@192.0.2.7>", True),
        ("sip:b@192.0.2.1", (("Record-Route", "<sips:192.0.2.21;lr>"),), "<sip:a@192.0.2.7>", True),
        ("sip:b@192.0.2.1", (("Record-Route", "<sip:192.0.2.21;lr>"),), "<sips:a@192.0.2.7>", False),
    ],
)
def test_when_our_contact_must_be_sips(uri: str, more: tuple[tuple[str, str], ...], contact: str, sips: bool) -> None:
    """RFC 3261 §12.1.1: by the Request-URI, the top Record-Route, or, where there is none, the Contact."""
    made = request(
        "INVITE", uri, via="SIP/2.0/TLS 192.0.2.5;branch=z9hG4bK1", from_="<sip:a@x>;tag=a", to="<sip:b@x>",
        call_id="c", cseq=4, contact=contact, headers=more,
    )  # fmt: skip
    assert Dialog.of_server(made, "b", SOURCE).sips is sips
    ours = Dialog.of_client(made, response_to(made, 200, to_tag="b", headers=[("Contact", contact)]), SOURCE)
    assert ours.sips is (uri.lower() == "sips:b@192.0.2.1")


def test_a_strict_router_gets_its_own_uri_and_the_target_goes_last() -> None:
    made, hop = sent(server(("Record-Route", "<sip:192.0.2.21>, <sip:192.0.2.22;lr>")))
    assert made.uri_text == "sip:192.0.2.21"
    assert made.headers.get_all("Route") == ["<sip:192.0.2.22;lr>", "<sip:a@192.0.2.7:5070;transport=tcp>"]
    assert hop == Hop("udp", "192.0.2.21", 5060)


@pytest.mark.parametrize(
    "contact", ["<sip:a@host>", "<sip:a@x.invalid>", "<tel:+8613800000021>", "<sips:a@192.0.2.9;transport=sctp>"]
)
def test_a_target_that_is_no_address_of_ours_is_reached_where_it_came_from(contact: str) -> None:
    dialog = server()
    dialog.refresh_target(Request("INVITE", "sip:b", Headers([("Contact", contact)])))
    assert dialog.target == contact.strip("<>")
    assert sent(dialog)[1] == SOURCE


@pytest.mark.parametrize(
    ("source", "contact", "hop"),
    [
        (SOURCE, "<sip:a@Host.Example>", replace(SOURCE, target="udp:host.example")),
        (SOURCE, "<sip:a@host.example:5080>", replace(SOURCE, target="udp:host.example:5080")),
        (SOURCE, "<sip:a@host.example;transport=tcp>", Hop("tcp", "192.0.2.5", 5060, "", "tcp:host.example")),
        (SOURCE, "<sips:a@host.example>", Hop("tls", "192.0.2.5", 5061, "", "tls:host.example")),
        (Hop("tcp", "192.0.2.5", 400), "<sip:a@host.example>", Hop("tcp", "192.0.2.5", 400, "", "tcp:host.example")),
        (Hop("tls", "192.0.2.5", 5061, "c"), "<sip:a@h.example>", Hop("tls", "192.0.2.5", 5061, "c", "tls:h.example")),
        (Hop("tls", "192.0.2.5", 5061, "c"), "<sip:a@host.example;transport=udp>", Hop("tls", "192.0.2.5", 5061, "c")),
        (Hop("ws", "192.0.2.5", 40000), "<sip:a@host.example>", Hop("ws", "192.0.2.5", 40000)),
    ],
)  # fmt: skip
def test_a_name_is_to_be_looked_up_with_where_it_came_from_to_fall_back_on(source: Hop, contact: str, hop: Hop) -> None:
    dialog = Dialog.of_server(invite(), "b", source)
    dialog.refresh_target(Request("INVITE", "sip:b", Headers([("Contact", contact)])))
    assert sent(dialog)[1] == hop
    dialog = Dialog.of_server(invite(("Record-Route", contact.replace(">", ";lr>"))), "b", source)
    assert sent(dialog)[1] == hop


TLS = Hop("tls", "192.0.2.5", 5061, "carrier.example")
CAME = Hop("tls", "192.0.2.5", 40000)


@pytest.mark.parametrize(
    ("source", "contact", "hop"),
    [
        (TLS, "<sip:a@192.0.2.5:5061;transport=tls>", TLS),
        (TLS, "<sips:a@192.0.2.5>", TLS),
        (TLS, "<sip:a@192.0.2.7;transport=tls>", Hop("tls", "192.0.2.7", 5061, "carrier.example")),
        (TLS, "<sip:a@192.0.2.7>", TLS),
        (CAME, "<sip:a@192.0.2.5:5061;transport=tls>", replace(CAME, target="tls:192.0.2.5:5061")),
        (CAME, "<sips:a@192.0.2.7>", Hop("tls", "192.0.2.7", 5061)),
        (TLS, "<sip:a@192.0.2.7;transport=tcp>", TLS),
        (SOURCE, "<sips:a@192.0.2.7>", Hop("tls", "192.0.2.7", 5061)),
        (SOURCE, "<sip:a@192.0.2.7;maddr=203.0.113.9>", Hop("udp", "192.0.2.7", 5060)),
        (SOURCE, "<sip:a@[2001:db8::7]:5070>", Hop("udp", "2001:db8::7", 5070)),
        (SOURCE, "<sip:a@192.0.2.7;transport=ws>", SOURCE),
        (Hop("wss", "192.0.2.5", 40000), "<sip:a@192.0.2.7>", Hop("wss", "192.0.2.5", 40000)),
        (Hop("ws", "192.0.2.5", 40000), "<sip:a@df7jal23ls0d.invalid;transport=ws>", Hop("ws", "192.0.2.5", 40000)),
    ],
)
def test_nothing_that_came_by_tls_goes_back_by_less(source: Hop, contact: str, hop: Hop) -> None:
    dialog = Dialog.of_server(invite(), "b", source)
    dialog.refresh_target(Request("INVITE", "sip:b", Headers([("Contact", contact)])))
    assert sent(dialog)[1] == hop


def test_a_peer_of_rfc_2543_has_no_tag() -> None:
    """§12.1.1, §12.1.2: its tag is then empty, and none is made up for it."""
    asked = invite()
    asked.headers.set("From", "<sip:a@x>")
    one = Dialog.of_server(asked, "b", SOURCE)
    assert (one.remote_tag, one.remote) == ("", "<sip:a@x>")
    assert sent(one)[0].to.tag is None
    answer = response_to(invite(), 200, to_tag="b")
    answer.headers.set("To", "<sip:b@x>")
    assert Dialog.of_client(invite(), answer, SOURCE).remote_tag == ""
    assert client().remote_tag == "b"


def test_an_unreadable_route_counts_as_none() -> None:
    assert server(("Record-Route", "<sip:192.0.2.21;lr>, <<")).routes == []


def test_the_target_follows_the_contact_and_stays_without_one() -> None:
    dialog = server()
    dialog.refresh_target(Response(200, "OK", Headers([("Contact", "<sip:new@192.0.2.8>")])))
    assert dialog.target == "sip:new@192.0.2.8"
    dialog.refresh_target(Response(200, "OK", Headers([])))
    dialog.refresh_target(Response(200, "OK", Headers([("Contact", "<")])))
    assert dialog.target == "sip:new@192.0.2.8"


def test_numbers_count_up_on_both_sides() -> None:
    dialog = server()
    assert [sent(dialog)[0].cseq.number for _ in range(3)] == [1, 2, 3]
    incoming = invite()
    assert not dialog.accepts(incoming)
    incoming.headers.set("CSeq", "9 BYE")
    later = Request("BYE", "sip:b", incoming.headers)
    assert dialog.accepts(later)
    assert not dialog.accepts(later)
    assert client().local_cseq == 4


def test_the_first_number_of_the_called_may_be_nought() -> None:
    """§8.1.1.5: any number below 2**31; a caller knows none of its peer yet."""
    incoming = invite()
    incoming.headers.set("CSeq", "0 BYE")
    assert client().accepts(Request("BYE", "sip:a", incoming.headers))
