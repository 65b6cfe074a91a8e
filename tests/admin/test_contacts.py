"""Contacts, and the mails that they get from a real SMTP server."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from sqlalchemy import select

from gateway.admin.mail import WAITS, Mailer, MailSettings
from gateway.admin.tables import mail
from gateway.database import reading
from tests.admin.bench import Bench


class Server:
    """An SMTP server on loopback; ``answer`` is what it says to a mail."""

    def __init__(self) -> None:
        self.answer = "250 OK"
        self.taken: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("2"):
            self.taken.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.answer

    async def up(self) -> Server:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="mx", ident="mx"), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def down(self) -> None:
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = await Server().up()
    yield made
    await made.down()


def mailer(bench: Bench, port: int) -> Mailer:
    settings = MailSettings(host="127.0.0.1", port=port, sender="maskline@op.example", tls="none")
    return Mailer(bench.engine, settings, bench.clock)


async def add(bench: Bench, who: str = "tenant", **more: Any) -> Any:
    body = {"name": "Ms Wang", "email": "wang@shop.example", "notices": ["orders"], **more}
    return await bench.ok(who, "POST", "/contacts", body)


async def order(bench: Bench) -> str:
    application = await bench.ok("operator", "POST", "/applications", {"mode": "AXB", "enterprise": "shop"})
    return str((await bench.ok("tenant", "POST", "/orders", {"application": application["key"], "count": 1}))["id"])


async def states(bench: Bench) -> list[tuple[str, int]]:
    async with reading(bench.engine) as connection:
        return [(row.state, row.tries) for row in await connection.execute(select(mail))]


async def test_who_wants_to_know_is_told(bench: Bench, server: Server) -> None:
    await add(bench)
    await add(bench, email="other@shop.example", notices=["tones", "numbers"])
    await add(bench, "rival", email="rival@other.example")
    await add(bench, email="", notices=["orders"])
    id = await order(bench)
    await bench.ok("reviewer", "POST", f"/orders/{id}/reject", {"reason": "Zu groß, 太多."})
    assert await mailer(bench, server.port).send_due() == 1
    (told,) = server.taken
    assert (told["To"], told["From"], told["Subject"]) == (
        "wang@shop.example", "maskline@op.example", "Order of numbers: rejected")  # fmt: skip
    assert "Zu groß, 太多." in told.get_content()
    assert await states(bench) == [("sent", 1)]
    assert await mailer(bench, server.port).send_due() == 0
    (row,) = (await bench.ok("operator", "GET", "/mails", state="sent"))["items"]
    assert (row["recipient"], row["tries"]) == ("wang@shop.example", 1)


async def test_a_server_that_is_busy_is_tried_again_and_given_up_at_last(bench: Bench, server: Server) -> None:
    await add(bench)
    await bench.ok("reviewer", "POST", f"/orders/{await order(bench)}/reject", {"reason": "r"})
    server.answer = "451 later"
    sender = mailer(bench, server.port)
    assert await sender.send_due() == 0
    assert await sender.send_due() == 0
    assert await states(bench) == [("waiting", 1)]
    for wait in WAITS:
        bench.later += timedelta(seconds=wait + 1)
        await sender.send_due()
    assert await states(bench) == [("failed", len(WAITS) + 1)]
    (row,) = (await bench.ok("operator", "GET", "/mails"))["items"]
    assert "451" in row["error"]


async def test_a_server_that_is_not_there(bench: Bench) -> None:
    await add(bench)
    await bench.ok("reviewer", "POST", f"/orders/{await order(bench)}/reject", {"reason": "r"})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert await mailer(bench, port).send_due() == 0
    assert await states(bench) == [("waiting", 1)]


async def test_two_nodes_send_a_mail_once(bench: Bench, server: Server) -> None:
    for number in range(5):
        await add(bench, email=f"c{number}@shop.example")
    await bench.ok("reviewer", "POST", f"/orders/{await order(bench)}/reject", {"reason": "r"})
    await asyncio.gather(*(mailer(bench, server.port).send_due() for _ in range(3)))
    assert sorted(one["To"] for one in server.taken) == [f"c{number}@shop.example" for number in range(5)]


async def test_a_rejection_that_fails_sends_nothing(bench: Bench) -> None:
    await add(bench)
    id = await order(bench)
    assert (await bench.refused("reviewer", "POST", f"/orders/{id}/reject", {"reason": ""}))[0] == 400
    assert await states(bench) == []


async def test_changed_and_removed(bench: Bench) -> None:
    made = await add(bench, phone="+8675528120000")
    path = f"/contacts/{made['id']}"
    changed = await bench.ok("tenant", "PATCH", path, {"notices": ["tones", "tones"], "name": "Mr Li"})
    assert (changed["notices"], changed["name"], changed["email"]) == (["tones"], "Mr Li", "wang@shop.example")
    assert await bench.refused("rival", "PATCH", path, {"name": "x"}) == (404, "not_found", "id")
    assert await bench.refused("rival", "DELETE", path) == (404, "not_found", "id")
    assert (await bench.ok("rival", "GET", "/contacts"))["items"] == []
    assert len((await bench.ok("operator", "GET", "/contacts", enterprise="shop"))["items"]) == 1
    assert await bench.ask("tenant", "DELETE", path) == (204, None)
    assert (await bench.ok("tenant", "GET", "/contacts"))["items"] == []
    # The log says which fields, not whose address.
    assert "wang" not in str(await bench.audited("contact"))


async def test_what_can_t_be(bench: Bench) -> None:
    good = {"name": "n", "email": "a@b.example"}
    for wrong, field in (
        ({"email": "a b@c"}, "email"), ({"email": "a@b\r\nBcc: c@d"}, "email"), ({"notices": ["all"]}, "notices.0"),
        ({"phone": "138"}, "phone"), ({"enterprise": "other"}, "enterprise"), ({"name": ""}, "name"),
    ):  # fmt: skip
        assert await bench.refused("tenant", "POST", "/contacts", good | wrong) == (400, "invalid", field)
    assert await bench.refused("operator", "POST", "/contacts", good) == (400, "invalid", "enterprise")
    assert await bench.refused("operator", "POST", "/contacts", good | {"enterprise": "nobody"}) == (
        404, "not_found", "enterprise")  # fmt: skip
    assert await bench.refused("auditor", "GET", "/contacts") == (403, "forbidden", None)
