from __future__ import annotations

from gateway.calls.disk import SAY_AGAIN, SPOOL, DiskTrouble, Room, told
from media.control import SLOW_DISK


def test_an_alarm_is_said_once_a_minute_and_noted_for_five() -> None:
    disk = DiskTrouble()
    assert disk.notes(0.0) == []
    assert disk.failed("No space left on device", 0.0) == ("full", 1)
    assert [disk.failed(SLOW_DISK, moment) for moment in (1.0, 30.0)] == [("slow", 0), ("slow", 0)]
    assert disk.failed("Read-only file system", 60.0) == ("read_only", 3)
    assert disk.failed("Input/output error", 61.0) == ("other", 0)
    assert disk.notes(100.0) == ["calls are not recorded: Input/output error"]
    assert disk.notes(361.0) == []


GIB = 1 << 30


def test_a_volume_is_told_of_at_each_change_and_every_hour_and_does_not_flap() -> None:
    disk = DiskTrouble(low_percent=10.0, least=GIB)
    states = [
        (50.0, None), (10.0, None), (9.9, "low"), (9.8, None), (11.9, None), (12.1, "ok"), (11.9, None),
        (0.9, "full"), (1.1, None), (1.3, "low"), (11.0, None), (12.0, "ok"), (0.5, "full"), (30.0, "ok"),
    ]  # fmt: skip
    for moment, (free, wanted) in enumerate(states):
        found = disk.saw(SPOOL, Room(int(free * GIB), 100 * GIB), float(moment))
        assert (found.state if found else None) == wanted, (moment, free)
    assert disk.saw(SPOOL, Room(5 * GIB, 100 * GIB), 100.0) is not None
    assert disk.saw(SPOOL, Room(5 * GIB, 100 * GIB), 99.0 + SAY_AGAIN) is None
    assert disk.saw(SPOOL, Room(5 * GIB, 100 * GIB), 100.0 + SAY_AGAIN) is not None
    assert disk.takes(0.0)
    assert disk.notes(0.0) == ["the volume of the spool is nearly full: 5.0 GiB free of 100.0"]


def test_a_volume_that_is_away_takes_nothing() -> None:
    disk = DiskTrouble()
    found = disk.saw(SPOOL, Room(trouble="No such file or directory"), 0.0)
    assert found is not None
    words = "the volume of the spool can't be written: No such file or directory"
    assert (told(found.volume, found.state, found.room), disk.notes(0.0), disk.takes(0.0)) == (words, [words], False)
    disk.saw("recordings", Room(trouble="gone"), 0.0)
    disk.saw(SPOOL, Room(GIB, 2 * GIB), 1.0)
    assert disk.takes(1.0), "the folder of finished recordings is not the spool"
