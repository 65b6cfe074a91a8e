"""The line between signalling and web: questions get their replies, an end that is gone is noticed."""

from __future__ import annotations

import asyncio
import socket
import struct

from gateway.channel import AskStatus, Channel, Message, Nudge, Reply, StopCall


async def pair() -> tuple[Channel, Channel, list[Message]]:
    one, two = socket.socketpair()
    heard: list[Message] = []
    signalling = Channel(lambda message: answer(signalling, heard, message))
    web = Channel(heard.append)
    await signalling.open(one)
    await web.open(two)
    return signalling, web, heard


def answer(channel: Channel, heard: list[Message], message: Message) -> None:
    heard.append(message)
    if isinstance(message, StopCall):
        channel.send(Reply(message.id, message.session == "known"))
    elif isinstance(message, AskStatus):
        channel.send(Reply(message.id, True, 3))


async def test_questions_get_their_own_replies() -> None:
    signalling, web, _ = await pair()
    replies = await asyncio.gather(
        web.ask(lambda number: StopCall(number, "app", "known")),
        web.ask(lambda number: StopCall(number, "app", "unknown")),
        web.ask(AskStatus),
    )
    assert [(reply.ok, reply.calls) for reply in replies] == [(True, 0), (False, 0), (True, 3)]
    await web.close()
    await signalling.close()


async def test_nudge_arrives_and_end_is_noticed() -> None:
    signalling, web, heard = await pair()
    signalling.send(Nudge())
    await web.ask(AskStatus)
    assert Nudge() in heard
    await signalling.close()
    async with asyncio.timeout(30):
        await web.closed.wait()
    assert (await web.ask(AskStatus)).ok is False
    await web.close()


async def test_garbage_closes_the_channel() -> None:
    one, two = socket.socketpair()
    channel = Channel(lambda message: None)
    await channel.open(one)
    two.sendall(struct.pack(">I", 3) + b"\xc1\xc1\xc1")
    async with asyncio.timeout(30):
        await channel.closed.wait()
    await channel.close()
    two.close()
