"""Whom a certificate speaks for (RFC 5922 §7), read from what ``SSLObject.getpeercert`` gives.

    subjectAltName has a sip: URI without a user    its hosts are the identities, and no DNS name counts
    else it has DNS names                           these; a ``*.`` matches nothing but itself (§7.2)
    there is no subjectAltName                      the common name

An address that was configured instead of a name is proved by an IP address in subjectAltName (RFC 5280 §4.2.1.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any


def identities(certificate: Mapping[str, Any]) -> set[str]:
    """The SIP domains that a certificate names, in lower case."""
    names = certificate.get("subjectAltName", ())
    if not names:
        subject = [row for group in certificate.get("subject", ()) for row in group]
        return {value.lower() for key, value in subject if key == "commonName"}
    hosts = {_host(value) for kind, value in names if kind == "URI" and value[:4].lower() == "sip:"} - {""}
    return hosts or {value.lower() for kind, value in names if kind == "DNS"}


def proves(certificate: Mapping[str, Any], name: str) -> bool:
    """Whether a certificate, already found valid, is one of ``name``: a domain or an address."""
    try:
        address = ip_address(name)
    except ValueError:
        return name.lower().rstrip(".") in identities(certificate)
    names = certificate.get("subjectAltName", ())
    return any(kind == "IP Address" and ip_address(value) == address for kind, value in names)


def _host(uri: str) -> str:
    """The host of a sip: URI that names no user, else ""."""
    rest = uri[4:].partition(";")[0].partition("?")[0]
    return "" if "@" in rest else rest.partition(":")[0].lower()
