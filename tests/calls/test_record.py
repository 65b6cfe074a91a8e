from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import count

from gateway.calls.record import recording_name


def test_the_name_begins_with_the_answer_in_beijing_time_and_goes_on_unguessably() -> None:
    numbers = count()
    names = {recording_name(datetime(2026, 11, 23, 20, 5, 7, tzinfo=UTC), lambda: f"t{next(numbers)}") for _ in "123"}
    assert len(names) == 3
    assert all(re.fullmatch(r"261124040507[0-9]{40}\.wav", name) for name in names)
    assert all(len(name) <= 128 for name in names)
