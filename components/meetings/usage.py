"""How much the meetings backend is used in a month, from its load settings: what the cost model prices.

Keys are the Pulumi names of the blocks, measures those that the cost model's rules read. Figures that no document gives
are constants here, each marked as assumed.
"""

from components.settings import MeetingsSettings
from components.settings.meetings_media import Engine
from components.settings.polling import rounds
from components.usage_measures import DAYS, GB, LOG_BYTES_PER_CALL, Usage, of_function, tokens

SWEEP_MINUTES = 15
GIGABYTES_PER_HOUR = 0.9
"""Assumed: of a recording, screen and camera."""
EXCHANGES = 2
"""Assumed: a recording of an hour outlives its credentials once."""
CHUNKS_PER_HOUR = 60
"""Assumed: a chunk a minute."""
EXCHANGE_MILLISECONDS = 250
START_MILLISECONDS = 60
STEP_MILLISECONDS = 200
SWEEP_MILLISECONDS = 500
STORAGE_MILLISECONDS = 10_000
SUMMARY_MILLISECONDS = 60_000
"""Assumed, all: what each takes."""
COPY_HOURS = 0.03
"""Of the job for an hour of recording that is put together as it is: measured, docs/benchmarks.md."""
ENCODE_HOURS = 1.0
"""Assumed: an hour of recording that is encoded by one processor."""
STARTING_HOURS = 0.02
"""Assumed: pulling the image."""
INTERRUPTED_SHARE = 0.05
"""Assumed: of jobs that end on demand."""
INPUT_TOKENS_PER_HOUR = 7_500
OUTPUT_TOKENS = 750
"""Assumed, of each of two questions: an hour of speech is about 9,000 words of which each is asked about twice."""
TRANSITIONS = 20
"""Of a recording that gets a spare machine at once and is one part, beside what is asked."""
TRANSITIONS_PER_CHECK = 3
TRANSCRIBE_HOURS = 1 / 6
"""Assumed: Transcribe takes ten minutes for an hour."""
AUDIO_GB_PER_HOUR = 0.06
"""Assumed: 16-kHz mono FLAC."""
METRICS = 5
"""Of the stack as a whole; each measured user adds one."""
KEPT_MONTHS = 12
"""Assumed: months of videos when the cost is looked at; it keeps growing."""
ITEM_KILOBYTES = 2
WRITES = 8
READS = 20
"""Assumed, all three: a meeting's item, and how often it is written and read."""


def monthly_usage(settings: MeetingsSettings) -> Usage:
    """Pulumi name of a block → measure → amount a month."""
    load, kept = settings.load, settings.kept
    meetings = load.meetings_per_month
    hours = meetings * load.hours_each
    uploads = hours * CHUNKS_PER_HOUR + meetings
    video_gb = hours * GIGABYTES_PER_HOUR
    copying = hours * COPY_HOURS + meetings * STARTING_HOURS
    encoding = hours * load.encoded_share * ENCODE_HOURS
    spot = settings.processing.engine is Engine.BATCH_SPOT
    # Twice the processors take half the time of what is encoded, and as long for the rest.
    on_demand = (copying + encoding) * INTERRUPTED_SHARE if spot else copying + encoding / 2
    asked = meetings * _status_checks(settings)
    sweeps = DAYS * 24 * 60 / SWEEP_MINUTES
    firewall = {"inspectedRequests": meetings * EXCHANGES} if settings.exchange.waf_requests else {}
    exchanges = float(meetings * EXCHANGES)
    return {
        "meetings-api": {"requests": exchanges, "logGb": exchanges * LOG_BYTES_PER_CALL / GB, **firewall},
        "meetings-auth-exchange": of_function(exchanges, EXCHANGE_MILLISECONDS),
        "meetings-uploads": {"messages": uploads, "batches": uploads / 2},
        "meetings-start": of_function(uploads / 2, START_MILLISECONDS),
        "meetings-steps": of_function(
            2 * meetings, STEP_MILLISECONDS, metricRequests=2 * meetings, customMetrics=METRICS
        ),
        "meetings-bedrock-summarize": of_function(
            meetings, SUMMARY_MILLISECONDS, **_summary_tokens(settings, hours, meetings)
        ),
        "meetings-sweep": of_function(sweeps, SWEEP_MILLISECONDS),
        "meetings-storage": of_function(DAYS, STORAGE_MILLISECONDS),
        "meetings-workflow": {
            "transitions": meetings * TRANSITIONS + asked * TRANSITIONS_PER_CHECK,
            "transcribeMinutes": hours * 60,
            "logGb": 0,
        },
        "meetings-care-failures": {"messages": 0},
        "meetings-media": {
            "spotHours": copying + encoding if spot else 0,
            "onDemandHours": on_demand,
            "logGb": meetings * LOG_BYTES_PER_CALL * 10 / GB,
        },
        "meetings-media-images": {"imageGb": 2},
        "meetings-recordings": {
            "storageGb": video_gb * (1 + kept.raw_days / DAYS) + hours * AUDIO_GB_PER_HOUR * kept.audio_days / DAYS,
            "infrequentGb": video_gb * (KEPT_MONTHS - 1),
            "monitoredObjects": meetings * KEPT_MONTHS,
            "tieredObjects": meetings,
            "puts": uploads + meetings * 20,
            "gets": 2 * uploads,
            "downloadedGb": 0,
        },
        "meetings-meetings": {
            "writes": meetings * WRITES,
            "indexWrites": meetings * WRITES,
            "reads": meetings * READS,
            "storageGb": meetings * KEPT_MONTHS * ITEM_KILOBYTES / 1024**2,
        },
    }


def _status_checks(settings: MeetingsSettings) -> float:
    """How often the job and the transcription of a recording are asked about, one with another."""
    load = settings.load
    pause = settings.processing.poll_seconds
    starts = STARTING_HOURS + load.hours_each * COPY_HOURS
    copied = rounds(round(starts * 3600), pause)
    encoded = rounds(round((starts + load.hours_each * ENCODE_HOURS) * 3600), pause)
    return (
        copied * (1 - load.encoded_share)
        + encoded * load.encoded_share
        + rounds(round(load.hours_each * TRANSCRIBE_HOURS * 3600), pause)
    )


def _summary_tokens(settings: MeetingsSettings, hours: float, meetings: float) -> dict[str, float]:
    """Two questions about the same transcript, each of its own model."""
    models = (settings.models.summary, settings.models.action_items)
    each = [tokens(model, hours * INPUT_TOKENS_PER_HOUR, meetings * OUTPUT_TOKENS) for model in models]
    return {measure: sum(measures.get(measure, 0) for measures in each) for measures in each for measure in measures}
