"""Outbox payloads (gateway.calls.payloads) as the vendor's JSON: call events (section 6) and CDRs (section 7).

Field names, their order and their types are the samples': integers as integers, times ``yyyy-MM-dd HH:mm:ss`` in UTC,
absent rather than null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Payload = Mapping[str, Any]
JSON_TYPE = "application/json;charset=UTF-8"
SERVICE_TYPES = {"AX": "003", "AXB": "004", "AXE": "005"}
MERGE_LIMIT = 50
_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class CdrFacts:
    """What a CDR says besides the call: account, this node's name, the host that recordings are fetched from, and the
    operator's own service types by mode."""

    account: str
    host_name: str
    record_domain: str
    service_types: Mapping[str, str] = field(default_factory=dict)


def vendor_time(text: str | None) -> str | None:
    """``2024-01-24T02:30:03.123456Z`` as ``2024-01-24 02:30:03``."""
    if text is None:
        return None
    # As gateway.calls.payloads writes them. Python's way of saying the same again is ten times as dear.
    return f"{text[:10]} {text[11:19]}" if _UTC(text) else f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def event_body(payload: Payload) -> dict[str, Any]:
    """One call event, or the state of X numbers (section 10)."""
    kind = payload["kind"]
    if kind == "numStatus":
        return {"eventType": kind, "numInfo": payload["numbers"]}
    info: dict[str, Any] = {"sessionId": payload["session"], "timestamp": vendor_time(payload["at"])}
    if kind == "collectInfo":
        return {"eventType": kind, "statusInfo": info | {"digitInfo": payload["digits"]}}
    info |= {"caller": payload["caller"] or "", "called": payload["called"]}
    if kind == "disconnect":
        info |= {"stateCode": payload["cause"], "stateDesc": payload["cause_text"]}
    if payload["binding"]:
        info["subscriptionId"] = payload["binding"]
    # X mode gives it with the answer to its callin, and it is in every event from then on (section 6).
    if payload["user_data"] and (kind == "callin" or payload.get("mode") == "X"):
        info["userData"] = payload["user_data"]
    return {"eventType": kind, "statusInfo": info}


def fee_body(rows: Sequence[tuple[str, Payload]], facts: CdrFacts) -> dict[str, Any]:
    """CDRs, at most 50: (record id, payload) each."""
    return {"eventType": "fee", "feeLst": [_cdr(record_id, payload, facts) for record_id, payload in rows]}


def _cdr(record_id: str, payload: Payload, facts: CdrFacts) -> dict[str, Any]:
    failed = payload["cause"] != 0
    recorded = bool(payload["recorded"])
    row = {
        "direction": payload["direction"],
        "spId": facts.account,
        "appKey": payload["application"],
        "icid": record_id[:64],
        "bindNum": payload["x"],
        "sessionId": payload["session"],
        "subscriptionId": payload["binding"],
        "callerNum": payload["caller"],
        "calleeNum": payload["x"],
        "fwdDisplayNum": payload["shown"],
        "fwdDstNum": payload["callee"],
        "callInTime": vendor_time(payload["started"]),
        "fwdStartTime": vendor_time(payload["forwarded"]),
        "fwdAlertingTime": vendor_time(payload["rang"]),
        "fwdAnswerTime": vendor_time(payload["answered"]),
        "callEndTime": vendor_time(payload["ended"]),
        "fwdUnaswRsn": payload["q850"],
        "failTime": vendor_time(payload["ended"]) if failed and payload["answered"] is None else None,
        "ulFailReason": payload["cause"],
        "sipStatusCode": payload["sip_status"],
        "callOutUnaswRsn": 0,
        "recordFlag": int(recorded),
        "recordStartTime": vendor_time(payload["record_started"]) if recorded else None,
        "recordDomain": facts.record_domain if recorded else None,
        "recordBucketName": f"sp-{payload['application'].lower()}" if recorded else None,
        "recordObjectName": payload["recording"] if recorded else None,
        "ttsPlayTimes": 0,
        "ttsTransDuration": 0,
        "mptyId": payload["binding"],
        "serviceType": facts.service_types.get(payload["mode"]) or SERVICE_TYPES.get(payload["mode"]),
        "hostName": facts.host_name,
        "voiceCheckType": 0,
        "userData": payload["user_data"],
        "notifyMode": "Block" if payload["mode"] == "X" else None,
        "extendNum": payload.get("extension") or None,
    }
    return {key: value for key, value in row.items() if value is not None}


def encoded(body: Mapping[str, Any]) -> bytes:
    """The bytes on the wire: ASCII JSON."""
    return json.dumps(body, separators=(",", ":")).encode("ascii")
