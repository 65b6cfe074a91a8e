"""The console in a real browser: signing in, a call that appears as it rings, its timeline, every page, both languages.

``MASKLINE_SHOTS=folder`` keeps screenshots for people to look at.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from gateway.lab.phone import Phase
from gateway.lab.script import Script
from gateway.tones.folder import SOUNDS
from tests.integration.test_admin import AdminStand
from tests.integration.test_node import KEY, A, B, X
from tests.interop.conftest import program

pytestmark = pytest.mark.interop
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
OTHERS = ("+8613800000031", "+8613800000033")
# Where a sound stands that has just begun to play somewhere, once it is loaded; and how long one is.
_STOPPED = """(one) => new Promise((done) => {
  const stop = () => {
    if (!(one.duration > 0)) return setTimeout(stop, 50);
    one.pause();
    done([one.currentTime, one.duration]);
  };
  stop();
})"""
_LENGTH = """(one) => new Promise((done) => {
  one.onloadedmetadata = () => done(one.duration);
  one.preload = "auto";
  one.load();
})"""
# What a screen reader would have no name for.
_NAMELESS = """[...document.querySelectorAll(
    "button, input, select, textarea, a, audio[controls], dialog, svg, [role=button]")]
  .filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || (one.labels && one.labels.length)))
  .concat([...document.querySelectorAll("th:not([scope])")]).map((one) => one.outerHTML.slice(0, 120))"""
SHOTS = os.environ.get("MASKLINE_SHOTS", "")


class Browser:
    """A page, and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", self._said)
        self.elsewhere: list[str] = []
        page.on("request", lambda request: self.elsewhere.append(request.url))

    def _said(self, message: Any) -> None:
        # An address that isn't there (no trace, nobody signed in) is not a fault of the page.
        if message.type == "error" and "status of 40" not in message.text:
            self.wrong.append(message.text)

    async def open(self, base: str, name: str) -> None:
        """A page of the console."""
        await self.page.goto(f"{base}/console/#/{name}")
        await self.page.locator(f'nav a[data-page="{name}"][aria-current="page"]').wait_for()
        await self.page.locator(f'main[data-page="{name}"] h1').wait_for()
        assert await self.page.evaluate(_NAMELESS) == [], name

    async def shot(self, name: str) -> None:
        if SHOTS:
            await self.page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[AdminStand]:
    made = AdminStand(tmp_path, Script(tone_hz=700), Script(tone_hz=1300, answer_after=6.0))
    await made.up()
    yield made
    await made.stack.aclose()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = program("chromium", "chromium")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        context = await running.new_context(viewport={"width": 1360, "height": 900}, locale="en-GB")
        yield Browser(await context.new_page())
        await running.close()


