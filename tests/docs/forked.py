"""``maskline`` without the second that its imports take: a process that has them already, forked for each command.

python -m tests.docs.forked SOCKET      serves; a command inherits the caller's descriptors, folder and environment
CLIENT                                  what stands in the tests' PATH as ``maskline``
"""

from __future__ import annotations

import json
import os
import socket
import sys
from importlib import import_module
from pathlib import Path

# What commands import when they are called.
IMPORTED = (
    "alembic.command", "aiosqlite", "sqlalchemy.dialects.sqlite.aiosqlite", "sqlalchemy.ext.asyncio", "obstore.store",
    "numpy", "markdown_it", "rich.columns", "rich.markdown", "rich.panel", "rich.table", "sqlite3", "uvloop",
    "gateway.admin.tokens", "gateway.api.ledger", "gateway.assembly", "gateway.bindings.store", "gateway.cli",
    "gateway.cli_database", "gateway.doctor.rounds", "gateway.explaining", "gateway.phones.book", "gateway.phones.desk",
    "gateway.recordings.audio", "gateway.recordings.drawing", "gateway.recordings.erasing",
    "gateway.recordings.verifying", "gateway.resealing", "gateway.tracing.pcap", "gateway.tracing.store",
    "gateway.trunktest.running", "gateway.admin.traces", "gateway.scenarios.serving", "gateway.scenarios.running",
)  # fmt: skip

# Plain Python that starts in 20 ms: hands its three descriptors over, waits for the status.
CLIENT = """#!{python} -SIE
import json, os, socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect({path!r})
told = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(link, [len(told).to_bytes(4)], [0, 1, 2])
link.sendall(told)
status = link.recv(1)
sys.exit(status[0] if status else 70)
"""


def serve(path: str) -> None:
    """Until it is ended."""
    for name in IMPORTED:
        import_module(name)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(16)
    print("ready", flush=True)
    while True:
        link, _ = listening.accept()
        if os.fork():
            link.close()
            while _reap():
                pass
            continue
        if not os.fork():  # a grandchild does it; its parent, which waits for it, tells the status
            listening.close()
            _command(link)
        _, status = os.wait()
        link.sendall(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
        os._exit(0)


def _reap() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _command(link: socket.socket) -> None:
    head, descriptors, _, _ = socket.recv_fds(link, 4, 3)
    length, told = int.from_bytes(head), b""
    while len(told) < length:
        told += link.recv(length - len(told))
    words, folder, environment = json.loads(told)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["maskline", *words]
    from gateway.cli import main

    status = 1
    try:
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    Path(sys.argv[1]).unlink(missing_ok=True)
    serve(sys.argv[1])
