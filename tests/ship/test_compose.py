"""configs/compose.yaml, Prometheus' configuration and Grafana's dashboard beside what the code says."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config.reading import load
from gateway.metrics.catalog import BY_NAME
from gateway.service import HANG_UP_SECONDS

CONFIGS = Path(__file__).parents[2] / "configs"
VALUES = {"ADVERTISED": "192.0.2.1", "POSTGRES_PASSWORD": "p", "S3_SECRET_KEY": "s3cret", "GRAFANA_PASSWORD": "g"}
LOOPBACK = "127.0.0.1:"


def filled(text: str) -> str:
    """``${NAME:?word}`` and ``${NAME:-word}`` as Compose replaces them."""
    return re.sub(r"(?<!\$)\$\{(\w+)(?::([?-])([^}]*))?\}", lambda one: VALUES.get(one[1], one[3] or ""), text)


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    made = yaml.safe_load(filled((CONFIGS / "compose.yaml").read_text(encoding="utf-8")))
    volumes = set(made["volumes"])
    for service in made["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            # my.toml is the user's own copy.
            assert source in volumes or source == "./my.toml" or (CONFIGS / source).is_dir(), volume
    return dict(made["services"])


def test_the_node_starts_with_what_it_is_given(services: dict[str, dict[str, Any]]) -> None:
    node = services["maskline"]
    # A variable without a value is passed on only where the user has set it.
    config = load(CONFIGS / "maskline.toml", {k: v for k, v in node["environment"].items() if v is not None})
    assert config.database.location.startswith("postgresql+asyncpg://maskline:p@127.0.0.1:5432/")
    assert services["postgres"]["ports"] == [LOOPBACK + "5432:5432"]
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == "p"
    assert config.recordings.url == "s3://maskline/recordings"
    assert config.recordings.endpoint == "http://" + services["s3"]["ports"][0].removesuffix(":9000")
    assert services["s3"]["environment"]["MINIO_ROOT_PASSWORD"] == config.recordings.secret_key.get_secret_value()
    assert "s3/maskline" in services["bucket"]["command"][0]
    told = load(CONFIGS / "maskline.toml", {"MASKLINE_HEP__COLLECTOR": "udp:127.0.0.1:9060"})
    assert told.hep.collector is not None
    assert services["homer-collector"]["ports"] == [LOOPBACK + f"{told.hep.collector.port}:9060/udp"]


def test_the_node_is_on_the_hosts_network_unprivileged_and_drains(services: dict[str, dict[str, Any]]) -> None:
    node = services["maskline"]
    assert (node["network_mode"], node["read_only"], node["cap_drop"]) == ("host", True, ["ALL"])
    assert "ports" not in node
    drain = load(CONFIGS / "maskline.toml", {}).node.drain_seconds
    # What comes after the drain: hanging up, and 20 s for the web process to finish.
    assert int(node["stop_grace_period"].removesuffix("m")) * 60 >= drain + HANG_UP_SECONDS + 25


def test_nothing_but_sip_is_open_to_the_world(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert all(port.startswith(LOOPBACK) for port in service.get("ports", [])), name
        assert set(service.get("depends_on", {})) <= set(services)
    assert "--web.listen-address=127.0.0.1:9090" in services["prometheus"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert [name for name in services if services[name].get("profiles")] == ["homer-db", "homer-collector", "homer"]


def test_prometheus_asks_the_node_and_grafana_asks_prometheus() -> None:
    made = yaml.safe_load((CONFIGS / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert all((CONFIGS / "prometheus" / name).is_file() for name in made["rule_files"])
    web = load(CONFIGS / "maskline.toml", {}).web.listen
    assert made["scrape_configs"][0]["static_configs"][0]["targets"] == ["{}:{}".format(*web)]
    provisioning = CONFIGS / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text(encoding="utf-8"))[
        "datasources"
    ]
    assert (source["uid"], source["url"]) == ("prometheus", "http://127.0.0.1:9090")
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "maskline.yaml").read_text(encoding="utf-8"))[
        "providers"
    ]
    mounted = filled((CONFIGS / "compose.yaml").read_text(encoding="utf-8"))
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounted


def test_the_dashboard_and_the_alerts_name_metrics_and_labels_that_there_are() -> None:
    board = json.loads((CONFIGS / "grafana" / "dashboards" / "maskline.json").read_text(encoding="utf-8"))
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    rules = yaml.safe_load((CONFIGS / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    alarmed = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    for expression in asked + alarmed:
        allowed = {"instance", "le"}
        for name in re.findall(r"maskline_[a-z_]+", expression):
            metric = BY_NAME.get(re.sub(r"_(bucket|count|sum)$", "", name))
            assert metric is not None, expression
            assert (metric.kind == "histogram") == (name != metric.name), expression
            allowed |= set(metric.labels)
        inside = re.findall(r"\bby \(([^)]*)\)", expression)
        named = {label.strip() for part in inside for label in part.split(",")}
        named |= set(re.findall(r"[{,]\s*(\w+)\s*(?:=|!=|=~)\"", expression))
        assert named <= allowed, expression
    assert all(target["datasource"]["uid"] == "prometheus" for panel in panels for target in panel["targets"])
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    # Every metric that an alert watches can be looked at.
    seen = {name for text in asked for name in re.findall(r"maskline_[a-z_]+", text)}
    unseen = {name for text in alarmed for name in re.findall(r"maskline_[a-z_]+", text)} - seen
    assert {re.sub(r"_(bucket|count|sum)$", "", one) for one in unseen} <= {
        "maskline_sip_faults_total", "maskline_bans_total", "maskline_call_duration_seconds",
    }  # fmt: skip
    assert os.stat(CONFIGS / "grafana" / "dashboards" / "maskline.json").st_size < 100_000
