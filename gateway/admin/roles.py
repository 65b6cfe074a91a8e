"""Who may do what: a role is a row, a permission a column.

| permission         | operator | tenant | reviewer | auditor |
|--------------------|----------|--------|----------|---------|
| TOKENS             | yes      |        |          |         |
| AUDIT              | yes      |        |          | yes     |
| READ               | yes      | own    | yes      | yes     |
| MANAGE             | yes      | own    |          |         |
| OPERATE            | yes      |        |          |         |
| REVIEW             | yes      |        | yes      |         |
| RECORDS            | yes      | own    |          | yes     |
| REVEAL             | yes      | own    |          |         |

MANAGE is what a customer does with what is his: addresses, contacts, lists, orders, tones. OPERATE is what only the
operator does: enterprises, import of numbers, their state, settings that are policy. RECORDS: calls, CDRs, messages,
ledger, statistics; without REVEAL real numbers in them are masked. "own": a tenant's token belongs to one enterprise
and everything else does not exist for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from gateway.numbers import PhoneNumber


class Role(StrEnum):
    """Whose token it is."""

    OPERATOR = "operator"
    TENANT = "tenant"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"


class Permission(Enum):
    """What a request needs."""

    TOKENS = auto()
    AUDIT = auto()
    READ = auto()
    MANAGE = auto()
    OPERATE = auto()
    REVIEW = auto()
    RECORDS = auto()
    REVEAL = auto()


_P = Permission
GRANTED: dict[Role, frozenset[Permission]] = {
    Role.OPERATOR: frozenset(Permission),
    Role.TENANT: frozenset({_P.READ, _P.MANAGE, _P.RECORDS, _P.REVEAL}),
    Role.REVIEWER: frozenset({_P.READ, _P.REVIEW}),
    Role.AUDITOR: frozenset({_P.AUDIT, _P.READ, _P.RECORDS}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks: the token's id and name, its role, the enterprise of a tenant, and where the request came from.
    ``veiled``: real numbers are masked although the role may see them (a console until its user asks for them)."""

    token: str
    name: str
    role: Role
    enterprise: str | None = None
    source: str = ""
    veiled: bool = False

    def may(self, permission: Permission) -> bool:
        """Whether the role has it."""
        return permission in GRANTED[self.role] and not (self.veiled and permission is Permission.REVEAL)

    def sees(self, enterprise: str | None) -> bool:
        """Whether what belongs to ``enterprise`` (None: nobody's) exists for this actor."""
        return self.role is not Role.TENANT or (enterprise is not None and enterprise == self.enterprise)

    def shown(self, number: PhoneNumber | str) -> str:
        """A real number as this actor may see it."""
        known = number if isinstance(number, PhoneNumber) else PhoneNumber(number)
        return known.e164 if self.may(Permission.REVEAL) else known.masked
