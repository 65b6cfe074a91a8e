from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.lab.ports import (
    PortRegister,
    beside,
    free_media_ports,
    free_tcp_and_udp_port,
    free_tcp_and_udp_ports,
    of_kernel,
)

HOST = "127.0.0.1"
BOTH = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
OTHER = """
import sys
from pathlib import Path
from socket import SOCK_DGRAM
from gateway.lab.ports import PortRegister
register = PortRegister(Path(sys.argv[1]), range(int(sys.argv[2]), int(sys.argv[3])))
print(*[port for _ in range(20) for port in register.take("127.0.0.1", 4, (SOCK_DGRAM,))], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("kernel", "ports"),
    [
        ((32768, 60999), range(10000, 32768)),
        ((10000, 50000), range(50001, 65536)),
        ((1024, 40000), range(40001, 65536)),
        ((1024, 65535), range(10000, 32768)),
    ],
)
def test_ports_lie_beside_the_kernel_s(kernel: tuple[int, int], ports: range) -> None:
    assert beside(kernel) == ports


def test_what_is_given_can_be_bound_and_is_not_the_kernel_s() -> None:
    low, high = free_media_ports(HOST, 2)
    assert (low % 2, high - low) == (0, 3)
    several = free_tcp_and_udp_ports(HOST, 3)
    port = free_tcp_and_udp_port(HOST)
    assert len({port, *several, *range(low, high + 1)}) == 8
    for one in (port, *several):
        assert one in beside(of_kernel())
        for kind in BOTH:
            with socket.socket(socket.AF_INET, kind) as bound:
                bound.bind((HOST, one))


def test_living_processes_never_get_the_same(tmp_path: Path) -> None:
    choices = free_tcp_and_udp_ports(HOST, 400)
    command = [sys.executable, "-c", OTHER, str(tmp_path / "register"), str(choices.start), str(choices.stop)]
    with ExitStack() as stack:
        others: list[set[int]] = []
        for _ in range(2):
            one = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            stack.callback(one.kill)
            assert one.stdout is not None
            others.append({int(port) for port in one.stdout.readline().split()})
        register = PortRegister(tmp_path / "register", choices)
        ours = {port for _ in range(70) for port in register.take(HOST, 4, (socket.SOCK_DGRAM,))}
        assert [len(one) for one in others] == [80, 80]
        assert others[0].isdisjoint(others[1])
        # We have gone through what they have left, and begun anew.
        assert ours == set(choices) - others[0] - others[1]
    again = {port for _ in range(100) for port in register.take(HOST, 4, (socket.SOCK_DGRAM,))}
    assert again == set(choices)


@pytest.fixture
def two() -> range:
    """Two ports that no other test has."""
    return free_tcp_and_udp_ports(HOST, 2)


def test_what_another_program_has_is_not_given(two: range, tmp_path: Path) -> None:
    register = PortRegister(tmp_path / "register", two)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((HOST, two[0]))
        assert {register.take(HOST, 1, BOTH)[0] for _ in range(4)} == {two[1]}
        with pytest.raises(OSError, match="no 2 free ports"):
            register.take(HOST, 2, BOTH)
    assert {register.take(HOST, 1, BOTH)[0] for _ in range(4)} == set(two)


def test_nor_what_a_connection_that_has_ended_still_holds(two: range, tmp_path: Path) -> None:
    register = PortRegister(tmp_path / "register", two)
    with socket.create_server((HOST, two[0])) as server, socket.create_connection((HOST, two[0])) as client:
        server.accept()[0].close()
        assert client.recv(1) == b""
    # Who closed first rests in TIME_WAIT; a node that is started again on its own port is not disturbed by it.
    assert {register.take(HOST, 1, BOTH)[0] for _ in range(4)} == {two[1]}
    socket.create_server((HOST, two[0])).close()
