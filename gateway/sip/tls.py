"""[IO] The TLS contexts of SIP, from the files that the configuration names: one for who connects to us, one for us.

We trust the authorities in ``ca`` (default: the system's) to say who it is that we connect to. With ``client_ca``
whoever connects must show a certificate of one of those authorities; our own is shown to whoever asks for it. A trunk
may have authorities of its own: who connects from its addresses must then show a certificate of these.

All files are read again when one of them changes (``renew``); what stands goes on as it was. Authorities can't be taken
out of an SSLContext, so there are new ones then.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Trust:
    """Who a trunk is when it connects: of one of the authorities in the file ``ca``, and ``name`` ("": any of them)."""

    ca: str
    name: str = ""


class Tls:
    """``server`` is None without a certificate. OSError and ValueError when a file can't be used. ``trunks``: by name,
    those with authorities of their own."""

    def __init__(
        self,
        *,
        certificate: str = "",
        key: str = "",
        ca: str = "",
        client_ca: str = "",
        trunks: Mapping[str, Trust] | None = None,
    ) -> None:
        self._pair = (certificate, key)
        self._ca = ca
        self._client_ca = client_ca
        self._trunks = dict(trunks or {})
        files = (certificate, key, ca, client_ca, *(one.ca for one in self._trunks.values()))
        self._files = [Path(file) for file in files if file]
        self.client: ssl.SSLContext
        self.server: ssl.SSLContext | None
        self._of_trunks: dict[str, ssl.SSLContext]
        self._open()
        self._seen = self._state()

    def accepting(self, trunk: str | None) -> tuple[ssl.SSLContext, str]:
        """The context for who connects from an address of ``trunk``, and the name that its certificate must prove."""
        assert self.server is not None
        found = None if trunk is None else self._of_trunks.get(trunk)
        return (self.server, "") if found is None or trunk is None else (found, self._trunks[trunk].name)

    def renew(self) -> bool:
        """Take the files anew when one has changed; whether it had. All stays as it was when it raises."""
        seen = self._state()
        if seen == self._seen:
            return False
        self._seen = seen
        self._open()
        return True

    def _open(self) -> None:
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Whom a certificate is of is judged by RFC 5922 (tls_names.py), which knows URIs and no wildcards.
        client.check_hostname = False
        client.minimum_version = ssl.TLSVersion.TLSv1_2
        _trust(client, self._ca)
        server: ssl.SSLContext | None = None
        of_trunks: dict[str, ssl.SSLContext] = {}
        if self._pair[0]:
            server = self._server(self._client_ca, client)
            of_trunks = {name: self._server(trust.ca) for name, trust in self._trunks.items()}
        self.client, self.server, self._of_trunks = client, server, of_trunks

    def _server(self, ca: str, *also: ssl.SSLContext) -> ssl.SSLContext:
        context = Certificate(Path(self._pair[0]), Path(self._pair[1]), *also).context
        context.options |= ssl.OP_NO_RENEGOTIATION
        if ca:
            _trust(context, ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _state(self) -> list[tuple[int, int, int]]:
        states = [file.stat() for file in self._files]
        return [(state.st_mtime_ns, state.st_size, state.st_ino) for state in states]


def _trust(context: ssl.SSLContext, file: str) -> None:
    if not file:
        context.load_default_certs()
        return
    Path(file).read_bytes()  # names the file when it can't be read
    context.load_verify_locations(file)
    # A self-signed certificate, listed by itself, is trusted as it is.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
