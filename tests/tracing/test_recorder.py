"""Which messages are kept, for how long, and how many at most."""

from __future__ import annotations

from dataclasses import replace

from gateway.tracing import recorder
from gateway.tracing.messages import Seen, begins_call, call_id_of, title_of
from gateway.tracing.recorder import Kept, Parties, Recorder, Switch
from gateway.tracing.threads import Threads
from tests.tracing.messages import BYE, CALL, INVITE, RINGING_B, TRYING, A, B, X, seen

NUMBER = Switch("n", "number", B, 2000.0, 1000)
CALLED = Switch("c", "call", "call-1", 2000.0, 1)
NEXT = Switch("x", "next", "", 2000.0, 2)


class Bench:
    def __init__(self, *switches: Switch) -> None:
        self.known: dict[str, Parties] = {}
        self.recorder = Recorder(lambda session: self.known.get(session))
        self.recorder.switch(switches)

    def see(self, session: str, side: int, one: Seen, now: float = 1000.0) -> list[Kept]:
        return self.recorder.see((session, side), one, now)

    def call(self, session: str = "call-1") -> list[Kept]:
        """The messages of a call in which B is known from its second leg on."""
        kept = []
        for side, one in CALL:
            numbers = {X, A, B} if side else {X, A}
            self.known[session] = Parties(frozenset(numbers), bool(side))
            kept += self.see(session, side, one)
        return kept


def test_of_a_number_found_late_nothing_is_lost() -> None:
    bench = Bench(NUMBER)
    kept = bench.call()
    assert [(one.side, one.seen) for one in kept] == list(CALL)
    assert [one.order for one in kept] == [0, 1, 2, 3]
    assert {one.switch for one in kept} == {"n"}


def test_other_numbers_calls_are_forgotten_as_soon_as_their_numbers_are_known() -> None:
    bench = Bench(replace_value(NUMBER, "+8613800000099"))
    assert bench.call() == []
    assert bench.recorder._calls["call-1"].held == []


def replace_value(switch: Switch, value: str) -> Switch:
    return Switch(switch.id, switch.kind, value, switch.until, switch.calls)


def test_a_call_by_its_session_from_now_on() -> None:
    bench = Bench(CALLED)
    assert len(bench.call()) == 4
    assert bench.call("call-2") == []


def test_the_next_two_calls_and_not_one_that_stood_before() -> None:
    bench = Bench(NEXT)
    assert bench.see("old", 0, seen(1.0, BYE, sent=False)) == []
    assert [len(bench.call(f"call-{index}")) for index in range(3)] == [4, 4, 0]


def test_a_switch_ends_by_itself_and_its_calls_go_on() -> None:
    bench = Bench(CALLED)
    side, first = CALL[0]
    assert len(bench.see("call-1", side, first, 1999.9)) == 1
    assert len(bench.see("call-1", side, CALL[1][1], 2000.1)) == 1
    assert bench.call("call-2") == []
    assert bench.recorder.active


def test_when_all_is_over_nothing_is_active_nor_kept() -> None:
    bench = Bench(CALLED)
    bench.call()
    bench.recorder.switch([])
    assert bench.recorder.active
    bench.recorder.tidy(lambda session: True, 1100.0)
    assert bench.recorder.active
    bench.recorder.tidy(lambda session: False, 1100.0)
    assert not bench.recorder.active
    assert bench.recorder._calls == {}


def test_a_second_number_is_found_in_a_call_that_the_first_switch_did_not_want() -> None:
    bench = Bench(replace_value(NUMBER, "+8613800000099"))
    bench.call()
    bench.recorder.switch([NUMBER])
    assert len(bench.see("call-1", 1, seen(1002.0, RINGING_B, sent=False))) == 1


def test_bounds() -> None:
    bench = Bench(CALLED)
    for _ in range(recorder.MOST_MESSAGES + 5):
        bench.see("call-1", 0, CALL[0][1])
    assert bench.recorder.dropped == 5
    waiting = Bench(NUMBER)
    for index in range(recorder.MOST_CALLS + 10):
        session = f"call-{index}"
        waiting.known[session] = Parties(frozenset({X}), False)
        for _ in range(recorder.MOST_HELD + 3):
            waiting.see(session, 0, CALL[0][1])
    assert len(waiting.recorder._calls) == recorder.MOST_CALLS
    assert max(len(call.held) for call in waiting.recorder._calls.values()) == recorder.MOST_HELD


def test_call_ids_and_what_begins_a_call() -> None:
    assert call_id_of(INVITE) == "one@192.0.2.10"
    assert call_id_of(b"BYE x SIP/2.0\r\ni :\t short@x \r\n\r\n") == "short@x"
    assert call_id_of(b"\xff") == ""
    assert begins_call(CALL[0][1])
    assert not begins_call(CALL[2][1])
    assert not begins_call(
        seen(1.0, INVITE.replace(b"sip:+8617000000001@198.51.100.1>", b"sip:x@y>;tag=1"), sent=False)
    )
    assert (title_of(INVITE), title_of(TRYING)) == ("INVITE", "100 Trying")


def test_a_call_id_is_known_when_its_call_no_longer_stands() -> None:
    standing = {"one": ("call-1", 0)}
    threads = Threads(standing.get)
    assert threads.find("one") == ("call-1", 0)
    standing.clear()
    assert threads.find("one") == ("call-1", 0)
    assert threads.find("two") is None


def test_what_a_message_said_is_in_no_repr() -> None:
    kept = Bench(CALLED).call()
    assert "138" not in repr(kept[0].seen)
    assert "138" not in repr(NUMBER)
    assert replace(kept[0], order=1).order == 1
