"""What the configuration means to the parts of a node: settings of the call path, applications and X numbers."""

from __future__ import annotations

import secrets
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.bindings.models import Application, Number
from gateway.browsers.line import EdgeSettings
from gateway.calls.addresses import Addresses
from gateway.calls.policy import IdentityPolicy
from gateway.calls.settings import (
    PHONES,
    AccountSettings,
    DataKey,
    ExchangeSettings,
    PhoneSettings,
    ProbeSettings,
    Rank,
    RegistrationSettings,
    RouteSettings,
    ToneFiles,
    TrunkSettings,
)
from gateway.calls.switchboard import wall
from gateway.config.phones import Phones
from gateway.config.tree import Config, advertised, media_advertised, webrtc_addresses
from gateway.config.trunk import Account, Challenge, Trunk
from gateway.entries import application_of
from gateway.numbers import NumberRules
from gateway.phones.sheet import PhoneServer
from gateway.recordings.datakeys import make_key
from gateway.recordings.proof import Proof, proof_key
from gateway.sip.gate import GateSettings
from gateway.sip.hop import Hop
from gateway.sip.policy import Policy, Reliable
from gateway.sip.registrar import RegistrarSettings
from gateway.tones.folder import SOUNDS, ToneFolder
from gateway.tracing.tap import Hep
from media.recording.s3 import S3Access
from media.recording.store import RecordingStore


def exchange_settings(config: Config, engine: AsyncEngine | None = None) -> ExchangeSettings:
    """The call path's part of the configuration; recordings are sealed under the key of ``engine``'s database."""
    calls = config.calls
    return ExchangeSettings(
        trunks=tuple(trunk_settings(trunk) for trunk in config.trunk),
        tones=ToneFiles(
            ringback=str(SOUNDS / "ringback.wav"),
            no_binding=str(SOUNDS / "no_binding.wav"),
            no_permission=str(SOUNDS / "no_permission.wav"),
            failed=str(SOUNDS / "failed.wav"),
            enter_extension=str(SOUNDS / "enter_extension.wav"),
            wrong_extension=str(SOUNDS / "wrong_extension.wav"),
            wrong_goodbye=str(SOUNDS / "wrong_goodbye.wav"),
            no_extension=str(SOUNDS / "no_extension.wav"),
            lookup=ToneFolder(config.tones.folder, config.tones.approved).find,
        ),
        media_host=media_advertised(config),
        sip_host=advertised(config),
        recording_required=config.recordings.required,
        notice_first=config.recordings.notice_first,
        low_percent=config.recordings.low_percent,
        least_room=config.recordings.least_mb << 20,
        data_key=(lambda: DataKey(*make_key(engine))) if config.recordings.encrypt and engine is not None else None,
        spool=str(Path(config.recordings.spool).absolute()),
        wall=wall,
        phones=phone_settings(config.phones) if config.phones.enabled else None,
        default_trunk=calls.default_trunk or None,
        routes=tuple(
            RouteSettings(
                trunks=route.trunks,
                application=route.application,
                prefixes=route.prefixes,
                ranks=tuple(Rank(*pair) for pair in route.ranks),
            )
            for route in config.route
        ),
        max_calls=calls.max_calls,
        calls_per_second=calls.calls_per_second,
        ring_timeout=calls.ring_seconds,
        connect_timeout=calls.connect_seconds,
        early_media_patience=calls.early_media_seconds,
        media_timeout=config.media.timeout_seconds,
        min_recording=calls.min_recording_seconds,
        first_digit_timeout=calls.first_digit_seconds,
        next_digit_timeout=calls.next_digit_seconds,
        # A net under the web process's own time limit.
        question_timeout=config.events.question_seconds + 1.0,
        allowed_prefixes=calls.allowed_prefixes,
        longest=calls.longest_seconds,
        surge_factor=calls.surge_factor,
        surge_floor=calls.surge_floor,
        zone=ZoneInfo(config.records.time_zone),
        home=calls.home,
        international_in=calls.international_in,
        international_out=calls.international_out,
    )


def edge_settings(config: Config) -> EdgeSettings:
    """What the edge for browsers is told."""
    addresses, shown = webrtc_addresses(config)
    return EdgeSettings(addresses, config.webrtc.ports, config.media.rest_seconds, shown, config.webrtc.stun)


def phone_settings(said: Phones) -> PhoneSettings:
    """What phones are as a trunk, and at the registrar."""
    return PhoneSettings(
        trunk=TrunkSettings(
            name=PHONES,
            peers=(),
            allow=(),
            codecs=said.payload_types,
            srtp=said.srtp,
            nat=True,
            max_calls_in=said.max_calls,
            calls_per_second=said.calls_per_second,
        ),
        realm=said.realm,
        # Of this process alone: what a nonce of the one before was used for isn't known any more.
        key=secrets.token_bytes(32),
        algorithms=said.digest,
        registrar=RegistrarSettings(
            min_expires=said.min_seconds,
            max_expires=said.max_seconds,
            default_expires=said.default_seconds,
            keepalive=said.keepalive_seconds,
            contacts=said.contacts,
        ),
    )


