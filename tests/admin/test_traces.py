"""/v1/traces: who may switch, who may read, who may see numbers, and what the audit log says of it."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from gateway.database import writing
from gateway.tracing import store
from tests.admin.bench import Bench
from tests.tracing.messages import A, B
from tests.tracing.test_store import traced


@pytest.fixture
async def traces(bench: Bench) -> Bench:
    async with writing(bench.engine) as connection:
        await store.put(connection, "gw1", traced())
    return bench


async def raw(bench: Bench, who: str, path: str) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {bench.tokens[who]}"}
    async with bench.http.get(path, headers=headers) as response:
        return response.status, await response.read()


async def test_a_switch_from_on_to_off(bench: Bench) -> None:
    status, made = await bench.ask("operator", "POST", "/traces", {"number": "138 0000 0021", "minutes": 5})
    assert status == 201
    assert (made["kind"], made["value"]) == ("number", A)
    status, listed = await bench.ask("auditor", "GET", "/traces/switches")
    assert status == 200
    assert [(one["id"], one["value"]) for one in listed["items"]] == [(made["id"], "+8613*******21")]
    assert (await bench.ask("operator", "DELETE", f"/traces/switches/{made['id']}"))[0] == 204
    assert (await bench.ask("operator", "DELETE", f"/traces/switches/{made['id']}"))[0] == 404
    _, log = await bench.ask("auditor", "GET", "/audit")
    assert [row["action"] for row in log["items"][:2]] == ["trace.end", "trace.start"]
    assert A not in str(log)


@pytest.mark.parametrize(
    "body", [{}, {"number": "1", "next": 1}, {"number": "nobody"}, {"next": 1, "minutes": 0}, {"next": 100_000}]
)
async def test_what_makes_no_switch(bench: Bench, body: dict[str, Any]) -> None:
    assert (await bench.ask("operator", "POST", "/traces", body))[0] == 400


@pytest.mark.parametrize("who", ["tenant", "reviewer", "auditor"])
async def test_only_the_operator_switches(bench: Bench, who: str) -> None:
    assert (await bench.ask(who, "POST", "/traces", {"next": 1}))[0] == 403


@pytest.mark.parametrize("who", ["tenant", "reviewer"])
async def test_who_may_read(traces: Bench, who: str) -> None:
    for path in ("/traces", "/traces/call-1", "/traces/call-1/pcap", "/traces/call-1/ladder", "/traces/switches"):
        assert (await raw(traces, who, path))[0] == 403


async def test_a_trace_is_masked_until_who_has_the_right_asks(traces: Bench) -> None:
    _, listed = await traces.ask("auditor", "GET", "/traces")
    assert [(one["session"], one["node"], one["messages"]) for one in listed["items"]] == [("call-1", "gw1", 4)]
    for who in ("auditor", "operator"):
        for path in ("/traces/call-1", "/traces/call-1/ladder?full=true", "/traces/call-1/pcap"):
            status, body = await raw(traces, who, path)
            assert status == 200
            assert A[3:].encode() not in body
            assert B[3:].encode() not in body
            assert b"180 Ringing" in body
    assert (await raw(traces, "auditor", "/traces/call-1?numbers=true"))[0] == 403
    status, body = await raw(traces, "operator", "/traces/call-1/pcap?numbers=true")
    assert status == 200
    assert B.encode() in body
    assert struct.unpack("<I", body[:4]) == (0xA1B2C3D4,)
    _, trace = await traces.ask("operator", "GET", "/traces/call-1", numbers="true")
    assert B in trace["messages"][2]["text"]
    assert [(one["leg"], one["sent"]) for one in trace["messages"]][:3] == [
        ("caller", False), ("caller", True), ("callee", True),
    ]  # fmt: skip
    _, log = await traces.ask("auditor", "GET", "/audit")
    assert [(row["action"], row["subject"]) for row in log["items"][:2]] == [("trace.reveal", "call/call-1")] * 2
    assert (await raw(traces, "operator", "/traces/unknown"))[0] == 404
