"""docs/metrics.md and configs/prometheus/alerts.yml say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.metrics.catalog import BY_NAME, METRICS

ROOT = Path(__file__).parent.parent.parent
DOCS = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
ALERTS = (ROOT / "configs" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
NUMBERLIKE = {"number", "caller", "callee", "x", "session", "host", "address", "application"}


def test_the_table_is_the_catalogue() -> None:
    rows = [line for line in DOCS.splitlines() if line.startswith("| `maskline_")]
    assert rows == [
        f"| `{one.name}` | {one.kind} | {' '.join(one.labels)} | {one.help} | {one.alert} |" for one in METRICS
    ]


def test_names_follow_prometheus_and_no_label_can_hold_a_number() -> None:
    assert len(BY_NAME) == len(METRICS)
    for one in METRICS:
        assert re.fullmatch(r"maskline_[a-z_]+", one.name)
        assert one.name.endswith("_total") == (one.kind == "counter")
        assert (one.kind == "histogram") == bool(one.bounds)
        assert list(one.bounds) == sorted(set(one.bounds))
        assert not NUMBERLIKE & set(one.labels)


def test_every_alert_is_fed_by_the_metrics_that_name_it_and_by_no_unknown_ones() -> None:
    fed: dict[str, set[str]] = {}
    for rule in re.split(r"- alert: ", ALERTS)[1:]:
        expression = rule[rule.index("expr:") : rule.index("labels:")]
        names = set(re.findall(r"maskline_[a-z_]+", expression))
        fed[rule.split()[0]] = {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}
    assert set().union(*fed.values()) <= set(BY_NAME)
    named: dict[str, set[str]] = {}
    for one in METRICS:
        if one.alert:
            named.setdefault(one.alert, set()).add(one.name)
    assert set(named) == set(fed)
    for alert, names in named.items():
        assert names <= fed[alert], alert
