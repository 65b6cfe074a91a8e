from __future__ import annotations

from gateway.lab.network import Datagram, Link, Network
from gateway.sip.hop import Hop

HERE = Hop("udp", "192.0.2.1", 5060)
THERE = Hop("udp", "192.0.2.2", 5060)


def test_a_good_way_delivers_once_after_its_delay() -> None:
    network = Network(1, Link(delay=0.05))
    network.send(b"one", HERE, THERE, 10.0)
    assert network.deadline == 10.05
    assert network.handle_timeout(10.04) == []
    assert network.handle_timeout(10.05) == [Datagram(b"one", HERE, THERE)]
    assert network.deadline is None


def arrivals(seed: int, link: Link, hop: Hop = THERE) -> list[bytes]:
    network = Network(seed, link)
    for number in range(1000):
        network.send(b"%d" % number, HERE, hop, number * 0.02)
    return [datagram.data for datagram in network.handle_timeout(100)]


def test_loss_and_doubling_are_as_often_as_said_and_repeat_from_the_seed() -> None:
    got = arrivals(3, Link(loss=0.3, duplicate=0.1))
    assert 650 < len(set(got)) < 780
    assert 40 < len(got) - len(set(got)) < 110
    assert got == arrivals(3, Link(loss=0.3, duplicate=0.1))
    assert got != arrivals(4, Link(loss=0.3, duplicate=0.1))


def test_jitter_disorders_datagrams_but_never_a_stream() -> None:
    bad = Link(jitter=0.1, loss=0.2, duplicate=0.2)
    expected = [b"%d" % number for number in range(1000)]
    assert arrivals(5, Link(jitter=0.1)) != expected
    assert sorted(arrivals(5, Link(jitter=0.1))) == sorted(expected)
    assert arrivals(5, bad, Hop("tcp", "192.0.2.2", 5060)) == expected


def test_a_single_way_may_be_cut() -> None:
    network = Network(1, link_of=lambda source, target: Link(loss=1.0) if target == THERE else None)
    network.send(b"lost", HERE, THERE, 0)
    network.send(b"there", THERE, HERE, 0)
    assert [datagram.data for datagram in network.handle_timeout(1)] == [b"there"]
    assert (network.sent, network.lost) == (2, 1)