async def test_a_call_from_its_first_ring_to_its_timeline(stand: AdminStand, browser: Browser) -> None:
    page, base = browser.page, stand.node.plan.base_url
    token = await stand.terminal("token", "create", "me")
    await stand.customer.bind(
        {"callerNum": A, "calleeNum": B, "relationNum": X, "recordFlag": "true", "recordHintTone": "notice.wav",
         "preVoice": {"callerHintTone": "waiting.wav"}}
    )  # fmt: skip
    await stand.ask(token, "POST", "/traces", {"next": 1})

    await page.goto(f"{base}/console/")
    await browser.shot("sign-in")
    await page.get_by_label("token").fill("mkl_wrong_token")
    await page.get_by_role("button", name="sign in").click()
    await page.get_by_text("unknown, expired or revoked").wait_for()
    await page.get_by_label("token").fill(token)
    await page.get_by_role("button", name="sign in").click()
    await page.get_by_role("heading", name="live calls").wait_for()

    stand.dial_x(X)
    row = page.locator("tbody tr", has_text=X)
    await row.get_by_text("ringing").wait_for(timeout=30000)
    assert A not in await page.content()
    await row.get_by_text("talking").wait_for(timeout=30000)
    await row.get_by_role("button", name="trace").click()
    await page.get_by_text("done").wait_for()
    await page.get_by_role("button", name="show real numbers").click()
    await row.get_by_text(A).wait_for(timeout=30000)
    await page.get_by_role("button", name="mask numbers").click()
    # How each leg is heard, after its first 5 s; the callee is heard in the second five.
    await row.locator("span[title^='caller: MOS']").wait_for(timeout=30000)
    await row.locator("span[title^='callee: MOS']").wait_for(timeout=30000)
    # Long enough for a recording, however slow this machine is.
    await row.get_by_text(re.compile(r"^0:(0[5-9]|[1-5]\d)$")).wait_for(timeout=15000)
    await browser.shot("live")
    await row.get_by_role("button", name="hang up").click()
    await page.locator("dialog").get_by_role("button", name="yes").click()
    await stand.until(lambda: stand.callee.phone.phase is Phase.OVER and stand.caller.phone.phase is Phase.OVER)
    fee = await stand.receiver.wait_for("fee", 60)
    assert fee is not None, stand.node.log_tail()
    assert fee.fields["ulFailReason"] == 8017, "stopped by the customer"
    await page.get_by_text("nothing here").wait_for(timeout=30000)

    await page.goto(f"{base}/console/#/calls")
    await page.locator("td a").first.click()
    await page.get_by_role("heading", name="timeline").wait_for()
    # The recording is rendered, and the trace kept, a moment behind the call.
    await page.locator("svg text", has_text="recording caller").wait_for(timeout=30000)
    await page.locator("svg path.caller").first.wait_for(timeout=30000)
    for text in ("SIP caller", "SIP callee", "events", "recording caller", "disconnect"):
        await page.locator("svg text", has_text=text).first.wait_for()
    await tones(page)
    await play_head(page)
    await page.locator("svg g.hit", has_text="fee").press("Enter")
    await page.locator("dialog td", has_text="200").wait_for()
    await page.keyboard.press("Escape")
    await page.locator("svg g.hit", has_text="INVITE").first.click()
    await page.locator("dialog pre", has_text="INVITE sip:").wait_for()
    assert A not in await page.content()
    await page.get_by_role("button", name="close").click()
    await browser.shot("timeline")
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="export").click()
    kept = await asyncio.to_thread(Path(await (await waiting.value).path()).read_text)
    assert "<svg" in kept
    assert A not in kept
    assert "src=" not in kept
    # Masked too where real numbers are shown, in the page and in what was said.
    await page.get_by_role("button", name="show real numbers").click()
    await page.locator("dd", has_text=A).first.wait_for()
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="export").click()
    kept = await asyncio.to_thread(Path(await (await waiting.value).path()).read_text)
    assert "INVITE" in kept
    assert X in kept
    assert not [form for number in (A, B) for form in (number[1:], number[3:]) if form in kept]
    await page.get_by_role("button", name="mask numbers").click()
    await page.get_by_role("button", name="show real numbers").wait_for()
    await page.get_by_role("button", name="dark").click()
    await browser.shot("timeline-dark")
    await recordings(browser, base)
    await traces(browser, base)
    await contacts(browser, base)
    await bindings(browser, base)
    await pushed_again_and_heard(browser, base)

    for name in ("messages", "ledger", "statistics", "explain", "bindings", "numbers", "orders", "tones", "lists",
                 "applications", "enterprises", "trunks", "bans", "audit"):  # fmt: skip
        await browser.open(base, name)
        await browser.shot(name)
    written = await stand.ask(token, "GET", "/audit", action="contact")
    assert [one["action"] for one in written["items"]] == ["contact.remove", "contact.modify", "contact.create"]
    assert {(one["actor"], one["role"]) for one in written["items"]} == {("me", "operator")}
    await page.get_by_role("button", name="中文").click()
    await page.get_by_role("heading", name="审计日志").wait_for()
    for name in (
        "live",
        "calls",
        "recordings",
        "ledger",
        "traces",
        "bindings",
        "numbers",
        "tones",
        "contacts",
        "trunks",
    ):
        await browser.open(base, name)
        texts = await page.locator("th, h1, h2, nav a, label, button, dt").all_inner_texts()
        english = [text for text in texts if re.fullmatch(r"[a-z][a-z ,-]+", text.strip())]
        assert english == [], name
    await page.goto(f"{base}/console/#/statistics")
    await page.get_by_role("heading", name="统计").wait_for()
    # The call is of today, which is the node's day.
    await expect(page.locator(".figures div", has_text="通话记录").locator("b")).to_have_text("1")
    await browser.shot("chinese")
    await page.set_viewport_size({"width": 390, "height": 800})
    for name in [*await page.locator("nav a").evaluate_all("links => links.map((one) => one.dataset.page)"), "call"]:
        if name == "call":
            await page.goto(f"{base}/console/#/calls")
            await page.locator("main[data-page=calls] td a").first.click()
            await page.locator("main[data-page=call] svg").wait_for()
        else:
            await browser.open(base, name)
        await browser.shot(f"phone-{name}")
        wide = await page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1], name

    await page.get_by_role("button", name="退出").click()
    await page.get_by_label("令牌").wait_for()
    await roles(stand, browser, token)
    assert browser.wrong == []
    assert {url for url in browser.elsewhere if not url.startswith((base, "data:", "blob:"))} == set()
    for secret in (A, B, token):
        assert secret not in stand.node.log_tail(10_000)


