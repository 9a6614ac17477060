"""Monthly usage of the meetings backend, computed from its load settings for the cost model.

A constant that is marked as assumed is an estimate without a source.
"""

from components.blocks.workflow.polling_intervals import count_polls
from components.settings import MeetingsSettings
from components.settings.meetings_media import ProcessingEngine
from components.usage_formulas import DAYS_PER_MONTH, GB, LOG_BYTES_PER_CALL, Usage, function_usage, token_usage

GIGABYTES_PER_HOUR = 0.9
"""Assumed: size of an hour of screen and camera recording."""
PLAYBACKS = 1
"""Assumed: playbacks of one meeting's recording."""
SHARE_PLAYED = 0.1
"""Assumed: the share of a recording that a playback downloads. Users play only the passages that a summary quotes."""
READS_PER_PLAYBACK = 5
"""Assumed: requests of a player for one recording."""
EXCHANGES = 2
"""Assumed: token exchanges of one meeting. The credentials are renewed once during an hour of recording."""
CHUNKS_PER_HOUR = 60
"""Assumed: one chunk (uploaded file of a recording) per minute."""
EVENTS_PER_BATCH = 2
"""Assumed: events of uploads that the function `start` receives in one invocation."""
EXCHANGE_MILLISECONDS = 250
START_MILLISECONDS = 60
STEP_MILLISECONDS = 200
STORAGE_MILLISECONDS = 10_000
SUMMARY_MILLISECONDS = 60_000
"""Assumed durations of one call of these five functions."""
COPY_HOURS = 0.03
"""Duration of the media job for an hour of recording whose chunks it joins without encoding (docs/benchmarks.md). The
media job is the AWS Batch job that makes a recording's video and audio."""
ENCODE_HOURS = 1.0
"""Assumed duration of encoding an hour of recording with one vCPU."""
STARTING_HOURS = 0.02
"""Assumed time of a job for pulling the image."""
INTERRUPTED_SHARE = 0.05
"""Assumed share of jobs that lose their Spot capacity and end on demand."""
INPUT_TOKENS_PER_HOUR = 9_750
"""Assumed input tokens of one request to a model, per hour of recording. An hour of speech has about 9,000 words, and
both requests (for the summary and for the action items) contain all of them."""
OUTPUT_TOKENS = 1_500
"""Assumed output tokens of one request, including the model's reasoning."""
TRANSITIONS = 20
"""State transitions of an execution without its status checks (polls of a job), for a recording that has one audio part
and whose media job gets Spot capacity immediately."""
TRANSITIONS_PER_CHECK = 3
"""State transitions of one status check: wait, call, choice."""
TRANSCRIBE_HOURS = 1 / 6
"""Assumed: Amazon Transcribe takes ten minutes for an hour of recording."""
AUDIO_GB_PER_HOUR = 0.06
"""Assumed: size of an hour of 16-kHz mono FLAC."""
JOB_LOG_BYTES = 6_000
"""Assumed size of the log lines of a media job."""
IMAGE_GIGABYTES = 2
"""Assumed size of all stored images of the media job."""
STEPS = 3
"""Calls of the function `steps` for a recording that succeeds: `media`, `transcribed` and `finish`."""
STEP_METRIC_REQUESTS = 2
"""Number of those calls of `steps` that send metrics: `media` and `finish`."""
METRICS = 5
"""Number of custom metrics of the stack. Each measured user adds one, which this estimate leaves out."""
KEPT_MONTHS = 12
"""Assumed months of videos in the bucket at the time of the estimate. Videos are never deleted."""
ITEM_KILOBYTES = 2
"""Assumed size of a meeting's record."""
WRITES = 8
"""Assumed number of writes of a meeting's record."""
READS = 20
"""Assumed number of reads of a meeting's record."""
MEDIA_PART_MEGABYTES = 16
"""Size of one part of the media job's uploads of video and audio (`PART_BYTES` in its `job_bucket`)."""
OTHER_PUTS = 20
"""Assumed: further writes for one meeting by the media job, Amazon Transcribe and the summary, and listings of its
uploads."""
READS_PER_UPLOAD = 3
"""Requests of the media job for each uploaded chunk: HEAD to check that it exists, and HEAD and GET to download it."""


