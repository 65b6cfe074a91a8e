"""The management API on a real node: an enterprise from its first day to a call of its own, seen and hung up."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import soundfile

from gateway.lab.analysis import seconds_of
from gateway.lab.checks import heard_between
from gateway.lab.client import ApiError, CustomerClient
from gateway.lab.phone import Phase
from gateway.lab.script import Script
from gateway.sip.hop import Hop
from tests.integration.test_node import HOST, KEY, SECRET, A, B, Stand, X

OURS = "+8617000000777"


class AdminStand(Stand):
    """A node, and a terminal at it."""

    async def terminal(self, *words: str) -> str:
        """What ``maskline`` prints."""
        config = str(self.folder / "demo.toml")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *words, "--config", config, stdout=asyncio.subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if not name.startswith("MASKLINE_")},
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode().strip()

    async def ask(self, token: str, method: str, path: str, body: Any = None, **query: str) -> Any:
        url, headers = f"{self.node.plan.base_url}/v1{path}", {"Authorization": f"Bearer {token}"}
        async with self.http.request(method, url, json=body, params=query, headers=headers) as response:
            raw = await response.read()
            assert response.status < 300, raw
            return await response.json() if raw else None

    def dial_x(self, x: str) -> None:
        target = Hop("udp", HOST, self.node.plan.sip_port)
        uri = f"sip:{x}@{HOST}:{target.port}"
        self.caller.do(lambda now: self.caller.phone.dial(target, uri, now, caller=f"<sip:{A}@{HOST}>"))


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[AdminStand]:
    made = AdminStand(tmp_path, Script(tone_hz=700), Script(tone_hz=1300, answer_after=1.0))
    await made.up()
    yield made
    await made.stack.aclose()


async def test_from_the_first_token_to_a_call(stand: AdminStand) -> None:
    operator = await stand.terminal("token", "create", "me")
    enterprise = {"id": "shop", "name": "The Shop Ltd"}
    await stand.ask(operator, "POST", "/enterprises", enterprise)
    made = await stand.ask(operator, "POST", "/applications", {
        "mode": "AXB", "enterprise": "shop", "private_callbacks": True, "push_number_status": True})  # fmt: skip
    tenant = await stand.terminal("token", "create", "shop's", "--role", "tenant", "--enterprise", "shop")
    address = stand.node.plan.receiver
    urls = {"status_url": f"{address}/status", "fee_url": f"{address}/fee"}
    await stand.ask(tenant, "PUT", f"/applications/{made['key']}/addresses", urls)
    body = {"application": made["key"], "numbers": [{"x": OURS, "area_code": "0755"}]}
    await stand.ask(operator, "POST", "/numbers/import", body)

    customer = CustomerClient(stand.http, stand.node.plan.base_url, made["key"], made["secret"])
    with pytest.raises(ApiError, match="1010029"):
        await customer.bind({"callerNum": A, "calleeNum": B, "relationNum": OURS})
    refused = await stand.ask(tenant, "GET", "/explain", caller=A, called=OURS)
    assert "enterprise is suspended" in str(refused["lines"]).lower()
    await stand.ask(operator, "POST", "/enterprises/shop/approve")
    await customer.bind({"callerNum": A, "calleeNum": B, "relationNum": OURS})
    auditor = await stand.terminal("token", "create", "reader", "--role", "auditor")
    lines = (await stand.ask(auditor, "GET", "/explain", caller=A, called=OURS))["lines"]
    assert lines[-1]["good"] is True
    assert B not in str(lines)

    stand.dial_x(OURS)
    await stand.until(lambda: stand.caller.phone.phase is Phase.TALKING)
    (call,) = (await stand.ask(tenant, "GET", "/calls"))["items"]
    assert (call["application"], call["x"], call["caller"], call["callee"]) == (made["key"], OURS, A, B)
    (seen,) = (await stand.ask(auditor, "GET", "/calls"))["items"]
    assert A not in str(seen)
    assert B not in str(seen)
    await stand.ask(tenant, "DELETE", f"/calls/{call['session']}")
    await stand.until(lambda: stand.callee.phone.phase is Phase.OVER and stand.caller.phone.phase is Phase.OVER)
    fee = await stand.receiver.wait_for("fee", 60)
    assert fee is not None, stand.node.log_tail()
    assert (fee.fields["ulFailReason"], fee.fields["sessionId"]) == (8017, call["session"])
    assert (await stand.ask(operator, "GET", "/calls"))["items"] == []
    (record,) = (await stand.ask(tenant, "GET", "/cdrs", number=B))["items"]
    assert (record["session"], record["caller"], record["cause"], record["way"]) == (call["session"], A, 8017, "demo")
    past = (await stand.ask(auditor, "GET", f"/explain/{call['session']}"))["lines"]
    assert "8017" in past[-1]["text"]
    assert {"rule", "binding", "trunk"} <= {line["what"] for line in past}
    assert A not in str(past)
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date().isoformat()
    (day,) = (await stand.ask(tenant, "GET", "/statistics", first=today, last=today))["periods"]
    assert (day["calls"], day["answered"], day["causes"]) == (1, 1, {"8017": 1})
    assert (await stand.ask(auditor, "GET", "/ledger", kind="fee"))["items"][0]["state"] == "done"

    await stand.ask(operator, "POST", "/numbers/status", {"numbers": [OURS], "status": "unavailable", "cause": 3})
    told = await stand.receiver.wait_for("numStatus", 60)
    assert told is not None, stand.node.log_tail()
    assert told.fields == {"number": OURS, "status": "10", "cause": "3"}
    log = (await stand.ask(auditor, "GET", "/audit"))["items"]
    assert [row["action"] for row in log][:3] == ["number.status", "call.stop", "token.create"]
    for secret in (A, B, made["secret"], operator, tenant):
        assert secret not in str(log)
        assert secret not in stand.node.log_tail(10_000)


async def test_what_the_api_made_outlives_a_restart_and_the_file_s_stays_the_file_s(stand: AdminStand) -> None:
    operator = await stand.terminal("token", "create", "me")
    made = await stand.ask(operator, "POST", "/applications", {"mode": "AXB"})
    numbers = [{"x": OURS}]
    await stand.ask(operator, "POST", "/numbers/import", {"application": made["key"], "numbers": numbers})
    await stand.ask(operator, "POST", "/numbers/status", {"numbers": [X], "status": "suspended"})
    assert await stand.node.stop() == 0
    await stand.node.start(60)
    rows = {row["x"]: row["status"] for row in (await stand.ask(operator, "GET", "/numbers"))["items"]}
    assert rows == {X: "suspended", OURS: "normal"}
    keys = {row["key"]: row["origin"] for row in (await stand.ask(operator, "GET", "/applications"))["items"]}
    assert keys == {KEY: "file", made["key"]: "api"}
    customer = CustomerClient(stand.http, stand.node.plan.base_url, made["key"], made["secret"])
    assert (await customer.bind({"callerNum": A, "calleeNum": B, "relationNum": OURS}))["relationNum"] == OURS
    assert SECRET not in str(await stand.ask(operator, "GET", f"/applications/{KEY}"))


async def test_a_tone_approved_a_moment_ago_plays_in_the_next_call(stand: AdminStand) -> None:
    operator = await stand.terminal("token", "create", "me")
    bound = {"callerNum": A, "calleeNum": B, "relationNum": X, "preVoice": {"callerHintTone": "ours.wav"}}
    with pytest.raises(ApiError, match=r"1010002.*ours\.wav does not exist"):
        await stand.customer.bind(bound)
    sound = io.BytesIO()
    soundfile.write(sound, 0.5 * np.sin(2 * np.pi * 1400 * np.arange(3 * 44100) / 44100), 44100, format="FLAC")
    headers, where = {"Authorization": f"Bearer {operator}"}, {"application": KEY, "name": "ours.wav"}
    url = stand.node.plan.base_url + "/v1/tones"
    async with stand.http.put(url, params=where, data=sound.getvalue(), headers=headers) as response:
        assert response.status == 201
    with pytest.raises(ApiError, match="does not exist"):
        await stand.customer.bind(bound)
    await stand.ask(operator, "POST", "/tones/approve", **where)
    await stand.customer.bind(bound)
    stand.dial_x(X)
    await stand.until(lambda: stand.caller.phone.phase is Phase.TALKING)
    phone = stand.caller.phone
    assert seconds_of(heard_between(phone, None, phone.answered_at), 1400) > 0.3


@pytest.mark.parametrize(("party", "number", "cause"), [("caller", A, 7005), ("callee", B, 7004)])
async def test_a_number_put_on_a_black_list_is_refused_at_its_next_call(
    stand: AdminStand, party: str, number: str, cause: int
) -> None:
    operator = await stand.terminal("token", "create", "me")
    await stand.customer.bind({"callerNum": A, "calleeNum": B, "relationNum": X})
    body = {"kind": "black", "party": party, "numbers": [number], "application": KEY}
    await stand.ask(operator, "POST", "/lists", body)
    stand.dial_x(X)
    fee = await stand.receiver.wait_for("fee", 60)
    assert fee is not None, stand.node.log_tail()
    assert (fee.fields["ulFailReason"], fee.fields["sipStatusCode"]) == (cause, 403)
    assert stand.callee.phone.phase is Phase.IDLE
