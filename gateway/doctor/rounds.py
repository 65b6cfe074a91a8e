"""[IO] All checks, in the order of the report."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from gateway.assembly import recording_store
from gateway.bindings.models import Application
from gateway.config.tree import Config, advertised, media_advertised, webrtc_addresses
from gateway.doctor import browsers, certificates, limits, network, services, storage, world
from gateway.doctor.finding import Finding, failure
from gateway.sip.endpoint import Endpoint
from gateway.sip.gate import Gate, GateSettings
from gateway.sip.hop import Hop
from gateway.sip.outputs import Answered
from gateway.sip.resolver import Resolver
from gateway.sip.standalone import send
from gateway.sip.user_agent import UserAgent, UserAgentSettings
from gateway.start import StartError, open_tls
from gateway.tones.folder import SOUNDS, ToneFolder
from gateway.vault.cipher import VaultError
from gateway.vault.keys import read_keys
from media.tones import ToneError, parse_tone

OPTIONS_SECONDS = 6.0
Tell = Callable[[Finding], None]


async def examine(config: Config, *, behind_nat: bool = False, tell: Tell = lambda finding: None) -> list[Finding]:
    """Look at everything; ``tell`` is called as soon as something is known."""
    found: list[Finding] = []

    def note(*findings: Finding) -> None:
        for finding in findings:
            found.append(finding)
            tell(finding)

    running = await node_runs(config)
    peers, names = await services.trunk_peers(config.trunk, Resolver(config.sip.dns, config.sip.versions).locate)
    hosts = [hop.host for _, hop in peers]
    note(*_network(config, hosts, running=running, behind_nat=behind_nat))
    if config.webrtc.enabled:
        note(*await _browsers(config, running=running))
    note(*_limits(config))
    note(*_certificates(config))
    note(*await services.database(config), _key_file(config))
    note(*_folders(config), await services.recordings(lambda: recording_store(config)), _tones(config))
    for finding in asyncio.as_completed(_callbacks(await services.applications(config))):
        note(await finding)
    note(*names, *await _peers(config, peers, running=running))
    return found


async def node_runs(config: Config) -> bool:
    """Whether a node answers at the address of this configuration."""
    host, port = config.web.listen
    host = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host
    scheme = "https" if config.web.certificate else "http"
    with suppress(aiohttp.ClientError, TimeoutError, ValueError):
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(2)) as http,
            http.get(f"{scheme}://{host}:{port}/healthz", ssl=False) as answer,
        ):
            return bool((await answer.json(content_type=None)) == {"status": "alive"})
    return False


def _network(config: Config, peers: list[str], *, running: bool, behind_nat: bool) -> list[Finding]:
    shown = {"sip.advertised": advertised(config), "media.advertised": media_advertised(config)}
    if config.sip.advertised6:
        shown["sip.advertised6"] = config.sip.advertised6
    used, ports, calls = world.used_ports(), config.media.ports, config.calls.max_calls
    return [
        *(
            network.advertised_address(key, text, ours=world.has_address(text), behind_nat=behind_nat, peers=peers)
            for key, text in shown.items()
        ),
        *network.sip_ports(config.sip.listen, used, running=running),
        network.rtp_range(ports, used, running=running, calls=calls),
        network.ephemeral_range(ports, world.kernel_ports(), world.reserved_ports()),
    ]


async def _browsers(config: Config, *, running: bool) -> list[Finding]:
    said, installed = config.webrtc, find_spec("aiortc") is not None
    bound, shown = webrtc_addresses(config)
    own = [(one, world.has_address(one)) for one in bound]
    found = [
        *browsers.sockets(config.sip.listen, config.sip.origins, installed=installed),
        browsers.port_range(said.ports, config.media.ports, world.used_ports(), running=running),
        *browsers.addresses(own),
    ]
    if said.stun and installed and own[0][1]:
        found.append(await services.browsers_nat(bound[0], (shown or bound)[0], said.ports, said.stun))
    return found


def _limits(config: Config) -> list[Finding]:
    low, high = config.media.ports
    pairs, buffer = (high - low + 1) // 2, world.receive_buffer()
    found = [limits.clock(world.clock()), limits.open_files(world.file_limit(), pairs, config.media.workers)]
    return found if buffer is None else [*found, limits.socket_buffers(buffer, pairs)]


def _certificates(config: Config) -> list[Finding]:
    public = urlsplit(config.web.public_url).hostname
    found: list[Finding] = []
    for key, file, private, names in (
        ("web.certificate", config.web.certificate, config.web.key, (public,) if public else ()),
        ("sip.certificate", config.sip.certificate, config.sip.key, ()),
    ):
        if file:
            try:
                pem, secret = Path(file).read_bytes(), Path(private).read_bytes()
            except OSError as error:
                hint = "see the path and who may read it"
                found.append(failure(key, f"{error.filename}: {error.strerror}", hint))
                continue
            found += certificates.certificate(key, pem, secret, names, datetime.now(UTC))
    return found


def _key_file(config: Config) -> Finding:
    path, trouble, keys = config.database.key_file, "", 0
    if path:
        try:
            keys = len(read_keys(Path(path)))
        except (VaultError, OSError) as error:
            trouble = str(error)
    return storage.key_file(path, trouble, keys)


def _folders(config: Config) -> list[Finding]:
    low, high = config.media.ports
    need = storage.spool_need((high - low + 1) // 4)
    folders = [("recordings.spool", config.recordings.spool, need), ("tones.approved", config.tones.approved, 1 << 20)]
    if config.recordings.url.startswith("file://"):
        folders.append(("recordings.url", config.recordings.url.removeprefix("file://"), storage.GIB))
    if config.database.url.startswith("sqlite"):
        file = config.database.url.partition(":///")[2].partition("?")[0]
        folders.append(("database.url", str(Path(file).absolute().parent), storage.GIB))
    warn = config.recordings.low_percent
    return [storage.folder(key, path, *world.try_folder(Path(path)), need, warn) for key, path, need in folders]


def _tones(config: Config) -> Finding:
    folder, missing, read = ToneFolder(config.tones.folder, config.tones.approved), [], 0
    wanted = [("", path.name, path) for path in sorted(SOUNDS.glob("*.wav"))]
    for entry in config.application:
        for name in {*entry.tones.values(), entry.notice, entry.waiting} - {""}:
            file = folder.find(entry.key, name)
            if file is None:
                missing.append((entry.key, name, "not there"))
            else:
                wanted.append((entry.key, name, Path(file)))
    for application, name, path in wanted:
        try:
            parse_tone(path.read_bytes())
            read += 1
        except (OSError, ToneError) as error:
            missing.append((application, name, str(error)))
    return storage.tones(missing, read)


def _callbacks(applications: Iterable[Application]) -> list[Awaitable[Finding]]:
    names = ("status_url", "fee_url", "callin_url", "sms_url", "sms_control_url", "number_status_url")
    wanted = {
        (url, entry.private_callbacks): (entry.key, name)
        for entry in applications
        for name in names
        if (url := getattr(entry, name))
    }
    return [services.callback(*of, url, private=private) for (url, private), of in wanted.items()]


async def _peers(config: Config, wanted: list[tuple[str, Hop]], *, running: bool) -> list[Finding]:
    """From the SIP port when it is free (carriers often know no other), else from any."""
    quiet = {trunk.name for trunk in config.trunk if trunk.health == "off"}
    try:
        async with asyncio.timeout(OPTIONS_SECONDS * 2):
            asker = await Asker.start(config, any_port=running)
    except (OSError, StartError, TimeoutError) as error:
        hint = "see the lines above: without its sockets nothing can be asked"
        return [failure(f"trunk {trunk} {hop}", f"can't ask: {error}", hint) for trunk, hop in wanted]
    try:
        return list(
            await asyncio.gather(
                *(services.trunk_peer(trunk, hop, asker.ask, quiet=trunk in quiet) for trunk, hop in wanted)
            )
        )
    finally:
        await asker.stop()


class Asker:
    """Sends OPTIONS as the node would."""

    def __init__(
        self, endpoint: Endpoint, agent: UserAgent, us: str, waiting: dict[str, asyncio.Future[Answered]]
    ) -> None:
        self._endpoint = endpoint
        self._agent = agent
        self._us = us
        self._waiting = waiting

    @classmethod
    async def start(cls, config: Config, *, any_port: bool) -> Asker:
        """Bind; OSError."""
        waiting: dict[str, asyncio.Future[Answered]] = {}
        shown = advertised(config)
        listen = [Hop(hop.transport, hop.host, 0 if any_port else hop.port) for hop in config.sip.listen]
        listen = [hop for hop in listen if hop.transport == "udp"]
        hops: dict[str, Hop] = {hop.transport: Hop(hop.transport, shown, hop.port) for hop in config.sip.listen}
        agent = UserAgent(UserAgentSettings(advertised=hops, product=config.sip.product), lambda: secrets.token_hex(12))

        def take(outputs: list[object]) -> None:
            for output in outputs:
                if isinstance(output, Answered) and output.session in waiting:
                    waiting.pop(output.session).set_result(output)

        gate = Gate(GateSettings(), lambda host: True, lambda host: "doctor")
        endpoint = Endpoint(agent, take, gate, None, tls=open_tls(config))
        await endpoint.start(listen)
        for hop in endpoint.bound:
            hops[hop.transport] = Hop(hop.transport, shown, hop.port)
        return cls(endpoint, agent, f"<sip:{shown}>", waiting)

    async def ask(self, hop: Hop) -> tuple[int, bool]:
        """The status of its answer; False: it is not the peer's own."""
        uri = f"sip:{hop.host_text}:{hop.port}{hop.uri_transport}"
        loop = asyncio.get_running_loop()
        name, outputs = send(
            self._agent.wire, "OPTIONS", hop, uri, from_=self._us, to=f"<{uri}>",
            contact=self._agent.wire.contact(hop), now=loop.time(),
        )  # fmt: skip
        self._waiting[name] = future = loop.create_future()
        self._endpoint.execute(outputs)
        try:
            async with asyncio.timeout(OPTIONS_SECONDS):
                answer = await future
        except TimeoutError:
            return 408, False
        return answer.status, answer.response is not None

    async def stop(self) -> None:
        """Close the sockets."""
        await self._endpoint.stop()
