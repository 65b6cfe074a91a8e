"""[IO] A stage from the configuration. The SIP port is the node's when it is free: carriers often know no other."""

from __future__ import annotations

import secrets

from gateway.assembly import trunk_settings
from gateway.calls.locating import locate
from gateway.config.tree import Config, advertised, media_advertised, media_listen
from gateway.config.trunk import Trunk
from gateway.doctor.rounds import node_runs
from gateway.numbers import PhoneNumber
from gateway.sip.account import Account
from gateway.sip.hop import Hop
from gateway.sip.resolver import Resolver
from gateway.start import open_tls
from gateway.trunktest.stage import Patience, Stage


async def stage_of(
    config: Config, trunk: Trunk, caller: PhoneNumber, callee: PhoneNumber, ring: float, ours: PhoneNumber | None
) -> Stage:
    """Started; OSError, StartError."""
    running = await node_runs(config)
    # Connections are made, not waited for; of datagrams the replies come to the socket.
    sockets = [Hop("udp", hop.host, 0 if running else hop.port) for hop in config.sip.listen if hop.transport == "udp"]
    account, settings = trunk.account, trunk_settings(trunk)
    await locate(settings.peers, Resolver(config.sip.dns, config.sip.versions))
    stage = Stage(
        settings,
        caller,
        callee,
        sip=sockets or [Hop("udp", config.sip.listen[0].host, 0)],
        advertised=advertised(config),
        media=(media_listen(config), media_advertised(config), config.media.ports),
        account=Account(
            account.user, account.password.get_secret_value(), account.realm, lambda: secrets.token_hex(12),
            integrity=account.integrity,
        ) if account.user else None,
        tls=open_tls(config),
        patience=Patience(ring=ring),
        ours=ours,
        shared=running,
    )  # fmt: skip
    await stage.start()
    return stage
