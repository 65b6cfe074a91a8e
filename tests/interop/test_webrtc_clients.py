"""JsSIP and SIP.js, as published, are A and B of masked calls: over wss, with A-law and with Opus alone.

They come from the npm registry, and become one file for a page in ``build/webrtc`` (tests/interop/webrtc).
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Page, async_playwright

from gateway.numbers import PhoneNumber
from tests.interop.chromium import hears, launch, microphone
from tests.interop.conftest import program
from tests.interop.stand import A_VOICE, B_VOICE, HOST, A, B, Stand, Stands, X, assert_recorded
from tests.interop.test_registered import MD5, add
from tests.interop.test_softphone import PATIENCE, web_stand

pytestmark = pytest.mark.interop
HERE, BUILD = Path(__file__).parent / "webrtc", Path("build/webrtc").absolute()
_CODECS = """async () => {
  const peer = phone.session.connection || phone.session.sessionDescriptionHandler.peerConnection;
  const stats = [...(await peer.getStats()).values()];
  return stats.filter((one) => one.codecId).map((one) => stats.find((other) => other.id === one.codecId).mimeType);
}"""
PAGE = '<!doctype html><body data-state=""><audio autoplay></audio><script src="/phones.js"></script></body>'


async def ran(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=BUILD, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said


async def bundle() -> Path:
    """The file for a page, made when it isn't there or is older than what it is made from."""
    BUILD.mkdir(parents=True, exist_ok=True)
    made = BUILD / "phones.js"
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sources = [HERE / "package.json", HERE / "phones.mjs"]
        if made.exists() and made.stat().st_mtime > max(one.stat().st_mtime for one in sources):
            return made
        for one in sources:
            shutil.copy(one, BUILD)
        await ran(program("npm", "npm"), "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock")
        await ran("node_modules/.bin/esbuild", "phones.mjs", "--bundle", "--format=iife", "--global-name=phones",
                  f"--outfile={made}")  # fmt: skip
    return made


class Client:
    """A page with one of the two."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))

    async def register(self, here: Stand, name: str, number: PhoneNumber, count: int, site: str) -> None:
        typed = await add(here, number, "wss", count)
        await self._page.goto(site)
        await self._page.evaluate("(name) => phones.use(name)", name)
        await self._page.evaluate(
            "([server, user, password]) => { phone.register(server, user, password); }",
            [f"wss://{HOST}:{here.tls_port}", typed.user, typed.password],
        )
        await self.reaches("registered")

    async def does(self, what: str) -> None:
        await self._page.evaluate(f"() => {{ phone.{what}; }}")

    async def speaks_opus_alone(self) -> None:
        await self._page.evaluate("phones.opusAlone()")

    async def codecs(self) -> set[str]:
        """What it sends and hears."""
        return set(await self._page.evaluate(_CODECS))

    async def reaches(self, state: str) -> None:
        try:
            await self._page.locator(f'body[data-state="{state}"]').wait_for(state="attached", timeout=PATIENCE)
        except Exception as error:
            raise AssertionError(f"{await self._page.evaluate('document.body.dataset.state')!r}: {error}") from error

    async def hears(self, hertz: int) -> None:
        await hears(self._page, hertz)


@pytest.fixture
async def clients(stand: Stands, tmp_path: Path) -> AsyncIterator[tuple[Stand, Client, Client]]:
    made = await bundle()
    here, (certificate,) = await web_stand(stand, tmp_path, "wss", MD5)

    async def page(request: web.Request) -> web.StreamResponse:
        return (
            web.FileResponse(made)
            if request.path.endswith(".js")
            else web.Response(text=PAGE, content_type="text/html")
        )

    app = web.Application()
    app.router.add_get("/{file:.*}", page)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.replace(".pem", ".key"))
    async with async_playwright() as playwright, AsyncExitStack() as stack:
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, HOST, port := here.take_ports(1)[0], ssl_context=context).start()
        found = []
        for count, (name, number, hertz) in enumerate((("jssip", A, A_VOICE), ("sipjs", B, B_VOICE)), 1):
            running = await launch(playwright, microphone(tmp_path / f"{name}.wav", hertz), certificate)
            stack.push_async_callback(running.close)
            client = Client(await running.new_page())
            await client.register(here, name, number, count, f"https://{HOST}:{port}/")
            found.append(client)
        yield here, found[0], found[1]
        for client in found:
            assert client.wrong == []


async def test_jssip_and_sip_js_call_each_other(clients: tuple[Stand, Client, Client]) -> None:
    here, jssip, sipjs = clients
    for count, (caller, callee) in enumerate(((sipjs, jssip), (jssip, sipjs)), 1):
        await caller.does(f'dial("{X.e164}")')
        await callee.reaches("offered")
        await callee.does("answer()")
        for one in (caller, callee):
            await one.reaches("talking")
        await asyncio.gather(jssip.hears(B_VOICE), sipjs.hears(A_VOICE))
        assert await jssip.codecs() == {"audio/PCMA" if count == 1 else "audio/opus"}
        assert await sipjs.codecs() == {"audio/PCMA"}
        await callee.does("hangUp()")
        for one in (caller, callee):
            await one.reaches("over")
        fee = (await here.fees(count))[-1]
        assert (fee.fields["ulFailReason"], fee.fields["fwdUnaswRsn"]) == (0, 0)
        voices = (A_VOICE, B_VOICE) if caller is jssip else (B_VOICE, A_VOICE)
        assert_recorded(await here.recording_of(fee.fields), *voices)
        # JsSIP's own call is one of Opus alone.
        await jssip.speaks_opus_alone()
