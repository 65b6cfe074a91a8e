"""RFC 4475 and RFC 5118: each message through the whole user agent, and an OPTIONS answered after it.

``accept``: taken as a new call (and 100 sent); ``drop``: no answer; else the status. Where the RFC leaves a choice, the
row holds ours alone: what is not served is refused by its method before anything else is read (405, 501), an OPTIONS
without hops left ends here, and what RFC 2543 or a broken clock would send is still a call. The RFC's
own messages run where ../shared/torture lies beside the repository; ours, in tests/data/sip, run always.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from gateway.sip.framing import StreamFramer
from gateway.sip.hop import Hop
from gateway.sip.message import Response
from gateway.sip.outputs import Incoming
from gateway.sip.user_agent import Transmit, UserAgent, UserAgentSettings

HERE = Path(__file__).parent.parent.parent
SOURCE = Hop("udp", "198.51.100.77", 5060)
MINE = Hop("udp", "192.0.2.1", 5060)

OURS = {
    path.name: path
    for path in sorted((HERE / "tests" / "data" / "sip").glob("*.dat"))
}  # fmt: skip
SHARED = {path.name: path for path in sorted((HERE.parent / "shared" / "torture").glob("rfc*/*.dat"))}

ACCEPT, DROP = "accept", "drop"
NO_REGISTRAR = {405}
EXPECTED: dict[str, set[str | int]] = {
    "wsinv": {481}, "intmeth": {501}, "esc01": {ACCEPT}, "escnull": {405}, "esc02": {501},
    "lwsdisp": {200}, "longreq": {ACCEPT}, "dblreq": {405}, "semiuri": {200}, "transports": {200},
    "mpart01": {415},
    "unreason": {DROP}, "noreason": {DROP}, "badinv01": {400}, "clerr": {400}, "ncl": {400}, "scalar02": {400},
    "scalarlg": {DROP}, "quotbal": {400}, "ltgtruri": {400}, "lwsruri": {400}, "lwsstart": {400},
    "trws": {400}, "escruri": {400}, "baddate": {ACCEPT}, "regbadct": {405}, "badaspec": {400},
    "baddn": {400}, "badvers": {505}, "mismatch01": {400}, "mismatch02": {501}, "bigcode": {DROP},
    "badbranch": {200}, "insuf": {400}, "unkscm": {416}, "novelsc": {416}, "unksm2": {405},
    "bext01": {420}, "invut": {415}, "regaut01": {405}, "multi01": {400}, "mcl01": {400}, "bcast": {DROP},
    "zeromf": {200}, "cparam01": {405}, "cparam02": {405}, "regescrt": {405}, "sdp01": {406},
    "inv2543": {ACCEPT}, "ipv6-good": {405}, "ipv6-bad": {405}, "port-ambiguous": {405},
    "port-unambiguous": {405}, "via-received-param-with-delim": {481}, "via-received-param-no-delim": {200},
    "ipv6-in-sdp": {ACCEPT}, "mult-ip-in-header": {481}, "mult-ip-in-sdp": {ACCEPT},
    "ipv4-mapped-ipv6": {ACCEPT}, "ipv6-bug-abnf-3-colons": {200}, "ipv6-correct-abnf-2-colons": {200},
}  # fmt: skip


def agent() -> UserAgent:
    numbers = count()
    return UserAgent(UserAgentSettings({"udp": MINE}), lambda: f"token{next(numbers)}")


def outcome(user_agent: UserAgent, data: bytes) -> str | int:
    outputs = user_agent.receive_message(data, SOURCE, 1.0)
    sent = [output for output in outputs if isinstance(output, Transmit)]
    assert all(output.hop.host == SOURCE.host for output in sent), "sent to an address that the message claims"
    if any(isinstance(output, Incoming) for output in outputs):
        return ACCEPT
    if not sent:
        return DROP
    assert isinstance(sent[-1].message, Response)
    return sent[-1].message.status


def still_answers(user_agent: UserAgent) -> bool:
    options = (
        b"OPTIONS sip:gw SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.77;branch=z9hG4bKafter;rport\r\nMax-Forwards: 9\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:gw>\r\nCall-ID: after\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    return outcome(user_agent, options) == 200


def test_messages_of_the_rfcs() -> None:
    """As many as lie beside the repository: a lone clone has none, and our own below cover the same cases."""
    wrong = {}
    for name, path in SHARED.items():
        user_agent = agent()
        got = outcome(user_agent, path.read_bytes())
        if got not in EXPECTED[name.removesuffix(".dat")] or not still_answers(user_agent):
            wrong[name] = got
    assert wrong == {}


def test_our_own_messages_cover_the_same_cases() -> None:
    assert {name.removesuffix(".dat") for name in OURS} >= set(OWN_EXPECTED)


OWN_EXPECTED: dict[str, set[str | int]] = {
    line.split("\t")[0]: {part if part in (ACCEPT, DROP) else int(part) for part in line.split("\t")[1].split(",")}
    for line in (HERE / "tests" / "data" / "sip" / "expected.tsv").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
}


@pytest.mark.parametrize("name", sorted(OWN_EXPECTED))
def test_our_own_messages(name: str) -> None:
    user_agent = agent()
    assert outcome(user_agent, OURS[f"{name}.dat"].read_bytes()) in OWN_EXPECTED[name]
    assert still_answers(user_agent)


def test_streams_wait_for_what_is_missing_and_end_at_what_is_a_lie() -> None:
    waits = OURS["length-too-long.dat"].read_bytes()
    assert StreamFramer().feed(waits) == []
    for name in ("length-negative", "length-twice"):
        framer = StreamFramer()
        assert framer.feed(OURS[f"{name}.dat"].read_bytes()) == []
        assert framer.error is not None


def test_octets_behind_a_body_are_the_next_message_of_a_stream() -> None:
    """A datagram ends with its message; over TCP the same bytes are two."""
    data = OURS["octets-behind-the-body.dat"].read_bytes()
    framer = StreamFramer()
    first, *_ = framer.feed(data)
    assert data.startswith(first)
    assert len(first) < len(data)


def test_a_fold_of_many_blanks_is_read_in_linear_time() -> None:
    """A quadratic regex once took half a minute for this; 40 times the input may not take 400 times the steps."""
    head = b"OPTIONS sip:gw SIP/2.0\r\nSubject: a" + b" " * 60000 + b"b\r\n c\r\n\r\n"
    assert outcome(agent(), head) in (400, DROP)
