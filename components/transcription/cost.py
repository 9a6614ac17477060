"""Monthly usage of transcription, derived from its load settings, for the cost model.

`Usage` maps the Pulumi name of each component to its measures, which the price rules of the cost model read.

An utterance is some seconds of speech that a client sends as one message. The router receives all messages, and invokes
the audio processor for each utterance. The session table stores for each connection its settings, and a slot for each
utterance in progress.
"""

from components.settings.transcription import TranscriptionSettings
from components.usage_formulas import DAYS_PER_MONTH, GB, LOG_BYTES_PER_CALL, Usage, function_usage

PING_SECONDS = 300  # interval of the client's pings; API Gateway closes a connection after ten idle minutes
BILLED_SECONDS = 15
"""Minimum duration that Amazon Transcribe bills for a stream. Each utterance is a separate stream of at most 5 s."""
REQUESTS_PER_SESSION = 1  # message of the client that opens the session; it has an answer
MESSAGES_PER_UTTERANCE = 3
"""Messages for one utterance without its captions: the utterance itself, and two that report its acceptance and its
end. API Gateway bills each 32 KB as one message. Assumed: the client encodes the speech as Opus, so an utterance fits
into 32 KB. Uncompressed samples need up to four times as much."""
ROUTER_READS = 2  # of the session for one utterance, each one unit: to check the audio, and to take a slot
SLOT_WRITES = 3
"""Writes of the session for one utterance. The router takes a slot, the processor marks in the slot that its attempt
has started, and later releases the slot."""
CUSTOM_METRICS = 4  # names of the processor's metrics, each with one dimension value

# Assumed, without a source.
CAPTIONS_PER_UTTERANCE = 12  # partial and final ones
SESSION_MINUTES = 30  # duration of a session and its connection
UTTERANCE_OVERHEAD_SECONDS = 1  # of an invocation beyond its utterance's length; the requirements allow 2 s
ROUTED_MILLISECONDS = 60  # for one message in the router
PROCESSOR_READS = 2
"""Reads of the session for one utterance. The audio processor reads it to start its attempt to transcribe the utterance,
and to end the attempt."""
SLOT_WRITE_UNITS = 2
"""Write units of one write of a session. It is more than one unit, because the item also lists the last utterances that
have ended."""
ITEM_BYTES = 2_000  # of a session
ITEM_DAYS = 3  # until an expired item is deleted
PROCESSOR_LOG_BYTES = 1_800  # of one invocation: the processor's own line, and Lambda's three lines at level INFO


def monthly_usage(settings: TranscriptionSettings) -> Usage:
    load = settings.load
    utterances = load.utterances_per_day * DAYS_PER_MONTH
    captions = utterances * CAPTIONS_PER_UTTERANCE
    sessions = max(1.0, utterances * load.utterance_seconds / 60 / SESSION_MINUTES)
    connected_minutes = sessions * SESSION_MINUTES
    client_requests = connected_minutes * 60 / PING_SECONDS + REQUESTS_PER_SESSION * sessions
    routed = utterances + client_requests + 2 * sessions  # with connect and disconnect, which are not messages
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
            "customMetrics": CUSTOM_METRICS,
            "metricRequests": utterances,
        },
        "transcription-router": function_usage(routed, ROUTED_MILLISECONDS),
        "transcription-sessions": {
            "writes": utterances * SLOT_WRITES * SLOT_WRITE_UNITS + sessions,  # one at `open`
            "reads": utterances * (ROUTER_READS + PROCESSOR_READS),
            "storageGb": sessions / DAYS_PER_MONTH * ITEM_DAYS * ITEM_BYTES / GB,
        },
    }