def monthly_usage(settings: MeetingsSettings) -> Usage:
    load, kept = settings.load, settings.kept
    meetings = load.meetings_per_month
    hours = meetings * load.hours_each
    uploads = hours * CHUNKS_PER_HOUR + meetings
    batches = uploads / EVENTS_PER_BATCH
    video_gb = hours * GIGABYTES_PER_HOUR
    media_parts = (video_gb + hours * AUDIO_GB_PER_HOUR) * 1024 / MEDIA_PART_MEGABYTES
    copying = hours * COPY_HOURS + meetings * STARTING_HOURS
    encoding = hours * load.encoded_share * ENCODE_HOURS
    uses_spot = settings.processing.engine is ProcessingEngine.BATCH_SPOT
    # With the engine `fargate`, the job has twice the vCPUs by default. This halves the time for encoding only.
    on_demand = (copying + encoding) * INTERRUPTED_SHARE if uses_spot else copying + encoding / 2
    status_checks = meetings * _status_checks(settings)
    exchanges = float(meetings * EXCHANGES)
    return {
        "meetings-api": {"requests": exchanges, "logGb": exchanges * LOG_BYTES_PER_CALL / GB},
        "meetings-auth-exchange": function_usage(exchanges, EXCHANGE_MILLISECONDS),
        "meetings-uploads": {"messages": uploads, "batches": batches},
        "meetings-start": function_usage(batches, START_MILLISECONDS),
        "meetings-steps": function_usage(
            STEPS * meetings,
            STEP_MILLISECONDS,
            metricRequests=STEP_METRIC_REQUESTS * meetings,
            customMetrics=METRICS,
        ),
        "meetings-bedrock-summarize": function_usage(
            meetings, SUMMARY_MILLISECONDS, metricRequests=meetings, **_summary_tokens(settings, hours, meetings)
        ),
        "meetings-storage": function_usage(DAYS_PER_MONTH, STORAGE_MILLISECONDS, metricRequests=DAYS_PER_MONTH),
        "meetings-workflow": {
            "transitions": meetings * TRANSITIONS + status_checks * TRANSITIONS_PER_CHECK,
            "transcribeMinutes": hours * 60,
            "logGb": 0,
        },
        "meetings-care-failures": {"messages": 0},
        "meetings-media": {
            "spotHours": copying + encoding if uses_spot else 0,
            "onDemandHours": on_demand,
            "logGb": meetings * JOB_LOG_BYTES / GB,
        },
        "meetings-media-images": {"imageGb": IMAGE_GIGABYTES},
        "meetings-recordings": {
            "storageGb": video_gb * (1 + kept.raw_days / DAYS_PER_MONTH)
            + hours * AUDIO_GB_PER_HOUR * kept.audio_days / DAYS_PER_MONTH,
            "infrequentGb": video_gb * (KEPT_MONTHS - 1),
            "monitoredObjects": meetings * KEPT_MONTHS,
            "tieredObjects": meetings,
            "puts": uploads + media_parts + meetings * OTHER_PUTS,
            "gets": uploads * READS_PER_UPLOAD + meetings * PLAYBACKS * READS_PER_PLAYBACK,
            "downloadedGb": PLAYBACKS * SHARE_PLAYED * video_gb,
        },
        "meetings-meetings": {
            "writes": meetings * WRITES,
            "indexWrites": meetings * WRITES,
            "reads": meetings * READS,
            "storageGb": meetings * KEPT_MONTHS * ITEM_KILOBYTES / 1024**2,
        },
    }


def _status_checks(settings: MeetingsSettings) -> float:
    """Return the average number of status checks per recording, of the media job and of the transcription."""
    load = settings.load
    poll_seconds = settings.processing.poll_seconds
    copy_hours = STARTING_HOURS + load.hours_each * COPY_HOURS
    copied = count_polls(round(copy_hours * 3600), poll_seconds)
    encoded = count_polls(round((copy_hours + load.hours_each * ENCODE_HOURS) * 3600), poll_seconds)
    return (
        copied * (1 - load.encoded_share)
        + encoded * load.encoded_share
        + count_polls(round(load.hours_each * TRANSCRIBE_HOURS * 3600), poll_seconds)
    )


def _summary_tokens(settings: MeetingsSettings, hours: float, meetings: float) -> dict[str, float]:
    """Return the tokens of the two requests about the same transcript, each for its own model."""
    models = (settings.models.summary, settings.models.action_items)
    by_model = [token_usage(model, hours * INPUT_TOKENS_PER_HOUR, meetings * OUTPUT_TOKENS) for model in models]
    return {
        measure: sum(measures.get(measure, 0) for measures in by_model) for measures in by_model for measure in measures
    }
