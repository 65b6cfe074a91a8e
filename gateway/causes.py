"""Why a call ended, as one table: our cause, the text for the customer, the SIP answer to the caller, Q.850.

The numbers are those of the customer-facing interface (privatenumber.md section 8.1), so that nothing has to be
translated twice. Which SIP result of the callee's leg means which cause is :func:`cause_of_refusal` (section 8.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Cause(IntEnum):
    """Release cause of a call; 0 is a call that was answered and hung up."""

    NORMAL = 0
    OUT_OF_PORTS = 522
    RATE_LIMIT_APPLICATION = 7002
    CALLEE_BLACKLISTED = 7004
    CALLER_BLACKLISTED = 7005
    NO_APPLICATION = 7100
    NOTICE_FAILED = 7107
    SUBSCRIBER_FROZEN = 7108
    TENANT_OUT_OF_PORTS = 7109
    PREFIX_BARRED = 7500
    CALLER_GAVE_UP_BEFORE_RINGING = 7501
    CALLER_GAVE_UP_RINGING = 7502
    CALLEE_REJECTED = 7503
    CALLEE_REFUSED = 7504
    CALLEE_SIDE_FAILED = 7506
    NO_ROUTE = 7508
    CALLER_GAVE_UP_BEFORE_FORWARD = 7516
    TONE_UNKNOWN = 8006
    COLLECT_FAILED = 8008
    MAX_DURATION = 8010
    NO_TEMPORARY_CALLEE = 8013
    NO_BINDING = 8014
    RECORDING_FAILED = 8015
    WRONG_DIRECTION = 8016
    STOPPED_BY_CUSTOMER = 8017
    NO_PERMISSION = 8018
    NO_CALLBACK_RECORD = 8019
    EXTENSION_UNKNOWN = 8022
    LANDLINE_CALLER = 8023
    SHOWING_CALLER_BARRED = 8024
    NUMBER_UNKNOWN_HERE = 8025
    RELATION_MISSING = 8030
    RELATION_NOT_MADE = 8031
    OWN_NUMBER = 8032
    NO_DIGITS = 8033
    CONNECT_TIMEOUT = 8035
    INTERNATIONAL_IN_BARRED = 8042
    INTERNATIONAL_OUT_BARRED = 8043
    DURATION_LIMIT = 8044
    RATE_LIMIT_CALLER = 8047
    RATE_LIMIT_CALLEE = 8048
    RATE_LIMIT_NUMBER = 8049
    OUTSIDE_HOURS = 8050
    ENTERPRISE_SUSPENDED = 8051
    NUMBER_SUSPENDED = 8055
    CALLEE_UNKNOWN = 8100
    NO_ANSWER = 8101
    BUSY = 8102
    UNREACHABLE = 8103
    SWITCHED_OFF = 8104
    SUSPENDED = 8105

    @property
    def text(self) -> str:
        """A sentence for the customer (at most 128 characters)."""
        return _ROWS[self].text

    @property
    def sip_status(self) -> int:
        """The final SIP status that the caller's leg gets when it was not answered."""
        return _ROWS[self].sip_status

    @property
    def q850(self) -> int:
        """The Q.850 cause value of the Reason header (RFC 3326, RFC 6432)."""
        return _ROWS[self].q850


@dataclass(frozen=True, slots=True)
class _Row:
    text: str
    sip_status: int
    q850: int


