"""Monthly usage of voice Q&A, derived from its load settings, for the cost model.

The query worker is the function that gets a question answered by the agent, an external service. A constant that is
marked as assumed is an estimate without a source.
"""

from components.settings.voice_qa import VoiceQaSettings
from components.usage_formulas import DAYS_PER_MONTH, GB, LOG_BYTES_PER_CALL, Usage, function_usage

OLD_VERSION_DAYS = 1
"""Days for which old versions of questions and answers are kept. In a versioned bucket, expired audio becomes an old
version, which must not remain available for long."""
HANDLED_MILLISECONDS = 60
"""Assumed: time that the WebSocket handler needs for one message."""
WORKER_OVERHEAD_SECONDS = 1
"""Assumed: time that the query worker needs for a question in addition to the agent's answer."""
VALIDATION_MILLISECONDS = 1_500
"""Assumed: duration of one lecture's validation."""
ANSWER_SECONDS = 8
"""Assumed: time that the agent needs for an answer."""
PIECES_PER_ANSWER = 40
"""Assumed: number of messages that send the parts (pieces) of an answer."""
CONNECTED_MINUTES = 10
"""Assumed: time for which a client stays connected for one question, including the time to read the answer."""
LECTURE_MEGABYTES = 60
"""Assumed: size of a lecture."""
QUERY_MEGABYTES = 0.2
"""Assumed: size of a question of some seconds."""
ANSWER_MEGABYTES = 0.5
"""Assumed: size of a spoken answer. It is stored twice: as one audio file, and as base64 in a JSONL file with all
pieces of the answer."""
BASE64_FACTOR = 4 / 3
MESSAGES_PER_QUESTION = 6
"""Assumed: messages of one question without the pieces. Five of them are regular: the upload request and its response,
the question and its acceptance, and the message that the answer is complete. The sixth allows for errors."""
ITEM_KILOBYTES = 4
"""Assumed: size of a conversation of some turns."""
READS_PER_QUESTION = 14
"""Assumed: read units for the items of the connection, the guest's limits, the question and the conversation."""
WRITES_PER_QUESTION = 13
"""Assumed: write units for the same items."""
PUTS_PER_QUESTION = 3
"""Uploads for one question: the spoken question, all pieces of the answer as one JSONL file, and the joined spoken
answer."""
GETS_PER_QUESTION = 4
"""Reads for one question: the worker's HEAD request, the agent's downloads of question and lecture, and the client's
download of the spoken answer."""
LECTURE_MONTHS = 12
"""Assumed: months of lectures in the bucket at the time of the estimate. Lectures are never deleted."""
REQUESTS_PER_VALIDATION = 10
"""Assumed: requests to S3 for one lecture's validation."""


def monthly_usage(settings: VoiceQaSettings) -> Usage:
    load = settings.load
    questions = load.questions_per_day * DAYS_PER_MONTH
    lectures = load.lectures_per_day * DAYS_PER_MONTH
    minutes = questions * CONNECTED_MINUTES
    pings = minutes * 60 / settings.sessions.ping_seconds
    # A question needs four requests: connect, upload, question, disconnect. The few uploads of lectures are left out.
    requests = 4 * questions + pings
    time_limit_checks = questions  # delayed messages that make the handler check that a question has ended
    audio, old_days = settings.audio, OLD_VERSION_DAYS if settings.audio.versioned else 0
    query_mb = QUERY_MEGABYTES * (audio.query_days + old_days)
    answer_mb = (1 + BASE64_FACTOR) * ANSWER_MEGABYTES * (audio.response_days + old_days)
    audio_mb = questions / DAYS_PER_MONTH * (query_mb + answer_mb)
    uploaded_mb = questions * QUERY_MEGABYTES + lectures * LECTURE_MEGABYTES
    lectures_mb = lectures * LECTURE_MONTHS * LECTURE_MEGABYTES
    return {
        "voice-qa-socket": {
            # Each ping has an answer. A lecture's upload needs three messages: request, answer, and report.
            "messages": questions * (MESSAGES_PER_QUESTION + PIECES_PER_ANSWER) + 2 * pings + 3 * lectures,
            "connectionMinutes": minutes,
            "logGb": requests * LOG_BYTES_PER_CALL / GB,
        },
        "voice-qa-websocket-handler": function_usage(requests + time_limit_checks, HANDLED_MILLISECONDS),
        "voice-qa-query-worker": function_usage(questions, (ANSWER_SECONDS + WORKER_OVERHEAD_SECONDS) * 1000),
        "voice-qa-validate-lecture": function_usage(lectures, VALIDATION_MILLISECONDS),
        # A batch is a request that receives messages from SQS, here one message.
        "voice-qa-uploads": {"messages": lectures, "batches": lectures},
        "voice-qa-time-limits": {"messages": time_limit_checks, "batches": time_limit_checks},
        "voice-qa-queries-failed": {"messages": 0},
        "voice-qa-audio": {
            "storageGb": (audio_mb + lectures_mb) / 1024,
            "puts": questions * PUTS_PER_QUESTION + lectures,
            "gets": questions * GETS_PER_QUESTION + lectures * REQUESTS_PER_VALIDATION,
            "downloadedGb": questions * ANSWER_MEGABYTES / 1024,
            "acceleratedGb": uploaded_mb / 1024 if settings.audio.accelerated else 0,
        },
        "voice-qa-sessions": {
            "writes": questions * WRITES_PER_QUESTION + lectures,
            "reads": questions * READS_PER_QUESTION + lectures,
            "storageGb": questions / DAYS_PER_MONTH * settings.sessions.days * ITEM_KILOBYTES / 1024**2,
        },
    }
