"""Certificates made here: good, old, another's, badly chained."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.doctor.certificates import certificate
from gateway.doctor.finding import State

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Authority:
    def __init__(self, name: str, above: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.made = self.issue(name, above or self)

    def issue(
        self, name: str, by: Authority, *, days: int = 100, since: int = -1, hosts: tuple[str, ...] = ()
    ) -> bytes:
        names: list[x509.GeneralName] = [
            x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts
        ]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(by.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + timedelta(days=since))
            .not_valid_after(NOW + timedelta(days=days))
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    @property
    def private(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


ROOT = Authority("root")
MIDDLE = Authority("middle", ROOT)
OURS = Authority("ours")


def states(pem: bytes, private: bytes = OURS.private, names: tuple[str, ...] = ("gw.example",)) -> list[State]:
    return [one.state for one in certificate("web.certificate", pem, private, names, NOW)]


def issued(**how: int) -> bytes:
    return OURS.issue("ours", MIDDLE, hosts=("gw.example", "*.voice.example", "192.0.2.1"), **how)


@pytest.mark.parametrize("name", ["gw.example", "GW.example", "a.voice.example", "192.0.2.1"])
def test_all_is_well(name: str) -> None:
    assert states(issued() + MIDDLE.made, names=(name,)) == [State.OK, State.OK]


@pytest.mark.parametrize(
    ("how", "state"),
    [({"days": -1, "since": -9}, State.FAILURE), ({"days": 10}, State.WARNING), ({"since": 5}, State.FAILURE)],
)
def test_its_time(how: dict[str, int], state: State) -> None:
    assert states(issued(**how) + MIDDLE.made) == [state, State.OK]


@pytest.mark.parametrize("name", ["other.example", "voice.example", "a.b.voice.example", "192.0.2.2"])
def test_its_names(name: str) -> None:
    assert states(issued() + MIDDLE.made, names=(name,)) == [State.OK, State.FAILURE, State.OK]


def test_its_key() -> None:
    assert states(issued() + MIDDLE.made, ROOT.private) == [State.OK, State.FAILURE, State.OK]


def test_its_chain() -> None:
    assert states(issued())[-1] is State.WARNING
    assert states(issued() + ROOT.made)[-1] is State.FAILURE
    assert states(ROOT.made, ROOT.private, ())[-1] is State.WARNING


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"])
def test_what_is_none(pem: bytes) -> None:
    assert states(pem) == [State.FAILURE]
    assert states(issued(), b"nothing") == [State.FAILURE]
