"""What a call of ``maskline lab serve`` lacks is told by its keys. docs/lab.md runs the command itself."""

from __future__ import annotations

import aiohttp

from gateway.scenarios.real import RealNode
from gateway.scenarios.scenario import read_scenario
from gateway.scenarios.serving import Control


async def test_what_is_wrong_with_a_call_is_told_by_its_keys() -> None:
    node = RealNode(read_scenario({}, calls=False))
    control = Control(node)
    await control.start(0)
    async with aiohttp.ClientSession() as http:
        for body, keys in (
            ('{"from": "A", "to": "Q", "callee": {}}', ["to"]),
            ('{"from": "A", "to": "X", "callee": {"reeched": 1}}', ["callee.reeched"]),
            ("[]", [""]),
            ("{", [""]),
        ):
            async with http.post(control.url + "/calls", data=body) as answer:
                assert answer.status == 400
                assert [fault["key"] for fault in (await answer.json())["faults"]] == keys
        async with http.post(control.url + "/stop") as answer:
            assert answer.status == 200
    assert control.stopping.is_set()
    await control.stop()
    await node.__aexit__(None, None, None)
