"""The relays that the bench puts side by side, each behind one face: start, join pairs of ports, tell the CPU used."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from media import control
from tests.compiled import environment

HOST = "127.0.0.1"
RECORDING = ", recording"
COMPILED = ", compiled"
ROOT = Path(__file__).parents[2]


class Relay(Protocol):
    """``join`` takes the port of each leg's party (legs 0-1, 2-3, ... are calls) and gives the relay's for each."""

    name: str
    pid: int

    def join(self, parties: Sequence[int]) -> list[int]: ...
    def stop(self) -> None: ...


def cpu_seconds(pid: int) -> float:
    """Processor time of all threads of a process so far."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    if total:
        return total / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compiled(source: str, folder: str) -> str | None:
    """The program made of a C file beside this one, None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    target = str(Path(folder, source.removesuffix(".c")))
    made = subprocess.run([compiler, "-O2", "-o", target, str(Path(__file__).with_name(source))], check=False)
    return target if made.returncode == 0 else None


class NaiveC:
    name = "naive C relay"

    def __init__(self, program: str, legs: int) -> None:
        self._process = subprocess.Popen(
            [program, str(legs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self._ports = [int(self._process.stdout.readline()) for _ in range(legs)]

    def join(self, parties: Sequence[int]) -> list[int]:
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{port}\n" for port in parties))
        self._process.stdin.flush()
        return self._ports

    def stop(self) -> None:
        self._process.communicate()


class Maskline:
    """A media worker as the node starts it; ``machine``: the folder of one whose packet path is compiled.

    ``part``: which 2500 ports are its own, when there are several alike.
    """

    def __init__(self, legs: int, spool: str | None, machine: Path | None = None, part: int | None = None) -> None:
        self.name = "maskline worker" + (COMPILED if machine else "") + (RECORDING if spool else "")
        self._spool = spool
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.settimeout(10)
        low = 10000 + (2500 if spool else 0) + (10000 if machine else 0) if part is None else 10000 + 2500 * part
        high = low + 2499
        command = [sys.executable, "-m", "media.worker", "--control-fd", str(theirs.fileno()), "--host", HOST]
        self._process = subprocess.Popen(
            [*command, "--ports", f"{low}-{high}", "--rest", "30"], cwd=ROOT, pass_fds=[theirs.fileno()],
            env=environment(machine) if machine else None,
        )  # fmt: skip
        theirs.close()
        self.pid = self._process.pid
        self.hear(control.Ready)

    def tell(self, command: control.Command) -> None:
        """A command."""
        self._ours.send(control.encode(command))

    def hear(self, kind: type[Any]) -> Any:
        """The next report of a kind."""
        while True:
            report = control.decode_report(self._ours.recv(65536))
            if isinstance(report, kind):
                return report
            if isinstance(report, control.OpenFailed):
                raise RuntimeError(report.reason)

    def join(self, parties: Sequence[int]) -> list[int]:
        ports: list[int] = []
        for index in range(0, len(parties), 2):
            session = f"call-{index}"
            self._ours.send(control.encode(control.Open(session)))
            opened = self.hear(control.Opened)
            ports += (opened.caller_port, opened.callee_port)
            for leg in (control.CALLER, control.CALLEE):
                told = control.Connect(session=session, leg=leg, host=HOST, port=parties[index + leg], events=101)
                self._ours.send(control.encode(told))
            self._ours.send(control.encode(control.Relay(session, True, True)))
            if self._spool:
                self._ours.send(control.encode(control.Record(session, f"{self._spool}/{session}.spool")))
        return ports

    def stop(self) -> None:
        self._ours.close()
        self._process.wait(20)


class RtpEngine:
    """rtpengine in user space, told over its ng protocol (UDP, bencode)."""

    def __init__(self, program: str, recordings: str | None) -> None:
        self.name = "rtpengine" + (RECORDING if recordings else "")
        self._record = recordings is not None
        low = 17500 if recordings else 15000
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spare:
            spare.bind((HOST, 0))
            self._control = spare.getsockname()
        options = [
            *("--config-file=none", "--table=-1", f"--interface={HOST}", f"--listen-ng={HOST}:{self._control[1]}"),
            *(f"--port-min={low}", f"--port-max={low + 2499}", "--num-threads=1", "--media-num-threads=1"),
            *("--log-level=1", "--log-stderr", "--foreground"),
        ]
        if recordings:
            options += ["--recording-method=pcap", f"--recording-dir={recordings}"]
        self._process = subprocess.Popen(
            [program, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
        )
        self.pid = self._process.pid
        self._ask_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ask_socket.settimeout(0.5)
        self._cookie = 0
        for _ in range(20):
            with contextlib.suppress(OSError):
                self._ask({"command": "ping"})
                return
        self.stop()
        raise RuntimeError("rtpengine does not answer")

    def _ask(self, request: dict[str, Any]) -> bytes:
        self._cookie += 1
        self._ask_socket.sendto(f"{self._cookie} ".encode() + bencode(request), self._control)
        while True:
            cookie, _, reply = self._ask_socket.recvfrom(65536)[0].partition(b" ")
            if cookie == str(self._cookie).encode():
                return reply

    def join(self, parties: Sequence[int]) -> list[int]:
        ports: list[int] = []
        for index in range(0, len(parties), 2):
            call = {"call-id": f"call-{index}", "from-tag": "a", "ICE": "remove"}
            if self._record:
                call["record call"] = "yes"
            asked = self._ask({**call, "command": "offer", "sdp": sdp(parties[index])})
            answered = self._ask({**call, "command": "answer", "to-tag": "b", "sdp": sdp(parties[index + 1])})
            # The SDP of an offer goes to the callee: its port is the callee's side of the relay.
            ports += (audio_port(answered), audio_port(asked))
        return ports

    def stop(self) -> None:
        self._ask_socket.close()
        self._process.terminate()
        self._process.wait(20)


def sdp(port: int) -> str:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
        "a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
    )


def audio_port(reply: bytes) -> int:
    if b"m=audio " not in reply:
        raise RuntimeError(reply.decode(errors="replace"))
    return int(reply.split(b"m=audio ", 1)[1].split(b" ", 1)[0])


def bencode(value: object) -> bytes:
    """Strings and dictionaries, which is all that a request needs."""
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    text = str(value).encode()
    return str(len(text)).encode() + b":" + text


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for what the bench writes."""
    return tempfile.TemporaryDirectory(prefix="maskline-bench-", ignore_cleanup_errors=True)
