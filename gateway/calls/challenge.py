"""Trunks that have to say who they are: INVITE and MESSAGE outside of dialogs from their addresses are challenged.

ACK and CANCEL never are (RFC 3261 §22.1), and what comes within a dialog belongs to an INVITE that was. The question
is put without state, before there is a session, and in front of every other thing that a door does.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.calls.settings import TrunkSettings
from gateway.sip.authenticator import Authenticator, Door, Refused, refused
from gateway.sip.digest import secret_of
from gateway.sip.hop import Hop
from gateway.sip.message import Request
from gateway.sip.outputs import Output
from gateway.sip.verifier import Verifier

CHALLENGED = ("INVITE", "MESSAGE")
TrunkOf = Callable[[str], TrunkSettings | None]


def challenge_trunks(
    trunks: tuple[TrunkSettings, ...], trunk_of: TrunkOf, doors: dict[str, Door], token: Callable[[], str]
) -> None:
    """Put the question before the doors of a user agent, where a trunk wants it."""
    guards = {trunk.name: _authenticator(trunk, token) for trunk in trunks if trunk.challenge is not None}
    for method in CHALLENGED:
        doors[method] = _guarded(doors[method], guards, trunk_of)


def _authenticator(trunk: TrunkSettings, token: Callable[[], str]) -> Authenticator:
    wanted = trunk.challenge
    assert wanted is not None
    secrets = {name: secret_of(name, wanted.user, wanted.realm, wanted.password) for name in trunk.challenge_algorithms}
    verifier = Verifier((token() + token()).encode(), wanted.realm, algorithms=trunk.challenge_algorithms)
    return Authenticator(verifier, lambda user, algorithm: secrets.get(algorithm) if user == wanted.user else None)


def _guarded(door: Door, guards: dict[str, Authenticator], trunk_of: TrunkOf) -> Door:
    def asking(request: Request, source: Hop, now: float) -> list[Output]:
        trunk = trunk_of(source.host)
        guard = None if trunk is None else guards.get(trunk.name)
        if guard is not None:
            user = guard.judge(request, 401, now)
            if isinstance(user, Refused):
                return refused(user, request, source)
        return door(request, source, now)

    return asking
