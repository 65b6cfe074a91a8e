"""Two pages of the console are A and B of a masked call: Chromium with microphones that hear a tone from a file.

The audio is judged by frequency: in both pages, and on both channels of the recording.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from gateway.lab.ports import free_media_ports
from gateway.numbers import PhoneNumber
from tests.interop.chromium import hears, launch, microphone
from tests.interop.stand import (
    A_VOICE,
    ANSWERED_CALL,
    B_VOICE,
    HOST,
    A,
    B,
    Stand,
    Stands,
    X,
    assert_recorded,
)
from tests.interop.test_registered import MD5, OPEN
from tests.sip.pki import Authority

pytestmark = pytest.mark.interop
PATIENCE = 20_000
SHOTS = os.environ.get("MASKLINE_SHOTS", "")


async def web_stand(stand: Stands, folder: Path, way: str, more: dict[str, str]) -> tuple[Stand, list[str]]:
    """A node for browsers that listens on ``ws`` or ``wss``, with its certificates; of wss its API is HTTPS too."""
    pair = Authority(folder / "pki").sign("gateway", HOST)
    secured = {"SIP__CERTIFICATE": pair.certificate, "SIP__KEY": pair.key, "WEB__CERTIFICATE": pair.certificate,
               "WEB__KEY": pair.key}  # fmt: skip
    low, high = free_media_ports(HOST, 8)
    here = await stand(
        **OPEN, SIP__LISTEN=f'["udp:{HOST}:<sip>", "{way}:{HOST}:<tls>"]', SIP__ORIGINS='["*"]', **more,
        **(secured if way == "wss" else {}), WEBRTC__ENABLED="true", WEBRTC__PORTS=f"{low}-{high}",
    )  # fmt: skip
    return here, [pair.certificate] if way == "wss" else []


class PagePhone:
    """A page at #/phone of a browser of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))

    async def sign_in(self, here: Stand, token: str, number: PhoneNumber) -> None:
        await self.page.goto(f"{here.node.plan.base_url}/console/#/phone")
        await self.page.get_by_label("token").fill(token)
        await self.page.get_by_role("button", name="sign in").click()
        await self.page.get_by_role("heading", name="phone").wait_for()
        sheet = await self.page.evaluate(
            """async (number) => (await (await import("/console/js/api.js")).v1.post("/phones", {number}))""",
            number.e164,
        )
        way = "wss" if here.node.plan.scheme == "https" else "ws"
        assert f"{way} {here.tls_port}" in sheet["ways"]
        self._typed = sheet["user"], sheet["password"]
        # The node knows it within a second.
        await asyncio.sleep(1.5)
        await self.connects(here)

    async def connects(self, here: Stand) -> None:
        way = "wss" if here.node.plan.scheme == "https" else "ws"
        await self.page.get_by_label("SIP server").fill(f"{way}://{HOST}:{here.tls_port}")
        await self.page.locator('input[name="user"]').fill(self._typed[0])
        await self.page.locator('input[name="password"]').fill(self._typed[1])
        await self.page.get_by_label("headset").check()
        await self.page.get_by_role("button", name="connect").click()
        await self.page.locator('[data-state="registered"]').wait_for(timeout=PATIENCE)

    async def dial(self, number: PhoneNumber) -> None:
        await self.page.locator('input[name="number"]').fill(number.e164)
        await self.page.get_by_role("button", name="call", exact=True).click()

    async def binds_and_dials(self, other: PhoneNumber, x: PhoneNumber) -> None:
        await self.page.get_by_text("through X").click()
        await self.page.locator('input[name="b"]').fill(other.e164)
        assert await self.page.locator('input[name="x"]').input_value() == x.e164
        await self.page.get_by_role("button", name="bind and call").click()

    async def reaches(self, state: str) -> None:
        await self.page.locator(f'[data-call="{state}"]').wait_for(timeout=PATIENCE)

    async def answers(self) -> None:
        await self.reaches("offered")
        await self.page.get_by_role("button", name="answer").click()

    async def hears(self, hertz: int) -> None:
        await hears(self.page, hertz)

    async def hangs_up(self) -> None:
        await self.page.get_by_role("button", name="hang up").click()

    async def is_free(self) -> None:
        await self.page.get_by_role("button", name="call", exact=True).wait_for(timeout=PATIENCE)