async def tones(page: Page) -> None:
    """Each tone that was played is a bar with its name, where the call's record says that it was heard."""
    left = {}
    for name in ("ringing", "talking", "waiting tone · waiting.wav", "ring-back · ringback.wav", "notice · notice.wav"):
        bar = page.locator(f"svg g.span[aria-label^='{name}'] rect").first
        left[name] = [float(await bar.get_attribute(side) or "nan") for side in ("x", "width")]
    (waiting, long), (ringback, _), (talking, _) = (left[name] for name in (
        "waiting tone · waiting.wav", "ring-back · ringback.wav", "talking"))  # fmt: skip
    assert long > 100, left
    assert abs(waiting + long - ringback) < 5
    assert ringback < talking
    await expect(page.locator("tbody tr", has_text="waiting.wav")).to_have_count(1)
    await expect(page.locator("tbody tr", has_text="notice.wav")).to_have_count(2)
    # Quality lies between the call's beginning and its end.
    dots = [float(await dot.get_attribute("cx") or "nan") for dot in await page.locator("svg circle.caller").all()]
    marks = [float(await mark.get_attribute("cx") or "nan") for mark in await page.locator("svg circle.good").all()]
    edge = max(marks)
    assert all(left["ringing"][0] < dot < edge for dot in dots), (dots, left, edge)


async def play_head(page: Page) -> None:
    """It goes through all of the recording: where one clicks, and to its end."""
    head, sound, wave = page.locator("svg line.head"), page.locator("main audio"), page.locator("svg path.callee").last
    begin = float(await head.get_attribute("x1") or "nan")
    # So slow that it stands where it was told to, whenever this test looks.
    await sound.evaluate("one => { one.defaultPlaybackRate = one.playbackRate = 0.0625; }")
    for part in (0.5, 0.97):
        await wave.scroll_into_view_if_needed()
        box = await wave.bounding_box()
        assert box is not None
        await page.mouse.click(box["x"] + part * box["width"], box["y"] + box["height"] / 2)
        await expect(sound).not_to_have_js_property("currentTime", 0)
        at, length = await sound.evaluate(_STOPPED)
        assert abs(at / length - part) < 0.15, (at, length)
    assert float(await head.get_attribute("x1") or "nan") > begin + 100


