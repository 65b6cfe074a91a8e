"""configs/k8s: each object against Kubernetes' schemas, and what they say beside the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.config.reading import load
from gateway.service import HANG_UP_SECONDS

ROOT = Path(__file__).parents[2]
BASE = ROOT / "configs" / "k8s"
SECRET = {
    "MASKLINE_DATABASE__URL": "postgresql+asyncpg://m:p@postgres/maskline", "MASKLINE_RECORDINGS__ACCESS_KEY": "a",
    "MASKLINE_RECORDINGS__SECRET_KEY": "s", "MASKLINE_APPLICATION__0__SECRET": "s",
}  # fmt: skip
FIELDS = {"metadata.name": "maskline-0", "status.hostIP": "192.0.2.1"}


def kustomization() -> dict[str, Any]:
    return dict(yaml.safe_load((BASE / "kustomization.yaml").read_text(encoding="utf-8")))


def objects() -> list[dict[str, Any]]:
    names = kustomization()["resources"]
    return [one for name in names for one in yaml.safe_load_all((BASE / name).read_text(encoding="utf-8"))]


@pytest.fixture
def pod() -> dict[str, Any]:
    (found,) = (one for one in objects() if one["kind"] == "StatefulSet")
    return dict(found["spec"]["template"]["spec"])


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["containers"]
    return dict(found)


def environment(container: dict[str, Any]) -> dict[str, str]:
    made = dict(SECRET)
    for one in container["env"]:
        value = one.get("value") or FIELDS[one["valueFrom"]["fieldRef"]["fieldPath"]]
        # $(NAME) is replaced only by what stands before it.
        for name in list(made):
            value = value.replace(f"$({name})", made[name])
        made[one["name"]] = value
    return made


@pytest.mark.parametrize("version", ["1.27", "1.32"])
def test_every_object_fits_the_schemas(version: str) -> None:
    kinds = []
    for one in objects():
        kubernetes_validate.validate(one, version, strict=True)
        kinds.append(one["kind"])
    assert kinds == ["StatefulSet", "Service", "Service", "PodDisruptionBudget"]
    wrong = objects()[0]
    wrong["spec"]["template"]["spec"]["hostNetwrok"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_the_node_starts_with_the_map_and_the_secret(pod: dict[str, Any], container: dict[str, Any]) -> None:
    (generated,) = kustomization()["configMapGenerator"]
    config = load(BASE / generated["files"][0], environment(container))
    assert (config.node.name, config.sip.advertised) == ("maskline-0", "192.0.2.1")
    assert config.web.listen == ("192.0.2.1", 8080)
    assert container["envFrom"] == [{"secretRef": {"name": "maskline"}}]
    text = (BASE / "kustomization.yaml").read_text(encoding="utf-8")
    assert all(f"--from-literal={name}=" in text for name in SECRET)
    assert pod["volumes"] == [{"name": "config", "configMap": {"name": generated["name"]}}]
    mounted = {one["mountPath"] for one in container["volumeMounts"]}
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert '"--config", "/etc/maskline/maskline.toml"' in dockerfile
    assert mounted == {"/etc/maskline/maskline.toml", "/var/lib/maskline"}
    uid = pod["securityContext"]["runAsUser"]
    assert f"USER {uid}:{pod['securityContext']['runAsGroup']}" in dockerfile


def test_ports_and_probes_are_those_of_the_code(pod: dict[str, Any], container: dict[str, Any]) -> None:
    config = load(BASE / "maskline.toml", environment(container))
    ports = {one["name"]: (one["protocol"], one["containerPort"], one["hostPort"]) for one in container["ports"]}
    heard = {(hop.transport.upper(), hop.port, hop.port) for hop in config.sip.listen}
    assert {ports["sip-udp"], ports["sip-tcp"]} == heard
    assert ports["api"] == ("TCP", config.web.listen[1], config.web.listen[1])
    app = (ROOT / "gateway" / "api" / "app.py").read_text(encoding="utf-8")
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "api"}
        assert f'("{path}", ' in app
    # The firewall's range in the note is the one that is set.
    text = (BASE / "kustomization.yaml").read_text(encoding="utf-8")
    low, high = config.media.ports
    assert f"UDP {low}-{high}" in text
    for service in (one for one in objects() if one["kind"] == "Service"):
        assert service["spec"]["selector"] == {"app": "maskline"}
        assert [port["targetPort"] for port in service["spec"]["ports"]] == ["api"]


def test_a_pod_drains_for_as_long_as_the_longest_call(pod: dict[str, Any], container: dict[str, Any]) -> None:
    config = load(BASE / "maskline.toml", environment(container))
    assert 0 < config.calls.longest_seconds <= config.node.drain_seconds
    wait = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    after = HANG_UP_SECONDS + 25
    assert pod["terminationGracePeriodSeconds"] >= wait + config.node.drain_seconds + after


def test_one_node_a_host_on_its_network_without_rights(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert pod["hostNetwork"] is True
    (rule,) = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert rule["labelSelector"]["matchLabels"] == {"app": "maskline"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert "cpu" not in container["resources"]["limits"]
