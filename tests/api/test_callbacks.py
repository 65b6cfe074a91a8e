"""Where a customer's address may lead."""

from __future__ import annotations

import pytest

from gateway.api.callbacks import CallbackClient, forbidden


@pytest.mark.parametrize(
    "address",
    [
        *(
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.0.8",
        ),
        *("198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fc00::1", "fe80::1%eth0", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fd00:ec2::254"),
    ],
)
def test_private_local_and_translated_addresses_are_forbidden(address: str) -> None:
    assert forbidden(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2400:3200::1"])
def test_public_addresses_are_not(address: str) -> None:
    assert not forbidden(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"]
)
async def test_no_spelling_of_loopback_is_reached(host: str) -> None:
    client = CallbackClient(2.0)
    outcome = await client.post(f"http://{host}:9/", b"", {}, private=False)
    await client.close()
    assert not outcome.ok
    assert outcome.error in (
        "address not allowed",
        "ClientConnectorDNSError",
        "ClientConnectorError",
        "InvalidUrlClientError",
    )
    assert outcome.error != "ClientConnectorError", "a connection was tried"
