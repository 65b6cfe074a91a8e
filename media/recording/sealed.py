"""A file that only the holder of a recording's data key can read: AES-256-GCM (NIST SP 800-38D) in frames.

    8 bytes   b"MLSEAL01", or b"MLSEAL02" when the file keeps its own key, which the gateway has sealed:
      u16       length of that
      bytes     it
    16 bytes  salt, random
    frames until the end of the file, each:
      u32     length of what follows; its top bit marks the last frame
      bytes   ciphertext and 16 bytes of tag

Little-endian. The key of a file is HKDF-SHA256(data key, salt, purpose), so one data key may seal any number of files
and no nonce is ever used twice: a frame's nonce is its number in the file, and whether it is the last (as in STREAM,
Hoang et al. 2015). A frame that was changed, moved or left out doesn't open. A file that is cut opens up to the last
whole frame; ``whole`` tells that from one that has come to its end.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC, KEEPING = b"MLSEAL01", b"MLSEAL02"
SALT_BYTES = 16
KEY_BYTES = 32
HEAD_BYTES = len(MAGIC) + SALT_BYTES
CHUNK = 1 << 16
_LARGEST = 1 << 24
_LAST = 1 << 31
_LENGTH = struct.Struct("<I")
_KEPT = struct.Struct("<H")
_NONCE = struct.Struct("<IQ")


class SealError(ValueError):
    """What should open doesn't: another key, or the file was changed."""


def _cipher(data_key: bytes, salt: bytes, purpose: bytes) -> AESGCM:
    if len(data_key) != KEY_BYTES or len(salt) != SALT_BYTES:
        raise ValueError("a data key has 32 bytes, a salt 16")
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt, b"maskline recording " + purpose).derive(data_key))


class Sealer:
    """Write ``head``, then frames; ``salt`` is 16 random bytes, never used before; ``kept_key``: the module's text."""

    def __init__(self, data_key: bytes, purpose: bytes, salt: bytes, kept_key: bytes = b"") -> None:
        self._cipher = _cipher(data_key, salt, purpose)
        self._frames = 0
        self.head = (KEEPING + _KEPT.pack(len(kept_key)) + kept_key if kept_key else MAGIC) + salt

    def frame(self, data: bytes, *, last: bool = False) -> bytes:
        """One more frame, of at most 16 MB."""
        sealed = self._cipher.encrypt(_NONCE.pack(last, self._frames), data, None)
        if len(sealed) > _LARGEST:
            raise ValueError("too much for one frame")
        self._frames += 1
        return _LENGTH.pack(len(sealed) | (_LAST if last else 0)) + sealed

    def all(self, pieces: Iterator[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        """A whole file, from its plain pieces."""
        yield self.head
        for piece in pieces:
            for start in range(0, len(piece), CHUNK):
                yield self.frame(bytes(piece[start : start + CHUNK]))
        yield self.frame(b"", last=True)


class Opener:
    """Feed it the file, in pieces of any size. ``whole``: the last frame has come."""

    def __init__(self, data_key: bytes, purpose: bytes) -> None:
        self._key = data_key
        self._purpose = purpose
        self._cipher: AESGCM | None = None
        self._held = bytearray()
        self._frames = 0
        self.whole = False

    def feed(self, data: bytes) -> bytes:
        """What can be opened now. SealError."""
        self._held += data
        if self._cipher is None:
            salt_at = _salt_at(self._held)
            if len(self._held) < salt_at + SALT_BYTES:
                return b""
            self._cipher = _cipher(self._key, bytes(self._held[salt_at : salt_at + SALT_BYTES]), self._purpose)
            del self._held[: salt_at + SALT_BYTES]
        return b"".join(self._frames_of(self._cipher))

    def _frames_of(self, cipher: AESGCM) -> Iterator[bytes]:
        position, held = 0, self._held
        try:
            while position + 4 <= len(held):
                (length,) = _LENGTH.unpack_from(held, position)
                last, length = length >= _LAST, length % _LAST
                if length > _LARGEST or self.whole:
                    raise SealError("a sealed file is damaged")
                if position + 4 + length > len(held):
                    return
                sealed = bytes(held[position + 4 : position + 4 + length])
                try:
                    yield cipher.decrypt(_NONCE.pack(last, self._frames), sealed, None)
                except InvalidTag:
                    raise SealError("a sealed file was changed, or has another key") from None
                self._frames += 1
                self.whole = last
                position += 4 + length
        finally:
            del held[:position]


def _salt_at(begin: bytes | bytearray) -> int:
    """Where the salt begins, as far as the file has come: what is missing makes it later. SealError."""
    magic = begin[: len(MAGIC)]
    if len(magic) == len(MAGIC) and magic not in (MAGIC, KEEPING):
        raise SealError("this is no sealed file")
    if magic != KEEPING or len(begin) < len(KEEPING) + _KEPT.size:
        return len(MAGIC)
    (length,) = _KEPT.unpack_from(begin, len(KEEPING))
    return len(KEEPING) + _KEPT.size + int(length)


def is_sealed(begin: bytes) -> bool:
    """Of a file's first bytes."""
    return begin.startswith((MAGIC, KEEPING))


def kept_key(begin: bytes) -> bytes:
    """The key that a sealed file keeps, sealed; b"" when it keeps none, or is cut before its end."""
    if not begin.startswith(KEEPING):
        return b""
    end = _salt_at(begin)
    return begin[len(KEEPING) + _KEPT.size : end] if len(begin) >= end else b""


def open_cut(raw: bytes, data_key: bytes, purpose: bytes) -> bytes:
    """All that can be opened of a file that may be cut, or damaged from some frame on; b"" when it is nothing."""
    opener, plain = Opener(data_key, purpose), bytearray()
    try:
        for start in range(0, len(raw), CHUNK):
            plain += opener.feed(raw[start : start + CHUNK])
    except SealError:
        if not plain:
            raise
    return bytes(plain)
