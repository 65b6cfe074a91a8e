"""The digests against the specification's vectors, and the tolerance that deployed clients need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.api import auth
from gateway.api.errors import ApiError

NONCE = "66C92B11FF8A425FB8D4CCFE0ED9ED1F"
CREATED = "2018-02-12T15:30:20Z"
NOW = datetime(2018, 2, 12, 15, 30, 20, tzinfo=UTC)
WSSE = "sGB4mPp5gQr8JIdlM9yHTL+tyyUkg2lS/OGLGpqhO8c="
AKSK = "Dyb6yyMPlKpabq7VNZes+LpG6lDjhpRkgcV4kjzmCQg="


def headers(generation: str = "WSSE", digest: str = WSSE, kind: str = "type", comma: str = ",") -> dict[str, str]:
    token = ['Username="k1"', f'PasswordDigest="{digest}"', f'Nonce="{NONCE}"', f'Created="{CREATED}"']
    return {
        "authorization": comma.join((f'{generation} realm="SDP"', 'profile="UsernameToken"', f'{kind}="Appkey"')),
        f"x-{generation.lower()}": "UsernameToken " + comma.join(token),
    }


def code(given: dict[str, str]) -> str:
    with pytest.raises(ApiError) as caught:
        auth.read_credentials(given)
    assert caught.value.result.status == 400
    return caught.value.result.code


def test_vectors() -> None:
    assert auth.wsse_digest(NONCE, CREATED, "s1") == WSSE
    assert auth.aksk_digest(NONCE, CREATED, "s1") == AKSK
    assert len(auth.hex_digest(NONCE, CREATED, "s1")) == 88


@pytest.mark.parametrize(("generation", "digest"), [("WSSE", WSSE), ("AKSK", AKSK)])
@pytest.mark.parametrize("kind", ["type", "dsl", "TYPE"])
@pytest.mark.parametrize("comma", [",", ", "])
def test_accepts(generation: str, digest: str, kind: str, comma: str) -> None:
    credentials = auth.read_credentials(headers(generation, digest, kind, comma))
    assert (credentials.generation, credentials.key, credentials.created) == (generation, "k1", NOW)
    auth.check_digest(credentials, "s1")
    with pytest.raises(ApiError) as caught:
        auth.check_digest(credentials, "s2")
    assert (caught.value.result.status, caught.value.result.code) == (401, "1010010")


def test_accepts_hex_form() -> None:
    auth.check_digest(auth.read_credentials(headers(digest=auth.hex_digest(NONCE, CREATED, "s1"))), "s1")


def test_faults_of_authorization() -> None:
    good = headers()

    def other(authorization: str) -> str:
        return code({**good, "authorization": authorization})

    assert other("") == "1023006"
    assert other("WSSE") == "1023007"
    assert other('WSSE realm="SDP"') == "1023008"
    assert other('WSSE realm="X",profile="UsernameToken",type="Appkey"') == "1023009"
    assert other('WSSE realm="SDP",profile="X",type="Appkey"') == "1023010"
    assert other('WSSE realm="SDP",profile="UsernameToken",type="X"') == "1023011"
    assert other('WSSE realm="SDP",profile="UsernameToken"') == "1023012"
    assert other('Basic realm="SDP",profile="UsernameToken",type="Appkey"') == "1023013"


@pytest.mark.parametrize(("generation", "first"), [("WSSE", 1023026), ("AKSK", 1023033)])
def test_faults_of_the_token(generation: str, first: int) -> None:
    good = headers(generation)
    name = f"x-{generation.lower()}"
    assert code({"authorization": good["authorization"]}) == str(first)
    for step, field in enumerate(("Username", "Nonce", "Created", "PasswordDigest"), start=1):
        assert code({**good, name: good[name].replace(field, "Other")}) == str(first + step)
    assert code({**good, name: good[name].replace(CREATED, "2018-02-30T15:30:20Z")}) == str(first + 5)
    assert code({**good, name: good[name].replace(CREATED, "2018-02-12 15:30:20")}) == str(first + 5)


def test_window_of_created() -> None:
    credentials = auth.read_credentials(headers())
    for offset in (-86400, 0, 86400):
        auth.check_created(credentials, NOW + timedelta(seconds=offset), 86400)
    for offset in (-86401, 86401):
        with pytest.raises(ApiError) as caught:
            auth.check_created(credentials, NOW + timedelta(seconds=offset), 86400)
        assert caught.value.result.code == "1010013"


def test_what_we_sign_we_accept() -> None:
    for signature, names in (("WSSE", {"X-WSSE"}), ("AKSK", {"X-AKSK"}), ("both", {"X-WSSE", "X-AKSK"})):
        sent = dict(auth.signature_headers(signature, "k1", "s1", NONCE, NOW))  # type: ignore[arg-type]
        assert set(sent) == names | {"Authorization"}
        auth.check_digest(auth.read_credentials({name.lower(): value for name, value in sent.items()}), "s1")
