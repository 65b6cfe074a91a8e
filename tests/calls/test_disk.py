from __future__ import annotations

from gateway.calls.disk import DiskTrouble
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