@pytest.fixture
async def phones(
    request: pytest.FixtureRequest, stand: Stands, tmp_path: Path
) -> AsyncIterator[tuple[Stand, PagePhone, PagePhone]]:
    wanted = dict(getattr(request, "param", {}))
    here, certificates = await web_stand(stand, tmp_path, wanted.pop("way", "ws"), wanted)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "token", "create", "me", "--config", str(here.folder / "demo.toml"),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    token = (await process.communicate())[0].decode().strip()
    async with async_playwright() as playwright, AsyncExitStack() as stack:

        async def opened(name: str, number: PhoneNumber, hertz: int) -> PagePhone:
            sound = microphone(tmp_path / f"{name}.wav", hertz)
            running = await launch(playwright, sound, *certificates)
            stack.push_async_callback(running.close)
            phone = PagePhone(await (await running.new_context(locale="en-GB")).new_page())
            await phone.sign_in(here, token, number)
            return phone

        made = await asyncio.gather(opened("caller", A, A_VOICE), opened("callee", B, B_VOICE))
        yield here, made[0], made[1]
        for phone in made:
            assert phone.wrong == []


async def test_two_pages_call_each_other_through_x(phones: tuple[Stand, PagePhone, PagePhone]) -> None:
    here, caller, callee = phones
    await here.customer.unbind(X.e164)
    for count, (one, other) in enumerate(((caller, callee), (callee, caller)), 1):
        # The first is bound on the page itself.
        await (caller.binds_and_dials(B, X) if count == 1 else caller.dial(X))
        await callee.answers()
        for phone, hertz in ((caller, B_VOICE), (callee, A_VOICE)):
            await phone.reaches("talking")
            await phone.hears(hertz)
        assert A.e164[1:] not in await callee.page.locator("[role=status]").first.inner_text()
        assert X.e164[1:] in await callee.page.locator("main").inner_text()
        await one.hangs_up()
        await other.is_free()
        await one.is_free()
        fee = (await here.fees(count))[-1]
        assert here.kinds()[-len(ANSWERED_CALL) :] == ANSWERED_CALL
        assert (fee.fields["direction"], fee.fields["ulFailReason"], fee.fields["fwdUnaswRsn"]) == (1, 0, 0)
        assert_recorded(await here.recording_of(fee.fields))
    await phones_page(caller.page, here)


async def phones_page(page: Page, here: Stand) -> None:
    """The page "phones": masked until asked for, where they are, one made by keyboard alone and forgotten."""
    await page.evaluate("location.hash = '#/phones'")
    main, other = page.locator("main"), "+8613800000029"
    await page.get_by_role("heading", name="phones", exact=True).wait_for()
    assert A.e164 not in await main.inner_text()
    await page.get_by_role("button", name="show real numbers").click()
    row = page.get_by_role("row").filter(has_text=A.e164)
    await row.wait_for()
    assert f"ws:{HOST}:" in await row.inner_text()
    await page.get_by_role("button", name="add").press("Enter")
    await page.locator("dialog input").fill(other)
    await page.locator("dialog input").press("Enter")
    sheet = page.get_by_role("dialog", name="what to type in")
    await sheet.wait_for()
    assert f"ws {here.tls_port}" in await sheet.inner_text()
    await page.keyboard.press("Escape")
    row = page.get_by_role("row").filter(has_text=other)
    await row.get_by_role("button", name="remove").click()
    await page.get_by_role("button", name="yes").click()
    await row.wait_for(state="detached")
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/phones.png")


@pytest.mark.parametrize("phones", [{**MD5, "way": "wss"}], indirect=True, ids=["MD5, https and wss"])
async def test_how_else_a_call_ends(phones: tuple[Stand, PagePhone, PagePhone]) -> None:
    """Refused, given up, or a page is gone in mid-call. Loaded anew it says so itself; when it can't, since it has
    crashed, the node notices, long before media.timeout_seconds, which is 30."""
    here, caller, callee = phones
    assert await caller.page.evaluate("[isSecureContext, location.protocol]") == [True, "https:"]
    await caller.dial(X)
    await callee.reaches("offered")
    await callee.hangs_up()
    await caller.is_free()
    await caller.dial(X)
    await callee.reaches("offered")
    await caller.hangs_up()
    await callee.is_free()
    await caller.is_free()
    await caller.dial(X)
    await callee.answers()
    await callee.reaches("talking")
    await callee.hears(A_VOICE)
    await callee.page.reload()
    await caller.is_free()
    await callee.page.get_by_text("The call ended as the page was loaded anew").wait_for(timeout=PATIENCE)
    await callee.connects(here)
    await caller.dial(X)
    await callee.answers()
    await caller.hears(B_VOICE)
    session = await callee.page.context.new_cdp_session(callee.page)
    crash = asyncio.ensure_future(session.send("Page.crash"))
    await caller.is_free()
    crash.cancel()
    for fee in (await here.fees(4))[2:]:
        assert (fee.fields["ulFailReason"], fee.fields["fwdUnaswRsn"]) == (0, 0)
