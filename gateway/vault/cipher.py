"""What a key makes of a text that is kept: AES-SIV (RFC 5297), so that a number can be looked up without being opened.

    number    <id> "." base64url( SIV(k, "number", text) )               the same text gives the same cell
    others    <id> "." base64url( nonce 16 | SIV(k, place, nonce, text) ) never the same cell twice

SIV's first 16 bytes are a keyed hash of the text, which is what a look-up by equality, a unique key or a join compares;
a number needs no second column for it. For the others a nonce may repeat without harm, which of AES-GCM's can't be said
(NIST SP 800-38D 8.3: 2^32 texts a key; a busy node writes as many in a month). ``place`` ("table.column") is authentic:
a cell that was copied to another column does not open there.

The id is derived from the key, so a key file needs no names, and a cell says which key opens it. "" stays "": it is the
tables' word for nobody.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 16
_SIV_BYTES = 16
_NUMBER = b"number"


class VaultError(OSError):
    """What is kept can't be opened, or the key for it can't be had. Names keys by id, never what was sealed."""


class Cipher:
    """One key at work."""

    def __init__(self, secret: bytes) -> None:
        """``secret``: 32 random bytes, else VaultError."""
        if len(secret) != KEY_BYTES:
            raise VaultError(f"a key has {KEY_BYTES} bytes, not {len(secret)}")
        derived = HKDF(SHA256(), 68, None, b"maskline vault 1").derive(secret)
        self.id = derived[64:].hex()
        self._siv = AESSIV(derived[:64])

    def seal_number(self, text: str) -> str:
        """A cell that is the same for the same text."""
        return self._cell(self._siv.encrypt(text.encode(), [_NUMBER])) if text else ""

    def seal(self, text: str, place: str, nonce: bytes) -> str:
        """A cell for ``place``; ``nonce``: 16 random bytes."""
        return self._cell(nonce + self._siv.encrypt(text.encode(), [place.encode(), nonce])) if text else ""

    def open_number(self, cell: str) -> str:
        """What was sealed as a number. VaultError."""
        return self._open(_raw(cell), [_NUMBER]) if cell else ""

    def open(self, cell: str, place: str) -> str:
        """What was sealed for ``place``. VaultError."""
        if not cell:
            return ""
        raw = _raw(cell)
        return self._open(raw[NONCE_BYTES:], [place.encode(), raw[:NONCE_BYTES]])

    def _cell(self, raw: bytes) -> str:
        return f"{self.id}.{urlsafe_b64encode(raw).decode('ascii').rstrip('=')}"

    def _open(self, raw: bytes, bound: list[bytes]) -> str:
        if len(raw) <= _SIV_BYTES or not bound[-1]:
            raise VaultError(f"a value that key {self.id} should open is cut short")
        try:
            return self._siv.decrypt(raw, bound).decode()
        except InvalidTag:
            raise VaultError(f"a value that key {self.id} should open was changed, or moved to another place") from None


def key_of(cell: str) -> str:
    """The id of the key that a cell was sealed under. VaultError for what is not a cell."""
    id, dot, _ = cell.partition(".")
    if not dot or len(id) != 8:
        raise VaultError("a value is not sealed, in a database that is: maskline vault rotate was never run on it")
    return id


def _raw(cell: str) -> bytes:
    text = cell.partition(".")[2]
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Error, ValueError):
        raise VaultError("a sealed value is damaged") from None
