"""The store's tests on OpenStack Swift, which checks signatures, digests and part sizes (moto's server takes any):

    python -m pytest tests/bench/swift_trial.py

Not a part of ``make test``: Debian's packages are sixty, installed when absent (root). One process of each kind, one
copy, in a folder of the run; ``Served.client`` is Amazon's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from media.recording.multipart import note_of
from media.recording.s3 import S3Access, StoreError
from media.recording.store import RecordingStore
from tests.interop.conftest import program
from tests.media.recording.test_store_s3 import (  # noqa: F401
    PART,
    store,
    test_a_kill_in_mid_upload_costs_the_parts_under_way,
    test_a_large_one_goes_in_parts,
    test_a_line_that_breaks_leaves_no_object,
    test_a_note_is_believed_of_its_own_upload_only,
    test_a_recording_is_kept_read_and_erased,
    test_an_address_of_the_store_gives_the_recording,
    test_no_bucket_and_no_server_are_told_without_keys,
)
from tests.s3 import BUCKET, KEYS, Served

KINDS = ("object", "container", "account")
PIPELINE = "catch_errors listing_formats cache s3api tempauth copy bulk slo dlo proxy-server"
PROXY = f"""[pipeline:main]
pipeline = {PIPELINE}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_{KEYS["access_key"].replace(":", "_")} = {KEYS["secret_key"]} .admin
[filter:cache]
use = egg:swift#memcache
"""


class Swift(Served):
    """Starts and ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._running = folder, ExitStack()
        ports = _free(5)
        for kind, port in zip(KINDS, ports, strict=False):
            self._ring(kind, port)
            self._write(
                kind, port, f"[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n"
            )
        others = (name for name in PIPELINE.split()[:-1] if f"[filter:{name}]" not in PROXY)
        filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in others)
        self._write("proxy", ports[3], f"{PROXY}memcache_servers = 127.0.0.1:{ports[4]}\n{filters}")
        (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = a\n")
        (folder / "d1").mkdir()
        try:
            self._up(ports)
        except BaseException:
            self.stop()
            raise
        super().__init__("127.0.0.1", ports[3])

    def _up(self, ports: list[int]) -> None:
        self._start("memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(ports[4]), "-U", "0")
        for kind in (*KINDS, "proxy"):
            self._start(f"swift-{kind}-server", str(self._folder / f"{kind}.conf"))
        for port in ports:
            _wait(port)

    def stop(self) -> None:
        self._running.close()

    def _ring(self, kind: str, port: int) -> None:
        builder = str(self._folder / f"{kind}.builder")
        for words in (("create", "4", "1", "0"), ("add", f"r1z1-127.0.0.1:{port}/d1", "1"), ("rebalance",)):
            subprocess.run(["swift-ring-builder", builder, *words], check=True, stdout=subprocess.DEVNULL)

    def _write(self, kind: str, port: int, rest: str) -> None:
        (self._folder / f"{kind}.conf").write_text(
            f"[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\nuser = root\nmount_check = false\n"
            f"swift_dir = {self._folder}\ndevices = {self._folder}\n{rest}"
        )

    def _start(self, *command: str) -> None:
        log = self._running.enter_context((self._folder / "log").open("ab"))
        environment = {**os.environ, "SWIFT_DIR": str(self._folder)}
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        self._running.callback(process.wait)
        self._running.callback(os.killpg, process.pid, signal.SIGKILL)


def _free(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def _wait(port: int) -> None:
    until = time.monotonic() + 60.0
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < until, f"nobody answers at {port}"
            time.sleep(0.1)


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    program("memcached", "memcached")
    for kind in (*KINDS, "proxy"):
        program(f"swift-{kind}-server", f"swift-{kind}")
    server = Swift(tmp_path_factory.mktemp("swift"))
    yield server
    server.stop()


@pytest.fixture
def s3(swift: Swift) -> Swift:
    swift.empty()
    return swift


async def test_an_upload_that_the_bucket_s_rule_has_ended_begins_anew(
    tmp_path: Path,
    s3: Swift,
    store: RecordingStore,  # noqa: F811
) -> None:
    path = tmp_path / "a"
    path.write_bytes(os.urandom(2 * PART))
    where = {"Bucket": BUCKET, "Key": "node/1/a.wav"}
    upload = s3.client.create_multipart_upload(**where)["UploadId"]
    s3.client.abort_multipart_upload(**where, UploadId=upload)
    about = {"upload": upload, "sha256": _hash(path), "part": PART}
    note_of(path).write_text(json.dumps(about) + '\n{"n": 1, "etag": "x"}')
    with pytest.raises(StoreError, match="NoSuchUpload"):
        await store.put("a.wav", path)
    await store.put("a.wav", path)
    assert s3.names() == ["node/1/a.wav"]


async def test_a_wrong_key_is_refused(tmp_path: Path, s3: Swift) -> None:
    wrong = S3Access(endpoint=s3.endpoint, access_key=KEYS["access_key"], secret_key="wrong")
    for size in (100, 2 * PART):
        (tmp_path / "a").write_bytes(bytes(size))
        with pytest.raises(StoreError):
            await RecordingStore(f"s3://{BUCKET}", wrong, part=PART).put("a.wav", tmp_path / "a")


async def test_a_link_ends_and_nothing_in_it_can_be_changed(tmp_path: Path, store: RecordingStore) -> None:  # noqa: F811
    (tmp_path / "a").write_bytes(b"sound")
    await store.put("a.wav", tmp_path / "a")
    await store.put("b.wav", tmp_path / "a")
    short, other = await store.link("a.wav", 1), await store.link("a.wav", 60)
    assert short is not None
    assert other is not None
    await asyncio.sleep(3.0)
    for address in (short, other.replace("a.wav", "b.wav"), other.replace("Expires=60", "Expires=600")):
        with pytest.raises(urllib.error.HTTPError) as told:
            await asyncio.to_thread(urllib.request.urlopen, address)
        assert told.value.code == 403


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
