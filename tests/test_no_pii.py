"""No real number where it has no business: calls of every mode on a real node, then all that it left is searched.

Searched are the node's log, every byte that either phone received (it may see its own number and X), the ledger as it
is shown without the right to see numbers, names of files, all that an auditor reads by /v1, and the answers of the web
process to strangers; and, since the node has a key file, every byte of its database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.admin.audit import changing
from gateway.admin.roles import Actor, Role
from gateway.admin.tokens import make_token
from gateway.api.ledger import Ledger, Wanted
from gateway.database import open_engine
from gateway.lab.checks import everything_received, forms_found
from gateway.lab.script import Script
from gateway.numbers import PhoneNumber
from gateway.vault.keys import add_key
from tests.integration.test_modes import AX, AXE, AXYB, CALLEE, ModeStand
from tests.integration.test_node import A, B, X

# What an auditor may not read at all.
OPERATORS = ("/lists", "/registered", "/contacts", "/mails", "/stock", "/tokens", "/tones/sound", "/bans", "/phones")
NUMBERS = (PhoneNumber(A), PhoneNumber(B))
SPEAK = Script(tone_hz=700)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[ModeStand]:
    stand = ModeStand(tmp_path, SPEAK, Script(tone_hz=1300, answer_after=0.3, hang_up_after=4.0))
    yield stand
    await stand.stack.aclose()


async def axb(here: ModeStand) -> tuple[str, str]:
    await here.bind(recordHintTone="notice.wav")
    return A, B


async def ax(here: ModeStand) -> tuple[str, str]:
    await here.api("POST", AX, origNum=A, privateNum=X, recordFlag="true")
    await here.api("PUT", CALLEE, privateNum=X, calleeNum=B)
    return A, B


async def axe(here: ModeStand) -> tuple[str, str]:
    await here.api("POST", AXE, bindNum=A, virtualNum=X, extendNum="1234", recordFlag="true")
    return B, A


async def axyb(here: ModeStand) -> tuple[str, str]:
    await here.api("POST", AXYB, origNum=A, areaCode="0755", duration=0)
    return B, A


async def x_mode(here: ModeStand) -> tuple[str, str]:
    here.receiver.answer = {"operation": "connect", "connectInfo": {"calleeNum": B, "recordFlag": "true"}}
    return A, B


MODES = {"AXB": axb, "AX": ax, "AXE": axe, "AXYB": axyb, "X": x_mode}


@pytest.mark.parametrize("mode", MODES)
async def test_no_real_number_is_left_behind(here: ModeStand, mode: str) -> None:
    digits = {"digits": "1234", "early_digits_at": 1.0} if mode == "AXE" else {}
    here.scripts = (replace(SPEAK, **digits), here.scripts[1])  # type: ignore[arg-type]
    add_key(here.folder / "keys")
    sealed = {"MASKLINE_DATABASE__KEY_FILE": str(here.folder / "keys")}
    here.plan_changes = {"mode": mode, "numbers": ("+8617000000002",), "overrides": sealed}
    await here.up()
    caller, callee = await MODES[mode](here)
    called = X
    if mode == "AXYB":
        (called,) = await _numbers_bound(here)
    cdr = await here.call(caller, called)
    assert (cdr["callerNum"], cdr["fwdDstNum"]) == (caller, callee), "the customer does see them"
    assert cdr["ulFailReason"] == 0
    _search_phones(here, PhoneNumber(caller), PhoneNumber(callee))
    await _search_ledger(here)
    await _search_management(here, cdr["sessionId"], caller, called)
    assert await here.node.stop() == 0
    log = (here.folder / "node.log").read_bytes()
    database = b"".join(map(Path.read_bytes, here.folder.glob("maskline.db*")))
    assert X.encode() in database, "X is nobody's secret"
    assert here.node.plan.secret.encode() not in database
    names = "\n".join(str(path) for path in here.folder.rglob("*")).encode()
    for number in NUMBERS:
        assert not forms_found(log, number)
        assert not forms_found(database, number)
        assert not forms_found(names, number)


async def _numbers_bound(here: ModeStand) -> set[str]:
    for x in (X, "+8617000000002"):
        headers = here.customer._headers()
        params = {"app_key": "test-axb", "relationNum": x}
        url = here.node.plan.base_url + AXYB
        async with here.http.get(url, headers=headers, params=params) as response:
            if response.status == 200:
                return {x}
    return set()


def _search_phones(here: ModeStand, caller: PhoneNumber, callee: PhoneNumber) -> None:
    assert not forms_found(everything_received(here.caller.phone), callee)
    assert not forms_found(everything_received(here.callee.phone), caller)


def _database(here: ModeStand) -> str:
    return f"sqlite+aiosqlite:///{here.folder / 'maskline.db'}?key_file={here.folder / 'keys'}"


async def _search_management(here: ModeStand, session: str, caller: str, called: str) -> None:
    """Everything that an auditor may read by /v1; the tokens' own words are searched as well."""
    engine = open_engine(_database(here))
    by = Actor(token="", name="test", role=Role.OPERATOR)
    try:
        async with changing(engine, by, datetime.now(UTC)) as change:
            _, token = await make_token(change.connection, name="reader", role=Role.AUDITOR, enterprise_id=None,
                                        by="test", at=change.at)  # fmt: skip
            change.note("token.create", "token")
    finally:
        await engine.dispose()
    base, headers = here.node.plan.base_url + "/v1", {"Authorization": f"Bearer {token}"}
    async with here.http.get(f"{base}/openapi.json") as response:
        described = (await response.json())["paths"]
    plain = [path for path, methods in described.items() if "get" in methods and "{" not in path]
    today = {"first": "2026-11-01", "last": "2026-11-02"}
    asked = [(path, {"called": called, "caller": caller} if path == "/explain" else today) for path in plain]
    asked += [(path, {}) for path in (f"/cdrs/{session}", f"/explain/{session}", f"/ledger/{session}.91")]
    read = 0
    for path, query in asked:
        async with here.http.get(base + path, params=query, headers=headers) as response:
            told = await response.read()
            read += response.status == 200
            assert response.status == 200 or path in OPERATORS, (path, told)
        for number in NUMBERS:
            assert not forms_found(told, number), path
    assert read >= 15


async def _search_ledger(here: ModeStand) -> None:
    engine = open_engine(_database(here))
    ledger = Ledger(engine)
    try:
        listed = await ledger.entries(Wanted())
        shown: list[Any] = [await ledger.entry(one.id) for one in listed]
        plain = [await ledger.entry(one.id, masked=False) for one in listed]
    finally:
        await engine.dispose()
    assert len(listed) >= 6
    for number in NUMBERS:
        assert number.e164 in repr(plain)
        assert not forms_found(repr([listed, shown]).encode(), number)
