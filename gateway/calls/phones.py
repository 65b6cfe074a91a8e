"""Phones that register with us, so that one can *be* A or B: who they are, how they call, and how they are called.

    a REGISTER, an INVITE or a MESSAGE     from anywhere, but by whoever knows the password (gateway.sip.authenticator)
    his number                             the phone's, whatever its From says; it is its user name without the +
    whom he calls, and who calls him       as on a trunk: an X, which is all that his phone is shown
    a callee who is registered             is called at his contacts: those of the highest q at once (forking.py), then
                                           the next; by a trunk when none of them answers at all, or there is none

An address of a trunk is taken for the trunk's, unless a phone has registered from there or credentials are brought.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from itertools import groupby

from gateway.calls.settings import PhoneSettings, TrunkSettings
from gateway.calls.ways import Way
from gateway.numbers import NumberError, PhoneNumber
from gateway.sip.authenticator import Authenticator
from gateway.sip.hop import TRANSPORTS, Hop
from gateway.sip.locations import Contact
from gateway.sip.message import Request
from gateway.sip.outputs import ContactsChanged
from gateway.sip.registrar import Registrar
from gateway.sip.user_agent import UserAgent
from gateway.sip.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Phone:
    """``secrets``: its HA1 by algorithm (gateway.sip.digest)."""

    number: PhoneNumber
    secrets: Mapping[str, str]

    @property
    def user(self) -> str:
        """What is typed in as its user name."""
        return user_of(self.number)


def user_of(number: PhoneNumber) -> str:
    """The user name of a phone of that number."""
    return number.e164[1:]


class Phones:
    """All of a node. ``trunk_of``: whose an address is."""

    def __init__(
        self,
        settings: PhoneSettings,
        agent: UserAgent,
        trunk_of: Callable[[str], TrunkSettings | None],
        wall: Callable[[float], datetime],
    ) -> None:
        self.trunk = settings.trunk
        self._trunk_of = trunk_of
        self._book: dict[str, Phone] = {}
        verifier = Verifier(settings.key, settings.realm, algorithms=settings.algorithms)
        self._authenticator = Authenticator(verifier, self._secret)
        self.registrar = Registrar(
            settings.registrar, agent.wire, self._authenticator, self._record_of,
            lambda now: format_datetime(wall(now), usegmt=True),
        )  # fmt: skip
        agent.serve(self.registrar)
        reception = agent.reception
        reception.unknown = self._unknown
        for method in ("INVITE", "MESSAGE"):
            reception.doors[method] = self._authenticator.guarding(reception.doors[method], self._asks)

    def __len__(self) -> int:
        return len(self._book)

    @property
    def registered(self) -> Counter[str]:
        """Contacts by transport; those of none too, since an alert compares with what is there."""
        found = Counter(dict.fromkeys(TRANSPORTS, 0))
        found.update(self.registrar.locations.transports())
        return found

    def learn(self, phones: Iterable[Phone]) -> list[ContactsChanged]:
        """These are all phones now. One that is gone, or has another password, is nowhere until it registers again."""
        book = {phone.user: phone for phone in phones}
        changed = [user for user, phone in self._book.items() if book.get(user) != phone]
        self._book = book
        return [output for user in changed for output in self.registrar.remove(user)]

    def restore(self, user: str, contacts: Iterable[Contact], now: float) -> list[ContactsChanged]:
        """Where a phone was before a restart; what is left of that."""
        return self.registrar.restore(user, contacts if user in self._book else (), now)

    def ways(self, callee: PhoneNumber, now: float) -> list[Way]:
        """Where he is registered, in the order in which it is tried; none: nowhere."""
        contacts = self.registrar.locations.of(user_of(callee), now)
        found = []
        for _, group in groupby(contacts, key=lambda one: one.q):
            equal = list(group)
            there = replace(
                self.trunk, peers=tuple(one.hop for one in equal), contacts=tuple(one.uri for one in equal)
            )  # fmt: skip
            found.append(Way(there, 0))
        return found

    def _secret(self, user: str, algorithm: str) -> str | None:
        phone = self._book.get(user)
        return None if phone is None else phone.secrets.get(algorithm)

    def _record_of(self, name: str) -> str | None:
        try:
            return user_of(self.trunk.rules.read(name))
        except NumberError:
            return None

    def _asks(self, request: Request, source: Hop, now: float) -> bool:
        return self._unknown(source, now) or (
            self.registrar.locations.at(source, now) is not None or self._authenticator.brings_credentials(request)
        )

    def _unknown(self, source: Hop, now: float) -> bool:
        return self._trunk_of(source.host) is None and self.registrar.locations.at(source, now) is None
