"""Monthly usage of transcription, derived from its load settings, for the cost model.

A constant that is marked as assumed is an estimate without a source. An utterance is some seconds of speech that a
client sends as one message. The router receives all messages, and invokes the audio processor for each utterance. The
session table stores the settings of sessions, and the live table the state of connections and sessions in use.
"""

from components.settings.transcription import TranscriptionSettings
from components.usage_formulas import DAYS_PER_MONTH, GB, LOG_BYTES_PER_CALL, Usage, function_usage

PING_SECONDS = 300
"""Interval of the client's pings. API Gateway closes a connection after ten idle minutes."""
CAPTIONS_PER_UTTERANCE = 12
"""Assumed: number of partial and final captions of one utterance."""
SESSION_MINUTES = 30
"""Assumed: duration of a session and its connection."""
UTTERANCE_OVERHEAD_SECONDS = 1
"""Assumed: duration of an invocation beyond its utterance's length. The requirements limit this duration to 2 s."""
ROUTED_MILLISECONDS = 60
"""Assumed: duration of one message in the router."""
BILLED_SECONDS = 15
"""Minimum duration that Amazon Transcribe bills for a stream. Each utterance is a separate stream of at most 5 s."""
REQUESTS_PER_SESSION = 2
"""Messages of the client that open and close a session. Each has an answer."""
MESSAGES_PER_UTTERANCE = 3
"""Messages for one utterance without its captions: the utterance itself, and two that report its acceptance and its
end. API Gateway bills each 32 KB as one message. Assumed: the client encodes the speech as Opus, so an utterance fits
into 32 KB. Uncompressed samples need up to four times as much."""
ROUTER_READS = 2
"""Reads of the live table by the router for one utterance: the item of the connection, and the item with the session's
utterances in progress. Each is a consistent read of one unit."""
PROCESSOR_READS = 3
"""Assumed: reads of the item with the session's utterances in progress, for one utterance: the audio processor reads it
to start its attempt to transcribe the utterance, before a final caption, and to end the attempt."""
SESSION_READS = 2
"""Reads of the session's settings for one utterance: the router and the processor each read it."""
SESSION_WRITES = 2
"""Writes of the live table for one session. The handshake writes the connection. The message `open` writes the item of
the session's utterances."""
SLOT_WRITES = 3
"""Writes of the live table for one utterance. The item of a session has a slot for each utterance in progress. The
router takes a slot, the processor marks in the slot that its attempt has started, and later releases the slot."""
SLOT_WRITE_UNITS = 2
"""Assumed: write units of one write to the item with a session's slots. It is more than one unit, because the item also
lists the last utterances of the session that have ended."""
ITEM_BYTES = 1_000
"""Assumed: size of an item of the session table or the live table."""
ITEM_DAYS = 3
"""Assumed: days until an expired item is deleted."""
PROCESSOR_LOG_BYTES = 1_800
"""Assumed: size of the log lines of one invocation: the processor's own line, and Lambda's three lines at level
INFO."""
METRICS = 4
"""Number of metric names of the processor, each with one dimension value."""


NOT_BACKED_UP = frozenset({"transcription-live", "transcription-sessions"})
"""Tables without backup, because their items live only for hours. They cause no backup costs."""


def monthly_usage(settings: TranscriptionSettings) -> Usage:
    load = settings.load
    utterances = load.utterances_per_day * DAYS_PER_MONTH
    speech_minutes = utterances * load.utterance_seconds / 60
    captions = utterances * CAPTIONS_PER_UTTERANCE
    sessions = max(1.0, speech_minutes / SESSION_MINUTES)
    connected_minutes = sessions * SESSION_MINUTES
    pings = connected_minutes * 60 / PING_SECONDS
    client_requests = pings + REQUESTS_PER_SESSION * sessions
    handshakes = 2 * sessions  # connect and disconnect, which are not messages
    routed = utterances + client_requests + handshakes
    return {
        "transcription-socket": {
            "messages": utterances * MESSAGES_PER_UTTERANCE + captions + 2 * client_requests,  # with answers
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
        "transcription-router": function_usage(routed, ROUTED_MILLISECONDS),
        "transcription-live": {
            # For each caption, an item records that its text was shown, so that no overlapping utterance shows it again.
            "writes": utterances * SLOT_WRITES * SLOT_WRITE_UNITS + captions + SESSION_WRITES * sessions,
            "reads": utterances * (ROUTER_READS + PROCESSOR_READS),
            "storageGb": (captions + sessions) / DAYS_PER_MONTH * ITEM_DAYS * ITEM_BYTES / GB,
        },
        "transcription-sessions": {
            "writes": 2 * sessions,  # at `open` and `close`
            "reads": utterances * SESSION_READS,
            "storageGb": sessions / DAYS_PER_MONTH * ITEM_DAYS * ITEM_BYTES / GB,
        },
    }