_ROWS: dict[Cause, _Row] = {
    Cause.NORMAL: _Row("The user releases the call.", 480, 16),
    Cause.RATE_LIMIT_APPLICATION: _Row("The call rate of the application is limited.", 503, 42),
    Cause.CALLEE_BLACKLISTED: _Row("The callee is on the blacklist.", 403, 21),
    Cause.CALLER_BLACKLISTED: _Row("The caller is on the blacklist.", 403, 21),
    Cause.NO_APPLICATION: _Row("The application information is missing.", 404, 1),
    Cause.NOTICE_FAILED: _Row("The recording notice could not be played.", 500, 41),
    Cause.OUT_OF_PORTS: _Row("No voice port is available.", 503, 34),
    Cause.SUBSCRIBER_FROZEN: _Row("The subscriber is frozen.", 403, 21),
    Cause.TENANT_OUT_OF_PORTS: _Row("All voice ports of the application are in use.", 503, 34),
    Cause.PREFIX_BARRED: _Row("The number prefix is barred.", 403, 21),
    Cause.CALLER_GAVE_UP_BEFORE_RINGING: _Row("The caller hung up before the callee's phone rang.", 487, 16),
    Cause.CALLER_GAVE_UP_RINGING: _Row("The caller hung up while the callee's phone was ringing.", 487, 16),
    Cause.CALLEE_REJECTED: _Row("The callee rejected the call.", 603, 21),
    Cause.CALLEE_REFUSED: _Row("The call was refused.", 403, 21),
    Cause.CALLEE_SIDE_FAILED: _Row("The callee's network failed.", 502, 38),
    Cause.TONE_UNKNOWN: _Row("A tone file is missing.", 500, 41),
    Cause.COLLECT_FAILED: _Row("The digits could not be collected.", 500, 41),
    Cause.NO_ROUTE: _Row("There is no route to the callee.", 404, 3),
    Cause.CALLER_GAVE_UP_BEFORE_FORWARD: _Row("The caller hung up before the call was forwarded.", 487, 16),
    Cause.MAX_DURATION: _Row("The maximum call duration was reached.", 480, 16),
    Cause.NO_TEMPORARY_CALLEE: _Row("No temporary callee is set.", 404, 1),
    Cause.NO_BINDING: _Row("The number is not bound for this caller.", 404, 1),
    Cause.RECORDING_FAILED: _Row("The call could not be recorded.", 500, 41),
    Cause.WRONG_DIRECTION: _Row("The call direction is not allowed.", 403, 21),
    Cause.STOPPED_BY_CUSTOMER: _Row("The call was ended by the customer.", 480, 16),
    Cause.NO_PERMISSION: _Row("The number has no permission to call.", 403, 21),
    Cause.NO_CALLBACK_RECORD: _Row("There is no callback record.", 404, 1),
    Cause.EXTENSION_UNKNOWN: _Row("The extension is not bound.", 404, 1),
    Cause.SHOWING_CALLER_BARRED: _Row("Showing the real caller is not allowed.", 403, 21),
    Cause.RELATION_MISSING: _Row("The caller and the number have no relation.", 404, 1),
    Cause.RELATION_NOT_MADE: _Row("No number could be allocated for the caller.", 503, 34),
    Cause.OWN_NUMBER: _Row("The user called his own number.", 403, 21),
    Cause.NO_DIGITS: _Row("No extension was entered.", 484, 28),
    Cause.INTERNATIONAL_IN_BARRED: _Row("Calls from abroad are barred.", 403, 21),
    Cause.INTERNATIONAL_OUT_BARRED: _Row("Calls to abroad are barred.", 403, 21),
    Cause.RATE_LIMIT_CALLER: _Row("The call rate of the caller is limited.", 503, 42),
    Cause.RATE_LIMIT_CALLEE: _Row("The call rate of the callee is limited.", 503, 42),
    Cause.DURATION_LIMIT: _Row("The application has used up its minutes of today.", 403, 21),
    Cause.RATE_LIMIT_NUMBER: _Row("The calls of the number are limited.", 503, 42),
    Cause.OUTSIDE_HOURS: _Row("Calls are not permitted at this hour.", 403, 21),
    Cause.ENTERPRISE_SUSPENDED: _Row("The enterprise is suspended.", 403, 21),
    Cause.NUMBER_SUSPENDED: _Row("The number takes no calls at present.", 403, 21),
    Cause.LANDLINE_CALLER: _Row("A fixed line may not call this number.", 403, 21),
    Cause.NUMBER_UNKNOWN_HERE: _Row("The called number does not exist here.", 404, 1),
    Cause.CONNECT_TIMEOUT: _Row("The callee could not be connected in time.", 480, 18),
    Cause.CALLEE_UNKNOWN: _Row("The callee's number does not exist.", 404, 1),
    Cause.NO_ANSWER: _Row("The callee did not answer.", 480, 19),
    Cause.BUSY: _Row("The callee is busy.", 486, 17),
    Cause.UNREACHABLE: _Row("The callee can't be reached.", 480, 20),
    Cause.SWITCHED_OFF: _Row("The callee's phone is switched off.", 480, 20),
    Cause.SUSPENDED: _Row("The callee's service is suspended.", 480, 20),
}


