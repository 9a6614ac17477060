"""Monthly usage of voice Q&A, derived from its load settings, for the cost model.

`Usage` maps the Pulumi name of each component to its measures, which the price rules of the cost model read.
The query worker is the function that gets a question answered by the agent, an external service.
"""

from components.settings.voice_qa import VoiceQaSettings
from components.usage_formulas import DAYS_PER_MONTH, GB, LOG_BYTES_PER_CALL, Usage, function_usage

OLD_VERSION_DAYS = 1
"""Days for which old versions of questions and answers are kept. In a versioned bucket, expired audio becomes an old
version, which must not remain available for long."""
PUTS_PER_QUESTION = 3
"""Uploads for one question: the spoken question, all pieces of the answer as one JSONL file, and the joined spoken
answer."""
GETS_PER_QUESTION = 4
"""Reads for one question: the worker's HEAD request, the agent's downloads of question and lecture, and the client's
download of the spoken answer."""
BASE64_FACTOR = 4 / 3

# Assumed, without a source.
HANDLED_MILLISECONDS = 60  # of the WebSocket handler for one message
ANSWER_SECONDS = 8  # of the agent for an answer
WORKER_OVERHEAD_SECONDS = 1  # of the query worker in addition to the agent's answer
VALIDATION_MILLISECONDS = 1_500  # of one lecture
REQUESTS_PER_VALIDATION = 10  # to S3 for one lecture
CONNECTED_MINUTES = 10  # of a client for one question, including the time to read the answer
MESSAGES_PER_QUESTION = 6
"""Messages of one question without the pieces of the answer. Five of them are regular: the upload request and its
response, the question and its acceptance, and the message that the answer is complete. The sixth allows for errors."""
PIECES_PER_ANSWER = 40  # messages that send the parts (pieces) of an answer
LECTURE_MEGABYTES = 60
LECTURE_MONTHS = 12  # of lectures in the bucket at the time of the estimate; lectures are never deleted
QUERY_MEGABYTES = 0.2  # of a question of some seconds
ANSWER_MEGABYTES = 0.5
"""Size of a spoken answer. It is stored twice: as one audio file, and as base64 in a JSONL file with all pieces."""
ITEM_KILOBYTES = 4  # of a conversation of some turns
READS_PER_QUESTION = 18  # read units for the items of the connection, the guest's counter, question and conversation
WRITES_PER_QUESTION = 10  # write units for the same items


def monthly_usage(settings: VoiceQaSettings) -> Usage:
    load, audio = settings.load, settings.audio
    questions = load.questions_per_day * DAYS_PER_MONTH
    lectures = load.lectures_per_day * DAYS_PER_MONTH
    minutes = questions * CONNECTED_MINUTES
    pings = minutes * 60 / settings.sessions.ping_seconds
    # A question needs four requests: connect, upload, question, disconnect. The few uploads of lectures are left out.
    requests = 4 * questions + pings
    time_limit_checks = questions  # delayed messages that make the handler check that a question has ended
    old_days = OLD_VERSION_DAYS if audio.versioned else 0
    query_mb = QUERY_MEGABYTES * (audio.query_days + old_days)
    answer_mb = (1 + BASE64_FACTOR) * ANSWER_MEGABYTES * (audio.response_days + old_days)
    lectures_mb = lectures * LECTURE_MONTHS * LECTURE_MEGABYTES
    uploaded_mb = questions * QUERY_MEGABYTES + lectures * LECTURE_MEGABYTES
    return {
        "voice-qa-socket": {
            # Each ping has an answer. A lecture's upload needs six messages: for the form, and two requests for its state.
            "messages": questions * (MESSAGES_PER_QUESTION + PIECES_PER_ANSWER) + 2 * pings + 6 * lectures,
            "connectionMinutes": minutes,
            "logGb": requests * LOG_BYTES_PER_CALL / GB,
        },
        "voice-qa-websocket-handler": function_usage(requests + time_limit_checks, HANDLED_MILLISECONDS),
        "voice-qa-query-worker": function_usage(questions, (ANSWER_SECONDS + WORKER_OVERHEAD_SECONDS) * 1000),
        "voice-qa-validate-lecture": function_usage(lectures, VALIDATION_MILLISECONDS),
        # A batch is a request that receives messages from SQS, here one message.
        "voice-qa-uploads": {"messages": lectures, "batches": lectures},
        "voice-qa-time-limits": {"messages": time_limit_checks, "batches": time_limit_checks},
        "voice-qa-audio": {
            "storageGb": (questions / DAYS_PER_MONTH * (query_mb + answer_mb) + lectures_mb) / 1024,
            "puts": questions * PUTS_PER_QUESTION + lectures,
            "gets": questions * GETS_PER_QUESTION + lectures * REQUESTS_PER_VALIDATION,
            "downloadedGb": questions * ANSWER_MEGABYTES / 1024,
            "acceleratedGb": uploaded_mb / 1024 if audio.accelerated else 0,
        },
        "voice-qa-sessions": {
            "writes": questions * WRITES_PER_QUESTION + lectures,
            "reads": questions * READS_PER_QUESTION + lectures,
            "storageGb": questions / DAYS_PER_MONTH * settings.sessions.days * ITEM_KILOBYTES / 1024**2,
        },
    }
