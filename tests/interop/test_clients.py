"""Customers' programs in three languages, with the habits and quirks of the vendor's samples (privatenumber.md section
15), against a node that speaks HTTPS: every mode bound, changed, asked for and unbound; a call's events and CDR taken
by their receivers; the recording fetched.

    client.py    WSSE, local time with a Z, floats, HTTP/1.0 receiver that splits the token at commas
    client.js    AKSK, blanks behind the commas, integers and booleans
    Client.java  WSSE with dsl= for type=, local time with a Z, only strings, writeBytes, the error stream
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.lab.phone import Phase
from gateway.lab.ports import free_tcp_and_udp_port
from gateway.lab.script import Script
from tests.api.test_tls import make
from tests.integration.test_node import HOST, KEY, SECRET, A, B, Stand, X
from tests.interop.conftest import program

HERE = Path(__file__).parent / "clients"
LANGUAGES = {
    "python": ("WSSE", lambda: [sys.executable, str(HERE / "client.py")]),
    "node": ("AKSK", lambda: [program("node", "nodejs"), str(HERE / "client.js")]),
    "java": ("both", lambda: [_java(), str(HERE / "Client.java")]),
}
AXB, RECORD = "/rest/caas/relationnumber/partners/v1.0", "/rest/provision/voice/record/v1.0"
AX, CALLEE = "/rest/provision/caas/privatenumber/v1.0", "/rest/caas/privatenumber/calleenumber/v1.0"
AXE, AXYB = "/rest/caas/extendnumber/v1.0", "/rest/omp/xyrelationnumber/v1.0"
STOP = "/rest/httpsessions/callStop/v2.0"
OTHERS = {"ax": "+8617000000011", "axe": "+8617000000012", "axyb": "+8617000000013"}
EVENTS = ["callin", "callout", "alerting", "answer", "disconnect", "fee"]


def _java() -> str:
    # A runtime alone can't run a source file.
    program("javac", "default-jdk-headless")
    return program("java", "default-jdk-headless")


class Client:
    """A customer's program as a process."""

    def __init__(self) -> None:
        self.events: list[tuple[str, bool, dict[str, Any]]] = []
        self._said: asyncio.Queue[list[str]] = asyncio.Queue()
        self.changed = asyncio.Event()

    async def start(self, stack: AsyncExitStack, command: list[str], base: str, secrets: str, port: int) -> None:
        environment = {**os.environ, "TZ": "Asia/Shanghai"}
        self._process = await asyncio.create_subprocess_exec(
            *command, base, secrets, str(port), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=environment,
        )  # fmt: skip
        reader = asyncio.create_task(self._read())
        stack.push_async_callback(self._stop, reader)
        assert await self._next() == ["ready"]

    async def _stop(self, reader: asyncio.Task[None]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 5)
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await reader

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            words = line.decode().rstrip("\n").split("\t")
            if words[0] == "event":
                self.events.append((words[1], words[2].lower() == "true", json.loads(words[3])))
                self.changed.set()
            else:
                self._said.put_nowait(words)

    async def _next(self) -> list[str]:
        async with asyncio.timeout(30):
            return await self._said.get()

    def _write(self, *words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(("\t".join(words) + "\n").encode())

    async def ask(self, key: str, method: str, path: str, **fields: str) -> tuple[int, dict[str, Any]]:
        self._write("ask", key, method, path, "&".join(f"{name}={value}" for name, value in fields.items()))
        verb, status, body = await self._next()
        assert verb == "answer"
        return int(status), json.loads(body)

    async def good(self, key: str, method: str, path: str, **fields: str) -> dict[str, Any]:
        status, body = await self.ask(key, method, path, **fields)
        assert (status, body["resultcode"], body["resultdesc"]) == (200, "0", "Success"), (method, path, body)
        return body

    async def file(self, key: str, **fields: str) -> list[str]:
        self._write("file", key, "&".join(f"{name}={value}" for name, value in fields.items()))
        return (await self._next())[1:]


class ClientStand(Stand):
    """A node on HTTPS with an application of each mode that has an API, and one program that uses it."""

    async def with_client(self, language: str) -> Client:
        signature, command = LANGUAGES[language]
        port, web = free_tcp_and_udp_port(HOST), free_tcp_and_udp_port(HOST)
        certificate, key = make(self.folder / "pair", HOST)
        addresses = "".join(f'{name} = "http://{HOST}:{port}/{name[:-4]}"\n' for name in ("status_url", "fee_url"))
        settings = f'signature = "{signature}"\n'
        for mode, x in OTHERS.items():
            settings += f'[[application]]\nkey = "{mode}"\nsecret = "secret-{mode}"\nmode = "{mode.upper()}"\n'
            settings += f"{addresses}private_callbacks = true\n"
            settings += f'[[number]]\nnumber = "{x}"\narea_code = "0755"\napplication = "{mode}"\n'
        self.plan_changes = {
            "more": settings,
            "receiver": f"http://{HOST}:{port}",
            "scheme": "https",
            "web_port": web,
            "overrides": {
                "MASKLINE_WEB__CERTIFICATE": str(certificate),
                "MASKLINE_WEB__KEY": str(key),
                "MASKLINE_WEB__PUBLIC_URL": f"https://{HOST}:{web}",
            },
        }
        await self.up()
        secrets = f"{KEY}={SECRET}," + ",".join(f"{mode}=secret-{mode}" for mode in OTHERS)
        client = Client()
        await client.start(self.stack, command(), self.node.plan.base_url, secrets, port)
        return client


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[ClientStand]:
    async with AsyncExitStack() as stack:
        made = ClientStand(tmp_path, Script(tone_hz=700), Script(tone_hz=1300, answer_after=0.2, hang_up_after=4.0))
        stack.push_async_callback(made.stack.aclose)
        yield made


@pytest.mark.interop
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_customer_s_program(stand: ClientStand, language: str) -> None:
    client = await stand.with_client(language)
    await _ax(client)
    await _axe(client)
    await _axyb(client)
    name = await _axb(client)
    await _call(stand, client, name)
    await _unbind(client)


async def _axb(client: Client) -> str:
    pair = {"callerNum": A, "calleeNum": B, "relationNum": X}
    made = await client.good(KEY, "POST", AXB, **pair, duration="600", recordFlag="true", privateSms="true",
                             userData="order-7", areaCode="", remark="骑手")  # fmt: skip
    assert (made["relationNum"], made["duration"], made["userData"]) == (X, 600, "order-7")
    name: str = made["subscriptionId"]
    status, again = await client.ask(KEY, "POST", AXB, **pair)
    assert (status, again["resultcode"]) == (403, "1012010")
    assert again["resultdesc"] == f"The number {A} has been bound."
    await client.good(KEY, "PUT", AXB, subscriptionId=name, maxDuration="30")
    for wanted in ({"relationNum": X}, {"subscriptionId": name}):
        (row,) = (await client.good(KEY, "GET", AXB, **wanted))["relationNumList"]
        assert (row["subscriptionId"], row["callerNum"], row["calleeNum"], row["maxDuration"]) == (name, A, B, 30)
        assert row["recordFlag"] == "true"
    status, refused = await client.ask(KEY, "POST", AXB, callerNum=A, calleeNum="12", relationNum=X)
    assert (status, refused["resultcode"][:4]) == (403, "1010")
    return name


async def _call(stand: ClientStand, client: Client, name: str) -> None:
    stand.dial()
    await stand.until(lambda: stand.caller.phone.phase is Phase.OVER)
    async with asyncio.timeout(20):
        while not any(path == "/fee" for path, _, _ in client.events):
            client.changed.clear()
            await client.changed.wait()
    assert [body["eventType"] for _, _, body in client.events] == EVENTS
    assert all(signed for _, signed, _ in client.events)
    assert {path for path, _, _ in client.events} == {"/status", "/fee"}
    for _, _, body in client.events[:-1]:
        assert body["statusInfo"]["subscriptionId"] == name
    (cdr,) = client.events[-1][2]["feeLst"]
    assert (cdr["callerNum"], cdr["calleeNum"], cdr["fwdDstNum"], cdr["fwdDisplayNum"]) == (A, X, B, X)
    assert (cdr["recordFlag"], cdr["userData"], cdr["ulFailReason"]) == (1, "order-7", 0)
    status, size, magic = await client.file(KEY, fileName=cdr["recordObjectName"], recordDomain=cdr["recordDomain"])
    assert (status, magic) == ("301", "RIFF")
    assert int(size) > 3 * 2 * 8000
    status_, gone = await client.ask(KEY, "POST", STOP, sessionid=cdr["sessionId"], signal="call_stop")
    assert (status_ == 200) is (gone["resultcode"] == "0")


async def _unbind(client: Client) -> None:
    await client.good(KEY, "DELETE", AXB, relationNum=X)
    status, nothing = await client.ask(KEY, "GET", AXB, relationNum=X)
    assert (status, nothing["resultcode"]) == (403, "1012007")


async def _ax(client: Client) -> None:
    x = OTHERS["ax"]
    name = (await client.good("ax", "POST", AX, origNum=A, privateNum=x, calleeNumDisplay="1"))["subscriptionId"]
    await client.good("ax", "PUT", CALLEE, subscriptionId=name, calleeNum=B, validTime="600")
    await client.good("ax", "PUT", AX, subscriptionId=name, maxDuration="30")
    (row,) = (await client.good("ax", "GET", AX, privateNum=x))["privateNumList"]
    assert (row["origNum"], row["maxDuration"], row["calleeNumDisplay"]) == (A, 30, "1")
    await client.good("ax", "DELETE", AX, origNum=A, privateNum=x)
    status, nothing = await client.ask("ax", "GET", AX, privateNum=x)
    assert (status, nothing["resultcode"]) == (403, "1016001")


async def _axe(client: Client) -> None:
    x = OTHERS["axe"]
    made = await client.good("axe", "POST", AXE, bindNum=A, virtualNum=x, extendNum="0042", maxDuration="30")
    assert (made["extendNum"], made["virtualNum"]) == ("0042", x)
    await client.good("axe", "PUT", AXE, subscriptionId=made["subscriptionId"], userData="order-8")
    await client.good("axe", "GET", AXE, subscriptionId=made["subscriptionId"])
    await client.good("axe", "DELETE", AXE, subscriptionId=made["subscriptionId"])
    status, _ = await client.ask("axe", "DELETE", AXE, subscriptionId=made["subscriptionId"])
    assert status == 403


async def _axyb(client: Client) -> None:
    made = await client.good("axyb", "POST", f"{AXYB}?app_key=axyb", origNum=A, areaCode="0755")
    assert made["relationNumber"] == OTHERS["axyb"]
    name = made["subscriptionId"]
    rows = (await client.good("axyb", "GET", AXYB, app_key="axyb", subscriptionId=name))["xyRelationNumList"]
    assert [(row["bindId"], row["numA"]) for row in rows] == [(name, A)]
    await client.good("axyb", "DELETE", AXYB, app_key="axyb", subscriptionId=name)
