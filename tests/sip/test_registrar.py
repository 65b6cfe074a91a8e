"""REGISTER by the table of the module: RFC 3261 §10.3 step by step, on the clock, over connections, behind NAT."""

from __future__ import annotations

import pytest

from gateway.sip.hop import Hop
from gateway.sip.locations import Contact
from gateway.sip.outputs import ContactsChanged, Offence
from gateway.sip.transaction import Transmit
from tests.sip.registering import HERE, Registering, answer_of, contacts, lines, node, registrar, requests

ANNA, OTHER = "<sip:anna@192.0.2.10:5060>", "<sip:anna@192.0.2.10:5062>"
TCP = Hop("tcp", "192.0.2.10", 40000)


def test_a_phone_registers_asks_and_leaves() -> None:
    phone = Registering(node())
    answer = phone.register(ANNA, expires="300")
    assert contacts(answer) == [f"{ANNA};expires=300"]
    assert answer.headers.get("Date") == "a date"
    assert answer.to.tag
    assert phone.changes[-1].contacts[0].hop == HERE
    assert contacts(phone.register(now=100.0)) == [f"{ANNA};expires=200"]
    assert len(phone.changes) == 1
    assert contacts(phone.register(ANNA, now=100.0, expires="0")) == []
    assert phone.at == []


def test_without_credentials_nothing_is_kept() -> None:
    agent = node()
    outputs = agent.receive_message(lines("REGISTER", "anna", call_id="c", cseq=1), HERE, 0.0)
    answer = answer_of(outputs)
    assert (answer.status, len(outputs), len(agent.layer), agent.deadline) == (401, 1, 0, None)
    first, second = answer.headers.get_all("WWW-Authenticate")
    assert "SHA-256" in first
    assert "MD5" in second


@pytest.mark.parametrize(("user", "password"), [("anna", "wrong"), ("nobody", "secret-a")])
def test_a_wrong_password_and_a_wrong_name_look_the_same(user: str, password: str) -> None:
    agent = node()
    phone = Registering(agent, user)
    phone.password = password
    answer = phone.register(ANNA)
    assert answer.status == 401
    assert "stale" not in str(answer.headers.get("WWW-Authenticate"))
    assert Offence(HERE, "digest") in agent.receive_message(phone.last, HERE, 0.0)
    assert len(agent.layer) == 0


def test_unreadable_credentials_are_an_offence() -> None:
    data = lines("REGISTER", "anna", call_id="c", cseq=1, more=('Authorization: Digest realm="gw", nonce=x',))
    outputs = node().receive_message(data, HERE, 0.0)
    assert answer_of(outputs).status == 400
    assert outputs[1:] == [Offence(HERE, "digest")]


def test_a_retransmission_gets_the_same_answer_and_changes_nothing() -> None:
    agent = node()
    phone = Registering(agent)
    first = phone.register(ANNA)
    again = agent.receive_message(phone.last, HERE, 0.5)
    assert bytes(answer_of(again)) == bytes(first)
    assert len(again) == 1


def test_nobody_registers_for_another() -> None:
    phone = Registering(node())
    assert phone.register(ANNA, to="<sip:ben@gw>").status == 403
    assert phone.register(ANNA, to="<sip:gw>").status == 403
    assert phone.changes == []


@pytest.mark.parametrize(
    ("expires", "param", "granted"),
    [
        (None, "", 600),
        ("120", "", 120),
        ("120", ";expires=240", 240),
        ("7200", "", 3600),
        ("99999999999", "", 3600),
        ("soon", "", 3600),
        ("120", ";expires=x", 3600),
        ("60", "", 60),
    ],
)
def test_how_long_is_granted(expires: str | None, param: str, granted: int) -> None:
    answer = Registering(node()).register(ANNA + param, expires=expires)
    assert contacts(answer) == [f"{ANNA};expires={granted}"]


def test_an_interval_too_brief() -> None:
    phone = Registering(node())
    answer = phone.register(ANNA, expires="59")
    assert (answer.status, answer.headers.get("Min-Expires")) == (423, "60")
    assert phone.register(f"{ANNA};expires=1").status == 423
    assert phone.changes == []


def test_an_hour_is_never_too_brief() -> None:
    """§10.3, 7: only what is less than an hour may be refused."""
    phone = Registering(node(min_expires=7200, max_expires=9000))
    assert contacts(phone.register(ANNA, expires="3600")) == [f"{ANNA};expires=3600"]
    assert phone.register(OTHER, expires="3599").status == 423


