"""What a key makes of a text: opened again by it alone, in its place, and told from what was changed."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.vault.cipher import Cipher, VaultError, key_of

KEY = Cipher(bytes(range(32)))
OTHER = Cipher(bytes(32))
NONCE, SECOND = b"n" * 16, b"m" * 16
NUMBER = "+8613800000021"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(texts)
def test_what_is_sealed_is_opened(text: str) -> None:
    assert KEY.open_number(KEY.seal_number(text)) == text
    assert KEY.open(KEY.seal(text, "t.c", NONCE), "t.c") == text


def test_equal_numbers_have_equal_cells_and_other_values_never() -> None:
    assert KEY.seal_number(NUMBER) == KEY.seal_number(NUMBER)
    assert KEY.seal(NUMBER, "t.c", NONCE) != KEY.seal(NUMBER, "t.c", SECOND)


def test_a_cell_shows_nothing_but_its_key_and_length() -> None:
    for cell in (KEY.seal_number(NUMBER), KEY.seal(NUMBER, "t.c", NONCE)):
        id, _, rest = cell.partition(".")
        assert id == KEY.id == key_of(cell) != OTHER.id
        raw = base64.urlsafe_b64decode(rest + "=" * (-len(rest) % 4))
        assert b"8613800000021" not in raw
        assert len(cell) <= 80


def test_nobody_stays_nobody() -> None:
    assert KEY.seal_number("") == KEY.seal("", "t.c", NONCE) == KEY.open_number("") == KEY.open("", "t.c") == ""


def test_a_cell_opens_in_its_own_place_and_by_its_own_key_only() -> None:
    cell, number = KEY.seal("text", "mail.body", NONCE), KEY.seal_number(NUMBER)
    wrong = (
        lambda: KEY.open(cell, "mail.recipient"),
        lambda: KEY.open_number(cell),
        lambda: KEY.open(number, "mail.body"),
        lambda: OTHER.open(cell, "mail.body"),
        lambda: OTHER.open_number(number),
    )
    for attempt in wrong:
        with pytest.raises(VaultError) as caught:
            attempt()
        assert NUMBER not in str(caught.value)


@given(st.integers(9, 60), st.sampled_from("Ab9_-+\n."))
def test_a_changed_cell_is_told_or_the_same(place: int, character: str) -> None:
    cell = KEY.seal_number(NUMBER)
    place %= len(cell)
    changed = cell[:place] + character + cell[place + 1 :]
    try:
        opened = KEY.open_number(changed)
    except VaultError:
        return
    # base64's last character has bits that nobody reads, and its decoder passes over what is not of its alphabet.
    assert opened == NUMBER


@given(st.text(max_size=100))
def test_anything_else_is_a_vault_error(cell: str) -> None:
    for attempt in (lambda: KEY.open(cell, "t.c"), lambda: KEY.open_number(cell), lambda: key_of(cell)):
        with contextlib.suppress(VaultError):
            attempt()


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(VaultError, match="32 bytes, not 31"):
        Cipher(bytes(31))
