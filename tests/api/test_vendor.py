"""The vendor's paths on a real uvicorn and SQLite: what a customer's client sends, and the codes that it looks for."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import insert

from gateway.api.app import create_app
from gateway.api.context import ApiContext, ApiSettings
from gateway.api.server import web_server
from gateway.bindings.models import Application, Mode, Number
from gateway.bindings.store import BindingStore
from gateway.database import migrate, open_engine, writing
from gateway.lab.client import signature
from gateway.numbers import PhoneNumber
from gateway.schema import recording
from media.recording.store import RecordingStore

AXB = "/rest/caas/relationnumber/partners/v1.0"
AX = "/rest/provision/caas/privatenumber/v1.0"
CALLEE = "/rest/caas/privatenumber/calleenumber/v1.0"
STOP = "/rest/httpsessions/callStop/v2.0"
RECORD = "/rest/provision/voice/record/v1.0"
A, B, C, D = (f"+86138000000{number}" for number in range(21, 25))
X, Y = "+8617000000001", "+8617000000002"
AX_NUMBERS = [f"+861700000001{digit}" for digit in range(1, 9)]
Answer = tuple[int, str]


class Bench:
    async def up(self, folder: Path) -> Bench:
        url = f"sqlite+aiosqlite:///{folder}/maskline.db"
        await migrate(url)
        self.engine = open_engine(url)
        store = BindingStore(self.engine)
        applications = [
            Application(key="axb", secret="s", mode=Mode.AXB, recording=True),
            Application(key="ax", secret="s", mode=Mode.AX),
            Application(key="off", secret="s", mode=Mode.AXB, enabled=False),
            Application(key="walled", secret="s", mode=Mode.AXB, allowed_ips=("192.0.2.0/24",)),
        ]
        owned = [("axb", X), ("axb", Y), *(("ax", number) for number in AX_NUMBERS)]
        await store.seed(applications, [Number(x=PhoneNumber(x), application=key) for key, x in owned])
        self.recordings = RecordingStore(f"file://{folder}/recordings")
        self.folder = folder
        self.stopped: list[tuple[str, str]] = []
        self.fault: Exception | None = None

        async def stop_call(application: str, session: str) -> bool:
            if self.fault is not None:
                raise self.fault
            self.stopped.append((application, session))
            return session == "live"

        async def ready() -> bool:
            return True

        context = ApiContext(
            store=store, engine=self.engine, recordings=self.recordings, stop_call=stop_call, ready=ready,
            settings=ApiSettings(host_name="gw", requests_per_second=1000, render_patience=0.3),
            tone_exists=lambda application, name: name == "w.wav", clock=lambda: datetime.now(UTC),
            monotonic=time.monotonic, wake_keeper=lambda: None,
        )  # fmt: skip
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self.server = web_server(create_app(context))
        self.serving = asyncio.create_task(self.server.serve(sockets=[listening]))
        self.http = aiohttp.ClientSession(f"http://127.0.0.1:{self.port}")
        self.nonces = itertools.count()
        return self

    def headers(self, key: str, secret: str = "s") -> dict[str, str]:
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return signature(key, secret, nonce=f"n{next(self.nonces)}", created=created)

    async def ask(self, method: str, path: str, key: str = "axb", **more: Any) -> tuple[int, dict[str, Any]]:
        headers = self.headers(key, more.pop("secret", "s"))
        async with self.http.request(method, path, headers=headers, allow_redirects=False, **more) as response:
            assert int(response.headers["Content-Length"]) == len(await response.read())
            return response.status, await response.json(content_type=None)

    async def code(self, method: str, path: str, key: str = "axb", **more: Any) -> Answer:
        status, body = await self.ask(method, path, key, **more)
        assert isinstance(body["resultcode"], str)
        return status, body["resultcode"]

    async def down(self) -> None:
        await self.http.close()
        self.server.should_exit = True
        await self.serving
        await self.engine.dispose()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = await Bench().up(tmp_path)
    yield made
    await made.down()


async def test_axb_from_bind_to_unbind(bench: Bench) -> None:
    body = {"callerNum": A, "calleeNum": B, "relationNum": X, "duration": "86400", "maxDuration": 30.0,
            "recordFlag": "true", "preVoice": {"callerHintTone": "w.wav"}, "userData": "u"}  # fmt: skip
    status, made = await bench.ask("POST", AXB, json=body)
    assert status == 200
    name = made.pop("subscriptionId")
    assert made == {"resultcode": "0", "resultdesc": "Success", "relationNum": X, "callDirection": 0, "duration": 86400,
                    "maxDuration": 30, "userData": "u"}  # fmt: skip
    status, again = await bench.ask("POST", AXB, json=body)
    assert (status, again) == (403, {"resultcode": "1012010", "resultdesc": f"The number {A} has been bound."})
    assert await bench.code("PUT", AXB, json={"subscriptionId": name, "calleeNum": C, "maxDuration": 0}) == (200, "0")
    _, found = await bench.ask("GET", AXB, params={"subscriptionId": name})
    (row,) = found["relationNumList"]
    assert (row["callerNum"], row["calleeNum"], row["relationNum"], row["maxDuration"]) == (A, C, X, 0)
    assert not any(isinstance(value, list) for value in row.values())
    # A hand-made query with a raw +, and a DELETE that carries its parameter in a body.
    raw = f"{AXB}?relationNum={X}&callerNum={A}&pageSize=1"
    async with bench.http.get(aiohttp.client.URL(raw, encoded=True), headers=bench.headers("axb")) as response:
        assert (await response.json(content_type=None))["pagedetail"]["totalRows"] == 1
    assert await bench.code("DELETE", AXB, json={"subscriptionId": name}) == (200, "0")
    assert await bench.code("DELETE", AXB, params={"subscriptionId": name}) == (403, "1016001")
    assert await bench.code("GET", AXB, params={"relationNum": X}) == (403, "1012007")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"callerNum": A, "calleeNum": B, "relationNum": AX_NUMBERS[0]}, "1012001"),
        ({"callerNum": A, "relationNum": X}, "1010002"),
        ({"callerNum": "13800000021", "calleeNum": B}, "1010002"),
        ({"callerNum": A, "calleeNum": A, "relationNum": X}, "1010002"),
        ({"callerNum": A, "calleeNum": B, "areaCode": "0755"}, "1012008"),
        ({"callerNum": A, "calleeNum": B, "maxDuration": 1441}, "1010002"),
        ({"callerNum": A, "calleeNum": B, "userData": "{x}"}, "1010002"),
        ({"callerNum": A, "calleeNum": B, "recordHintTone": "absent.wav"}, "1010002"),
        ({"callerNum": A, "calleeNum": B, "lastMinVoice": "w.wav"}, "1010002"),
    ],
)
async def test_axb_bind_refusals(bench: Bench, body: dict[str, Any], code: str) -> None:
    status, answer = await bench.ask("POST", AXB, json=body)
    assert (status, answer["resultcode"]) == (403, code)
    assert A not in answer["resultdesc"]


async def test_a_missing_tone_is_named_behind_the_full_stop(bench: Bench) -> None:
    body = {"callerNum": A, "calleeNum": B, "recordHintTone": "absent.wav"}
    _, answer = await bench.ask("POST", AXB, json=body)
    assert answer["resultdesc"] == "Invalid request.absent.wav does not exist."


async def test_ax_from_bind_to_unbind(bench: Bench) -> None:
    first = AX_NUMBERS[0]
    status, made = await bench.ask("POST", AX, "ax", json={"origNum": A, "privateNum": first, "calleeNumDisplay": "0"})
    assert (status, made["origNum"], made["privateNum"]) == (200, A, first)
    where = {"origNum": A, "privateNum": first}
    assert await bench.code("POST", AX, "ax", json=where) == (403, "1016002")
    assert await bench.code("POST", AX, "ax", json={"origNum": B, "privateNum": first}) == (403, "1011005")
    assert await bench.code("POST", AX, "ax", json={"origNum": B, "privateNum": X}) == (403, "1011001")
    for number in AX_NUMBERS[1:5]:
        assert await bench.code("POST", AX, "ax", json={"origNum": A, "privateNum": number}) == (200, "0")
    assert await bench.code("POST", AX, "ax", json={"origNum": A, "privateNum": AX_NUMBERS[5]}) == (403, "1011003")
    changes = {"subscriptionId": made["subscriptionId"], "maxDuration": 30, "turnFlag": "off"}
    assert await bench.code("PUT", AX, "ax", json=changes) == (200, "0")
    _, found = await bench.ask("GET", AX, "ax", params={"origNum": A})
    assert len(found["privateNumList"]) == 5
    row = found["privateNumList"][0]
    assert (row["maxDuration"], row["turnFlag"], row["calleeNumDisplay"]) == (30, "off", "0")
    assert await bench.code("PUT", CALLEE, "ax", json={"privateNum": first, "calleeNum": B}) == (200, "0")
    assert await bench.code("PUT", CALLEE, "ax", json={"privateNum": first, "calleeNum": A}) == (403, "1010002")
    assert await bench.code("PUT", CALLEE, "ax", json={"privateNum": AX_NUMBERS[7], "calleeNum": B}) == (403, "1011004")
    assert await bench.code("DELETE", AX, "ax", params={"privateNum": first}) == (200, "0")
    assert await bench.code("DELETE", AX, "ax", params={"privateNum": first}) == (403, "1011004")
    assert await bench.code("GET", AX, "ax", params={"privateNum": first}) == (403, "1016001")


async def test_who_may_call(bench: Bench) -> None:
    body = {"callerNum": A, "calleeNum": B}
    async with bench.http.post(AXB, json=body) as response:
        assert (response.status, (await response.json())["resultcode"]) == (400, "1023006")
    assert await bench.code("POST", AXB, "nobody", json=body) == (403, "1010003")
    assert await bench.code("POST", AXB, "ax", json=body) == (403, "1010040")
    assert await bench.code("POST", AXB, "off", json=body) == (403, "1010008")
    assert await bench.code("POST", AXB, "walled", json=body) == (403, "1020166")
    for _ in range(9):
        assert await bench.code("POST", AXB, secret="wrong", json=body) == (401, "1010010")
    assert await bench.code("POST", AXB, json=body) == (403, "1020176")


async def test_stopping_a_call(bench: Bench) -> None:
    assert await bench.code("POST", STOP, json={"sessionid": "live", "signal": "call_stop"}) == (200, "0")
    assert await bench.code("POST", STOP, json={"sessionid": "gone", "signal": "call_stop"}) == (403, "1016001")
    assert await bench.code("POST", STOP, json={"sessionid": "live"}) == (403, "1010002")
    assert bench.stopped == [("axb", "live"), ("axb", "gone")]


async def test_every_failure_is_json(bench: Bench) -> None:
    assert await bench.code("GET", "/rest/nowhere") == (404, "1010002")
    assert await bench.code("GET", STOP + "/") == (404, "1010002")
    assert await bench.code("PATCH", AXB) == (405, "1010002")
    assert await bench.code("POST", AXB, data=b"{nonsense") == (403, "1010002")
    assert await bench.code("POST", AXB, data=b"x" * 70000) == (413, "1010002")
    bench.fault = RuntimeError(A)
    assert await bench.code("POST", STOP, json={"sessionid": "live", "signal": "call_stop"}) == (500, "1010001")


async def test_a_recordings_address_as_old_clients_read_it(bench: Bench) -> None:
    wav = bench.folder / "finished.wav"
    wav.write_bytes(b"RIFF....")
    await bench.recordings.put("r.wav", wav)
    row = {"name": "r.wav", "session": "s", "application": "axb", "spool": "", "state": "ready", "created_at": 0.0}
    async with writing(bench.engine) as connection:
        await connection.execute(insert(recording).values(**row, erase_at=time.time() + 1000))
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.port)
    lines = [f"{name}: {value}" for name, value in bench.headers("axb").items()]
    head = "\r\n".join(
        [f"GET {RECORD}?fileName=r.wav&recordDomain=rec HTTP/1.0", f"Host: 127.0.0.1:{bench.port}", *lines]
    )
    writer.write(head.encode() + b"\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 301 ")
    (location,) = [line[len("Location: ") :] for line in answer.split("\r\n") if line.startswith("Location: ")]
    async with bench.http.get(location) as response:
        assert (response.status, await response.read()) == (200, b"RIFF....")
        assert response.headers["Content-Length"] == "8"
        assert "X-Erase-At" in response.headers
    for spoilt in (location[:-1] + "x", location.replace("app=axb", "app=ax"), location.replace("r.wav", "q.wav")):
        async with bench.http.get(spoilt) as response:
            assert (response.status, (await response.json())["resultcode"]) == (403, "1012007")
    params = {"fileName": "r.wav", "recordDomain": "rec"}
    assert await bench.code("GET", RECORD, "ax", params=params) == (403, "1012007")
    assert await bench.code("GET", RECORD, params={"fileName": "r.wav"}) == (403, "1010002")
