"""[IO] What a node says at the terminal when it is up: where it listens, and what to do first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from gateway.config.tree import Config, advertised
from gateway.sip.hop import Hop


def greet(config: Config, bound: Sequence[Hop], path: Path, *, phones: bool) -> None:
    """``bound``: the SIP sockets; ``path``: of the configuration; ``phones``: whether they may register."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    trunk = config.trunk[0]
    scheme = "https" if config.web.certificate else "http"
    api = f"{scheme}://{':'.join(map(str, config.web.listen))}"
    console.print(f"[bold]Maskline[/] {config.node.name}: SIP on {', '.join(map(str, bound))}; API on {api}")
    us = _ourselves()
    here = f"{advertised(config)}:{config.sip.listen[0].port}"
    x = config.number[0].number[0].e164 if config.number else "<X>"
    console.print(
        f"  point a phone or a trunk from {', '.join(map(str, trunk.sources))} at {here}, without registration,"
        f" and call an X number, e.g. sip:{x}@{here}"
    )
    if phones:
        console.print(
            "  or register phones, which then are A and B themselves:"
            f" {us} phone add --config {escape(str(path))} +8613800000021"
        )
    if phones and config.webrtc.enabled:
        console.print(
            "  or let two browser tabs call each other: sign in at"
            f" {api}/console#/phone with the token that this makes: {us} token create --config {escape(str(path))} me"
        )
    console.print(
        f"  calls to the real party go to {trunk.peers[0]} (trunk {trunk.name}); bind A, X and B by the API first"
    )
    console.print("  Ctrl-C drains; once more hangs up at once")


def _ourselves() -> str:
    """How this program was called, so that what is printed can be typed."""
    called = Path(sys.argv[0])
    return escape(str(called)) if called.name == "maskline" and not called.is_absolute() else "maskline"
