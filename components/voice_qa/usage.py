"""How much voice Q&A is used in a month, from its load settings: what the cost model prices.

Keys are the Pulumi names of the blocks, measures those that the cost model's rules read. Figures that no document gives
are constants here, each marked as assumed.
"""

from components.settings.voice_qa import VoiceQaSettings
from components.usage_measures import DAYS_PER_MONTH, GB, LOG_BYTES_PER_CALL, Usage, function_usage
from components.voice_qa.voice_qa import OLD_VERSION_DAYS, SWEEP_MINUTES

HANDLED_MILLISECONDS = 60
"""Assumed: what the socket handler takes for one message."""
WORKER_OVERHEAD_SECONDS = 1
"""Assumed: what a question takes beyond the agent's answer."""
VALIDATION_MILLISECONDS = 1_500
"""Assumed: what validating one lecture takes."""
ANSWER_SECONDS = 8
PIECES_PER_ANSWER = 40
CONNECTED_MINUTES = 10
LECTURE_MEGABYTES = 60
"""Assumed, all: how long the agent takes for an answer, its pieces, how long a client stays for one question, its reading
included, and the size of a lecture."""
QUERY_MEGABYTES = 0.2
"""Assumed: a question of some seconds."""
ANSWER_MEGABYTES = 0.5
"""Assumed: a spoken answer, kept twice (as pieces, and whole)."""
AS_BASE64 = 4 / 3
"""What spoken pieces grow by on their way to a client."""
MESSAGES_PER_QUESTION = 6
"""Upload and question with their answers, and that it is accepted and answered."""
ITEM_KILOBYTES = 4
"""Assumed: a conversation of some turns."""
READS_PER_QUESTION = 12
WRITES_PER_QUESTION = 12
"""Assumed, both: connection, allowance, question and conversation, in units."""
LECTURE_MONTHS = 12
"""Assumed: months of lectures in the bucket when its cost is looked at; it keeps growing."""
REQUESTS_PER_VALIDATION = 10


def monthly_usage(settings: VoiceQaSettings) -> Usage:
    """Pulumi name of a block → measure → amount a month."""
    load = settings.load
    questions = load.questions_per_day * DAYS_PER_MONTH
    lectures = load.lectures_per_day * DAYS_PER_MONTH
    minutes = questions * CONNECTED_MINUTES
    pings = minutes * 60 / settings.sessions.ping_seconds
    handled = 4 * questions + pings  # connect, upload, question, disconnect
    sweeps = DAYS_PER_MONTH * 24 * 60 / SWEEP_MINUTES
    audio, old_days = settings.audio, OLD_VERSION_DAYS if settings.audio.versioned else 0
    query_mb = QUERY_MEGABYTES * (audio.query_days + old_days)
    answer_mb = 2 * ANSWER_MEGABYTES * (audio.response_days + old_days)
    audio_mb = questions / DAYS_PER_MONTH * (query_mb + answer_mb)
    uploaded_mb = questions * QUERY_MEGABYTES + lectures * LECTURE_MEGABYTES
    network = settings.agentcore.network
    posted_gb = questions * ANSWER_MEGABYTES * AS_BASE64 / 1024
    lectures_mb = lectures * LECTURE_MONTHS * LECTURE_MEGABYTES
    return {
        "voice-qa-socket": {
            "messages": questions * (MESSAGES_PER_QUESTION + PIECES_PER_ANSWER) + 2 * pings,
            "connectionMinutes": minutes,
            "logGb": handled * LOG_BYTES_PER_CALL / GB,
        },
        "voice-qa-websocket-handler": function_usage(handled, HANDLED_MILLISECONDS),
        "voice-qa-query-worker": function_usage(questions, (ANSWER_SECONDS + WORKER_OVERHEAD_SECONDS) * 1000),
        "voice-qa-validate-lecture": function_usage(lectures + sweeps, VALIDATION_MILLISECONDS),
        "voice-qa-uploads": {"messages": lectures, "batches": lectures},
        "voice-qa-queries-failed": {"messages": 0},
        "voice-qa-validator-failed": {"messages": 0},
        "voice-qa-audio": {
            "storageGb": (audio_mb + lectures_mb) / 1024,
            "puts": 3 * questions + lectures,
            "gets": 4 * questions + lectures * REQUESTS_PER_VALIDATION + sweeps,
            "downloadedGb": questions * ANSWER_MEGABYTES / 1024,
            "acceleratedGb": uploaded_mb / 1024 if settings.audio.accelerated else 0,
        },
        "voice-qa-sessions": {
            "writes": questions * WRITES_PER_QUESTION + lectures,
            "reads": questions * READS_PER_QUESTION + lectures,
            "storageGb": questions / DAYS_PER_MONTH * settings.sessions.days * ITEM_KILOBYTES / 1024**2,
        },
        **({"voice-qa-agent-network": {"natGb": posted_gb}} if network and network.nat else {}),
    }
