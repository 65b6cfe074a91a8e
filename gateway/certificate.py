"""[IO] A certificate and its key from PEM files, for the API and for SIP, taken anew when they change on the disk.

An SSLContext serves for good: loading a new chain into it counts for the connections that come after, and those that
stand go on. A pair that can't be used keeps the old one in place. TLS 1.2 is the least, unless the operator wants the
old versions for deployed clients; OpenSSL 3 gives these only with its security level lowered to 0, for this listener.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

_log = structlog.get_logger()
RENEW_SECONDS = 10.0


class Certificate:
    """``context`` for a server; the pair is loaded into ``also`` too. OSError and ValueError (ssl.SSLError is an
    OSError) when the pair can't be used."""

    def __init__(self, certificate: Path, key: Path, *also: ssl.SSLContext, old: bool = False) -> None:
        self._files = (certificate, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if old:
            self.context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")
            self.context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        else:
            self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._contexts = (self.context, *also)
        self._seen = self._state()
        self._load(self._contexts)

    def renew(self) -> bool:
        """Take the files anew when they have changed; whether they had. The old pair stays when it raises."""
        seen = self._state()
        if seen == self._seen:
            return False
        self._seen = seen
        # Tried on a context of its own: a half-written pair must not spoil the one in use.
        self._load((ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),))
        self._load(self._contexts)
        return True

    def _load(self, contexts: tuple[ssl.SSLContext, ...]) -> None:
        from cryptography import x509  # most nodes stand behind a front end that does this for them

        certificate, key = self._files
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        if found.not_valid_after_utc < datetime.now(UTC):
            raise ValueError(f"{certificate}: expired on {found.not_valid_after_utc:%Y-%m-%d}")
        key.read_bytes()  # names the file when it can't be read, which load_cert_chain does not
        for context in contexts:
            context.load_cert_chain(certificate, key)

    def _state(self) -> tuple[tuple[int, int, int], ...]:
        states = [file.stat() for file in self._files]
        return tuple((state.st_mtime_ns, state.st_size, state.st_ino) for state in states)


class Renewable(Protocol):
    """What is made of files that may change."""

    def renew(self) -> bool:
        """Take the files anew when they have changed; whether they had. OSError and ValueError: all stays as it was."""


async def keep_renewed(files: Renewable | None) -> None:
    """Look for new certificates now and then; for ever."""
    while files is not None:
        await asyncio.sleep(RENEW_SECONDS)
        try:
            if files.renew():
                _log.info("certificates were renewed")
        except (OSError, ValueError) as error:
            _log.error("the new certificates can't be used; the old ones stay", error=str(error))
