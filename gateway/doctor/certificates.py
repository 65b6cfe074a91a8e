"""A certificate as those see it who connect: when it ends, whose it is, whether its chain is there."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.doctor.finding import Finding, failure, ok, warning

SOON_DAYS = 21


def certificate(key: str, pem: bytes, private: bytes, names: tuple[str, ...], now: datetime) -> list[Finding]:
    """``key``: of the configuration; ``names``: hosts or addresses that peers call it by; ``now``: aware."""
    try:
        chain = x509.load_pem_x509_certificates(pem)
        secret = load_pem_private_key(private, None)
    except (ValueError, TypeError) as error:
        return [failure(key, f"can't be read: {error}", "give PEM files; the key without a passphrase")]
    first = chain[0]
    found = [_time(key, first, now)]
    if _public(first.public_key()) != _public(secret.public_key()):
        found.append(failure(key, "the key is another certificate's", "give the key that it was made with"))
    missing = [name for name in names if not _covers(first, name)]
    if missing:
        hint = f"let it be issued for {missing[0]}: clients that check names refuse it"
        found.append(failure(key, f"not issued for {', '.join(missing)}", hint))
    found.append(_chain(key, chain))
    return found


def _time(key: str, one: x509.Certificate, now: datetime) -> Finding:
    left = (one.not_valid_after_utc - now.astimezone(UTC)).total_seconds() / 86400
    if left < 0:
        return failure(key, f"expired on {one.not_valid_after_utc:%Y-%m-%d}", "renew it; a running node takes it anew")
    if one.not_valid_before_utc > now:
        return failure(key, f"valid from {one.not_valid_before_utc:%Y-%m-%d} on", "see the clock, or wait")
    if left < SOON_DAYS:
        return warning(key, f"expires in {left:.0f} days", "renew it; a running node takes it anew")
    return ok(key, f"valid for {left:.0f} days")


def _covers(one: x509.Certificate, name: str) -> bool:
    try:
        named = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    try:
        return ip_address(name) in named.get_values_for_type(x509.IPAddress)
    except ValueError:
        pass
    for known in named.get_values_for_type(x509.DNSName):
        stars = known.lower().removeprefix("*.")
        if known.lower() == name.lower() or (known.startswith("*.") and name.lower().partition(".")[2] == stars):
            return True
    return False


def _chain(key: str, chain: list[x509.Certificate]) -> Finding:
    for one, issuer in pairwise(chain):
        if one.issuer != issuer.subject:
            said = "the certificates behind it are not in the order of the chain"
            return failure(key, said, "the file is: own certificate, then each issuer's")
    last = chain[-1]
    if len(chain) == 1 and last.issuer == last.subject:
        return warning(key, "self-signed", "peers must be given it, or let an authority issue one")
    if len(chain) == 1:
        return warning(key, "no intermediate certificates", "append the issuer's, unless it is a root that peers know")
    return ok(key, f"a chain of {len(chain)}")


def _public(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]
