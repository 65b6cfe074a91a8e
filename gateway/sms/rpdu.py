"""The relay layer around a short message: what a MESSAGE of type application/vnd.3gpp.sms carries (3GPP TS 24.011 §7.3,
§8.2; TS 24.341).

    to the network   0 RP-DATA | 2 RP-ACK | 4 RP-ERROR | 6 RP-SMMA       to a phone: one more
    RP-DATA          kind | reference | RP-OA | RP-DA | length | TPDU
    RP-ACK           kind | reference
    RP-ERROR         kind | reference | length | cause

RP-DATA from a phone holds a SUBMIT, and its RP-DA is the service centre; RP-DATA to a phone holds a DELIVER, and its
RP-OA is. Carriers send X either: with a DELIVER we are the phone X, with a SUBMIT the service centre. What we send is
always a DELIVER: the receiver is their subscriber, not our service centre.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.sms.tpdu import Reader, Tpdu, TpduError, parse, swapped

CONTENT_TYPE = "application/vnd.3gpp.sms"
CAUSE_INVALID = 95  # semantically incorrect message
_INTERNATIONAL = 0x91
_DATA, _ACK, _ERROR, _SMMA = 0, 2, 4, 6


@dataclass(frozen=True, slots=True)
class Data:
    """RP-DATA. ``to_phone``: its direction. ``tpdu`` None: it can't be read."""

    to_phone: bool
    reference: int
    tpdu: Tpdu | None


@dataclass(frozen=True, slots=True)
class Report:
    """RP-ACK, or RP-ERROR with its ``cause``; RP-SMMA counts as the former."""

    reference: int
    cause: int | None = None


def data_to_phone(reference: int, centre: str, tpdu: bytes) -> bytes:
    """RP-DATA from the service centre +digits."""
    address = bytes((_INTERNATIONAL,)) + swapped(centre[1:])
    return bytes((_DATA + 1, reference, len(address))) + address + bytes((0, len(tpdu))) + tpdu


def report_on(data: Data) -> bytes:
    """RP-ACK for what was taken, RP-ERROR for what can't be read; in the other direction."""
    back = 0 if data.to_phone else 1
    if data.tpdu is not None:
        return bytes((_ACK + back, data.reference))
    return bytes((_ERROR + back, data.reference, 1, CAUSE_INVALID))


def read(body: bytes) -> Data | Report:
    """What a body says. TpduError when not even its reference can be read."""
    reader = Reader(body)
    kind, reference = reader.octet(), reader.octet()
    kind, to_phone = kind & 6, bool(kind & 1)
    if kind in (_ACK, _SMMA):
        return Report(reference)
    if kind == _ERROR:
        size = reader.octet()
        return Report(reference, reader.take(size)[0] & 0x7F if size else 0)
    try:
        for _ in range(2):
            reader.take(reader.octet())
        return Data(to_phone, reference, parse(reader.take(reader.octet()), submit=not to_phone))
    except TpduError:
        return Data(to_phone, reference, None)
