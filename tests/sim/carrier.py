"""What stands before the phones of a carrier: it answers OPTIONS, keeps registrations, and asks who we are.

Everything else it lets through to the phone. ``seen`` holds what came, with its time; ``says``: what OPTIONS gets.
"""

from __future__ import annotations

from gateway.sip.build import response_to
from gateway.sip.digest import secret_of
from gateway.sip.message import Request, Response, parse_message
from gateway.sip.verifier import Verdict, Verifier

USER, PASSWORD, REALM = "4000001", "open sesame", "ims.example"


class Carrier:
    """``asks``: which methods are challenged. ``says`` None: OPTIONS are not answered."""

    def __init__(
        self,
        *,
        asks: frozenset[str] | set[str] = frozenset(),
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        proxy: bool = False,
        registrar: bool = False,
        least: int = 60,
        grants: int = 3600,
    ) -> None:
        self.verifier = Verifier(b"carrier-carrier-", REALM, algorithms=algorithms)
        self.asks = asks
        self.password = PASSWORD
        self.proxy = proxy
        self.registrar = registrar
        self.least = least
        self.grants = grants
        self.says: int | None = 200
        self.retry_after = ""
        self.refuses: int | None = None
        """REGISTER gets this status."""
        self.silent = False
        self.adds: list[tuple[str, str]] = []
        self.sdp: list[tuple[bytes, bytes]] = []
        self.registered_until = 0.0
        self.contact = ""
        self.seen: list[tuple[float, Request]] = []
        self._asked: set[str] = set()
        self._known: set[str] = set()
        """Branches of requests whose credentials were right: what is sent again is not judged again."""

    def of(self, method: str) -> list[Request]:
        """The requests of one method that came."""
        return [request for _, request in self.seen if request.method == method]

    def times(self, method: str) -> list[float]:
        """When they came."""
        return [at for at, request in self.seen if request.method == method]

    def receive(self, data: bytes, now: float) -> list[bytes] | None:
        """The answers to a message; None: it is for the phone."""
        message = parse_message(data)
        if self.silent:
            return []
        if not isinstance(message, Request):
            return None
        self.seen.append((now, message))
        if message.method == "ACK" and message.via.branch in self._asked:
            return []
        if message.method in self.asks and message.via.branch not in self._known:
            question = self._question(message, now)
            if question is not None:
                self._asked.add(message.via.branch)
                return [bytes(question)]
            self._known.add(message.via.branch)
        if message.method == "OPTIONS":
            return self._options(message)
        if message.method == "REGISTER" and self.registrar:
            return [bytes(self._register(message, now))]
        return None

    def leaving(self, data: bytes) -> bytes:
        """What a phone says, as this carrier passes it on: its INVITEs with ``adds``, and ``sdp`` in place of lines."""
        message = parse_message(data)
        if not isinstance(message, Request) or message.method != "INVITE" or message.to.tag:
            return data
        for name, value in self.adds:
            message.headers.add(name, value)
        body = message.body
        for old, new in self.sdp:
            assert old in body
            body = body.replace(old, new)
        message.headers.remove("Content-Length")
        return bytes(Request("INVITE", message.uri_text, message.headers, body))

    def _question(self, request: Request, now: float) -> Response | None:
        said = self.verifier.find(request.headers.get_all("Proxy-Authorization" if self.proxy else "Authorization"))
        verdict = Verdict.WRONG
        if said is not None:
            secret = secret_of(said.algorithm, USER, REALM, self.password)
            verdict = self.verifier.judge(said, secret, request.method, request.uri_text, now, request.body)
        if verdict is Verdict.RIGHT:
            return None
        name = "Proxy-Authenticate" if self.proxy else "WWW-Authenticate"
        lines = [(name, value) for value in self.verifier.challenges(now, stale=verdict is Verdict.STALE)]
        return response_to(request, 407 if self.proxy else 401, to_tag="c", headers=lines)

    def _options(self, request: Request) -> list[bytes]:
        if self.says is None:
            return []
        headers = [("Retry-After", self.retry_after)] if self.retry_after else []
        return [bytes(response_to(request, self.says, to_tag="o", headers=headers))]

    def _register(self, request: Request, now: float) -> Response:
        if self.refuses is not None:
            return response_to(request, self.refuses, to_tag="r")
        expires = int(request.headers.get("Expires") or 0)
        if 0 < expires < self.least:
            return response_to(request, 423, to_tag="r", headers=[("Min-Expires", str(self.least))])
        granted = min(expires, self.grants)
        self.registered_until = now + granted
        contact = request.headers.get("Contact") or ""
        self.contact = contact if granted else ""
        lines = [("Contact", f"{contact};expires={granted}")] if granted else []
        return response_to(request, 200, to_tag="r", headers=[("Contact", "<sip:other@203.0.113.7>;expires=7"), *lines])
