"""How much transcription is used in a month, from its load settings: what the cost model prices.

Keys are the Pulumi names of the blocks, measures those that the cost model's rules read. Figures that no document gives
are constants here, each marked as assumed.
"""

from components.settings.transcription import TranscriptionSettings
from components.usage_measures import DAYS_PER_MONTH, GB, LOG_BYTES_PER_CALL, Usage, function_usage

PING_SECONDS = 300
"""How often a client sends a ping: API Gateway closes a connection after ten idle minutes."""
CAPTIONS_PER_UTTERANCE = 12
SESSION_MINUTES = 30
"""Assumed, both: partial and final captions of one utterance, and how long a session and its connection last."""
UTTERANCE_OVERHEAD_SECONDS = 1
"""Assumed: what an invocation takes beyond its utterance's own length; it is bounded by 2."""
ROUTED_MILLISECONDS = 60
"""Assumed: what the router takes for one message."""
BILLED_SECONDS = 15
"""What Amazon Transcribe bills of a stream at least: three times the longest utterance."""
MESSAGES_PER_UTTERANCE = 3
"""The utterance in pieces of 32 KB (one as Opus, up to four as samples), its acceptance, and that it is done."""
ROUTER_READS = 3
"""Connection, session, places: read consistently, one unit each."""
PROCESSOR_READS = 3
PLACE_WRITES = 3
"""Taken, begun, given back: each also moves in the index."""
PLACE_UNITS = 2
"""Assumed: write units of a session's item, which remembers the names of its last utterances."""
ITEM_BYTES = 1_000
"""Assumed: the size of a session or of one that is live."""
ITEM_DAYS = 3
"""Assumed: days until an expired item is gone."""
PROCESSOR_LOG_BYTES = 1_800
"""Assumed: its own line, and Lambda's three of level INFO."""
METRICS = 4
"""Names under which the processor puts its numbers, one dimension value each."""


NOT_BACKED_UP = frozenset({"transcription-live", "transcription-sessions"})
"""Tables of which no copies are paid for."""


def monthly_usage(settings: TranscriptionSettings) -> Usage:
    """Pulumi name of a block → measure → amount a month."""
    load = settings.load
    utterances = load.utterances_per_day * DAYS_PER_MONTH
    speech_minutes = utterances * load.utterance_seconds / 60
    captions = utterances * CAPTIONS_PER_UTTERANCE
    sessions = max(1.0, speech_minutes / SESSION_MINUTES)
    connected_minutes = sessions * SESSION_MINUTES
    pings = connected_minutes * 60 / PING_SECONDS
    routed = utterances + pings + 4 * sessions  # connect, open, close, disconnect
    sweeps = DAYS_PER_MONTH * 24 * 60
    return {
        "transcription-socket": {
            "messages": utterances * MESSAGES_PER_UTTERANCE + captions + 2 * (pings + 2 * sessions),
            "connectionMinutes": connected_minutes,
            "logGb": routed * LOG_BYTES_PER_CALL / GB,
        },
        "transcription-audio-processor": {
            "invocations": utterances,
            "milliseconds": (load.utterance_seconds + UTTERANCE_OVERHEAD_SECONDS) * 1000,
            "logGb": utterances * PROCESSOR_LOG_BYTES / GB,
            "transcribeStreamingMinutes": utterances * max(load.utterance_seconds, BILLED_SECONDS) / 60,
            "customMetrics": METRICS,
            "metricRequests": utterances,
        },
        "transcription-router": function_usage(routed + sweeps, ROUTED_MILLISECONDS),
        "transcription-router-failed": {"messages": 0},
        "transcription-live": {
            "writes": utterances * PLACE_WRITES * PLACE_UNITS + captions + 4 * sessions,
            "indexWrites": utterances * PLACE_WRITES,
            "reads": utterances * (ROUTER_READS + PROCESSOR_READS) + sweeps,
            "storageGb": (captions + sessions) / DAYS_PER_MONTH * ITEM_DAYS * ITEM_BYTES / GB,
        },
        "transcription-sessions": {
            "writes": 2 * sessions,
            "reads": utterances * 2,
            "storageGb": sessions / DAYS_PER_MONTH * ITEM_DAYS * ITEM_BYTES / GB,
        },
    }
