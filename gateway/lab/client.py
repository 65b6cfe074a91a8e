"""The REST API as a customer's program uses it [IO]: its own signature, its own reading of the replies.

Nothing of gateway.api is used here, so that the demo notices when that deviates from what customers' code expects.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

BIND_AXB = "/rest/caas/relationnumber/partners/v1.0"
RECORDING = "/rest/provision/voice/record/v1.0"


class ApiError(Exception):
    """The API said no, or something that can't be understood."""


def digest(nonce: str, created: str, secret: str) -> str:
    """``Base64(SHA256(Nonce + Created + secret))`` (privatenumber.md section 1.1, the older generation)."""
    return base64.b64encode(hashlib.sha256((nonce + created + secret).encode()).digest()).decode()


def signature(key: str, secret: str, *, nonce: str, created: str) -> dict[str, str]:
    """The two headers of a signed request."""
    token = (
        f'UsernameToken Username="{key}",PasswordDigest="{digest(nonce, created, secret)}",'
        f'Nonce="{nonce}",Created="{created}"'
    )
    return {"Authorization": 'WSSE realm="SDP",profile="UsernameToken",type="Appkey"', "X-WSSE": token}


@dataclass(frozen=True, slots=True)
class Download:
    """A recording: the address that the API gave, its response headers, the file."""

    location: str
    headers: dict[str, str]
    content: bytes


class CustomerClient:
    """One application's access to the API at ``base_url``."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str, key: str, secret: str) -> None:
        self._http = http
        self._base_url = base_url
        self._key = key
        self._secret = secret

    async def bind(self, body: dict[str, Any]) -> dict[str, Any]:
        """Bind A-X-B. Raises ApiError when the result code isn't 0."""
        return await self._ask("POST", "bind", json=body)

    async def unbind(self, x: str) -> None:
        """Unbind X. Raises ApiError likewise."""
        await self._ask("DELETE", "unbind", params={"relationNum": x})

    async def _ask(self, method: str, what: str, **more: Any) -> dict[str, Any]:
        address, headers = self._base_url + BIND_AXB, self._headers()
        async with self._http.request(method, address, headers=headers, **more) as response:
            reply = await response.text()
            if response.status != 200:
                raise ApiError(f"{what}: HTTP {response.status} {reply[:300]}")
            result: dict[str, Any] = await response.json(content_type=None)
        if result.get("resultcode") != "0":
            raise ApiError(f"{what}: {reply[:300]}")
        return result

    async def recording(self, file_name: str, domain: str) -> Download:
        """Ask for a recording's address, then fetch it without signature, as a browser would."""
        parameters = {"fileName": file_name, "recordDomain": domain}
        async with self._http.get(
            self._base_url + RECORDING, params=parameters, headers=self._headers(), allow_redirects=False
        ) as response:
            location = response.headers.get("Location", "")
            if response.status != 301 or not location:
                raise ApiError(f"recording: HTTP {response.status} {(await response.text())[:300]}")
        async with self._http.get(location) as response:
            content = await response.read()
            if response.status != 200:
                raise ApiError(f"download: HTTP {response.status} {content[:300]!r}")
            return Download(location, dict(response.headers), content)

    def _headers(self) -> dict[str, str]:
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "Content-Type": "application/json;charset=UTF-8",
            **signature(self._key, self._secret, nonce=uuid.uuid4().hex, created=created),
        }