async def bindings(browser: Browser, base: str) -> None:
    """One is added, tried without a call, and ended."""
    page, dialog = browser.page, browser.page.locator("dialog")
    await page.get_by_role("button", name="show real numbers").click()
    # The page is made anew then, which would close a dialog.
    await page.get_by_role("button", name="mask numbers").wait_for()
    await browser.open(base, "bindings")
    await page.get_by_role("button", name="bind", exact=True).click()
    for label, text in (("application", KEY), ("A", OTHERS[0]), ("B", OTHERS[1]), ("X", X)):
        await dialog.get_by_label(label, exact=True).fill(text)
    await dialog.get_by_role("button", name="save").click()
    row = page.locator("tbody tr", has_text=OTHERS[0])
    await row.get_by_role("link", name="dry run").click()
    await page.locator("main[data-page=explain]").get_by_role("button", name="dry run").click()
    await page.locator("main dd.good", has_text=OTHERS[1]).wait_for()
    await browser.shot("explained")
    await browser.open(base, "bindings")
    await row.get_by_role("button", name="end").click()
    await dialog.get_by_role("button", name="yes").click()
    await expect(row).to_have_count(0)
    await page.get_by_role("button", name="mask numbers").click()
    await page.get_by_role("button", name="show real numbers").wait_for()


async def pushed_again_and_heard(browser: Browser, base: str) -> None:
    """An event is sent again, with its attempts to be read; a tone is uploaded, heard and approved."""
    page, dialog = browser.page, browser.page.locator("dialog")
    await browser.open(base, "ledger")
    row = page.locator("tbody tr", has_text="callin").first
    await row.get_by_role("button", name="replay").click()
    await page.get_by_role("button", name="search").click()
    await row.get_by_role("button", name="attempts").click()
    await dialog.locator("td.n", has_text="ms").first.wait_for()
    await page.keyboard.press("Escape")
    await browser.open(base, "tones")
    await page.get_by_role("button", name="upload").click()
    await dialog.get_by_label("application").fill(KEY)
    await dialog.get_by_label("name").fill("hello.wav")
    await dialog.get_by_label("file").set_input_files(SOUNDS / "notice.wav")
    await dialog.get_by_role("button", name="upload").click()
    row = page.locator("tbody tr", has_text="hello.wav")
    await row.get_by_role("button", name="approve").click()
    await row.get_by_text("approved").wait_for()
    # Heard: the browser has read its sound.
    assert await row.locator("audio").evaluate(_LENGTH) > 1


async def contacts(browser: Browser, base: str) -> None:
    """An enterprise, and who is told of what is its: made, changed and removed."""
    page, dialog = browser.page, browser.page.locator("dialog")
    await browser.open(base, "enterprises")
    await page.get_by_role("button", name="add", exact=True).click()
    await dialog.get_by_label("ID").fill("shop")
    await dialog.get_by_label("name").fill("The Shop Ltd")
    await dialog.get_by_role("button", name="save").click()
    await page.locator("tbody tr", has_text="The Shop Ltd").get_by_role("button", name="approve").click()
    await page.locator("tbody tr", has_text="approved").wait_for()
    await browser.open(base, "contacts")
    await page.get_by_role("button", name="add", exact=True).click()
    for label, text in (("enterprise", "shop"), ("name", "Ms Wang"), ("e-mail", "wang@shop.example")):
        await dialog.get_by_label(label, exact=True).first.fill(text)
    await dialog.get_by_label("orders").check()
    await dialog.get_by_role("button", name="save").click()
    row = page.locator("tbody tr", has_text="wang@shop.example")
    await row.get_by_text("orders").wait_for()
    await row.get_by_role("button", name="edit").click()
    await expect(dialog.get_by_label("orders")).to_be_checked()
    await browser.shot("contact")
    await dialog.get_by_label("e-mail").fill("li@shop.example")
    await dialog.get_by_label("orders").uncheck()
    await dialog.get_by_label("undelivered events").check()
    await dialog.get_by_role("button", name="save").click()
    row = page.locator("tbody tr", has_text="li@shop.example")
    await row.get_by_text("undelivered events", exact=True).wait_for()
    assert await row.locator("td").first.inner_text() == "Ms Wang"
    await browser.shot("contacts")
    # What doesn't come from the page itself changes nothing.
    forged = """fetch("../v1/contacts", {method: "POST", body: JSON.stringify({enterprise: "shop", name: "Mallory"}),
        headers: {"Content-Type": "application/json"}}).then((answer) => answer.status)"""
    assert await page.evaluate(forged) == 403
    await row.get_by_role("button", name="remove").click()
    await dialog.get_by_role("button", name="yes").click()
    await expect(row).to_have_count(0)


