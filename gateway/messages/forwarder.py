"""[IO] A short message's way: looked up, perhaps asked about, sent on as a MESSAGE from X, and told to the customer.

The sender's carrier gets its answer once it is decided what happens: 202 for all that we take, 480 when the look-up
fails, so that it tries again. The notice (outbox kind ``sms``) follows when the receiver's carrier has answered.

    outbox payload: version, kind ("sms"), session (the message's id), application, at, sender, receiver (null), x,
    binding (null), user_data (null), parts (really sent), direction (0, 1, 2), result (SendResult), text (null unless
    the application may see contents), area_code
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from gateway.bindings.decisions import Found
from gateway.bindings.store import BindingStore
from gateway.messages.routing import Discard, Forward, MessageDecision, Question, SendResult, route_message
from gateway.numbers import PhoneNumber
from gateway.questions import TextQuestion, TextVerdict
from gateway.sms.bodies import Body
from gateway.sms.pieces import Pieces
from gateway.sms.tpdu import Piece

_log = structlog.get_logger()
ANSWER_SECONDS = 140.0  # MOST ways (gateway.calls.text_ways), each until timer F, and some
PIECES_SECONDS = 60.0
"""What has come of a long message by then is sent on without the rest: nothing is lost that we have."""
Ask = Callable[[Callable[[int], TextQuestion]], Awaitable[TextVerdict | None]]


class Sip(Protocol):
    """What sends and answers: the exchange behind its endpoint."""

    def answer_text(self, id: str, status: int) -> None:
        """Answer a MESSAGE that came in."""

    def bodies(
        self, trunk: str, application: str, x: PhoneNumber, receiver: PhoneNumber, text: str, at: datetime
    ) -> list[Body]:
        """What a text of X comes to in MESSAGEs, on the way that a call of ``application`` would take to ``receiver``,
        had it come by ``trunk``."""

    def send_text(self, trunk: str, application: str, sender: PhoneNumber, receiver: PhoneNumber, body: Body) -> str:
        """Send one of them; its id."""


class Forwarder:
    """``received`` for each MESSAGE; ``answered`` for each answer to one of ours. ``tell`` takes the notices' payloads
    and sees to it that they get into the outbox (gateway.calls.journal). ``clock`` gives UTC, ``token`` a name."""

    def __init__(
        self,
        store: BindingStore,
        ask: Ask,
        tell: Callable[[dict[str, Any]], None],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        token: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._store = store
        self._ask = ask
        self._tell = tell
        self._clock = clock
        self._token = token
        self._waiting: dict[str, asyncio.Future[int]] = {}
        self._pieces = Pieces()
        self._whole: dict[tuple[object, Piece], asyncio.Event] = {}

    def answered(self, id: str, status: int) -> None:
        """The receiver's carrier has answered (408: not at all)."""
        future = self._waiting.get(id)
        if future is not None and not future.done():
            future.set_result(status)

    async def received(
        self, sip: Sip, id: str, trunk: str, sender: PhoneNumber | None, x: PhoneNumber, text: str,
        piece: Piece | None = None,
    ) -> None:  # fmt: skip
        """Take a message to its end. Never raises but when cancelled."""
        at = self._clock()
        if piece is not None:
            # Each part has its answer at once: a carrier may send the next one only then.
            sip.answer_text(id, 202)
            joined = await self._joined((trunk, sender, x), piece, text)
            if joined is None:
                return
            text = joined
        try:
            found = await self._store.find(sender, x, at)
            if found.application is None:
                sip.answer_text(id, 404)
                return
            decision = await self._barred(found, sender, x, route_message(sender, x, text, found, at))
        except Exception:
            _log.exception("a message could not be looked up", message=id)
            sip.answer_text(id, 480)
            return
        sip.answer_text(id, 202)
        try:
            await self._carry_out(sip, trunk, sender, x, text, found, decision, at)
        except Exception:
            _log.exception("a message could not be carried out", message=id, application=found.application.key)

    async def _barred(
        self, found: Found, sender: PhoneNumber | None, x: PhoneNumber, decision: MessageDecision
    ) -> MessageDecision:
        """Black and white lists count for messages as for calls."""
        if isinstance(decision, Discard):
            return decision
        receiver = decision.receiver if isinstance(decision, Forward) else None
        if await self._store.listed(found, sender, receiver) is None:
            return decision
        return Discard(result=SendResult.BLACKLISTED, direction=decision.direction, binding=decision.binding)

    async def _carry_out(
        self,
        sip: Sip,
        trunk: str,
        sender: PhoneNumber | None,
        x: PhoneNumber,
        text: str,
        found: Found,
        decision: MessageDecision,
        at: datetime,
    ) -> None:
        application = found.application
        assert application is not None
        name = self._token()
        if isinstance(decision, Question):
            decision = await self._asked(application.key, name, sender, x, text, decision, at)
        receiver, sent, result = None, 0, SendResult.SENT
        if isinstance(decision, Forward):
            receiver, text = decision.receiver, decision.text
            sent, result = await self._send_all(sip, trunk, application.key, x, receiver, text, at)
        elif isinstance(decision, Discard):
            result = decision.result
        binding = decision.binding
        self._tell(
            {
                "version": 1,
                "kind": "sms",
                "session": name,
                "application": application.key,
                "at": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
                "sender": sender.e164 if sender else None,
                "receiver": receiver.e164 if receiver else None,
                "x": x.e164,
                "binding": binding.id if binding else None,
                "user_data": binding.user_data if binding else None,
                "parts": sent,
                "direction": int(decision.direction),
                "result": int(result),
                "text": text if application.sms_content else None,
                "area_code": found.number.area_code if found.number else "",
            }
        )

    async def _asked(
        self,
        application: str,
        name: str,
        sender: PhoneNumber | None,
        x: PhoneNumber,
        text: str,
        question: Question,
        at: datetime,
    ) -> Forward | Discard:
        """The customer's answer: to whom, or not at all."""
        binding = question.binding
        number = sender.e164 if sender else ""
        verdict = await self._ask(
            lambda id: TextQuestion(
                id=id, application=application, message=name, sender=number, called=x.e164, text=text,
                at=at.timestamp(), binding=binding.id if binding else "", direction=int(question.direction),
            )
        )  # fmt: skip
        if verdict is None or not verdict.answered:
            return Discard(result=SendResult.NO_ANSWER, direction=question.direction, binding=binding)
        if not verdict.receiver:
            return Discard(result=SendResult.DISCARDED, direction=question.direction, binding=binding)
        return Forward(receiver=PhoneNumber(verdict.receiver), text=text, direction=question.direction, binding=binding)

    async def _joined(self, whose: object, piece: Piece, text: str) -> str | None:
        """The whole text, for the part that came first, when all are there or have been waited for; else None."""
        name = whose, replace(piece, index=1)
        first = self._pieces.add(whose, piece, text)
        if first is None and name not in self._whole:
            return self._pieces.take(whose, piece)
        if not first:
            if first is None:
                self._whole[name].set()
            return None
        self._whole[name] = complete = asyncio.Event()
        try:
            async with asyncio.timeout(PIECES_SECONDS):
                await complete.wait()
        except TimeoutError:
            _log.warning("a long short message came in part only", parts=piece.total)
        finally:
            del self._whole[name]
        return self._pieces.take(whose, piece)

    async def _send_all(
        self, sip: Sip, trunk: str, application: str, x: PhoneNumber, receiver: PhoneNumber, text: str, at: datetime
    ) -> tuple[int, SendResult]:
        """How many parts the receiver's carrier has taken. Behind one that it refuses the rest makes no sense."""
        sent = 0
        for body in sip.bodies(trunk, application, x, receiver, text, at):
            if not await self._send(sip, trunk, application, x, receiver, body):
                return sent, SendResult.PARTLY_SENT if sent else SendResult.FAILED
            sent += body.parts
        return sent, SendResult.SENT

    async def _send(
        self, sip: Sip, trunk: str, application: str, x: PhoneNumber, receiver: PhoneNumber, body: Body
    ) -> bool:
        """Whether the receiver's carrier has taken it."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        id = sip.send_text(trunk, application, x, receiver, body)
        self._waiting[id] = future
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return 200 <= await future < 300
        except TimeoutError:
            return False
        finally:
            del self._waiting[id]
