from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

from gateway.calls.admission import Admission, Refusal, TokenBucket
from gateway.calls.channels import Channels
from gateway.calls.settings import ExchangeSettings, ToneFiles
from tests.calls.fakes import TRUNK

OTHER = replace(TRUNK, name="other", allow=(ip_network("2001:db8::/32"), ip_network("10.0.0.0/8")), max_calls_in=1)


def admission(**limits: float) -> Admission:
    tones = ToneFiles(ringback="ringback.wav")
    settings = ExchangeSettings(
        trunks=(replace(TRUNK, calls_per_second=limits.pop("trunk_rate", None)), OTHER),
        tones=tones,
        media_host="198.51.100.1",
        spool="/spool",
        wall=lambda now: datetime.fromtimestamp(now, UTC),
        **limits,  # type: ignore[arg-type]
    )
    return Admission(settings, Channels(settings))


def test_a_source_belongs_to_the_trunk_that_allows_it() -> None:
    gate = admission()
    names = {host: trunk and trunk.name for host in HOSTS for trunk in [gate.trunk_of(host)]}
    assert names == HOSTS


HOSTS = {
    "192.0.2.77": "carrier",
    "10.9.9.9": "other",
    "::ffff:10.9.9.9": "other",
    "2001:db8::5": "other",
    "203.0.113.1": None,
    "2001:db9::5": None,
    "no address": None,
}


def test_forgetting_sources_does_not_forget_trunks() -> None:
    gate = admission()
    for number in range(5000):
        gate.trunk_of(f"203.0.{number // 250}.{number % 250}")
    assert len(gate._sources) <= 4096
    assert gate.trunk_of("192.0.2.77") is not None


def test_calls_are_limited_for_the_node_and_for_a_trunk() -> None:
    gate = admission(max_calls=2)
    assert gate.admit(OTHER, 0.0) is None
    assert gate.admit(OTHER, 0.0) == Refusal("trunk calls", 5)
    assert gate.admit(TRUNK, 0.0) is None
    assert gate.admit(TRUNK, 0.0) == Refusal("node calls", 5)
    gate.release(OTHER)
    assert gate.calls == 1
    assert gate.admit(OTHER, 0.0) is None


def test_the_rate_of_a_trunk_does_not_cost_the_node_a_token() -> None:
    gate = admission(calls_per_second=2.0, trunk_rate=1.0)
    assert gate.admit(TRUNK, 0.0) is None
    assert gate.admit(TRUNK, 0.0) == Refusal("trunk rate", 2)
    assert gate.admit(OTHER, 0.0) is None
    gate.release(OTHER)
    assert gate.admit(OTHER, 0.0) == Refusal("node rate", 1)
    assert gate.admit(OTHER, 0.5) is None
    assert gate.admit(TRUNK, 1.0) is None


def test_a_bucket_fills_no_further_than_its_burst() -> None:
    bucket = TokenBucket(4.0)
    bucket.wait(0.0)
    waits = []
    for _ in range(5):
        waits.append(bucket.wait(100.0))
        bucket.take()
    assert waits == [0.0, 0.0, 0.0, 0.0, 0.25]