async def roles(stand: AdminStand, browser: Browser, token: str) -> None:
    """Whoever signs in sees pages that his role may open, and each of them opens without complaint."""
    page, base = browser.page, stand.node.plan.base_url
    may = {"tenant": {"contacts", "lists", "calls"}, "reviewer": {"tones", "orders"}, "auditor": {"trunks", "audit"}}
    never = {"tenant": {"audit", "bans"}, "reviewer": {"calls", "contacts"}, "auditor": {"contacts", "lists", "bans"}}
    await page.evaluate("localStorage.clear()")
    for role, some in may.items():
        body = {"name": role, "role": role, **({"enterprise": "shop"} if role == "tenant" else {})}
        made = await stand.ask(token, "POST", "/tokens", body)
        await page.goto(f"{base}/console/#/")
        await page.reload()
        await page.get_by_label("token").fill(made["token"])
        await page.get_by_role("button", name="sign in").click()
        await page.locator("nav a").first.wait_for()
        shown = {str(await link.get_attribute("data-page")) for link in await page.locator("nav a").all()}
        assert some <= shown, role
        assert not never[role] & shown, role
        for name in sorted(shown):
            await browser.open(base, name)
            assert await page.locator("#notes .bad").all_inner_texts() == [], (role, name)
        await page.get_by_role("button", name="sign out").click()
        await page.get_by_label("token").wait_for()


async def recordings(browser: Browser, base: str) -> None:
    """The list, one that is heard and seen, kept by the operator's word, and what is proven of it."""
    page = browser.page
    await page.goto(f"{base}/console/#/recordings")
    await page.get_by_label("state").select_option("ready")
    await page.get_by_role("button", name="search").click()
    row = page.locator("tbody tr").first
    await row.get_by_text("ready").wait_for()
    await row.get_by_role("button", name="play").press("Enter")
    await page.locator("dialog svg.waveform path.caller").wait_for()
    await page.locator("dialog audio").evaluate("sound => sound.play()")
    await page.locator("dialog .head:not([x1='0'])").wait_for(state="attached")
    await browser.shot("recording")
    await page.get_by_role("button", name="close").click()
    async with page.expect_download() as waiting:
        await row.get_by_role("link", name="download").click()
    wav = await asyncio.to_thread(Path(await (await waiting.value).path()).read_bytes)
    assert wav[:4] == b"RIFF"
    await row.get_by_role("button", name="hold").click()
    await page.locator("dialog").get_by_label("reason").fill("case 7")
    await page.locator("dialog").get_by_role("button", name="hold").click()
    await row.get_by_role("button", name="release").wait_for()
    await browser.shot("recordings")
    await row.get_by_role("button", name="proof").click()
    await page.locator("dialog td", has_text="case 7").wait_for()
    await browser.shot("proof")
    await page.get_by_role("button", name="close").click()


async def traces(browser: Browser, base: str) -> None:
    """What is traced now is ended, another one begun; the ladder by keys alone, and a file for Wireshark."""
    page = browser.page
    await page.goto(f"{base}/console/#/traces")
    ending = page.get_by_role("button", name="end", exact=True)
    await ending.first.wait_for()
    while await ending.count():
        before = await ending.count()
        await ending.first.click()
        await expect(ending).to_have_count(before - 1)
    await page.get_by_label("kind").select_option("number")
    await page.get_by_label("value").fill(X)
    await page.get_by_role("button", name="trace", exact=True).click()
    await ending.first.wait_for()
    await browser.shot("traces")
    await page.get_by_role("button", name="ladder").first.click()
    await page.locator("dialog g.hit", has_text="INVITE").first.focus()
    await page.keyboard.press("Enter")
    await page.locator("dialog pre", has_text="INVITE sip:").wait_for()
    await page.keyboard.press("Escape")
    await browser.shot("ladder")
    await page.keyboard.press("Escape")
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="pcap").first.click()
    captured = await asyncio.to_thread(Path(await (await waiting.value).path()).read_bytes)
    assert captured[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x0a\x0d\x0d\x0a")
