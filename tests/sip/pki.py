"""Certificates made on the spot: an authority, and what it signs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """The paths of a certificate and its key."""

    certificate: str
    key: str


def names(*texts: str) -> list[x509.GeneralName]:
    """Subject alternative names: ``sip:`` URIs, addresses, else DNS names."""
    found: list[x509.GeneralName] = []
    for text in texts:
        if ":" in text and text.partition(":")[0].isalpha() and text.partition(":")[0] in ("sip", "sips", "https"):
            found.append(x509.UniformResourceIdentifier(text))
            continue
        try:
            found.append(x509.IPAddress(ip_address(text)))
        except ValueError:
            found.append(x509.DNSName(text))
    return found


class Authority:
    """Its certificate is the file ``ca``; ``sign`` writes pairs beside it."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _named(name)
        builder = self._builder(self._subject, self._key.public_key(), 1)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.ca = str(folder / f"{name}.pem")
        made = builder.sign(self._key, hashes.SHA256())
        Path(self.ca).write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def sign(self, file: str, *alternative: str, common: str = "somebody", days: int = 1) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_named(common), key.public_key(), days)
        if alternative:
            builder = builder.add_extension(x509.SubjectAlternativeName(names(*alternative)), critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        pair = Pair(str(self._folder / f"{file}.pem"), str(self._folder / f"{file}.key"))
        Path(pair.certificate).write_bytes(made.public_bytes(serialization.Encoding.PEM))
        form, encoding = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
        Path(pair.key).write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
        return pair

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
        )


def _named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
