"""One side of test_nat.py, in a network namespace of its own: the edge with a worker's tone, or a browser (aiortc).

    edge ADDRESS ADVERTISED STUN    says its offer, reads the answer, says which tone it has heard
    browser                         reads an offer, says its answer, says which tone it has heard

A line each, JSON; the browser's other end is told that way, as SIP would.
"""

from __future__ import annotations

import asyncio
import json
import sys

from gateway.sdp.browser import browser_of, plain_of, terms_of
from gateway.sdp.description import SessionDescription
from gateway.sdp.offer_answer import Negotiation
from media.candidates import Stun
from media.webrtc import Edge
from tests.media.test_webrtc import Browser, Party, tone_at

PORTS = (30000, 30007)


def say(thing: object) -> None:
    print(json.dumps(thing), flush=True)


async def read() -> str:
    return str(json.loads(await asyncio.to_thread(sys.stdin.readline)))


async def edge(address: str, advertised: str, stun: str) -> None:
    party = Party()
    made = Edge([address], PORTS, 0.0, advertised=[advertised] if advertised else [], stun=Stun(stun) if stun else None)
    leg = await made.open()
    phone = Negotiation(1, "127.0.0.1")
    offer = SessionDescription.parse(phone.offer(party.end.rtp))
    leg.carry(party.end)
    say(bytes(browser_of(offer, leg.ours)).decode())
    answer = SessionDescription.parse((await read()).encode())
    leg.start(terms_of(answer))
    phone.receive_answer(bytes(plain_of(answer, leg.plain)))
    humming = asyncio.ensure_future(party.hum(leg, 1300))
    say(await tone_at(party))
    await read()
    humming.cancel()
    await made.close(leg)


async def browser() -> None:
    made = Browser(700, "PCMA", "telephone-event")
    say(bytes(await made.answer(SessionDescription.parse((await read()).encode()))).decode())
    say(await made.hears())
    await read()
    await made.close()


if __name__ == "__main__":
    asyncio.run(edge(*sys.argv[2:]) if sys.argv[1] == "edge" else browser())
