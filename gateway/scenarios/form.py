"""The form of a scenario file: its tables and keys, each read strictly. docs/lab.md shows it from the outside.

    name, seed, mode, start              mode: the application's, AXB AX AXE AXYB X; start: when it is, in virtual time
    [numbers]                            names of numbers; those that begin with X or Y are the application's
    [application] [config]               keys of [[application]] and of the node's configuration (configs/maskline.toml)
    [network.caller] [network.callee]    how bad the way to the phones is
    [[request]]                          what the customer asks of the REST API, and when
    [[answer]]                           what his server says to the questions of X mode, one after the other
    [[trunk]]                            carriers, when there are several: the first is the one that calls come in by
    [[call]]  .caller .callee .expect    who calls whom and when, what the phones do, what must come of it
    [[message]]  .expect                 who sends whom a short message

Wherever a text is the name of a number it means that number.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.config.forms import Seconds, Section
from gateway.lab.script import Script
from gateway.numbers import PhoneNumber

NUMBERS = {
    "A": "+8613800000021", "B": "+8613800000023", "C": "+8613800000025", "X": "+8617000000001", "Y": "+8617000000002",
}  # fmt: skip
KINDS = ("callin", "collectInfo", "callout", "alerting", "answer", "disconnect", "fee")
CODECS = {"PCMA": 8, "PCMU": 0}
LONGEST = 3600.0


Hertz = Annotated[int, Field(ge=100, le=3900)]
Share = Annotated[float, Field(ge=0, lt=1)]
Kind = Literal["callin", "collectInfo", "callout", "alerting", "answer", "disconnect", "fee"]


class Party(Section):
    """What either phone does. Times are seconds. ``says``: a tone of that frequency; ``silent``: no packet at all."""

    says: Hertz | None = None
    silent: bool = False
    hang_up_after: Seconds | None = None
    digits: str = Field("", pattern=r"^[0-9*#A-D]{0,64}$")
    press: Literal["event", "tone", "info"] = "event"
    digits_after_answer: Seconds = 1.0
    codecs: tuple[Literal["PCMA", "PCMU"], ...] = Field(("PCMA", "PCMU"), min_length=1)
    packet_ms: Literal[10, 20, 30, 40, 60] | None = None

    def common(self, hertz: int) -> dict[str, Any]:
        """This part of a Script."""
        return {
            "tone_hz": self.says or hertz,
            "mute": self.silent,
            "hang_up_after": self.hang_up_after,
            "digits": self.digits,
            "press": self.press,
            "digits_at": self.digits_after_answer,
            "codecs": tuple(CODECS[name] for name in self.codecs),
            "ptime": self.packet_ms,
        }


class CallerParty(Party):
    """``gives_up_after``: hangs up when nobody has answered by then. ``digits_after_dialling``: for a prompt."""

    gives_up_after: Seconds | None = None
    digits_after_dialling: Seconds | None = None

    def script(self) -> Script:
        """As a phone reads it."""
        return Script(**self.common(700), give_up_after=self.gives_up_after, early_digits_at=self.digits_after_dialling)


class CalleeParty(Party):
    """``refuses``: with that SIP status. ``early_hz``: rings by early media (183) of that tone."""

    rings: bool = True
    rings_after: Seconds = 0.2
    early_hz: Hertz | None = None
    answers: bool = True
    answers_after: Seconds = 1.0
    refuses: Annotated[int, Field(ge=400, le=699)] | None = None
    refuses_after: Seconds = 0.5

    def script(self) -> Script:
        """As a phone reads it."""
        return Script(
            **self.common(1300),
            ring_after=self.rings_after if self.rings else None,
            ringing=180 if self.early_hz is None else 183,
            early_hz=self.early_hz,
            answer_after=self.answers_after if self.answers else None,
            refuse=self.refuses or 0,
            refuse_after=self.refuses_after,
        )


class Expectation(Section):
    """What must come of a call; what isn't given isn't looked at. ``by``: the trunk that the callee was reached by;
    ``masked``: no phone sees the other's number."""

    events: tuple[Kind, ...] | None = None
    fields: dict[Kind, dict[str, Any]] = Field(default_factory=dict)
    cause: int | None = None
    status: int | None = None
    reached: str | None = None
    by: str | None = None
    talk_seconds: Any = None
    caller_hears: tuple[Hertz, ...] = ()
    callee_hears: tuple[Hertz, ...] = ()
    callee_digits: str | None = None
    masked: bool = True


