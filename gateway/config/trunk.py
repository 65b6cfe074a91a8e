"""A carrier's trunk, and the routes that lead to several of them: their tables in the configuration."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from gateway.config.forms import PeerField, Section
from gateway.sip.hop import DIALLED, Hop
from gateway.sip.policy import MIN_SE

CODECS = {"PCMA": 8, "PCMU": 0}


class Ranked(Section):
    """What names several: ``priorities`` and ``weights`` say in which order they are tried (gateway.calls.ways)."""

    priorities: tuple[Annotated[int, Field(ge=0, le=65535)], ...] = ()
    weights: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = ()

    def ranks_of(self, count: int) -> tuple[tuple[int, int], ...]:
        """Priority and weight of each; none: in the order in which they are written."""
        if not self.priorities and not self.weights:
            return ()
        return tuple(zip(self.priorities or (0,) * count, self.weights or (1,) * count, strict=True))

    def check_ranks(self, count: int, what: str) -> None:
        """ValueError when there is not one for each of ``what``."""
        for name, given in (("priorities", self.priorities), ("weights", self.weights)):
            if given and len(given) != count:
                raise ValueError(f"{name}: one for each of {what}, or none")


class NumberForm(Section):
    """How a trunk writes numbers; the fields are those of gateway.numbers.NumberRules."""

    form: Literal["e164", "digits", "international", "national", "dialled", "trunk_prefix"] = "e164"
    country: str = Field("86", pattern=r"^[1-9][0-9]{0,2}$")
    add: str = Field("", pattern=r"^[0-9+*#]{0,16}$")
    strip: str = Field("", pattern=r"^[0-9+*#]{0,16}$")
    strip_in: tuple[Annotated[str, Field(pattern=r"^[0-9+*#]{1,16}$")], ...] = ()

    @field_validator("strip_in", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return ((value,) if value else ()) if isinstance(value, str) else value


class Identity(Section):
    """Which headers say who calls, and how; the fields are those of gateway.calls.policy.IdentityPolicy."""

    from_: Literal["shown", "account", "anonymous"] = Field("shown", alias="from")
    asserted: Literal["sip", "tel", "both", "none"] = "sip"
    preferred: Literal["sip", "tel", "both", "none"] = "none"
    privacy: Literal["", "none", "id", "user", "header", "id;critical", "user;id"] = ""
    diversion: bool = False
    history: bool = False
    display: str = Field("", pattern=r"^[^\x00-\x1f\x7f]{0,64}$")
    uri: Literal["sip", "tel"] = "sip"
    user_phone: Literal["global", "always", "never"] = "global"
    phone_context: str = Field("", pattern=r"^(\+[0-9]{1,15}|[A-Za-z0-9.-]{1,253})?$")
    request_domain: bool = False
    called: Literal["Request-URI", "To", "P-Called-Party-ID"] = "Request-URI"
    caller: tuple[Literal["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "From"], ...] = Field(
        ("P-Asserted-Identity", "P-Preferred-Identity", "From"), min_length=1
    )


class Account(Section):
    """By what we are known at the carrier: its challenges of ``realm`` are answered, and no others."""

    user: str = ""
    password: SecretStr = SecretStr("")
    realm: str = ""
    integrity: bool = False

    @model_validator(mode="after")
    def _is_whole(self) -> Account:
        if bool(self.user) != bool(self.realm):
            raise ValueError("user and realm: both, or none")
        return self


class Challenge(Section):
    """By what the carrier is known to us, besides its address; without a user it isn't asked."""

    user: str = ""
    password: SecretStr = SecretStr("")
    realm: str = ""
    algorithms: tuple[Literal["SHA-256", "MD5", "SHA-512-256"], ...] = Field(("SHA-256", "MD5"), min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Challenge:
        if self.user and not (self.realm and self.password.get_secret_value()):
            raise ValueError("user, password and realm: all, or none")
        return self


class Registration(Section):
    """We register ``user`` (of the account, when it is empty) at ``domain``; without a domain we don't."""

    domain: str = ""
    user: str = ""
    expires_seconds: int = Field(3600, ge=60, le=86400)
    keep_alive_seconds: float = Field(25, ge=0, le=3600)


class Trunk(Ranked):
    """A carrier: whom we call, from where it may call us, and how it writes numbers.

    ``secure``: over TLS only, both ways. ``client_ca``: the authorities of the certificate that it must show when it
    connects to us. ``tls_name``: what its certificate must be of: that of a tls: peer, where that is not its address,
    and the one that it connects with. ``profile``: whose keys are taken where they aren't given here (profiles.py).
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    profile: str = ""
    peers: tuple[PeerField, ...] = Field(min_length=1)
    allow: tuple[IPv4Network | IPv6Network, ...] = ()
    domain: str = ""
    numbers: NumberForm = NumberForm()
    shown: NumberForm | None = None
    identity: Identity = Identity()
    codecs: tuple[Literal["PCMA", "PCMU"], ...] = Field(("PCMA", "PCMU"), min_length=1)
    early_media: bool = True
    media_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    nat: bool = False
    srtp: Literal["off", "optional", "required"] = "off"
    max_calls: int | None = Field(None, ge=1)
    max_calls_in: int | None = Field(None, ge=1)
    calls_per_second: float | None = Field(None, gt=0)
    max_calls_out: int | None = Field(None, ge=1)
    calls_per_second_out: float | None = Field(None, gt=0)
    session_expires: int = Field(1800, ge=0, le=86400)
    reliable: Literal["off", "supported", "required"] = "supported"
    p_early_media: bool = False
    sms: Literal["text", "3gpp"] = "text"
    secure: bool = False
    client_ca: str = ""
    tls_name: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,253}$")
    health: Literal["options", "off"] = "options"
    health_seconds: float = Field(30, ge=1, le=3600)
    health_down_after: int = Field(3, ge=1, le=100)
    health_up_after: int = Field(2, ge=1, le=100)
    account: Account = Account()
    registration: Registration = Registration()
    challenge: Challenge = Challenge()

    @model_validator(mode="after")
    def _has_a_name_to_register(self) -> Trunk:
        if self.registration.domain and not (self.registration.user or self.account.user):
            raise ValueError("registration.user: needed, since there is no account")
        return self

    @property
    def sources(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """``allow``; without it the addresses of ``peers``, which are then no names."""
        return self.allow or tuple(ip_network(hop.host) for hop in self.hops)

    @field_validator("session_expires")
    @classmethod
    def _off_or_long_enough(cls, value: int) -> int:
        if 0 < value < MIN_SE:
            raise ValueError(f"0 or at least {MIN_SE} seconds (RFC 4028)")
        return value

    @model_validator(mode="after")
    def _can_be_called(self) -> Trunk:
        for hop in self.peers:
            if isinstance(hop, Hop) and hop.transport not in DIALLED:
                raise ValueError(f"peers: {hop}: nobody is called by {hop.transport}")
            if self.secure and not hop.secure:
                raise ValueError(f"peers: {hop}: must be tls:, since the trunk is secure")
        if not self.allow and not self.hops:
            raise ValueError("allow: needed, since a name in peers says nothing of where calls come from")
        return self

    @property
    def hops(self) -> tuple[Hop, ...]:
        """``peers``, each with the name that its certificate must be of; none when one of them has to be looked up."""
        hops = tuple(hop for hop in self.peers if isinstance(hop, Hop))
        if len(hops) < len(self.peers):
            return ()
        return tuple(replace(hop, name=self.tls_name) if hop.secure else hop for hop in hops)

    @property
    def payload_types(self) -> tuple[int, ...]:
        """The RTP payload types of ``codecs``, in order."""
        return tuple(CODECS[name] for name in self.codecs)

    @property
    def ranks(self) -> tuple[tuple[int, int], ...]:
        """Those of ``peers``."""
        return self.ranks_of(len(self.peers))

    @model_validator(mode="after")
    def _one_rank_each(self) -> Trunk:
        self.check_ranks(len(self.peers), "peers")
        return self


class Route(Ranked):
    """Which trunks carry the calls of an application, or to numbers that begin so."""

    trunks: tuple[str, ...] = Field(min_length=1)
    application: str = ""
    prefixes: tuple[Annotated[str, Field(pattern=r"^\+[0-9]{1,15}$")], ...] = ()

    @property
    def ranks(self) -> tuple[tuple[int, int], ...]:
        """Those of ``trunks``."""
        return self.ranks_of(len(self.trunks))

    @model_validator(mode="after")
    def _one_rank_each(self) -> Route:
        self.check_ranks(len(self.trunks), "trunks")
        return self
