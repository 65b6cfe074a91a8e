"""The description of the vendor's routes says what the handlers do: each field that they read, and no other; examples
that are accepted."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from gateway.api import ax, axb, axe, axyb, call_stop, described, policy, recordings
from gateway.api.described import FIELDS, ROUTES, operation
from tests.api.bench import AX, AXB, AXE, AXYB, STOP, Bench

CALLEE, RECORD = ax.CALLEE_PATH, recordings.PATH
PATHS = {"AXB": AXB, "AX": AX, "CALLEE": CALLEE, "AXE": AXE, "AXYB": AXYB, "STOP": STOP, "RECORD": RECORD}
READERS = {"text", "number", "required_number", "integer", "flag", "choice", "tone", "inner", "has"}
MODULES = {
    ("AXB",): (axb,), ("AX", "CALLEE"): (ax,), ("AXE",): (axe,), ("AXYB",): (axyb,), ("STOP",): (call_stop,),
    ("RECORD",): (recordings,),
}  # fmt: skip


def names_read(module: Any) -> set[str]:
    """The fields that a module's source reads by name."""
    found = set()
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if called == "user_data":
            found.add("userData")
        elif called in ("known_tone", "tone", "_seconds") or called in READERS:
            found |= set(words[-1:] if called == "known_tone" else words[:1])
    return found


RECORDING = {"recordFlag", "recordHintTone"}
POLICY = RECORDING | {"preVoice", "lastMinVoice", "maxDuration"}


def test_what_the_shared_reader_reads() -> None:
    assert names_read(policy) - {"callerHintTone", "calleeHintTone"} == POLICY
    assert set(FIELDS["preVoice"]["properties"]) == {"callerHintTone", "calleeHintTone"}


@pytest.mark.parametrize("topics", MODULES)
def test_every_field_that_is_read_is_described_and_no_other(topics: tuple[str, ...]) -> None:
    said = {name for key, route in ROUTES.items() if key.split()[0] in topics for name in route.fields}
    read = {name for module in MODULES[topics] for name in names_read(module)}
    source = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in MODULES[topics])
    read |= POLICY if "read_policy(" in source else RECORDING if "read_recording(" in source else set()
    assert said == read


def test_every_vendor_route_is_described_and_every_field_used(bench: Bench) -> None:
    assert {name for route in ROUTES.values() for name in route.fields} == set(FIELDS)


async def test_the_description_as_it_is_served(bench: Bench) -> None:
    async with bench.http.get("/openapi.json") as response:
        api = await response.json()
    assert set(api["components"]["securitySchemes"]) == {"WSSE", "AKSK"}
    for key, route in ROUTES.items():
        topic, method = key.split()
        shown = api["paths"][PATHS[topic]][method.lower()]
        named = {one["name"] for one in shown.get("parameters", [])}
        body = shown.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        assert named | set(body.get("properties", {})) == set(route.fields), key
        assert f"section {route.section}" in shown["description"]
        assert {"200", "400", "403"} <= set(shown["responses"])
    unspoken = {path for path in api["paths"] if path.startswith("/rest")} - set(PATHS.values())
    assert unspoken <= {recordings.DOWNLOAD_PATH}


ORDER = [
    *("AXB POST", "AXB PUT", "AXB GET", "AXB DELETE"),
    *("AX POST", "CALLEE PUT", "AX PUT", "AX GET", "AX DELETE"),
    *("AXE POST", "AXE PUT", "AXE GET", "AXE DELETE"),
    *("AXYB POST", "AXYB GET", "AXYB DELETE", "STOP POST"),
]


async def test_examples_are_accepted_and_answered_as_described(bench: Bench) -> None:
    name = ""
    for key in ORDER:
        topic, method = key.split()
        route = ROUTES[key]
        values = {field: name if field == "subscriptionId" else value for field, value in route.example.items()}
        mode = {"CALLEE": "ax", "STOP": "axb"}.get(topic, topic.lower())
        if topic == "AXYB" and method != "POST":
            values["app_key"] = mode
        more: dict[str, Any] = {"json": values} if method in ("POST", "PUT") else {"params": values}
        if topic == "AXYB" and method == "POST":
            more["params"] = {"app_key": mode}
        status, body = await bench.ask(method, PATHS[topic], mode, **more)
        assert (status, body["resultcode"]) == (200, "0"), (key, body)
        assert set(body) - {"resultcode", "resultdesc"} <= set(route.answered), key
        name = body.get("subscriptionId", name)


def test_schemas_are_openapi_s() -> None:
    for key, route in ROUTES.items():
        made = operation(route, key.split()[1])
        for name in route.example:
            assert name in route.fields, key
        assert all(one["schema"]["description"] for one in made["parameters"])
    assert described.SECURITY["WSSE"]["name"] == "X-WSSE"
