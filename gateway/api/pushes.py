"""What is sent to a customer's server, to the byte but for nonce and time: where to, the body, the headers.

The outbox, the questions of calls and the lab (gateway.scenarios) all send this, so a customer's tests see what
production sends. Bodies are ``events`` and ``sms``; a body of CDRs is ``events.fee_body``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, cast

from gateway.api.auth import signature_headers
from gateway.api.events import JSON_TYPE, encoded, event_body
from gateway.api.sms import notify_body
from gateway.bindings.models import Application


def address(application: Application, kind: str) -> str:
    """Where an outbox row of that kind goes; "": nowhere."""
    if kind == "numStatus":
        return application.number_status_url or application.status_url
    return {"fee": application.fee_url, "sms": application.sms_url}.get(kind, application.status_url)


def asking_address(application: Application) -> str:
    """Where a question of X mode goes."""
    return application.callin_url or application.status_url


def push_body(kind: str, payload: Mapping[str, Any]) -> bytes:
    """The body of an outbox row that is no CDR. ValueError, LookupError, TypeError: nothing can be made of it."""
    return encoded(notify_body(payload) if kind == "sms" else event_body(payload))


def push_headers(application: Application, event: str, nonce: str, now: datetime) -> dict[str, str]:
    """``event``: what makes a repeated message known; ``now`` in UTC."""
    form = cast(Literal["WSSE", "AKSK", "both"], application.signature)
    headers = {"Content-Type": JSON_TYPE, "X-Event-Id": event}
    return headers | dict(signature_headers(form, application.key, application.secret, nonce, now))
