"""Recordings: their table in the configuration."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from gateway.config.forms import HttpUrl, Section, file_url


def _store_url(text: str) -> str:
    if not text.startswith("s3:"):
        return file_url(text)
    parts = urlsplit(text)
    if not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must look like s3://bucket or s3://bucket/prefix")
    return text.rstrip("/")


class Recordings(Section):
    """Where finished recordings lie (``url``), where raw packets are spooled, and for how many days both stay.

    ``endpoint``, ``region``, ``path_style``, ``access_key`` and ``secret_key`` are S3's; without keys the usual AWS
    variables and the machine's own role are asked. ``links``: whether download addresses are the node's or the store's.
    ``form`` is how they are kept; ``required``: a call that can't be recorded, though it shall be, ends.
    ``proof_key``: the file of the key that signs the days of proof, made if it isn't there.
    ``low_percent``: of a volume free, below which the log, /readyz and the metrics warn; ``least_mb``: of the spool's
    free, below which calls that must be recorded are refused.
    ``mute_keys``: digits that are heard in the sound become silence in what is kept.
    ``notice_first``: nobody is recorded, or hears the other, before both have heard the notice to its end.
    """

    url: Annotated[str, AfterValidator(_store_url)] = "file:///var/lib/maskline/recordings"
    endpoint: HttpUrl = ""
    region: str = ""
    path_style: bool = True
    access_key: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    links: Literal["node", "store"] = "node"
    spool: str = Field("/var/lib/maskline/spool", min_length=1)
    retention_days: int = Field(7, ge=1, le=3650)
    form: Literal["wav", "flac"] = "wav"
    encrypt: bool = False
    required: bool = False
    low_percent: float = Field(10.0, ge=0, le=90)
    least_mb: int = Field(64, ge=1, le=1 << 20)
    mute_keys: bool = False
    notice_first: bool = False
    proof_key: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Recordings:
        if bool(self.access_key.get_secret_value()) != bool(self.secret_key.get_secret_value()):
            raise ValueError("access_key and secret_key: both or neither")
        if self.links == "store" and not self.url.startswith("s3:"):
            raise ValueError("links: a folder gives no addresses of its own; only an s3:// url does")
        if self.links == "store" and self.encrypt:
            raise ValueError("links: the store's own would give what is encrypted")
        if self.links == "store" and self.form == "flac":
            raise ValueError("links: the store's own would give FLAC, and who follows a 301 must get the WAV")
        return self
