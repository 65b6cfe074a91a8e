"""What ships in configs/, read by the programs that it is for."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.interop.conftest import program

pytestmark = pytest.mark.interop
CONFIGS = Path(__file__).parents[2] / "configs"


def done(*command: str) -> str:
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout + made.stderr


def test_promtool_reads_the_configuration_and_every_query_of_the_dashboard(tmp_path: Path) -> None:
    promtool = program("promtool", "prometheus")
    assert "SUCCESS" in done(promtool, "check", "config", str(CONFIGS / "prometheus" / "prometheus.yml"))
    board = json.loads((CONFIGS / "grafana" / "dashboards" / "maskline.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(asked)} rules found" in done(promtool, "check", "rules", str(file))


def test_compose_reads_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine is asked: `config` only reads, checks against its schema, and prints."""
    compose = program("docker-compose", "docker-compose")
    for name in ("ADVERTISED", "POSTGRES_PASSWORD", "S3_SECRET_KEY", "GRAFANA_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    said = done(compose, "-f", str(CONFIGS / "compose.yaml"), "--profile", "homer", "config")
    assert "network_mode: host" in said
    monkeypatch.delenv("ADVERTISED")
    refused = subprocess.run(
        (compose, "-f", str(CONFIGS / "compose.yaml"), "config"), capture_output=True, text=True, check=False
    )
    assert "ADVERTISED" in refused.stderr
    assert refused.returncode != 0


def test_systemd_reads_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    unit = tmp_path / "maskline.service"
    # Nothing is installed in /opt here, and verify wants to see the program.
    text = (CONFIGS / "maskline.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/maskline/bin/maskline", "/bin/true"))
    assert "maskline.service" not in done(analyze, "verify", "--man=no", str(unit))
    # 0 is closed, 100 open; a service with no such line has 96.
    done(analyze, "security", "--offline=true", "--threshold=20", "--no-pager", str(unit))


def test_kustomize_builds_the_base() -> None:
    made = done(program("kubectl", "kubernetes-client"), "kustomize", str(CONFIGS / "k8s"))
    kinds = re.findall(r"^kind: (\w+)$", made, re.M)
    assert sorted(kinds) == ["ConfigMap", "PodDisruptionBudget", "Service", "Service", "StatefulSet"]
    # The hash in the map's name is what rolls the nodes when the file changes.
    (name,) = re.findall(r"^  name: (maskline-[a-z0-9]{10})$", made, re.M)
    assert f"name: {name}\n        name: config" in made


def test_kamailio_reads_its_configuration(kamailio: str, tmp_path: Path) -> None:
    text = (CONFIGS / "kamailio" / "kamailio.cfg").read_text(encoding="utf-8")
    file = tmp_path / "kamailio.cfg"
    file.write_text(text.replace("/etc/kamailio/", str(CONFIGS / "kamailio") + "/").replace("192.0.2.5", "127.0.0.1"))
    assert "config file ok" in done(kamailio, "-c", "-f", str(file))
