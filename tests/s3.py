"""An S3 server of the tests' own: moto's, over HTTP on loopback; and a line to it that can be cut or can falsify."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from media.recording.s3 import S3Access

BUCKET = "rec"
KEYS = {"access_key": "AKID:TEST", "secret_key": "no-secret"}


class Served:
    """Any S3 server on loopback, and a client of it that is not ours."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.endpoint = f"http://{host}:{port}"
        self.client: Any = boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id=KEYS["access_key"], aws_secret_access_key=KEYS["secret_key"],
        )  # fmt: skip

    def access(self, endpoint: str = "") -> S3Access:
        return S3Access(endpoint=endpoint or self.endpoint, **KEYS)

    def empty(self) -> None:
        with contextlib.suppress(self.client.exceptions.NoSuchBucket):
            for name in self.names():
                self.client.delete_object(Bucket=BUCKET, Key=name)
        with contextlib.suppress(self.client.exceptions.BucketAlreadyOwnedByYou):
            self.client.create_bucket(Bucket=BUCKET)

    def names(self) -> list[str]:
        return [one["Key"] for one in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


class S3(Served):
    """moto's."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        super().__init__(*self._server.get_host_and_port())

    def stop(self) -> None:
        self._server.stop()


class Line:
    """A TCP line to the server. ``cut_after``: bytes of requests, in all, after which every connection breaks;
    ``hold_after``: after which nothing more gets through; ``falsify``: what is replaced in answers."""

    def __init__(self, s3: Served) -> None:
        self._s3 = s3
        self.cut_after: int | None = None
        self.hold_after: int | None = None
        self.falsify: tuple[bytes, bytes] | None = None
        self.sent = 0
        self._serving: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Line:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        back, on = await asyncio.open_connection(self._s3.host, self._s3.port)

        async def there() -> None:
            while data := await reader.read(65536):
                self.sent += len(data)
                if self.cut_after is not None and self.sent > self.cut_after:
                    return
                if self.hold_after is not None and self.sent > self.hold_after:
                    await asyncio.Event().wait()
                on.write(data)
                await on.drain()

        async def here() -> None:
            while data := await back.read(65536):
                writer.write(data.replace(*self.falsify) if self.falsify else data)
                await writer.drain()

        tasks = {asyncio.ensure_future(there()), asyncio.ensure_future(here())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for end in (writer, on):
                end.close()
            await asyncio.gather(*tasks, return_exceptions=True)