def test_on_a_connection_less_is_granted() -> None:
    phone = Registering(node(), source=TCP)
    assert contacts(phone.register(ANNA, expires="3600")) == [f"{ANNA};expires=540"]


def test_all_contacts_are_told_the_most_wanted_first() -> None:
    agent = node()
    Registering(agent, call_id="c1").register(f"{ANNA};q=0.5", now=0.0)
    phone = Registering(agent, call_id="c2")
    assert contacts(phone.register(OTHER, "<sip:anna@192.0.2.11>;q=0.25", now=10.0)) == [
        f"{OTHER};expires=600",
        f"{ANNA};q=0.5;expires=590",
        "<sip:anna@192.0.2.11>;q=0.25;expires=600",
    ]


@pytest.mark.parametrize("q", ["2", "-1", "0.1234", "x", '"1"'])
def test_a_q_that_is_none_counts_as_one(q: str) -> None:
    assert contacts(Registering(node()).register(f"{ANNA};q={q}")) == [f"{ANNA};expires=600"]


def test_the_same_contact_written_otherwise_is_replaced() -> None:
    phone = Registering(node())
    phone.register("<sip:%61nna@Phone.example;ob>")
    answer = phone.register('"Anna" <sip:anna@phone.EXAMPLE>;expires=90', now=1.0)
    assert contacts(answer) == ["<sip:anna@phone.EXAMPLE>;expires=90"]


def test_the_same_phone_at_another_address_is_replaced() -> None:
    agent = node()
    mine = ';+sip.instance="<urn:uuid:1>"'
    Registering(agent, call_id="c1").register(ANNA + mine, "<sip:other@192.0.2.12>")
    answer = Registering(agent, call_id="c2").register(OTHER + mine, now=5.0)
    assert contacts(answer) == [f"{OTHER};expires=600", "<sip:other@192.0.2.12>;expires=595"]


def test_a_request_that_was_overtaken_changes_nothing() -> None:
    phone = Registering(node())
    phone.register(ANNA, cseq=7)
    late = phone.register("<sip:new@192.0.2.13>", ANNA, cseq=7, now=1.0)
    assert (late.status, late.reason) == (400, "Bad Request (CSeq)")
    assert len(phone.changes) == 1
    assert phone.register("*", expires="0", cseq=6, now=1.0).status == 400
    phone.call_id = "after-a-restart"
    assert contacts(phone.register(ANNA, cseq=1, now=2.0)) == [f"{ANNA};expires=600"]


def test_all_go_at_once() -> None:
    agent = node()
    Registering(agent, call_id="c1").register(ANNA, OTHER)
    phone = Registering(agent, call_id="c2")
    assert phone.register("*").status == 400
    assert phone.register("*", expires="60").status == 400
    assert phone.register("*", ANNA, expires="0").status == 400
    assert contacts(phone.register("*", expires="0")) == []
    assert registrar(agent).locations.of("anna", 0.0) == ()


@pytest.mark.parametrize(
    ("contact", "bound"),
    [
        ("sip:anna@192.0.2.9;unknownparam", ["<sip:anna@192.0.2.9>"]),
        ("<sip:anna@192.0.2.9;unknownparam>", ["<sip:anna@192.0.2.9;unknownparam>"]),
        ("<sip:%00@192.0.2.9>, <sip:%00%00@192.0.2.9>", ["<sip:%00@192.0.2.9>", "<sip:%00%00@192.0.2.9>"]),
    ],
)
def test_contacts_of_rfc_4475(contact: str, bound: list[str]) -> None:
    """cparam01, cparam02 (of the header or of the URI), escnull (two users, none cut at its NUL)."""
    answer = Registering(node()).register(contact)
    assert [one.partition(";expires")[0] for one in contacts(answer)] == bound


@pytest.mark.parametrize("contact", ["<mailto:anna@example.org>", "<sip:", "<sip:anna@h?Route=x>", "tel:+86138"])
def test_contacts_that_can_not_be_called(contact: str) -> None:
    phone = Registering(node())
    assert phone.register(ANNA, contact).status == 400
    assert phone.changes == []


