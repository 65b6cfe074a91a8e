"""RFC 4475 and RFC 5118: each message over UDP and TCP comes to what docs/torture.md says, and nobody is deaf then.

The RFCs' own messages run where ../shared/torture lies beside the repository; ours, in tests/data/sip, run always.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.sip.framing import StreamFramer
from tests.sip.registering import node
from tests.sip.torture import NO_ANSWER, agent, in_a_datagram, on_a_connection, still_answers

HERE = Path(__file__).parent.parent.parent
OURS = {path.stem: path for path in sorted((HERE / "tests" / "data" / "sip").glob("*.dat"))}
SHARED = {path.stem: path for path in sorted((HERE.parent / "shared" / "torture").glob("rfc*/*.dat"))}


def table() -> dict[str, tuple[str, str]]:
    """UDP and TCP by message, from the page."""
    rows: dict[str, tuple[str, str]] = {}
    for line in (HERE / "docs" / "torture.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) in (3, 5) and cells[0] not in ("message", "---"):
            udp, tcp = cells[1:3] if len(cells) == 3 else cells[2:4]
            assert cells[0] not in rows
            rows[cells[0]] = udp, tcp
    return rows


TABLE = table()


async def outcome(data: bytes) -> tuple[str, str]:
    user_agent = agent()
    udp = in_a_datagram(user_agent, data)
    assert still_answers(user_agent)
    return udp, await on_a_connection(data)


def test_the_page_has_every_message_of_the_rfcs_and_of_ours() -> None:
    assert set(OURS) <= set(TABLE)
    assert len(set(TABLE) - set(OURS)) == 49 + 12
    assert not SHARED or set(SHARED) == set(TABLE) - set(OURS)


async def test_messages_of_the_rfcs() -> None:
    """As many as lie beside the repository: a lone clone has none, and our own below cover the same cases."""
    assert {name: await outcome(path.read_bytes()) for name, path in SHARED.items()} == {
        name: TABLE[name] for name in SHARED
    }


@pytest.mark.parametrize("name", sorted(OURS))
async def test_our_own_messages(name: str) -> None:
    assert await outcome(OURS[name].read_bytes()) == TABLE[name]


def test_a_node_with_phones_asks_who_registers_and_keeps_nothing() -> None:
    """Where the table says 405 of a REGISTER, a registrar says 401; what is malformed is so for it, too."""
    for name, path in (OURS | SHARED).items():
        data = path.read_bytes()
        if not data.startswith(b"REGISTER "):
            continue
        agent = node()
        # A registrar reads the address that it is asked for, and that of ipv6-bad is none (RFC 5118 §4.1).
        wanted = "400" if name == "ipv6-bad" else "401" if TABLE[name][0] == "405" else TABLE[name][0]
        assert in_a_datagram(agent, data) == wanted, name
        assert len(agent.layer) == 0, name
        assert still_answers(agent)


def test_streams_wait_for_what_is_missing_and_end_at_what_is_a_lie() -> None:
    waits = OURS["length-too-long"].read_bytes()
    assert StreamFramer().feed(waits) == []
    for name in ("length-negative", "length-twice"):
        framer = StreamFramer()
        assert framer.feed(OURS[name].read_bytes()) == []
        assert framer.error is not None


def test_octets_behind_a_body_are_the_next_message_of_a_stream() -> None:
    """A datagram ends with its message; over TCP the same bytes are two."""
    data = OURS["octets-behind-the-body"].read_bytes()
    framer = StreamFramer()
    first, *_ = framer.feed(data)
    assert data.startswith(first)
    assert len(first) < len(data)


def test_a_fold_of_many_blanks_is_read_in_linear_time() -> None:
    """A quadratic regex once took half a minute for this; 40 times the input may not take 400 times the steps."""
    head = b"OPTIONS sip:gw SIP/2.0\r\nSubject: a" + b" " * 60000 + b"b\r\n c\r\n\r\n"
    assert in_a_datagram(agent(), head) in ("400", NO_ANSWER)
