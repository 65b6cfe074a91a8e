"""[IO] Contacts as they are written down: on the clock of the world, since each start has another monotonic one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

from gateway.sip.hop import Hop
from gateway.sip.locations import Contact


def write_contacts(contacts: Iterable[Contact]) -> str:
    """JSON."""
    ahead = time.time() - time.monotonic()
    rows = [
        {"uri": one.uri, "hop": str(one.hop), "expires": one.expires + ahead, "since": one.since + ahead,
         "call_id": one.call_id, "cseq": one.cseq, "q": one.q, "instance": one.instance}
        for one in contacts
    ]  # fmt: skip
    return json.dumps(rows)


def read_contacts(text: str) -> list[Contact]:
    """As they were written down, on this process's clock."""
    ahead = time.time() - time.monotonic()
    return [
        Contact(row["uri"], Hop.parse(row["hop"]), row["expires"] - ahead, row["since"] - ahead, row["call_id"],
                row["cseq"], row["q"], row["instance"])
        for row in json.loads(text)
    ]  # fmt: skip
