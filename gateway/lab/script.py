"""What a scripted phone does, as one frozen value. Times in seconds.

Times of the callee's side run from the INVITE, those of the caller's side from dialling, the rest from the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.sip.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One phone's part in one call.

    Callee: ``ring_after`` (None: no ringing at all) sends ``ringing``, 180, or 183 with SDP and ``early_hz`` as early
    media when it isn't None (``early_media`` False: the 183's media never comes); ``answer_after`` (None: never),
    ``refuse_after`` with status ``refuse`` instead.
    Caller: ``give_up_after`` sends CANCEL when there is no answer by then.
    Both: ``hang_up_after``; ``hold_at``/``resume_at`` and ``move_at`` (own audio goes on at the second port) re-INVITE;
    ``digits`` at ``digits_at`` (or at ``early_digits_at``, counted from dialling, for a prompt before the answer), the
    way that ``press`` says: "event" (RFC 4733), "tone" (in the sound) or "info" (SIP INFO, once it is answered);
    ``tone_hz`` is what the party says (None: silence in packets), with ``mute`` it sends no packet. ``codecs``: what it
    can do, preferred first; ``ptime``: the packets it wants (None: 20 ms, or what the other side wants);
    ``srtp`` as a trunk's; ``refuse_reinvite``: the status for an offer that comes after the answer.
    ``headers``: what stands in its INVITE, 18x, refusal and BYE besides.
    ``policy``: session timers and reliable 18x. ``loses``: (method or status, how many): its first messages of that
    kind never leave it, as if the network had lost them.
    """

    ring_after: float | None = 0.2
    ringing: int = 180
    early_hz: int | None = None
    early_media: bool = True
    answer_after: float | None = 1.0
    refuse: int = 0
    refuse_after: float = 0.5
    give_up_after: float | None = None
    hang_up_after: float | None = None
    hold_at: float | None = None
    resume_at: float | None = None
    move_at: float | None = None
    digits: str = ""
    digits_at: float = 1.0
    early_digits_at: float | None = None
    press: str = "event"
    tone_hz: int | None = None
    mute: bool = False
    codecs: tuple[int, ...] = (8, 0)
    ptime: int | None = None
    srtp: str = "off"
    refuse_reinvite: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    policy: Policy = field(default_factory=Policy)
    loses: tuple[tuple[str, int], ...] = ()
