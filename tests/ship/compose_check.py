"""The second half of ``make image-check``: configs/compose.yaml is brought up as it stands, and a call goes through it.

    compose     Debian's docker-compose, by podman's Docker API
    maskline    the image that the first half built
    postgres    Debian's, prometheus likewise; s3: moto, bucket: two commands of mc in Python (tests/ship/standin)
    judged      the order of the start, readiness, a masked call with its recording in S3, what Prometheus asks and
                watches, a stop with status 0

Not here: Grafana and Homer, which Debian has not; MinIO's own signatures. Podman's health checks are timers of systemd:
where there is none, they are run from here.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import yaml

from tests.debian import install
from tests.ship.image_check import HOME, HOST, ROOT, STORE, Contained, masked_call, run, say

STANDIN = Path(__file__).parent / "standin"
COMPOSE = ROOT / "configs" / "compose.yaml"
PROJECT = "maskline-check"
SERVICES = ("maskline", "postgres", "s3", "bucket", "prometheus")
PORTS = (5432, 8080, 9000, 9090)
ENTRY = {
    "postgres": '["/usr/local/bin/postgres.sh"]', "s3": '["/usr/local/bin/s3.sh"]', "bucket": '["mc"]',
    "prometheus": '["/usr/bin/prometheus"]',
}  # fmt: skip
# A machine may be one that gives no more than it has.
LIMITS = {"nofile": 4096, "nproc": 4096}
ENVIRONMENT = {
    "ADVERTISED": HOST, "POSTGRES_PASSWORD": "pgsecret", "S3_SECRET_KEY": "s3secret", "GRAFANA_PASSWORD": "g",
    "MASKLINE_TOML": str(HOME / "compose.toml"), "CONTAINERS_STORAGE_CONF": str(HOME / "storage.conf"),
    "CONTAINERS_CONF": str(HOME / "containers.conf"), "DOCKER_HOST": f"unix://{HOME}/podman.sock",
}  # fmt: skip


def programs() -> None:
    """What comes besides."""
    for file, package in {
        "/usr/bin/docker-compose": "docker-compose",
        "/usr/libexec/podman/catatonit": "catatonit",
        "/usr/lib/cni/dnsname": "golang-github-containernetworking-plugin-dnsname",
    }.items():
        if not os.path.exists(file):
            install(package, lambda file=file: file if os.path.exists(file) else None)  # type: ignore[misc]
    os.environ.update(ENVIRONMENT)
    storage = f'[storage]\ndriver = "overlay"\ngraphroot = "{HOME}/storage"\nrunroot = "{HOME}/run"\n'
    (HOME / "storage.conf").write_text(storage)
    limits = ", ".join(f'"{name}={value}:{value}"' for name, value in LIMITS.items())
    (HOME / "containers.conf").write_text(
        f'[containers]\ndefault_ulimits = [{limits}]\n[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n[network]\nnetwork_backend = "cni"\n'
    )
    (HOME / "override.yaml").write_text(json.dumps({"services": {"maskline": {"ulimits": LIMITS}}}))


def images() -> None:
    """Stand-ins under the names that compose.yaml has."""
    wheels, services = HOME / "standin-wheels", yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    version = os.readlink(HOME / "base" / "usr" / "bin" / "python3").removeprefix("python")
    run(sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", "--python-version", version,
        "-d", wheels, "moto[server]~=5.2")  # fmt: skip
    if "localhost/standin" not in run("buildah", *STORE, "images", "--format", "{{.Name}}"):
        run("buildah", *STORE, "bud", "--isolation", "chroot", "-v", f"{wheels}:/wheels:ro", "-t", "standin", STANDIN)
    for service, entry in ENTRY.items():
        container = run("buildah", *STORE, "from", "localhost/standin").strip()
        run("buildah", *STORE, "config", "--entrypoint", entry, "--workingdir", "/prometheus", container)
        name = services[service]["image"]
        name = f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"
        run("buildah", *STORE, "commit", "-q", "--rm", container, name)
    run("buildah", *STORE, "tag", "localhost/maskline", "docker.io/library/maskline:latest")


def compose(*words: str, check: bool = True) -> str:
    """Compose's word."""
    return run("docker-compose", "-p", PROJECT, "-f", COMPOSE, "-f", HOME / "override.yaml", *words, check=check)


class Composed(Contained):
    """A node that Compose has started, and the world around it."""

    def start(self) -> None:
        """In place of `podman run`."""
        self.plan = replace(self.plan, web_port=8080)
        file = HOME / "compose.toml"
        file.write_text(self.plan.toml(), encoding="utf-8")
        file.chmod(0o644)
        compose("down", "-v", "-t", "5", check=False)
        self.stack.callback(compose, "down", "-v", "-t", "5", check=False)


async def look_at_health() -> None:
    """As systemd's timers do."""
    while True:
        process = await asyncio.create_subprocess_exec(
            "podman", "healthcheck", "run", f"{PROJECT}_postgres_1",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        await process.wait()
        await asyncio.sleep(1)


async def judge() -> None:
    """Up, a call, down."""
    async with AsyncExitStack() as stack:
        (HOME / "podman.sock").unlink(missing_ok=True)
        service = await asyncio.create_subprocess_exec(
            "podman", "system", "service", "--time=0", ENVIRONMENT["DOCKER_HOST"], stderr=subprocess.DEVNULL
        )
        stack.callback(service.terminate)
        for _ in range(100):
            if (HOME / "podman.sock").exists():
                break
            await asyncio.sleep(0.1)
        here = await Composed(stack).up()
        looking = asyncio.create_task(look_at_health())
        stack.callback(looking.cancel)
        began = time.monotonic()
        await asyncio.to_thread(compose, "up", "-d", "--no-build", *SERVICES)
        say(f"compose: up and ready after {time.monotonic() - began:.1f} s", await here.ready())
        await masked_call(here)
        say("the recording lies in S3", "recordings/" in await text(here, "http://127.0.0.1:9000/maskline"))
        watched = ""
        for _ in range(40):
            watched = await text(here, "http://127.0.0.1:9090/api/v1/query?query=maskline_calls_total")
            if '"__name__"' in watched:
                break
            await asyncio.sleep(1)
        rules = json.loads(await text(here, "http://127.0.0.1:9090/api/v1/rules"))
        count = sum(len(group["rules"]) for group in rules["data"]["groups"])
        say(f"Prometheus has asked the node, and watches {count} alerts", '"__name__"' in watched and count > 10)
        await asyncio.to_thread(compose, "stop", "-t", "60", "maskline")
        left = json.loads(run("podman", "inspect", "--format", "{{json .State}}", f"{PROJECT}_maskline_1"))
        say(f"stop: status {left['ExitCode']}", (left["Status"], left["ExitCode"]) == ("exited", 0))


async def text(here: Contained, url: str) -> str:
    """What is answered there."""
    async with here.http.get(url) as answer:
        return await answer.text()


def main() -> None:
    """After the first half."""
    taken = []
    for port in PORTS:
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if one.connect_ex((HOST, port)) == 0:
                taken.append(port)
    say(f"ports of compose.yaml that others have: {taken or 'none'}", not taken)
    programs()
    assert shutil.which("docker-compose")
    images()
    asyncio.run(judge())


if __name__ == "__main__":
    main()