def test_a_phone_has_so_many_contacts_and_no_more() -> None:
    agent = node(contacts=2)
    phone = Registering(agent)
    assert phone.register(*(f"<sip:a@192.0.2.{n}>" for n in range(3))).status == 400
    for second in range(4):
        answer = phone.register(f"<sip:a@192.0.2.{second}>", now=float(second))
    assert contacts(answer) == ["<sip:a@192.0.2.3>;expires=600", "<sip:a@192.0.2.2>;expires=599"]


def test_a_contact_lapses() -> None:
    agent = node()
    phone = Registering(agent)
    phone.register(ANNA, expires="60")
    phone.register(OTHER, expires="100")
    phone.register(ANNA, expires="90", now=50.0)
    assert agent.deadline is not None
    agent.handle_timeout(60.0)
    assert len(registrar(agent).locations.of("anna", 99.0)) == 2
    (gone,) = [one for one in agent.handle_timeout(100.0) if isinstance(one, ContactsChanged)]
    assert [one.uri for one in gone.contacts] == ["sip:anna@192.0.2.10:5060"]
    assert registrar(agent).locations.of("anna", 140.0) == ()
    assert agent.handle_timeout(140.0) == [ContactsChanged("anna", ())]
    assert agent.deadline is None


def test_who_registers_all_the_time_leaves_no_heap_behind() -> None:
    agent = node()
    phone = Registering(agent)
    for step in range(300):
        phone.register(ANNA, now=step / 10)
    assert len(registrar(agent).locations._lapses) == 1


def test_a_contact_is_gone_with_its_connection() -> None:
    agent = node()
    Registering(agent, call_id="c1", source=TCP).register(ANNA)
    Registering(agent, call_id="c2").register(OTHER)
    assert registrar(agent).locations.at(TCP, 1.0) == "anna"
    (change,) = agent.connection_closed(TCP, 1.0)
    assert isinstance(change, ContactsChanged)
    assert [one.hop for one in change.contacts] == [HERE]
    assert registrar(agent).locations.at(TCP, 1.0) is None
    assert agent.connection_closed(TCP, 1.0) == []


def test_a_restart_brings_back_what_lives_through_it() -> None:
    agent = node()
    udp = Contact("sip:anna@192.0.2.10:5060", HERE, 100.0, -50.0, "c1", 7)
    tcp = Contact("sip:anna@192.0.2.10:5062", TCP, 100.0, -50.0, "c2", 1)
    registrar(agent).restore("anna", [udp, tcp], 0.0)
    registrar(agent).restore("ben", [tcp], 0.0)
    assert registrar(agent).locations.of("anna", 0.0) == (udp,)
    assert "ben" not in registrar(agent).locations
    assert Registering(agent).register(ANNA, cseq=7).status == 400
    registrar(agent).restore("anna", [tcp], 0.0)
    assert registrar(agent).locations.of("anna", 0.0) == (udp,)


def test_who_is_removed_is_nowhere() -> None:
    agent = node()
    Registering(agent).register(ANNA)
    assert registrar(agent).remove("anna") == [ContactsChanged("anna", ())]
    assert registrar(agent).remove("anna") == []


def test_a_phone_behind_nat_is_kept_in_reach() -> None:
    agent = node(keepalive=25.0)
    inside, outside = "<sip:anna@10.0.0.5:5060>", Hop("udp", "192.0.2.77", 31000)
    phone = Registering(agent, source=outside)
    phone.register(inside, expires="600")
    phone.register(inside, expires="600", now=10.0)
    sent = [one for second in range(1, 61) for one in agent.handle_timeout(float(second))]
    pings = [
        one for one in sent if isinstance(one, Transmit) and one.data.startswith(b"OPTIONS sip:anna@10.0.0.5:5060")
    ]
    assert {one.hop for one in pings} == {outside}
    assert len({one.message.call_id for one in pings}) == 2
    phone.register(inside, expires="0", now=60.0)
    for second in range(61, 140):
        later = requests(agent.handle_timeout(float(second)))
        assert not [one for one in later if one.call_id not in {ping.message.call_id for ping in pings}]
    agent.handle_timeout(600.0)
    assert agent.deadline is None


def test_a_phone_that_is_where_it_says_is_left_in_peace() -> None:
    agent = node(keepalive=25.0)
    Registering(agent).register(ANNA)
    Registering(agent, source=TCP, call_id="c2").register("<sip:anna@10.0.0.5:5060>")
    assert requests([one for second in range(1, 99) for one in agent.handle_timeout(float(second))]) == []