def phone_server(config: Config) -> PhoneServer:
    """What phones are told of us."""
    phones = config.phones
    return PhoneServer(advertised(config), config.sip.listen, phones.realm, phones.enabled)


def gate_settings(config: Config) -> GateSettings:
    """The door's part of the configuration."""
    return GateSettings(**config.defence.model_dump())


def proof_of(config: Config) -> Proof:
    """The chain of proof, with this node's key. ValueError, OSError."""
    file = config.recordings.proof_key
    return Proof(proof_key(Path(file)) if file else None)


def recording_store(config: Config) -> RecordingStore:
    """Where finished recordings are kept. ValueError, OSError."""
    said = config.recordings
    access = S3Access(
        endpoint=said.endpoint,
        region=said.region,
        path_style=said.path_style,
        access_key=said.access_key.get_secret_value(),
        secret_key=said.secret_key.get_secret_value(),
    )
    return RecordingStore(said.url, access)


def trunk_settings(trunk: Trunk) -> TrunkSettings:
    """One trunk's."""
    account, challenge = trunk.account, trunk.challenge
    return TrunkSettings(
        name=trunk.name,
        peers=trunk.hops or Addresses(trunk.peers, trunk.tls_name),
        allow=trunk.sources,
        rules=NumberRules(**trunk.numbers.model_dump()),
        codecs=trunk.payload_types,
        early_media=trunk.early_media,
        media_networks=trunk.media_networks,
        max_calls=trunk.max_calls,
        max_calls_in=trunk.max_calls_in,
        calls_per_second=trunk.calls_per_second,
        max_calls_out=trunk.max_calls_out,
        calls_per_second_out=trunk.calls_per_second_out,
        ranks=tuple(Rank(*pair) for pair in trunk.ranks),
        domain=trunk.domain,
        nat=trunk.nat,
        srtp=trunk.srtp,
        p_early_media=trunk.p_early_media,
        policy=Policy(trunk.session_expires, Reliable(trunk.reliable)),
        sms_as_3gpp=trunk.sms == "3gpp",
        secure=trunk.secure,
        account=_credentials(account, account.integrity),
        challenge=_credentials(challenge),
        challenge_algorithms=challenge.algorithms,
        probe=ProbeSettings(trunk.health_seconds, trunk.health_down_after, trunk.health_up_after)
        if trunk.health == "options"
        else None,
        identity=_identity(trunk),
        registration=_registration(trunk),
    )


def _credentials(given: Account | Challenge, integrity: bool = False) -> AccountSettings | None:
    if not given.user:
        return None
    return AccountSettings(given.user, given.password.get_secret_value(), given.realm, integrity=integrity)


def _registration(trunk: Trunk) -> RegistrationSettings | None:
    wanted = trunk.registration
    if not wanted.domain:
        return None
    user = wanted.user or trunk.account.user
    return RegistrationSettings(user, wanted.domain, wanted.expires_seconds, wanted.keep_alive_seconds)


def _identity(trunk: Trunk) -> IdentityPolicy:
    said = trunk.identity.model_dump()
    return IdentityPolicy(
        tel=said.pop("uri") == "tel",
        shown_rules=NumberRules(**trunk.shown.model_dump()) if trunk.shown is not None else None,
        **said,
    )


def record_domain(config: Config) -> str:
    """Where recordings are fetched from, as a CDR says it."""
    return (config.web.public_url or f"{config.web.listen[0]}:{config.web.listen[1]}")[:128]


def seed_of(config: Config) -> tuple[list[Application], list[Number]]:
    """Applications and X numbers that the configuration gives."""
    applications = [application_of(entry) for entry in config.application]
    numbers = [
        Number(x=number, application=entry.application, area_code=entry.area_code, province=entry.province)
        for entry in config.number
        for number in entry.number
    ]
    return applications, numbers


def advertised_hops(config: Config) -> dict[str, Hop]:
    """What stands in our Via and Contact, by transport; towards IPv6 peers only when there are no others."""
    return config.sip.shown(4) or config.sip.shown(6)


def hep_settings(config: Config) -> Hep | None:
    """Where SIP is told to, None for nowhere."""
    hep = config.hep
    if hep.collector is None:
        return None
    return Hep(collector=hep.collector, agent=hep.agent, key=hep.key.get_secret_value(), numbers=hep.numbers)
