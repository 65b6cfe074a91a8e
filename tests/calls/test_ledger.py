"""What another media worker is told when one dies."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.calls.ledger import Ledger
from media import control
from media.control import CALLEE, CALLER


def place(leg: int, port: int, *, resumed: bool = False) -> control.Connect:
    return control.Connect(session="s", leg=leg, host="192.0.2.1", port=port, resumed=resumed)


def tone(leg: int, name: str) -> control.Play:
    return control.Play("s", leg, name, ("a.wav",))


def over(leg: int, name: str, *, completed: bool = True, error: str = "") -> control.Played:
    return control.Played("s", leg, name, completed, error=error)


@dataclass
class Told:
    ledger: Ledger

    def __call__(self, *words: control.Command | control.Report) -> list[control.Command]:
        for word in words:
            if isinstance(word, control.Played | control.SpoolFailed):
                self.ledger.heard(word)
            else:
                self.ledger.note(word)  # type: ignore[arg-type]
        return self.ledger.commands(1)


@pytest.fixture
def told() -> Told:
    return Told(Ledger())


def test_the_last_word_on_each_thing_counts(told: Told) -> None:
    said = told(
        place(CALLER, 4000), place(CALLEE, 5000), place(CALLER, 4002),
        control.Listen("s", CALLER, True), control.Listen("s", CALLER, False),
        control.Relay("s", False, False), control.Relay("s", True, True),
        control.Watch("s", 30.0), control.Watch("s", 0.0),
    )  # fmt: skip
    assert said == [
        place(CALLER, 4002, resumed=True), place(CALLEE, 5000, resumed=True),
        control.Listen("s", CALLER, False), control.Relay("s", True, True),
        control.Watch("s", 0.0),
    ]  # fmt: skip


def test_what_plays_is_played_again_and_what_is_over_is_not(told: Told) -> None:
    assert told(tone(CALLER, "notice"), tone(CALLEE, "notice"), over(CALLEE, "notice")) == [tone(CALLER, "notice")]
    assert told(control.Stop("s", CALLER, "another")) == [tone(CALLER, "notice")]
    assert told(over(CALLER, "notice", completed=False)) == [tone(CALLER, "notice")], "of the one before it"
    assert told(control.Stop("s", CALLER)) == []
    assert told(tone(CALLER, "gone"), over(CALLER, "gone", completed=False, error="no such file")) == []
    assert told(tone(CALLER, "a"), tone(CALLER, "b"), over(CALLER, "a")) == [tone(CALLER, "b")]


def test_keys_replace_a_tone_and_are_not_sent_twice(told: Told) -> None:
    assert told(tone(CALLER, "last minute"), control.SendDigits("s", CALLER, "keys", "5")) == []


def test_a_recording_goes_on_in_another_file_until_the_disk_has_failed_it(told: Told) -> None:
    begun = control.Record("s", "/spool/x.spool", b"k" * 32, 100.0)
    assert told(begun) == [control.Record("s", "/spool/x.spool.1", b"k" * 32, 100.0)]
    assert told.ledger.commands(7) == [control.Record("s", "/spool/x.spool.7", b"k" * 32, 100.0)]
    assert told(control.SpoolFailed("s", "disk full")) == []
