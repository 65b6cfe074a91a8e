"""The wheel holds all that the program needs, and the Dockerfile builds from what .dockerignore lets through."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

import pytest

from gateway.config.reading import load

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"


def instructions(word: str) -> list[str]:
    """What follows ``word`` in each stage, the last stage's last."""
    return [line.split(maxsplit=1)[1] for line in DOCKERFILE.splitlines() if line.startswith(word + " ")]


def sources() -> set[str]:
    """All files of the three packages but what a build or a run left, and notes for people."""
    left = ("*/__pycache__/*", "*.so", "*/README.md")
    found = (
        file.relative_to(ROOT).as_posix()
        for name in ("gateway", "maskline", "media")
        for file in (ROOT / name).rglob("*")
    )
    return {name for name in found if (ROOT / name).is_file() and not any(fnmatch(name, one) for one in left)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Built in a copy that has what the Dockerfile's first stage copies, without network."""
    folder = tmp_path_factory.mktemp("build")
    stage = DOCKERFILE[: DOCKERFILE.rindex("\nFROM ")]
    for line in re.findall(r"^COPY (.+)$", stage, re.M):
        *names, _ = line.split()
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
            else:
                shutil.copy(ROOT / name, folder)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return ZipFile(folder / done.stdout.splitlines()[-1])


def test_the_wheel_holds_every_file_of_all_packages(wheel: ZipFile) -> None:
    inside = {name for name in wheel.namelist() if name.startswith(("gateway/", "maskline/", "media/"))}
    assert inside == sources()
    for name in ("gateway/py.typed", "media/py.typed", "gateway/console/static/index.html", "media/sounds/notice.wav",
                 "gateway/console/static/js/app.js", "gateway/migrations/script.py.mako"):  # fmt: skip
        assert wheel.read(name) == (ROOT / name).read_bytes()
    assert any(name.startswith("gateway/migrations/versions/") for name in inside)


def test_the_wheel_has_the_command_and_the_licence(wheel: ZipFile) -> None:
    meta = {name.split("/", 1)[1]: name for name in wheel.namelist() if ".dist-info/" in name}
    assert "maskline = gateway.cli:main" in wheel.read(meta["entry_points.txt"]).decode()
    assert "maskline.pytest = maskline.pytest" in wheel.read(meta["entry_points.txt"]).decode()
    assert wheel.read(meta["licenses/LICENSE"]) == (ROOT / "LICENSE").read_bytes()
    assert "Provides-Extra: postgres" in wheel.read(meta["METADATA"]).decode()


def let_through(name: str) -> bool:
    """.dockerignore: the last line that fits decides."""
    kept = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.lstrip("!")
            if pattern == "*" or name == pattern or name.startswith(pattern + "/") or name.startswith(pattern + ":"):
                kept = line.startswith("!")
    return kept


def test_what_the_image_copies_is_there_and_let_through() -> None:
    copied = [name for line in instructions("COPY") if "--from=" not in line for name in line.split()[:-1]]
    assert {"gateway", "media", "configs/maskline.toml", "configs/carriers"} <= set(copied)
    for name in copied:
        assert (ROOT / name).exists(), name
        assert let_through(name), name
    assert not let_through("tests")
    assert not let_through("configs/dev.toml")


def test_the_image_is_unprivileged_stops_by_sigterm_and_asks_healthz() -> None:
    words = [pair.split("=", 1) for line in instructions("ENV") for pair in shlex.split(line)]
    environment = dict(words)
    # A MASKLINE_ variable that is no key would be refused: the image's own configuration is read with them.
    config = load(ROOT / "configs" / "maskline.toml", environment)
    assert environment["HEALTH_URL"] == "http://{}:{}/healthz".format(*config.web.listen)
    assert '"/healthz"' in (ROOT / "gateway" / "api" / "app.py").read_text(encoding="utf-8")
    assert instructions("USER")[-1] == "10001:10001"
    group, user = [shlex.split(part) for part in instructions("RUN")[-1].split("&&")]
    assert group == ["groupadd", "--gid", "10001", "maskline"]
    assert [user[0], *user[1:5], user[-1]] == ["useradd", "--uid", "10001", "--gid", "10001", "maskline"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    # Everything that is written by default is in the volume, so that the root may be read-only.
    (volume,) = instructions("VOLUME")
    written = (
        config.recordings.spool,
        config.tones.approved,
        environment["TMPDIR"],
        config.database.location,
    )
    assert all(volume in str(place) for place in written)
    assert str(config.sip.listen[0].port) + "/udp" in instructions("EXPOSE")[0]
    health = DOCKERFILE[DOCKERFILE.index("HEALTHCHECK") :].splitlines()[0]
    command = json.loads(health[health.index("CMD [") + 4 :])
    compile(command[2], "HEALTHCHECK", "exec")
