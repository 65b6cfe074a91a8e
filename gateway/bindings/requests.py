"""What the API asks the store for: new bindings and changes. In a change, a field that is UNSET stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any, Final, Literal

from gateway.bindings.errors import NoLimit
from gateway.bindings.models import Callback, CallPolicy, Direction
from gateway.numbers import PhoneNumber


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
_Unset = Literal[Unset.UNSET]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAxb:
    """A new pair. ``x`` None: chosen by ``area_code``, or by A's own city. ``duration`` seconds, None: for ever."""

    a: PhoneNumber
    b: PhoneNumber
    x: PhoneNumber | None = None
    area_code: str = ""
    loose: bool = False
    direction: Direction = Direction.BOTH
    duration: int | None = None
    policy: CallPolicy = field(default_factory=CallPolicy)
    sms: bool = True
    user_data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAx:
    """A new AX binding."""

    a: PhoneNumber
    x: PhoneNumber | None = None
    area_code: str = ""
    loose: bool = False
    direction: Direction = Direction.BOTH
    policy: CallPolicy = field(default_factory=CallPolicy)
    sms: bool = True
    switched_on: bool = True
    show_caller: bool | None = None
    user_data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAxe:
    """A new AXE binding. ``extension`` "": chosen. ``extra``: what a query shows as it was bound."""

    a: PhoneNumber
    x: PhoneNumber | None = None
    extension: str = ""
    area_code: str = ""
    loose: bool = False
    duration: int | None = None
    policy: CallPolicy = field(default_factory=CallPolicy)
    show_caller: bool | None = None
    callback: Callback | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    user_data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAxyb:
    """An X for A. ``extra``: ``ybDuration``, the life in seconds of relations that come by themselves (0: A's)."""

    a: PhoneNumber
    area_code: str
    loose: bool = False
    direction: Direction = Direction.BOTH
    duration: int | None = None
    policy: CallPolicy = field(default_factory=CallPolicy)
    extra: Mapping[str, Any] = field(default_factory=dict)
    user_data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRelation:
    """AXYB: a Y for B. ``seconds``: its life, None for the ``ybDuration`` of ``parent``, 0 for the life of that."""

    parent: str
    b: PhoneNumber
    area_code: str = ""
    loose: bool = False
    seconds: int | None = None
    tone_for_a: str = ""
    user_data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanges:
    """Changes of a CallPolicy."""

    record: bool | _Unset = UNSET
    notice: str | _Unset = UNSET
    tone_for_a: str | _Unset = UNSET
    tone_for_others: str | _Unset = UNSET
    last_minute: str | _Unset = UNSET
    max_minutes: int | _Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class AxbChanges:
    """Changes of an AXB binding; a new ``duration`` restarts the clock (section 3.3)."""

    a: PhoneNumber | _Unset = UNSET
    b: PhoneNumber | _Unset = UNSET
    direction: Direction | _Unset = UNSET
    duration: int | _Unset | None = UNSET
    policy: PolicyChanges = field(default_factory=PolicyChanges)
    sms: bool | _Unset = UNSET
    user_data: str | _Unset | None = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class AxChanges:
    """Changes of an AX binding."""

    direction: Direction | _Unset = UNSET
    policy: PolicyChanges = field(default_factory=PolicyChanges)
    sms: bool | _Unset = UNSET
    switched_on: bool | _Unset = UNSET
    show_caller: bool | _Unset | None = UNSET
    user_data: str | _Unset | None = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class AxeChanges:
    """Changes of an AXE binding."""

    duration: int | _Unset | None = UNSET
    policy: PolicyChanges = field(default_factory=PolicyChanges)
    show_caller: bool | _Unset | None = UNSET
    callback_tone: str | _Unset = UNSET
    callback_number: PhoneNumber | _Unset | None = UNSET
    callback_seconds: int | _Unset = UNSET
    user_data: str | _Unset | None = UNSET


def changed_policy(old: CallPolicy, changes: PolicyChanges) -> CallPolicy:
    """``old`` with what ``changes`` sets. NoLimit when it sets a last-minute tone and no limit stands then."""
    names = [row.name for row in fields(changes) if getattr(changes, row.name) is not UNSET]
    new = replace(old, **{name: getattr(changes, name) for name in names})
    if "last_minute" in names and new.last_minute and not new.max_minutes:
        raise NoLimit
    return new


def given(changes: AxbChanges | AxChanges | AxeChanges, *names: str) -> dict[str, Any]:
    """Those of ``names`` that ``changes`` sets."""
    return {name: getattr(changes, name) for name in names if getattr(changes, name) is not UNSET}
