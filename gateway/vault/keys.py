"""[IO] The key file, and the keys of a process.

One key a line: base64 of 32 random bytes; what follows a "#" is a remark. The newest is the last. Which of them is in
use is written in the database (guard.py), not here: the file may be copied to every node before any uses a new key.
"""

from __future__ import annotations

import base64
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

from gateway.vault.cipher import KEY_BYTES, Cipher, VaultError, key_of

_OTHERS = stat.S_IRWXO


def read_keys(path: Path) -> dict[str, Cipher]:
    """The file's keys by id, in its order. VaultError."""
    found = _parse(path)
    if not found:
        raise VaultError(f"{path}: holds no key: maskline vault new-key {path}")
    return found


def _parse(path: Path) -> dict[str, Cipher]:
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii")
    except OSError as error:
        raise VaultError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise VaultError(f"{path}: is not a key file") from None
    if mode & _OTHERS:
        raise VaultError(f"{path}: everybody on the machine may read it: chmod 600 {path}")
    found: dict[str, Cipher] = {}
    for place, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if word:
            try:
                cipher = Cipher(base64.b64decode(word, validate=True))
            except ValueError:
                raise VaultError(f"{path}: line {place} is not base64") from None
            except VaultError as error:
                raise VaultError(f"{path}: line {place}: {error}") from None
            found[cipher.id] = cipher
    return found


def add_key(path: Path) -> Cipher:
    """Make a key and write it behind the others, into a file that only its owner reads. VaultError."""
    secret = os.urandom(KEY_BYTES)
    cipher = Cipher(secret)
    remark = f"{cipher.id}, made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    try:
        before = ""
        if path.exists():
            _parse(path)
            before = path.read_text(encoding="ascii")
        if before and not before.endswith("\n"):
            before += "\n"
        # Written whole beside it, then renamed: a key file that is cut short is a lost database.
        beside = path.with_name(path.name + ".new")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(f"{before}{base64.b64encode(secret).decode('ascii')}  # {remark}\n")
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            _like(path, beside)
        beside.replace(path)
    except VaultError:
        raise
    except OSError as error:
        raise VaultError(f"{path}: {error.strerror}") from None
    return cipher


def _like(path: Path, beside: Path) -> None:
    """The service's user must be able to read what root has added to."""
    there = path.stat()
    os.chmod(beside, stat.S_IMODE(there.st_mode))
    if os.geteuid() == 0:
        os.chown(beside, there.st_uid, there.st_gid)


class Vault:
    """The keys of a process, and the one that it seals with: the database's (guard.py)."""

    def __init__(self, path: Path) -> None:
        """VaultError when the file can't be used."""
        self.path = path
        self.keys = read_keys(path)
        self._current: Cipher | None = None
        self.checked_at = float("-inf")
        """When the guard last compared, by the monotonic clock."""

    @property
    def newest(self) -> Cipher:
        """The file's last key."""
        return list(self.keys.values())[-1]

    @property
    def current(self) -> Cipher:
        """The key to seal with. VaultError before the guard has asked the database."""
        if self._current is None:
            raise VaultError("the database was not asked for its key yet")
        return self._current

    @property
    def current_id(self) -> str | None:
        """Its id; None before the guard has asked."""
        return None if self._current is None else self._current.id

    def use(self, id: str) -> bool:
        """Seal with this key from now on; whether that is another one than before. VaultError: not in the file."""
        if self._current is not None and self._current.id == id:
            return False
        self._current = self._key(id)
        return True

    def cipher_for(self, cell: str) -> Cipher:
        """The key that opens a cell. VaultError."""
        return self._key(key_of(cell))

    def _key(self, id: str) -> Cipher:
        found = self.keys.get(id)
        if found is None:
            # Somebody may have added it since.
            self.keys = read_keys(self.path)
            found = self.keys.get(id)
        if found is None:
            raise VaultError(f"{self.path}: key {id} is not in it, and something is sealed under that")
        return found
