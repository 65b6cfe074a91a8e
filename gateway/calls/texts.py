"""Short messages at the SIP side: a MESSAGE to X becomes a TextReceived, a text becomes the trunk's form of a MESSAGE.

    text/plain                  its body, in the charset that it names
    application/vnd.3gpp.sms    RP-DATA with a part of a message: answered 202, then by RP-ACK or RP-ERROR in a MESSAGE
                                of its own (TS 24.341 §5.3.3.4); RP-ACK and RP-ERROR for ours are answered 200

What we sent counts as taken by its 2xx: a carrier that reports later than that says so to nobody who could still act.
What one way doesn't take goes by the next that wants the same form (text_ways.py), as a call does (pains.md P24).
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import count

from gateway.calls.addresses import first
from gateway.calls.admission import Admission
from gateway.calls.identity import called_number, caller_of, plain_text
from gateway.calls.outputs import TextAnswered, TextReceived
from gateway.calls.phones import Phones
from gateway.calls.settings import ExchangeSettings, TrunkSettings
from gateway.calls.text_ways import Text, begin
from gateway.calls.trunks import Trunks
from gateway.calls.ways import Way
from gateway.errors import ParseError
from gateway.numbers import NumberError, PhoneNumber
from gateway.sip.headers import NameAddr
from gateway.sip.message import Request
from gateway.sip.transaction import Transmit
from gateway.sip.user_agent import PageAnswered, PageReceived, UserAgent
from gateway.sms.bodies import Body, bodies
from gateway.sms.rpdu import CONTENT_TYPE, Report, read, report_on
from gateway.sms.tpdu import TpduError


class Texts:
    """``counters``: RP-ERRORs that came (``sms_errors``)."""

    def __init__(
        self,
        settings: ExchangeSettings,
        agent: UserAgent,
        admission: Admission,
        trunks: Trunks,
        phones: Phones | None = None,
    ) -> None:
        self._settings = settings
        self._trunks = trunks
        self._phones = phones
        self._agent = agent
        self._admission = admission
        self._reports: dict[str, tuple[TrunkSettings, Request, bytes]] = {}
        self._sent: dict[str, Text] = {}
        """What is on its way, by the page that it is now."""
        self._references = count(1)
        self.counters: Counter[str] = Counter()

    def receive(self, page: PageReceived, now: float) -> list[Transmit | TextReceived]:
        """A MESSAGE: a short message to one of our numbers, or an answer at the door."""
        trunk = self._admission.origin(page.source.host, page.user)
        if trunk is None:
            return [*self._agent.pager.answer(page.session, 403, now)]
        if page.request.content_type == CONTENT_TYPE and page.user:
            # Only a carrier could be sent the report.
            return [*self._agent.pager.answer(page.session, 415, now)]
        if page.request.content_type == CONTENT_TYPE:
            return self._receive_3gpp(page, trunk, now)
        x = called_number(page.request, trunk)
        text = plain_text(page.request)
        if x is None or text is None:
            return [*self._agent.pager.answer(page.session, 404 if x is None else 415, now)]
        return [TextReceived(page.session, trunk.name, caller_of(page.request, page.user, trunk), x, text)]

    def _receive_3gpp(self, page: PageReceived, trunk: TrunkSettings, now: float) -> list[Transmit | TextReceived]:
        try:
            data = read(page.request.body)
        except TpduError:
            return [*self._agent.pager.answer(page.session, 400, now)]
        if isinstance(data, Report):
            self.counters["sms_errors"] += data.cause is not None
            return [*self._agent.pager.answer(page.session, 200, now)]
        self._reports[page.session] = trunk, page.request, report_on(data)
        tpdu = data.tpdu
        if tpdu is None:
            return [*self.answer(page.session, 202, now)]
        named = _read(trunk, tpdu.address)
        if tpdu.submit:
            x, sender = named, caller_of(page.request, page.user, trunk)
        else:
            x, sender = called_number(page.request, trunk), named
        if x is None:
            return [*self.answer(page.session, 404, now)]
        return [TextReceived(page.session, trunk.name, sender, x, tpdu.text, tpdu.piece)]

    def answer(self, id: str, status: int, now: float) -> list[Transmit]:
        """Answer a TextReceived; once."""
        outputs = self._agent.pager.answer(id, status, now)
        report = self._reports.pop(id, None)
        if report is not None and status < 300:
            outputs += self._report(*report, now)
        return outputs

    def _report(self, trunk: TrunkSettings, request: Request, body: bytes, now: float) -> list[Transmit]:
        asserted = request.headers.values("P-Asserted-Identity")
        try:
            uri = str((NameAddr.parse(asserted[0]) if asserted else request.from_).uri)
            ours = f"<{request.to.uri}>"
        except ParseError:
            return []
        headers = [("In-Reply-To", request.call_id)]
        _, outputs = self._agent.pager.send(
            first(trunk.peers), uri, from_=ours, to=f"<{uri}>", headers=headers, body=body, content_type=CONTENT_TYPE,
            account=self._trunks.accounts.get(trunk.name), now=now,
        )  # fmt: skip
        return outputs

    def bodies(
        self, trunk: str, application: str, x: PhoneNumber, receiver: PhoneNumber, text: str, at: datetime, now: float
    ) -> list[Body]:
        """The MESSAGEs of a text of X, as the receiver's phone wants them, or the trunk that a call would take."""
        ways = self._ways(trunk, application, receiver, now)
        as_3gpp = bool(ways) and ways[0].trunk.sms_as_3gpp
        return bodies(text, x.e164, as_3gpp=as_3gpp, reference=next(self._references), at=at)

    def send(
        self, trunk: str, application: str, sender: PhoneNumber, receiver: PhoneNumber, body: Body, now: float
    ) -> tuple[str, list[Transmit | TextAnswered]]:
        """Send one of them from ``sender`` (an X); what becomes of it is its TextAnswered, by the id."""
        id, ways = self._agent.wire.token(), self._ways(trunk, application, receiver, now)
        text = begin(id, sender, receiver, body, ways)
        return id, [TextAnswered(id, 503)] if text is None else self._send(text, now)

    def answered(self, answer: PageAnswered, now: float) -> list[Transmit | TextAnswered]:
        """A way's answer to one of them: the last word, or the next way. To a report of ours: whatever it is."""
        text = self._sent.pop(answer.session, None)
        if text is None:
            return []
        if answer.status >= 300:
            self._trunks.refused(text.way, answer.status, answer.response, now)
        return self._send(text, now) if text.goes_on(answer.status) else [TextAnswered(text.id, answer.status)]

    def _send(self, text: Text, now: float) -> list[Transmit | TextAnswered]:
        page = text.page(self._settings.our_host)
        id, outputs = self._agent.pager.send(
            page.target, page.uri, from_=page.from_, to=page.to, headers=page.headers, body=text.body.octets,
            content_type=text.body.content_type, account=self._trunks.accounts.get(text.way.trunk.name), now=now,
        )  # fmt: skip
        self._sent[id] = text
        return [*outputs]

    def _ways(self, trunk: str, application: str, receiver: PhoneNumber, now: float) -> list[Way]:
        """His phones, each by itself, those that he wants most and was heard from last first; then peers of trunks."""
        groups = self._phones.ways(receiver, now) if self._phones is not None else []
        phones = [Way(way.trunk, index) for way in groups for index in range(len(way.trunk.peers))]
        return phones + self._trunks.for_text(trunk, application, receiver, now)


def _read(trunk: TrunkSettings, digits: str) -> PhoneNumber | None:
    try:
        return trunk.rules.read(digits) if digits else None
    except NumberError:
        return None
