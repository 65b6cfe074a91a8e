"""[IO] Columns that are sealed when the engine has a vault, and plain when it has none.

| type         | in the database           | can be searched by | used for                                |
|--------------|---------------------------|--------------------|-----------------------------------------|
| SealedNumber | the same for equal values | equality           | real numbers                            |
| Sealed       | never the same twice      | being empty        | JSON with numbers, secrets, texts, mail |

An engine without a vault pays nothing: these types then have no processors of their own. The lengths hold for plain
text; PostgreSQL's columns have none, since a cell is longer than what it holds (SQLite never looks at lengths).
Randomness (the nonces) is the only touch of the world here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Dialect, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from gateway.vault.cipher import NONCE_BYTES
from gateway.vault.keys import Vault

_ATTRIBUTE = "maskline_vault"
_Processor = Callable[[Any], Any]


def give_vault(dialect: Dialect, vault: Vault | None) -> None:
    """From now on what this dialect's engine writes is sealed."""
    setattr(dialect, _ATTRIBUTE, vault)


def vault_of(dialect: Dialect) -> Vault | None:
    """What ``give_vault`` gave."""
    found: Vault | None = getattr(dialect, _ATTRIBUTE, None)
    return found


def sealed_columns(metadata: MetaData) -> dict[Table, list[Column[str]]]:
    """The tables that have any, with these."""
    found = {table: [one for one in table.c if isinstance(one.type, _SealedType)] for table in metadata.sorted_tables}
    return {table: columns for table, columns in found.items() if columns}


class _SealedType(TypeDecorator[str]):
    impl = String
    cache_ok = True

    def __init__(self, length: int | None) -> None:
        super().__init__(length)
        self.plain_length = length

    @property
    def python_type(self) -> type[str]:
        """Cursors of pages are checked against it."""
        return str

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """See the module's text on lengths."""
        if self.plain_length is None or dialect.name == "postgresql":
            return Text()
        return String(self.plain_length)

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        """What turns a value into a cell."""
        vault = vault_of(dialect)
        return super().bind_processor(dialect) if vault is None else _unless_none(self.sealing(vault))

    def result_processor(self, dialect: Dialect, coltype: object) -> _Processor | None:
        """What turns a cell into a value."""
        vault = vault_of(dialect)
        return super().result_processor(dialect, coltype) if vault is None else _unless_none(self.opening(vault))

    def sealing(self, vault: Vault) -> Callable[[str], str]:
        """From value to cell, under the key that the vault uses then."""
        raise NotImplementedError

    def opening(self, vault: Vault) -> Callable[[str], str]:
        """From cell to value."""
        raise NotImplementedError


class SealedNumber(_SealedType):
    """See the module's table."""

    cache_ok = True

    def __init__(self, length: int = 32) -> None:
        super().__init__(length)

    def sealing(self, vault: Vault) -> Callable[[str], str]:
        """A number's."""
        return lambda text: vault.current.seal_number(text)

    def opening(self, vault: Vault) -> Callable[[str], str]:
        """A number's."""
        return lambda cell: vault.cipher_for(cell).open_number(cell) if cell else ""


class Sealed(_SealedType):
    """See the module's table. ``place`` is "table.column"."""

    cache_ok = True

    def __init__(self, place: str, length: int | None = None) -> None:
        super().__init__(length)
        self.place = place

    def sealing(self, vault: Vault) -> Callable[[str], str]:
        """A text's."""
        place = self.place
        return lambda text: vault.current.seal(text, place, os.urandom(NONCE_BYTES))

    def opening(self, vault: Vault) -> Callable[[str], str]:
        """A text's."""
        place = self.place
        return lambda cell: vault.cipher_for(cell).open(cell, place) if cell else ""


def _unless_none(process: Callable[[str], str]) -> _Processor:
    return lambda value: None if value is None else process(value)
