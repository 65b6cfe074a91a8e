"""[IO] The TLS contexts of SIP, from the files that the configuration names: one for who connects to us, one for us.

We trust the authorities in ``ca`` (default: the system's) to say who it is that we connect to. With ``client_ca``
whoever connects must show a certificate of one of those authorities; our own is shown to whoever asks for it.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from gateway.certificate import Certificate


class Tls:
    """``server`` is None without a certificate. OSError and ValueError when a file can't be used."""

    def __init__(self, *, certificate: str = "", key: str = "", ca: str = "", client_ca: str = "") -> None:
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Whom a certificate is of is judged by RFC 5922 (tls_names.py), which knows URIs and no wildcards.
        self.client.check_hostname = False
        self.client.minimum_version = ssl.TLSVersion.TLSv1_2
        _trust(self.client, ca)
        self.certificate: Certificate | None = None
        self.server: ssl.SSLContext | None = None
        if certificate:
            self.certificate = Certificate(Path(certificate), Path(key), self.client)
            self.server = self.certificate.context
            self.server.options |= ssl.OP_NO_RENEGOTIATION
            if client_ca:
                _trust(self.server, client_ca)
                self.server.verify_mode = ssl.CERT_REQUIRED


def _trust(context: ssl.SSLContext, file: str) -> None:
    if not file:
        context.load_default_certs()
        return
    Path(file).read_bytes()  # names the file when it can't be read
    context.load_verify_locations(file)
    # A self-signed certificate, listed by itself, is trusted as it is.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
