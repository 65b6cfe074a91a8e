"""The key file: read by its owner only, whole or not at all, and added to without a loss."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from gateway.vault.cipher import Cipher, VaultError
from gateway.vault.keys import Vault, add_key, read_keys


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def written(file: Path, text: str, mode: int = 0o600) -> Path:
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_made_key_is_read_and_the_newest_is_the_last(file: Path) -> None:
    first = add_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    second = add_key(file)
    assert list(read_keys(file)) == [first.id, second.id]
    assert Vault(file).newest.id == second.id
    assert os.listdir(file.parent) == ["keys"]


def test_adding_keeps_the_file_s_rights_and_remarks(file: Path) -> None:
    secret = base64.b64encode(b"k" * 32).decode()
    written(file, f"# ours\n\n{secret} # the first", 0o640)
    added = add_key(file)
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.read_text().startswith(f"# ours\n\n{secret} # the first\n")
    assert list(read_keys(file)) == [Cipher(b"k" * 32).id, added.id]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no key"),
        ("# nothing\n\n", "holds no key"),
        ("not base64!\n", "line 1 is not base64"),
        ("# one\nc2hvcnQ=\n", "line 2: a key has 32 bytes, not 5"),
        ("\u5bc6\u94a5", "is not a key file"),
    ],
)
def test_a_file_that_is_none(file: Path, text: str, said: str) -> None:
    before = written(file, text).read_bytes()
    with pytest.raises(VaultError, match=said):
        read_keys(file)
    if said == "holds no key":
        added = add_key(file)
        assert list(read_keys(file)) == [added.id]
    else:
        with pytest.raises(VaultError, match=said):
            add_key(file)
        assert file.read_bytes() == before


def test_a_file_that_everybody_may_read_is_refused(file: Path) -> None:
    add_key(file)
    file.chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        Vault(file)


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(VaultError, match=f"{file}: No such file"):
        Vault(file)
    with pytest.raises(VaultError, match="No such file"):
        add_key(file / "in" / "nothing")


def test_a_vault_finds_a_key_that_was_added_since(file: Path) -> None:
    add_key(file)
    vault = Vault(file)
    with pytest.raises(VaultError, match="not asked"):
        _ = vault.current
    added = add_key(file)
    assert vault.use(added.id)
    assert not vault.use(added.id)
    assert vault.current.open_number(added.seal_number("+1")) == "+1"
    third = add_key(file)
    assert vault.cipher_for(third.seal_number("+1")).id == third.id
    with pytest.raises(VaultError, match="key 01234567 is not in it"):
        vault.use("01234567")