class CallForm(Section):
    """One call: ``from_`` dials ``to`` at ``at`` seconds after the start. ``by``: the trunk that it comes in by."""

    from_: str = Field(alias="from")
    to: str
    at: Seconds = 0.0
    by: str = ""
    caller: CallerParty = CallerParty()
    callee: CalleeParty = CalleeParty()
    expect: Expectation = Expectation()


class MessageExpectation(Section):
    """What must come of a short message. ``result``: the notice's sendResult; ``fields``: others of the notice."""

    status: int | None = None
    reached: str | None = None
    by: str | None = None
    text: str | None = None
    result: int | None = None
    fields: dict[str, Any] = Field(default_factory=dict)
    masked: bool = True


class MessageForm(Section):
    """A short message. ``refuses``: with that SIP status the receiver's carrier does."""

    from_: str = Field(alias="from")
    to: str
    text: str = Field(min_length=1, max_length=1000)
    at: Seconds = 0.0
    by: str = ""
    refuses: Annotated[int, Field(ge=400, le=699)] | None = None
    expect: MessageExpectation = MessageExpectation()


class TrunkForm(Section):
    """A carrier. ``refuses``: whatever goes out by it, with that SIP status; ``silent``: it answers nothing. ``keys``:
    those of the node's [[trunk]]."""

    name: str = Field(min_length=1)
    refuses: Annotated[int, Field(ge=400, le=699)] | None = None
    silent: bool = False
    keys: dict[str, Any] = Field(default_factory=dict)


class RequestForm(Section):
    """One request to the REST API. ``api``: whose path; ``result``: the resultcode that must come. In the body stand
    ``@session`` for the newest call and ``@subscription`` for the newest binding."""

    api: Literal["AXB", "AX", "CALLEE", "AXE", "AXYB", "STOP"]
    method: Literal["POST", "PUT", "DELETE", "GET", ""] = ""
    body: dict[str, Any] = Field(default_factory=dict)
    at: Seconds = 0.0
    result: str = "0"


class Way(Section):
    """How bad the way between a phone and the node is; the shares are 0 to 1."""

    delay: Annotated[float, Field(ge=0, le=10)] = 0.01
    jitter: Annotated[float, Field(ge=0, le=10)] = 0.0
    loss: Share = 0.0
    duplicate: Share = 0.0


class Ways(Section):
    """Those of both sides."""

    caller: Way = Way()
    callee: Way = Way()


class Form(Section):
    """A whole file."""

    name: str = Field("", max_length=200)
    seed: int = Field(1, ge=0, le=2**31 - 1)
    mode: Literal["AXB", "AX", "AXE", "AXYB", "X"] = "AXB"
    start: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    numbers: dict[str, str] = Field(default_factory=dict)
    application: dict[str, Any] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)
    network: Ways = Ways()
    request: tuple[RequestForm, ...] = ()
    answer: tuple[dict[str, Any], ...] = ()
    trunk: tuple[TrunkForm, ...] = Field(default=(TrunkForm(name="carrier"),), min_length=1, max_length=10)
    call: tuple[CallForm, ...] = Field(default=())
    message: tuple[MessageForm, ...] = ()

    @property
    def known(self) -> dict[str, str]:
        """All names of numbers."""
        return NUMBERS | self.numbers

    @property
    def owned(self) -> list[str]:
        """The application's numbers."""
        return sorted({number for name, number in self.known.items() if name[0] in "XY"})

    @property
    def virtual_only(self) -> bool:
        """Whether there is something that no real node of the lab plays: several carriers, short messages."""
        return bool(self.message) or self.trunk != (TrunkForm(name="carrier"),)

    def trunk_index(self, name: str) -> int:
        """The place of a trunk; "": the first. ValueError."""
        return [trunk.name for trunk in self.trunk].index(name) if name else 0

    def number(self, text: str) -> PhoneNumber:
        """A number by its name, or as it stands. NumberError."""
        return PhoneNumber.parse(self.known.get(text, text))

    def shown(self, text: str) -> str:
        """``text`` with numbers replaced by their names: reports go far."""
        for name, number in self.known.items():
            text = text.replace(f"'{number}'", name).replace(number, name)
        return text

    def named(self, value: Any) -> Any:
        """``value`` with the names of numbers in it replaced by them."""
        if isinstance(value, str):
            return self.known.get(value, value)
        if isinstance(value, Mapping):
            return {key: self.named(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.named(inner) for inner in value]
        return value
