"""How an S3 server is reached, and what is raised when a store fails."""

from __future__ import annotations

from dataclasses import dataclass


class StoreError(OSError):
    """The store failed. Without what it answered, which may hold keys or addresses of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """How an S3 server is reached. ``endpoint`` "": Amazon's of ``region``. Without keys the environment
    (AWS_ACCESS_KEY_ID, ...) and the machine's role are asked."""

    endpoint: str = ""
    region: str = ""
    path_style: bool = True
    access_key: str = ""
    secret_key: str = ""

    def __repr__(self) -> str:
        """Without keys."""
        return f"<S3Access {self.endpoint or self.region}>"

    @property
    def place(self) -> str:
        """The region that requests are signed for; servers of one's own mostly call it so."""
        return self.region or ("us-east-1" if self.endpoint else "")
