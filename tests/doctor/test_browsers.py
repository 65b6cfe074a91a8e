"""What the doctor says of browsers as phones."""

from __future__ import annotations

import socket

import pytest

from gateway.doctor import browsers
from gateway.doctor.finding import State
from gateway.doctor.services import browsers_nat
from gateway.lab.ports import free_media_ports
from gateway.sip.hop import Hop
from tests.media.test_webrtc import HOST

WS = (Hop("ws", HOST, 5062),)


@pytest.mark.parametrize(
    ("listen", "origins", "installed", "states"),
    [
        (WS, ("https://a.example",), True, ["ok"]),
        (WS, (), True, ["failure"]),
        ((Hop("udp", HOST, 5060),), ("*",), True, ["failure"]),
        (WS, ("*",), False, ["failure", "ok"]),
    ],
)
def test_sockets(listen: tuple[Hop, ...], origins: tuple[str, ...], installed: bool, states: list[str]) -> None:
    found = browsers.sockets(listen, origins, installed=installed)
    assert [one.state for one in found] == [State[word.upper()] for word in states]
    assert all(one.hint for one in found if one.state is not State.OK)


def test_ports() -> None:
    def state(media: tuple[int, int], used: set[tuple[str, int]], *, running: bool = False) -> State:
        return browsers.port_range((30000, 30999), media, used, running=running).state

    assert state((20000, 29999), set()) is State.OK
    assert state((20000, 30000), set()) is State.FAILURE
    assert state((20000, 29999), {("udp", 30010), ("tcp", 30000)}) is State.WARNING
    assert state((20000, 29999), {("udp", 30010)}, running=True) is State.OK


def test_addresses() -> None:
    assert [one.state for one in browsers.addresses([(HOST, True), ("192.0.2.1", False)])] == [State.OK, State.FAILURE]


@pytest.mark.parametrize(
    ("shown", "seen", "state"),
    [
        ("10.0.0.2", "10.0.0.2", State.OK),
        ("10.0.0.2", "198.51.100.1", State.OK),
        ("198.51.100.1", "198.51.100.1", State.OK),
        ("198.51.100.9", "198.51.100.1", State.WARNING),
        ("10.0.0.2", None, State.WARNING),
    ],
)
def test_a_nat(shown: str, seen: str | None, state: State) -> None:
    assert browsers.nat("10.0.0.2", shown, seen, "stun.example:3478").state is state


async def test_a_server_that_does_not_answer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind((HOST, 0))
        found = await browsers_nat(HOST, HOST, free_media_ports(HOST, 1), f"{HOST}:{deaf.getsockname()[1]}")
    assert (found.state, "doesn't answer" in found.said) == (State.WARNING, True)
