"""Any bytes on any port of a session, in any order with its commands: never an exception, never a foreign stream."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from media import control
from media.control import CALLEE, CALLER
from media.outputs import SendPacket
from media.ports import PortPool
from media.rtp import HEADER
from tests.media.test_room import STRANGER, A, B, Bench

WORD = st.integers(0, 2**32 - 1)
NEAR = st.one_of(st.integers(0, 40), st.integers(65500, 65535), st.integers(0, 65535))


@st.composite
def rtp(draw: st.DrawFn) -> bytes:
    first = 0x80 | draw(st.sampled_from((0, 0, 0, 0, 0x10, 0x20, 0x30, 0x01, 0x0F, 0x3F)))
    second = draw(st.sampled_from((8, 0x88, 0, 13, 101, 101 | 0x80, 96, 77, 200, 201)))
    size = draw(st.sampled_from((0, 1, 4, 80, 160, 160, 160, 240, 480, 1400)))
    stamp = draw(st.one_of(NEAR.map(lambda seq: seq * 160), WORD)) & 0xFFFFFFFF
    tail = draw(st.binary(min_size=min(size, 8), max_size=min(size, 8)))
    return (
        HEADER.pack(first, second, draw(NEAR), stamp, draw(st.sampled_from((7, 7, 7, 8))))
        + tail
        + bytes(size - len(tail))
    )


@st.composite
def rtcp(draw: st.DrawFn) -> bytes:
    parts = b""
    for _ in range(draw(st.integers(1, 3))):
        body = draw(st.binary(max_size=60))
        words = draw(st.one_of(st.just(len(body) // 4), st.integers(0, 65535)))
        head = bytes((0x80 | draw(st.integers(0, 63)), draw(st.integers(192, 223))))
        parts += head + words.to_bytes(2, "big") + body
    return parts


DATAGRAM = st.one_of(rtp(), rtp(), rtcp(), st.binary(max_size=64))
COMMANDS = (
    control.Relay("s", True, True),
    control.Relay("s", False, True),
    control.Play("s", CALLER, "tone", ("a",)),
    control.Stop("s", CALLER),
    control.SendDigits("s", CALLEE, "keys", "1#"),
    control.Listen("s", CALLER, True),
    control.Watch("s", 5.0),
    control.Connect(session="s", leg=CALLEE, host=B[0], port=B[1], codec=0, events=None, ptime=30),
    control.Connect(session="s", leg=CALLEE, host="0.0.0.0", port=B[1], receives=False, sends=False),
    control.Connect(session="s", leg=CALLEE, host=B[0], port=B[1], events=96, rtcp_mux=True),
)
STEP = st.one_of(
    st.tuples(st.just("datagram"), st.integers(0, 3), st.sampled_from((A, B, STRANGER)), DATAGRAM),
    st.tuples(st.just("wait"), st.sampled_from((0.001, 0.02, 0.3, 6.0))),
    st.tuples(st.just("command"), st.sampled_from(COMMANDS)),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(STEP, max_size=40))
def test_nothing_that_comes_costs_more_than_a_drop(steps: list[tuple[object, ...]]) -> None:
    bench = Bench()
    bench.open()
    bench.do(control.Relay("s", True, True))
    senders = {bench.ports[leg]: bench.room.legs[bench.ports[leg]].sender.ssrc for leg in (CALLER, CALLEE)}
    sent: list[SendPacket] = []
    for step in steps:
        match step:
            case ("datagram", int(port), source, bytes(data)):
                ours = bench.ports[port // 2] + port % 2
                got = bench.take(bench.room.receive(ours, data, source, bench.now))  # type: ignore[arg-type]
                assert source in (A, B) or got == [], "a stranger moved something"
                sent += got
            case ("wait", float(seconds)):
                sent += [packet for _, packet in bench.run(seconds)]
            case (_, command):
                sent += bench.do(command)  # type: ignore[arg-type]
    for packet in sent:
        assert packet.target[0] in (A[0], B[0])
        if packet.port % 2 == 0 and not 192 <= packet.data[1] < 224:
            assert packet.data[0] == 0x80
            assert int.from_bytes(packet.data[8:12], "big") == senders[packet.port]
    bench.do(control.Close("s"))
    assert bench.room.ports.out == 0


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(("take", "give", "back", "wait")), st.integers(0, 9)), max_size=80))
def test_a_port_is_never_out_twice_and_rests(steps: list[tuple[str, int]]) -> None:
    pool, now = PortPool(20000, 20019, 30.0), 0.0
    out: list[int] = []
    used: dict[int, float] = {}
    for what, which in steps:
        if what == "take":
            port = pool.take(now)
            if port is None:
                continue
            assert port not in out
            assert now - used.get(port, -1e9) >= 30.0
            out.append(port)
        elif what == "wait":
            now += 5.0 * which
        elif out:
            port = out.pop(which % len(out))
            if what == "give":
                pool.give_back(port, now)
                used[port] = now
            else:
                pool.put_back(port)
    assert pool.out == len(out)
