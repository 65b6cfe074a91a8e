"""[IO] Erases what is due. ``erase_at`` is set when the CDR was pushed or given up; without one, a recording goes a day
after its retention. Of a store that all nodes see any node erases, of a folder its own.
"""

from __future__ import annotations

import structlog
from sqlalchemy import and_, or_, true

from gateway.recordings.part import BATCH, DAY, Part
from gateway.schema import recording

_log = structlog.get_logger()


class Erasing(Part):
    """Ready rows that are due become erased ones."""

    async def _work(self) -> None:
        while True:
            now = self.clock()
            last = now - (self.settings.retention_days + 1) * DAY
            never_pushed = and_(recording.c.erase_at.is_(None), recording.c.ended_at <= last)
            whose = true() if self.store.shared else self.mine()
            due = or_(recording.c.erase_at <= now, never_pushed)
            rows = await self.rows(whose, recording.c.state == "ready", recording.c.hold.is_(None), due)
            erased = 0
            for row in rows:
                try:
                    await self.store.erase(row.object or row.name)
                    await self.set(row, state="erased")
                except OSError as error:
                    _log.error("a recording could not be erased", name=row.name, error=str(error))
                    continue
                erased += 1
                _log.info("recording erased", name=row.name)
            if len(rows) < BATCH or not erased:
                return