# What a Q.850 cause says of a callee. The SIP statuses beside it are those that RFC 3398 §7.2.4.1 makes of it.
_BY_Q850: dict[int, Cause] = {
    1: Cause.CALLEE_UNKNOWN,  # unallocated number; 404
    2: Cause.NO_ROUTE,  # no route to the network; 404
    3: Cause.NO_ROUTE,  # no route to the destination; 404
    17: Cause.BUSY,  # user busy; 486
    18: Cause.UNREACHABLE,  # no user responding; 408
    19: Cause.NO_ANSWER,  # no answer from the user; 480
    20: Cause.UNREACHABLE,  # subscriber absent; 480
    21: Cause.CALLEE_REJECTED,  # call rejected; 403, 603
    22: Cause.CALLEE_UNKNOWN,  # number changed; 410
    27: Cause.UNREACHABLE,  # destination out of order; 502
    28: Cause.CALLEE_UNKNOWN,  # invalid number format; 484
    34: Cause.CALLEE_SIDE_FAILED,  # no circuit available; 503
    38: Cause.CALLEE_SIDE_FAILED,  # network out of order; 503
    41: Cause.CALLEE_SIDE_FAILED,  # temporary failure; 503
    42: Cause.CALLEE_SIDE_FAILED,  # switching equipment congestion; 503
    44: Cause.CALLEE_SIDE_FAILED,  # requested circuit not available; 503
    47: Cause.CALLEE_SIDE_FAILED,  # resource unavailable; 503
    55: Cause.CALLEE_REFUSED,  # incoming calls barred within CUG; 403
    57: Cause.CALLEE_REFUSED,  # bearer capability not authorised; 403
    102: Cause.CALLEE_SIDE_FAILED,  # recovery on timer expiry; 504
    111: Cause.CALLEE_SIDE_FAILED,  # protocol error; 500
    127: Cause.CALLEE_SIDE_FAILED,  # interworking; 500
}
_REASON = re.compile(r'(?:^|,)\s*Q\.850((?:\s*;\s*[\w.-]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+))?)*)', re.IGNORECASE)
_CAUSE = re.compile(r";\s*cause\s*=\s*([0-9]{1,3})(?![0-9])", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def q850_of(reasons: Iterable[str]) -> int | None:
    """The Q.850 cause (1..127) that Reason headers give (RFC 3326); None when they give none."""
    for line in reasons:
        found = _REASON.search(line[:512])
        number = _CAUSE.search(_QUOTED.sub("", found[1])) if found else None
        if number is not None and 0 < int(number[1]) < 128:
            return int(number[1])
    return None


def cause_of_refusal(status: int, *, rang: bool, q850: int | None = None) -> tuple[Cause, bool]:
    """What a final SIP status of the callee's leg means (privatenumber.md section 8.4); ``rang``: a 180 was seen.

    Where the status says little (480, 487, 5xx, all that section 8.4 doesn't name) the Q.850 cause beside it counts,
    if the table has it: True then.
    """
    match status:
        case 404 | 410 | 484 | 604:
            return Cause.CALLEE_UNKNOWN, False
        case 408:
            return (Cause.NO_ANSWER if rang else Cause.CONNECT_TIMEOUT), False
        case 486 | 600:
            return Cause.BUSY, False
        case 603:
            return Cause.CALLEE_REJECTED, False
        case 403:
            return Cause.CALLEE_REFUSED, False
    said = _BY_Q850.get(q850 or 0)
    if said is not None:
        return (Cause.NO_ANSWER if said is Cause.UNREACHABLE and rang else said), True
    match status:
        case 480:
            return (Cause.NO_ANSWER if rang else Cause.UNREACHABLE), False
        case 487:
            return Cause.NO_ANSWER, False
        case _ if 400 <= status < 500:
            return Cause.CALLEE_REFUSED, False
    return Cause.CALLEE_SIDE_FAILED, False
