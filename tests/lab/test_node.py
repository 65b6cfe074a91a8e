from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.reading import load
from gateway.lab.node import Node, NodeError, NodePlan
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port


@pytest.fixture
def plan(tmp_path: Path) -> NodePlan:
    folder = tmp_path / 'it\'s "here"'
    folder.mkdir()
    return NodePlan(
        folder=folder,
        host="127.0.0.1",
        peer="udp:127.0.0.1:5090",
        key="demo-axb",
        secret='se"cret',
        x="+8617000000001",
        receiver="http://127.0.0.1:8000",
        sip_port=free_tcp_and_udp_port("127.0.0.1"),
        web_port=free_tcp_and_udp_port("127.0.0.1"),
        media_ports=free_media_ports("127.0.0.1"),
    )


def test_the_configuration_is_one_that_the_node_reads(plan: NodePlan) -> None:
    file = plan.folder / "demo.toml"
    file.write_text(plan.toml(), encoding="utf-8")
    config = load(file, {})
    assert config.trunk[0].peers[0].port == 5090
    assert config.media.ports == plan.media_ports
    assert config.application[0].secret.get_secret_value() == 'se"cret'
    assert config.application[0].status_url == "http://127.0.0.1:8000/status"
    assert str(plan.folder) in config.recordings.url
    assert config.recordings.retention_days == 7


async def test_a_node_that_does_not_start_says_why(plan: NodePlan) -> None:
    node = Node(plan)
    plan.overrides["MASKLINE_SIP__LISTEN"] = "nonsense"
    with pytest.raises(NodeError, match=r"the node ended with 2\n(.|\n)*sip\.listen"):
        await node.start()
    assert await node.stop() == 2


async def test_stopping_what_never_ran(plan: NodePlan) -> None:
    assert await Node(plan).stop() is None
