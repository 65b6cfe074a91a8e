"""What the signalling process tells a media worker, and what it hears back: the only file of ``media`` on the call path
that ``gateway`` imports.

One *session* is the media of one call: two legs, ``CALLER`` and ``CALLEE``. A leg *hears* one thing at a time: a tone
while one plays, else the other leg while ``Relay`` says so, else silence (nothing is sent). All values are frozen
msgspec structs, tagged by their name, so a packet on the control socket is ``msgspec.msgpack.encode(command)``.
Times are seconds, addresses IP literals. Unknown sessions are ignored by every command but ``Open``: a call may end on
both sides at once.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

CALLER = 0
CALLEE = 1


class _Message(msgspec.Struct, frozen=True, tag=True):
    """Base of everything on the control socket."""


# --- commands: signalling -> worker -------------------------------------------------------------------------------


class Begin(_Message, frozen=True):
    """First word to a worker that was started without ports: these are yours (even to odd, inclusive)."""

    low: int
    high: int


class Rest(_Message, frozen=True):
    """Packets may still come to these even ports, which a worker that died had in use: let them rest."""

    ports: tuple[int, ...]


class Open(_Message, frozen=True):
    """Take two even/odd UDP port pairs (RTP, RTCP) for a new session. Answered by Opened or OpenFailed.

    ``ports``: these of its own and no others, resting or not: a session goes on where it was when the worker's
    predecessor died. ``part``: how many workers have had it before (less than MOST_PARTS). It is in the SSRC of what we
    send, so no two workers ever seal different packets alike with a leg's SRTP key (RFC 3711 §9.1).
    """

    session: str
    ports: tuple[int, int] | None = None
    part: int = 0


class SrtpKeys(msgspec.Struct, frozen=True):
    """Master key and salt of each direction (RFC 4568), ``ours`` for what we send. Nothing prints them."""

    suite: Literal["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"]
    ours: bytes
    theirs: bytes

    def __repr__(self) -> str:
        return f"<SrtpKeys {self.suite}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("suite", self.suite)]


class Connect(_Message, frozen=True, kw_only=True):
    """What the SDP of a leg's party says now; sent after each offer/answer of that leg.

    ``host``/``port``: where its RTP is sent to, and the only source accepted unless ``learn``. ``networks``: further
    prefixes from which the source may come (a trunk's media networks), any port. ``codec``: RTP payload type we send
    and expect, 8 (PCMA) or 0 (PCMU). ``events``: payload type with which the party wants telephone-event/8000, or None;
    ``events_in``: the one it sends them with, None when it is the same.
    ``payload``, ``payload_in``: likewise of the codec, None when its number is its own.
    ``ptime``: milliseconds of each packet that we send to it (10..120), whatever the other leg's party sends.
    ``sends``/``receives``: the party's direction (hold: False). ``learn``: the leg is behind NAT: accept the first
    source from ``learn_from`` once, until the next Connect. ``rtcp_mux``: our RTCP goes to the RTP port, from ours.
    ``srtp``: both directions are SRTP and SRTCP; None: neither. ``resumed``: it has been sending for a while, to a
    worker that died.
    """

    session: str
    leg: int
    host: str
    port: int
    rtcp_port: int = 0
    networks: tuple[str, ...] = ()
    codec: int = 8
    events: int | None = None
    ptime: int = 20
    sends: bool = True
    receives: bool = True
    learn: bool = False
    learn_from: str = ""
    events_in: int | None = None
    rtcp_mux: bool = False
    srtp: SrtpKeys | None = None
    resumed: bool = False
    payload: int | None = None
    payload_in: int | None = None


class Relay(_Message, frozen=True):
    """Whether each leg hears the other when no tone plays."""

    session: str
    caller_hears: bool
    callee_hears: bool


class Play(_Message, frozen=True):
    """Play A-law WAV files one after another to a leg, in place of what it hears; ``loop`` repeats the last for ever.

    A new Play replaces a running one (which then reports Played with ``completed`` False). ``play`` is the caller's
    name for it, given back in Played.
    """

    session: str
    leg: int
    play: str
    files: tuple[str, ...]
    loop: bool = False


class Stop(_Message, frozen=True):
    """Stop what plays to a leg, if its name is ``play`` (empty: whatever plays). Reports Played, completed False."""

    session: str
    leg: int
    play: str = ""


class SendDigits(_Message, frozen=True):
    """Send keys (``0-9*#ABCD``, 64 at most) to a leg in place of what it hears: as telephone-events, or as tones in the
    sound when its party takes none. Stands where a Play stands: replaces it, is stopped like it, reports Played. With
    the name of digits that are still being sent, the new ones follow those."""

    session: str
    leg: int
    play: str
    digits: str


class Record(_Message, frozen=True):
    """Start spooling what both parties send, raw, to the file ``path`` (created, must not exist).

    ``data_key``: 32 bytes that seal it (media.recording.sealed), or none; ``kept_key``: the same as the file is to
    keep it, for who finds the file alone. ``since``: CLOCK_MONOTONIC, when the recording began of which this is a
    further part; 0.0: it begins now.
    """

    session: str
    path: str
    data_key: bytes = b""
    since: float = 0.0
    kept_key: bytes = b""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Record({self.session!r}, {self.path!r})"


MOST_PARTS = 16
"""Files of one recording at most; each worker that takes its call over begins another."""


def part_path(path: str, part: int) -> str:
    """The file of part 0, 1, 2 ... of the recording that begins in ``path`` (media.recording.parts)."""
    return f"{path}.{part}" if part else path


class Watch(_Message, frozen=True):
    """Report Silent when a leg that should send has sent nothing for ``seconds`` (0: don't watch), and Unheard when
    nothing at all has come of it 3 s from now."""

    session: str
    seconds: float


class Listen(_Message, frozen=True):
    """Listen for digits in a leg's sound (in-band DTMF), or no longer. Telephone-events are reported in any case."""

    session: str
    leg: int
    digits: bool


class Close(_Message, frozen=True):
    """End a session: flush and close the spool, answer Closed, let the ports rest, then free them."""

    session: str


class Drain(_Message, frozen=True):
    """Close every session and end the process when the spools are safe."""


class AskUsage(_Message, frozen=True):
    """What has the worker counted? Answered by Usage."""


class Ping(_Message, frozen=True):
    """Does the worker live? Answered by Pong."""


Command = (
    Begin | Rest | Open | Connect | Relay | Play | SendDigits | Stop | Record | Watch | Listen | Close | Drain
    | AskUsage | Ping
)  # fmt: skip


# --- reports: worker -> signalling --------------------------------------------------------------------------------


class Ready(_Message, frozen=True):
    """First report of a worker: it is up. ``sessions``: how many sessions its port range holds."""

    sessions: int


class Opened(_Message, frozen=True):
    """The RTP ports of a new session (RTCP is the next odd port)."""

    session: str
    caller_port: int
    callee_port: int


class OpenFailed(_Message, frozen=True):
    """No session: no free port, or it exists already."""

    session: str
    reason: str


class Heard(_Message, frozen=True):
    """The first accepted packet of a leg since its last Connect."""

    session: str
    leg: int


class Played(_Message, frozen=True):
    """A Play ended: ``completed`` when its last sample was sent. ``error``: a file that can't be played.

    ``started`` and ``ended``: worker's CLOCK_MONOTONIC, seconds, when the first sample was sent and when the last one
    has been heard (or the Play ended otherwise); ``started`` is 0 when nothing was sent.
    """

    session: str
    leg: int
    play: str
    completed: bool
    started: float = 0.0
    ended: float = 0.0
    error: str = ""


class Digit(_Message, frozen=True):
    """A telephone-event of a leg came to its end, or was heard in its sound: one of ``0-9*#ABCD``."""

    session: str
    leg: int
    digit: str


class Silent(_Message, frozen=True):
    """A leg that should send has sent nothing for the watched time. Reported once until it sends again."""

    session: str
    leg: int


class Unheard(_Message, frozen=True, kw_only=True):
    """Nothing has come of a leg for ``seconds`` since the Watch. ``host``/``port``: where its SDP says that it sends
    from; ``source``/``source_port``: who was refused there last ("", 0: nobody), ``refused``: how many packets."""

    session: str
    leg: int
    seconds: float
    host: str
    port: int
    source: str
    source_port: int
    refused: int


class LegQuality(msgspec.Struct, frozen=True, array_like=True):
    """One leg over about 5 s: packets of its party received and lost, jitter and round trip (-1.0: unknown) in seconds,
    the estimated score of what its party says (0.0: it sent nothing). ``far_``: what its party reported of our packets
    (part of one lost, -1.0: nothing)."""

    received: int
    lost: int
    jitter: float
    round_trip: float
    mos: float
    far_lost: float
    far_jitter: float
    far_mos: float


class Quality(_Message, frozen=True):
    """Both legs over the last 5 s; at the end of a session over the rest, if that is more than 1 s."""

    session: str
    caller: LegQuality
    callee: LegQuality


SLOW_DISK = "the disk is too slow: too many packets waited"


class SpoolFailed(_Message, frozen=True):
    """A session is recorded no longer: its spool file can't be written. What was written stays. Reported once."""

    session: str
    error: str


class LegStats(msgspec.Struct, frozen=True):
    """What one leg's receiver counted: packets and octets received, lost (RFC 3550 A.3), refused by the latch, sent;
    interarrival jitter in seconds; SRTP that could not be opened."""

    received: int = 0
    octets: int = 0
    lost: int = 0
    refused: int = 0
    malformed: int = 0
    sent: int = 0
    jitter: float = 0.0
    unopened: int = 0


class Closed(_Message, frozen=True):
    """A session is over. ``recorded``: whether its spool file holds packets; ``error``: why recording stopped early."""

    session: str
    caller: LegStats
    callee: LegStats
    recorded: bool = False
    error: str = ""


class Pong(_Message, frozen=True):
    """It does."""


class Usage(_Message, frozen=True, kw_only=True):
    """What a worker has counted since it began, sessions that stand included; pairs of ports; how late its timers
    fired: counts by bucket of ``STALLS`` and their sum."""

    sessions: int
    in_use: int
    resting: int
    free: int
    counted: LegStats
    stalls: tuple[float, ...]


STALLS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

Report = (
    Usage | Pong | Ready | Opened | OpenFailed | Heard | Played | Digit | Silent | SpoolFailed | Unheard | Quality
    | Closed
)  # fmt: skip

encode = msgspec.msgpack.Encoder().encode
decode_command = msgspec.msgpack.Decoder(Command).decode
decode_report = msgspec.msgpack.Decoder(Report).decode
