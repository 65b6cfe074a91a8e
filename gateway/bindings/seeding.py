"""[IO] Applications and X numbers as the configuration file has them, brought into the tables at each start.

| in the file | in the table     | becomes                                                                   |
|-------------|------------------|---------------------------------------------------------------------------|
| yes         | no               | made                                                                      |
| yes         | yes              | brought up to date; an X keeps its state, and its owner while it is bound |
| yes         | taken out before | enabled again; an X is NORMAL                                             |
| no          | yes              | taken out: the application disabled, the X UNAVAILABLE                    |
| no          | made by the API  | left alone                                                                |

Bindings stay as they are, so that what was bound works again when the number is put back, and a mistake in the file
costs nobody his bindings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import structlog
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.bindings.models import Application, Number, NumberStatus
from gateway.bindings.rows import application_values, number_values
from gateway.database import one_after_the_other, writing
from gateway.schema import application as applications
from gateway.schema import binding, number

_log = structlog.get_logger()
_TAKE_OUT = (
    update(number)
    .where(number.c.x == bindparam("of"))
    .values(status=int(NumberStatus.UNAVAILABLE), cause=None, origin="out")
)


class SeedStore:
    """The configuration's half of the binding store."""

    _engine: AsyncEngine

    async def seed(self, given: Iterable[Application], numbers: Iterable[Number]) -> None:
        """Write applications and X numbers; what is there already is brought up to date."""
        async with writing(self._engine) as connection:
            await one_after_the_other(connection)
            for one in given:
                values = application_values(one) | {"origin": "file"}
                changed = await connection.execute(
                    update(applications).where(applications.c.key == one.key).values(**values)
                )
                if changed.rowcount == 0:
                    await connection.execute(insert(applications).values(**values))
            staying = 0
            known = {row.x: row for row in (await connection.execute(select(number))).all()}
            for x in numbers:
                old = known.get(x.x.e164)
                if old is None:
                    await connection.execute(insert(number).values(**number_values(x)))
                    continue
                values = {"area_code": x.area_code, "province": x.province, "origin": "file"}
                if old.origin == "out":
                    values["status"] = int(x.status)
                if old.application != x.application:
                    if await _bound(connection, x):
                        staying += 1
                    else:
                        values["application"] = x.application
                if any(getattr(old, name) != value for name, value in values.items()):
                    await connection.execute(update(number).where(number.c.x == x.x.e164).values(**values))
        if staying:
            _log.warning("numbers stay with their application until they are unbound", numbers=staying)

    async def take_out(self, given: Iterable[Application], numbers: Iterable[Number]) -> tuple[int, int]:
        """Disable all applications and X numbers but these; how many of each were not so before."""
        keys, kept = {one.key for one in given}, {one.x.e164 for one in numbers}
        async with writing(self._engine) as connection:
            gone = 0
            for row in (await connection.execute(select(applications))).all():
                settings = json.loads(row.settings)
                if row.key not in keys and row.origin == "file":
                    values = {"settings": json.dumps(settings | {"enabled": False}), "origin": "out"}
                    await connection.execute(update(applications).where(applications.c.key == row.key).values(**values))
                    gone += 1
            in_use = select(number.c.x).where(number.c.origin == "file")
            out = [x for x in (await connection.execute(in_use)).scalars() if x not in kept]
            if out:
                await connection.execute(_TAKE_OUT, [{"of": x} for x in out])
        return gone, len(out)


async def _bound(connection: AsyncConnection, x: Number) -> bool:
    found = select(binding.c.id).where(binding.c.x == x.x.e164).limit(1)
    return (await connection.execute(found)).first() is not None
