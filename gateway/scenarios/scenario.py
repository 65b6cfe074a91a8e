"""A scenario as it is played: read from TOML or given as tables, checked with every fault at once, each with its path.

The node that plays it has the configuration of ``Scenario.tree``: the lab's own sections, and what the file says under
[application], [config] and [numbers]. In virtual time and on a real node it is the same but for addresses.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.config.checking import contradictions
from gateway.config.reading import ConfigError, readable
from gateway.config.tree import Config
from gateway.numbers import NumberError
from gateway.scenarios import matching
from gateway.scenarios.form import CallForm, Form, MessageForm

KEY, SECRET = "lab", "lab-secret"
SECTIONS = ("calls", "events", "media", "recordings", "records", "route", "tones", "trunk")
"""What [config] may say; the others are the lab's. ``trunk`` is of every trunk."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a node listens and keeps things, and where its carriers (peer, and who may call) and the customer's server
    are."""

    sip: str
    host: str
    carriers: tuple[tuple[str, str], ...]
    folder: Path
    webhook: str
    web: str = "127.0.0.1:8080"
    ports: str = "20000-20063"


@dataclass(frozen=True, slots=True)
class Scenario:
    """``file`` "" for one that was given as tables."""

    name: str
    file: str
    form: Form

    @property
    def key(self) -> str:
        """The application's."""
        return str(self.form.application.get("key", KEY))

    @property
    def secret(self) -> str:
        """The application's."""
        return str(self.form.application.get("secret", SECRET))

    def tree(self, places: Places) -> dict[str, Any]:
        """The node's configuration."""
        form, folder = self.form, places.folder
        said = {name: dict(value) for name, value in form.config.items() if isinstance(value, Mapping)}
        common = {"health": "off"} | said.pop("trunk", {})
        trunks = [
            {"name": one.name, "peers": [peer], "allow": [allow]} | common | one.keys
            for one, (peer, allow) in zip(form.trunk, places.carriers, strict=True)
        ]
        application = {
            "key": KEY,
            "secret": SECRET,
            "mode": form.mode,
            "recording": True,
            "memory_callback": form.mode == "AX",
            "status_url": places.webhook,
            "fee_url": places.webhook,
            "private_callbacks": True,
            **({"sms": True, "sms_url": places.webhook, "sms_content": True} if form.message else {}),
            **({"sms_control_url": places.webhook} if form.message and form.answer else {}),
        }
        tree: dict[str, Any] = {
            "node": {"name": "lab", "drain_seconds": 2},
            "sip": {"listen": [places.sip], "advertised": places.host},
            "trunk": trunks,
            "route": list(form.config.get("route", ())),
            "media": {"listen": places.host, "ports": places.ports, "workers": 1},
            "web": {"listen": places.web},
            "database": {"url": f"sqlite+aiosqlite:///{folder / 'maskline.db'}"},
            "recordings": {"url": f"file://{folder / 'recordings'}", "spool": str(folder / "spool")},
            "tones": {"approved": str(folder / "tones")},
            "application": [application | form.application],
            "number": [{"number": number, "area_code": "0755", "application": self.key} for number in self.form.owned],
        }
        for name, section in said.items():
            tree[name] = tree.get(name, {}) | section
        return tree


def load_scenario(path: Path, *, calls: bool = True) -> Scenario:
    """One from its file. ConfigError lists every fault. ``calls`` False: it may have none."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([("(file)", f"can't be read: {error.strerror}")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([("(file)", f"is not TOML: {error}")]) from None
    return read_scenario(tree, path.stem, str(path), calls)


def read_scenario(tree: Mapping[str, Any], name: str = "scenario", file: str = "", calls: bool = True) -> Scenario:
    """One from its tables. ConfigError likewise."""
    try:
        form = Form.model_validate(tree)
    except ValidationError as error:
        raise ConfigError([(path, text.replace("of the configuration", "here")) for path, text in readable(error)]) \
            from None  # fmt: skip
    scenario = Scenario(form.name or name, file, form)
    found = [*_number_faults(form), *_call_faults(form), *_config_faults(scenario)]
    if calls and not (form.call or form.message):
        found.append(("call", "there must be one at least, or a message"))
    if found:
        raise ConfigError(found)
    return scenario


def read_call(tree: Mapping[str, Any], form: Form) -> CallForm:
    """One [[call]] by itself, for a node that stands. ConfigError likewise."""
    trunks = [{"name": trunk.name} for trunk in form.trunk]
    checked = read_scenario({"numbers": form.numbers, "mode": form.mode, "trunk": trunks, "call": [tree]})
    return checked.form.call[0]


def _number_faults(form: Form) -> Iterator[tuple[str, str]]:
    for name in form.numbers:
        if not name.isidentifier() or not name[0].isupper():
            yield f"numbers.{name}", "names of numbers begin with a capital letter, and hold letters, digits and _"
        try:
            form.number(name)
        except NumberError as error:
            yield f"numbers.{name}", f"must be a number like +8613800000021 ({error})"


def _call_faults(form: Form) -> Iterator[tuple[str, str]]:
    told = [(f"call[{index}]", call) for index, call in enumerate(form.call)]
    given: list[tuple[str, CallForm | MessageForm]] = [*told]
    given += [(f"message[{index}]", one) for index, one in enumerate(form.message)]
    trunks = [trunk.name for trunk in form.trunk]
    for path, call in given:
        for key, name in (("by", call.by), ("expect.by", call.expect.by)):
            if name and name not in trunks:
                yield f"{path}.{key}", f"{name!r} is no trunk here ({', '.join(trunks)})"
        for key, text in (("from", call.from_), ("to", call.to), ("expect.reached", call.expect.reached)):
            if text and not (key == "from" and text == "withheld"):
                try:
                    form.number(text)
                except NumberError:
                    names = ", ".join(form.known)
                    yield f"{path}.{key}", f"{text!r} is neither a number nor the name of one ({names})"
    for path, one in told:
        for kind, fields in one.expect.fields.items():
            for name, wanted in fields.items():
                yield from matching.faults(wanted, f"{path}.expect.fields.{kind}.{name}")
        if one.expect.talk_seconds is not None:
            yield from matching.faults(one.expect.talk_seconds, f"{path}.expect.talk_seconds")


def _config_faults(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """What the node says to its configuration, in the file's own paths."""
    wrong = False
    for name, section in scenario.form.config.items():
        if name not in SECTIONS or not isinstance(section, list if name == "route" else Mapping):
            wrong = True
            yield f"config.{name}", f"must be a table, one of {', '.join(SECTIONS)}"
    if wrong:
        return
    carriers = tuple((f"udp:192.0.2.{index}:5060", f"192.0.2.{index}/32") for index in range(len(scenario.form.trunk)))
    places = Places("udp:127.0.0.1:5060", "127.0.0.1", carriers, Path("/lab"), "http://h/")
    try:
        said = contradictions(Config.model_validate(scenario.tree(places)))
    except ValidationError as error:
        said = readable(error)
    for path, text in said:
        if path.startswith("application[0]"):
            yield path.replace("[0]", "", 1), text
        elif path.startswith("number["):
            yield "numbers", text
        elif path.startswith("trunk[") and scenario.form.virtual_only:
            yield path.replace("].", "].keys.", 1), text
        else:
            yield "config." + path.replace("trunk[0]", "trunk", 1), text
