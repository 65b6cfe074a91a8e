"""[IO] The data key of a sealed recording: made for each, and kept in two places, sealed under the vault's key.

| where          | from when on              | when the vault's key is changed                              |
|----------------|---------------------------|--------------------------------------------------------------|
| its row        | the journal's next commit | it is sealed anew                                            |
| its spool file | the first byte            | it stays: the old key must be in the key file at a next start |

So a node that dies before that commit loses nothing (orphans.py).
"""

from __future__ import annotations

import base64
import os

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.vault.cipher import NONCE_BYTES, VaultError
from gateway.vault.columns import vault_of
from media.recording.sealed import KEY_BYTES

PLACE = "spool.data_key"


def make_key(engine: AsyncEngine) -> tuple[bytes, bytes]:
    """A fresh key, and what its file is to keep; that is b"" when the database has no vault. VaultError."""
    secret, vault = os.urandom(KEY_BYTES), vault_of(engine.dialect)
    if vault is None:
        return secret, b""
    return secret, vault.current.seal(base64.b64encode(secret).decode(), PLACE, os.urandom(NONCE_BYTES)).encode()


def opened(kept: bytes, engine: AsyncEngine) -> bytes:
    """The key that a file keeps. VaultError, in words for the operator."""
    vault = vault_of(engine.dialect)
    if vault is None:
        raise VaultError("its key is sealed, and there is no database.key_file")
    try:
        cell = kept.decode("ascii")
    except UnicodeDecodeError:
        raise VaultError("its key is damaged") from None
    return base64.b64decode(vault.cipher_for(cell).open(cell, PLACE))
