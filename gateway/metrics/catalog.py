"""Every metric by name. A metric that is not here can't be counted; a name here is stable.

Labels have few values by construction: methods, SIP codes, causes and modes come from fixed lists, trunks from the
configuration, workers are numbered. No label ever holds a number, an address or a text that came from outside.
``alert`` names the rule of configs/prometheus/alerts.yml that the metric feeds, "" when it is there to be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_DELAYS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0)
_WAITS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0)
_TALKS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
_STALLS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_LOOKUPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
_SCORES = (1.5, 2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2, 4.3, 4.4)
_JITTERS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row. ``bounds``: the upper ends of a histogram's buckets, without the last, which is +Inf."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    alert: str = ""
    bounds: tuple[float, ...] = ()


def _counter(name: str, labels: str, help: str, alert: str = "") -> Metric:
    return Metric(name=name, kind="counter", help=help, labels=tuple(labels.split()), alert=alert)


def _gauge(name: str, labels: str, help: str, alert: str = "") -> Metric:
    return Metric(name=name, kind="gauge", help=help, labels=tuple(labels.split()), alert=alert)


def _histogram(name: str, labels: str, help: str, bounds: tuple[float, ...], alert: str = "") -> Metric:
    return Metric(name=name, kind="histogram", help=help, labels=tuple(labels.split()), bounds=bounds, alert=alert)


METRICS = (
    _counter("maskline_sip_messages_total", "method code trunk direction transport",
             "SIP messages; code is empty for requests.", "MasklineTrunkFails"),
    _counter("maskline_sip_dropped_total", "reason", "What came on SIP sockets and was not worked on.",
             "MasklineStrangers"),
    _counter("maskline_sip_large_total", "way", "Requests over sip.udp_limit to UDP peers, by the way they went: by "
             "TCP, by UDP (TCP has failed there before), by UDP, TCP failed."),
    _counter("maskline_sip_faults_total", "", "Mistakes of ours in the SIP core.", "MasklineFaults"),
    _counter("maskline_calls_total", "mode cause trunk", "Calls that are over, by cause (docs: causes) and the trunk "
             "they came by.", "MasklineNoRoute"),
    _counter("maskline_calls_refused_total", "reason", "INVITEs that never became a call.", "MasklineShedding"),
    _gauge("maskline_calls_standing", "", "Calls that are not over.", "MasklineFull"),
    _gauge("maskline_calls_limit", "", "Calls that the media ports hold.", "MasklineFull"),
    _gauge("maskline_ready", "", "1: calls are taken.", "MasklineNotReady"),
    _histogram("maskline_post_dial_delay_seconds", "trunk", "From the caller's INVITE (AXE, X: from the callee's) to "
               "the callee's ringing.", _DELAYS, "MasklineSlowRinging"),
    _histogram("maskline_answer_seconds", "trunk", "From the callee's INVITE to the answer.", _WAITS),
    _counter("maskline_unacknowledged_total", "leg", "Answered legs that ended since no ACK of our 200 came."),
    _histogram("maskline_call_duration_seconds", "trunk", "Talk time of answered calls.", _TALKS, "MasklineShortCalls"),
    _histogram("maskline_lookup_seconds", "", "From a call's question to the database's answer.", _LOOKUPS,
               "MasklineSlowDatabase"),
    _gauge("maskline_journal_backlog", "", "Events and CDRs that wait for the database.", "MasklineJournalWaits"),
    _histogram("maskline_loop_stall_seconds", "process", "How late a timer of an event loop fired.", _STALLS,
               "MasklineStalls"),
    _gauge("maskline_media_workers", "", "Media workers that answer.", "MasklineWorkerGone"),
    _counter("maskline_media_worker_lost_total", "reason", "Media workers that ended, or were ended since they hung.",
             "MasklineWorkerLost"),
    _counter("maskline_calls_moved_total", "result", "Calls whose media worker died: moved, ended (docs: media)."),
    _gauge("maskline_rtp_ports", "worker state", "Pairs of UDP ports: in_use, resting, free.", "MasklinePortsShort"),
    _counter("maskline_rtp_packets_total", "worker direction", "RTP packets, received and sent."),
    _counter("maskline_rtp_lost_total", "worker", "RTP packets that never came (RFC 3550 A.3).", "MasklineLoss"),
    _counter("maskline_rtp_refused_total", "worker", "Datagrams from a source that was not the call's.",
             "MasklineInjection"),
    _counter("maskline_rtp_malformed_total", "worker", "Datagrams that were no RTP of the call."),
    _counter("maskline_rtp_unopened_total", "worker", "SRTP and SRTCP packets that the call's keys didn't open: false, "
             "or come before.", "MasklineUnopened"),
    _histogram("maskline_rtp_jitter_seconds", "leg", "Interarrival jitter of a leg at the end of its call.", _JITTERS,
               "MasklineJitter"),
    _histogram("maskline_rtp_mos", "leg", "Estimated score (1 to 4.5) of each 5 s that a leg's party was heard.",
               _SCORES, "MasklineBadSound"),
    _counter("maskline_rtp_unheard_total", "leg", "Answered calls in which a leg sent nothing for 3 s.",
             "MasklineOneWay"),
    _gauge("maskline_outbox_rows", "state", "Events and CDRs for customers' servers: waiting, dead.",
           "MasklineDeadLetters"),
    _gauge("maskline_outbox_overdue_seconds", "", "For how long the oldest event has been due.", "MasklineOutboxLate"),
    _gauge("maskline_recordings", "state", "Recordings: spooling, pending, rendered (to be uploaded), failed.",
           "MasklineRecordingsFail"),
    _counter("maskline_recordings_cut_total", "reason", "Recordings that end before their call, the disk being: full, "
             "read_only, slow, other.", "MasklineRecordingsCut"),
    _counter("maskline_recordings_orphaned_total", "result", "Spool files found at the start that no call had noted: "
             "kept (rendered), failed."),
    _gauge("maskline_disk_free_bytes", "volume", "Free for us on the volumes of recordings: spool, recordings (a "
           "folder's).", "MasklineDiskFull"),
    _gauge("maskline_disk_bytes", "volume", "Their size; a volume that doesn't answer has neither.",
           "MasklineDiskLow"),
    _gauge("maskline_database_up", "", "1: the web process reaches the database.", "MasklineNoDatabase"),
    _counter("maskline_shed_total", "reason", "Messages over a rate of [defence], or without room; calls and "
             "registrations refused in overload.", "MasklineShedding"),
    _counter("maskline_bans_total", "reason", "Sources that were banned for a time.", "MasklineBans"),
    _gauge("maskline_tasks", "", "asyncio tasks of the signalling process."),
    _gauge("maskline_banned", "", "Sources that are banned now."),
    _gauge("maskline_trunk_peers", "trunk state", "Peers of a trunk: up, down, unknown (not probed, or no answer yet).",
           "MasklineTrunkDown"),
    _gauge("maskline_trunk_registered", "trunk", "1: we are registered there; only trunks that want it.",
           "MasklineNotRegistered"),
    _gauge("maskline_trunk_calls_out", "trunk", "Standing calls that went out by a trunk."),
    _gauge("maskline_phones", "transport", "Phones that are registered, every contact counted.", "MasklinePhonesGone"),
    _gauge("maskline_browser_legs", "state", "Legs of browsers at the edge: opening (ICE, DTLS), connected."),
    _counter("maskline_browser_failed_total", "reason", "Legs of browsers that failed: port (there is none), ice, "
             "dtls, or broke later: lost, silent.", "MasklineBrowsersFail"),
    _counter("maskline_browser_packets_total", "direction", "RTP packets of browsers, received and sent."),
    _counter("maskline_browser_bytes_total", "direction", "Their octets, received and sent, without IP and UDP."),
    _counter("maskline_browser_lost_total", "", "RTP packets of browsers that never came (RFC 3550 A.3)."),
    _counter("maskline_browser_stun_failed_total", "", "Questions to webrtc.stun that got no answer."),
    _counter("maskline_browser_edge_ended_total", "", "How often the edge's process ended and was replaced."),
    _gauge("maskline_browser_tasks", "", "asyncio tasks of the edge's process."),
    _counter("maskline_surges_total", "", "Hours with far more calls of an application than usual.", "MasklineSurge"),
    _counter("maskline_hep_packets_total", "result", "Packets for the Homer collector: sent, failed."),
    _gauge("maskline_trace_switches", "", "Traces that are wanted now (maskline trace)."),
    _counter("maskline_trace_messages_total", "result", "Messages of traced calls: kept, dropped."),
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}
