"""Counting, rows between processes, and the page that comes of them."""

from __future__ import annotations

from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.channel import Metrics, _decode, _encode
from gateway.metrics.catalog import METRICS
from gateway.metrics.page import page
from gateway.metrics.tally import MOST, Tally, gauge, words

STALL = "maskline_loop_stall_seconds"


def shown(*tallies: Tally) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = page(row for tally in tallies for row in tally.rows()).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_of_two_processes_add_up_and_sources_are_asked_when_asked() -> None:
    one, two = Tally(), Tally()
    banned = Counter({"scanner": 1})
    one.add("maskline_bans_total", "scanner", count=2)
    two.source("maskline_bans_total", lambda: words(banned))
    banned["scanner"] += 4
    two.source("maskline_ready", gauge(lambda: True))
    values = shown(one, two)
    assert values["maskline_bans_total", frozenset({("reason", "scanner")})] == 7
    assert values["maskline_ready", frozenset()] == 1


def test_a_histogram_is_added_up_bucket_by_bucket() -> None:
    tally = Tally()
    for value in (0.0005, 0.001, 0.0011, 7.0):
        tally.observe(STALL, value, "web")
    values = shown(tally)

    def upto(end: str) -> float:
        return values[STALL + "_bucket", frozenset({("process", "web"), ("le", end)})]

    assert [upto("0.001"), upto("0.005"), upto("5.0"), upto("+Inf")] == [2, 3, 3, 4]
    assert values[STALL + "_sum", frozenset({("process", "web")})] == pytest.approx(7.0026)
    assert values[STALL + "_count", frozenset({("process", "web")})] == 4


def test_what_would_be_too_many_series_is_other() -> None:
    tally = Tally()
    for index in range(MOST + 10):
        tally.add("maskline_shed_total", str(index))
    rows = {labels[0]: numbers[0] for _, labels, numbers in tally.rows()}
    assert len(rows) == MOST + 1
    assert rows["other"] == 10


def test_words_of_a_counter_are_made_harmless_and_kept_few() -> None:
    named = {"dropped Content-Length": 2, 'dropped \n"x': 1, "answered 400": 9}
    assert words(named, "dropped ") == {("content-length",): 2, ("__x",): 1}
    many = words({f"word {index}": 1 for index in range(500)})
    assert len(many) == 101
    assert many["other",] == 400


def test_the_wrong_number_of_labels_is_a_mistake_of_ours() -> None:
    tally = Tally()
    with pytest.raises(AssertionError):
        tally.add("maskline_bans_total")
    with pytest.raises(AssertionError):
        tally.observe(STALL, 1.0)
    with pytest.raises(KeyError):
        tally.add("maskline_no_such_total")


def test_every_metric_is_on_the_page_of_an_idle_node() -> None:
    lines = page([]).decode().splitlines()
    for metric in METRICS:
        assert f"# HELP {metric.name} {metric.help}" in lines
        assert f"# TYPE {metric.name} {metric.kind}" in lines


def test_rows_cross_the_channel() -> None:
    tally = Tally()
    tally.add("maskline_bans_total", "scanner")
    tally.observe(STALL, 0.1, "web")
    told = _decode(_encode(Metrics(1, tally.rows())))
    assert isinstance(told, Metrics)
    assert [(name, list(labels), numbers) for name, labels, numbers in told.rows] == tally.rows()
