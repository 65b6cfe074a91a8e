"""Applications by the management API: their life, who may change what, and that the file's are the file's."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.bindings.models import Application, Mode
from tests.admin.bench import Bench


async def make(bench: Bench, **body: Any) -> Any:
    return await bench.ok("operator", "POST", "/applications", {"mode": "AXE", "enterprise": "shop", **body})


async def stored(bench: Bench, key: str) -> Application:
    found = await bench.store.application(key)
    assert found is not None
    return found


async def test_made_with_key_and_secret_of_ours(bench: Bench) -> None:
    made = await make(bench, name="Couriers", recording=True, extension_length=3, allowed_ips=["192.0.2.0/24"])
    assert (made["mode"], made["origin"], made["enabled"], made["suspended"]) == ("AXE", "api", True, False)
    found = await stored(bench, made["key"])
    assert (found.secret, found.mode, found.recording, found.extension_length) == (made["secret"], Mode.AXE, True, 3)
    assert (len(made["key"]), len(made["secret"]), found.allowed_ips) == (28, 32, ("192.0.2.0/24",))
    shown = await bench.ok("tenant", "GET", f"/applications/{made['key']}")
    assert (shown["name"], shown["settings"]["extension_length"]) == ("Couriers", 3)
    assert made["secret"] not in str(shown)
    assert made["secret"] not in str(await bench.audited("application"))


async def test_made_with_a_key_that_is_given(bench: Bench) -> None:
    made = await make(bench, key="shop-1", secret="s3cret")
    assert (made["key"], made["secret"]) == ("shop-1", "s3cret")
    again = {"mode": "AX", "key": "shop-1"}
    assert await bench.refused("operator", "POST", "/applications", again) == (409, "conflict", "key")


async def test_changed_by_the_operator(bench: Bench) -> None:
    key = (await make(bench, max_calls=5))["key"]
    body = {"max_calls": None, "hours": "08:00-22:00", "frozen": True, "name": "N"}
    shown = await bench.ok("operator", "PATCH", f"/applications/{key}", body)
    assert (shown["name"], shown["frozen"], shown["settings"]["max_calls"]) == ("N", True, None)
    found = await stored(bench, key)
    assert (found.hours, found.frozen, found.max_calls) == ("08:00-22:00", True, None)
    await bench.ok("operator", "PATCH", f"/applications/{key}", {"enabled": False})
    assert not (await stored(bench, key)).enabled
    assert (await stored(bench, key)).frozen


async def test_a_tenant_changes_what_is_of_his_service(bench: Bench) -> None:
    key = (await make(bench))["key"]
    await bench.ok("tenant", "PATCH", f"/applications/{key}", {"extension_tries": 2, "signature": "both"})
    assert (await stored(bench, key)).extension_tries == 2
    for field, value in (("max_calls", 1), ("enabled", False), ("private_callbacks", True), ("allowed_ips", [])):
        refused = await bench.refused("tenant", "PATCH", f"/applications/{key}", {field: value})
        assert refused == (403, "forbidden", field)
    assert await bench.refused("rival", "PATCH", f"/applications/{key}", {"name": "x"}) == (
        404, "not_found", "application")  # fmt: skip


async def test_settings_are_checked_as_the_file_s(bench: Bench) -> None:
    key = (await make(bench))["key"]
    for body, field in (
        ({"hours": "8-22"}, "hours"), ({"time_zone": "Mars/Olympus"}, "time_zone"), ({"extension_length": 5}, None),
        ({"tones": {"nothing": "x.wav"}}, None), ({"secret": "x"}, "secret"), ({"mode": "AX"}, "mode"),
        ({"max_calls": 0}, None), ({"status_url": "http://h/"}, "status_url"), ({"notice": None}, "notice"),
    ):  # fmt: skip
        status, code, named = await bench.refused("operator", "PATCH", f"/applications/{key}", body)
        assert (status, code) == (400, "invalid"), body
        assert field is None or named == field, body


async def test_null_is_no_state(bench: Bench) -> None:
    key = (await make(bench))["key"]
    shown = await bench.ok("operator", "PATCH", f"/applications/{key}", {"enabled": None, "frozen": None, "name": None})
    assert (shown["enabled"], shown["frozen"]) == (True, False)


async def test_only_tones_that_exist_may_be_named(bench: Bench) -> None:
    key = (await make(bench, notice="notice.wav"))["key"]
    for body, field in (
        ({"notice": "ours.wav"}, "notice"), ({"waiting": "ours.wav"}, "waiting"),
        ({"tones": {"no_binding": "ours.wav"}}, "tones.no_binding"),
    ):  # fmt: skip
        assert await bench.refused("tenant", "PATCH", f"/applications/{key}", body) == (400, "invalid", field)
        refused = await bench.refused("operator", "POST", "/applications", {"mode": "AXB", **body})
        assert refused == (400, "invalid", field)
    await bench.ok("tenant", "PATCH", f"/applications/{key}", {"waiting": "waiting.wav", "tones": {}})


async def test_a_new_secret_takes_the_old_one_s_place(bench: Bench) -> None:
    made = await make(bench)
    fresh = await bench.ok("tenant", "POST", f"/applications/{made['key']}/secret")
    assert fresh["secret"] != made["secret"]
    assert (await stored(bench, made["key"])).secret == fresh["secret"]
    for who in ("reviewer", "auditor"):
        assert (await bench.refused(who, "POST", f"/applications/{made['key']}/secret"))[0] == 403


async def test_the_file_s_application_is_changed_in_the_file(bench: Bench) -> None:
    for method, path, body in (
        ("PATCH", "/applications/file", {"name": "x"}),
        ("POST", "/applications/file/secret", None),
        ("PUT", "/applications/file/addresses", {"status_url": "http://h/"}),
    ):
        assert await bench.refused("operator", method, path, body) == (409, "conflict", "application")
    assert (await bench.ok("operator", "GET", "/applications/file"))["origin"] == "file"
    assert await bench.refused("tenant", "GET", "/applications/file") == (404, "not_found", "application")


async def test_a_start_of_the_node_leaves_them_alone(bench: Bench) -> None:
    key = (await make(bench))["key"]
    assert await bench.store.take_out([], []) == (1, 1)
    assert (await stored(bench, key)).enabled
    assert not (await stored(bench, "file")).enabled


async def test_at_most_five_for_an_enterprise_also_in_a_race(bench: Bench) -> None:
    body = {"mode": "AX", "enterprise": "shop"}
    answers = await asyncio.gather(*(bench.ask("operator", "POST", "/applications", body) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [201] * 5 + [409] * 3
    await bench.ok("operator", "PATCH", "/enterprises/shop", {"max_applications": 6})
    await bench.ok("operator", "POST", "/applications", body)
    assert await bench.refused("operator", "POST", "/applications", body) == (409, "conflict", "enterprise")


async def test_lists_are_the_actor_s(bench: Bench) -> None:
    mine, other = await make(bench), await make(bench, enterprise="other", mode="AX")
    keys = {row["key"] for row in (await bench.ok("tenant", "GET", "/applications"))["items"]}
    assert keys == {mine["key"]}
    found = await bench.ok("operator", "GET", "/applications", mode="AX")
    assert [row["key"] for row in found["items"]] == [other["key"]]
    assert len((await bench.ok("auditor", "GET", "/applications"))["items"]) == 3


async def test_moved_to_another_enterprise(bench: Bench) -> None:
    key = (await make(bench))["key"]
    await bench.ok("operator", "POST", "/enterprises/other/suspend", {"reason": "r"})
    await bench.ok("operator", "PATCH", f"/applications/{key}", {"enterprise": "other"})
    assert (await stored(bench, key)).suspended
    assert (await bench.ask("rival", "GET", f"/applications/{key}"))[0] == 200
    assert await bench.refused("operator", "PATCH", f"/applications/{key}", {"enterprise": "nobody"}) == (
        404, "not_found", "enterprise")  # fmt: skip
