"""Monthly usage of the meetings backend, computed from its load settings for the cost model.

`Usage` maps the Pulumi name of each component to its measures, which the price rules of the cost model read.
The media job is the AWS Batch job that makes a recording's video and audio from its chunks (uploaded files).
"""

from collections import defaultdict

from components.settings import MeetingsSettings
from components.settings.meetings import ProcessingEngine
from components.usage_formulas import DAYS_PER_MONTH, GB, LOG_BYTES_PER_CALL, Usage, function_usage, token_usage
from handlers.meetings.deletions import DELAYS_SECONDS

COPY_HOURS = 0.03
"""Duration of the media job for an hour of recording whose chunks it joins without encoding (docs/benchmarks.md)."""
OTHER_TRANSITIONS = 15
"""State transitions of an execution without its status checks (polls of a job), for a recording that has one audio part
and whose media job gets Spot capacity immediately."""
TRANSITIONS_PER_CHECK = 3  # wait, call, choice
STEP_CALLS = 3  # of the function `steps` for a recording that succeeds: `media`, `transcribed` and `finish`
STEP_METRIC_REQUESTS = 2  # of those calls: `media` and `finish` send metrics
CUSTOM_METRICS = 5  # of the stack; each user whose storage is measured adds one, which this estimate leaves out
MEDIA_PART_MEGABYTES = 8  # of the media job's uploads: the part size of boto3

# Assumed, without a source.
EXCHANGES_PER_MEETING = 2  # of tokens: the credentials are renewed once during an hour of recording
CALL_MILLISECONDS = 250  # of each call of a function without an estimate of its own
CHUNKS_PER_HOUR = 60  # one per minute
DELETED_SHARE = 0.05  # of meetings
STORAGE_MILLISECONDS = 10_000  # of the daily measurement of all users' storage
SUMMARY_MILLISECONDS = 60_000  # of the function that summarises one meeting
ENCODE_HOURS = 1.0  # to encode an hour of recording with one vCPU
STARTING_HOURS_PER_JOB = 0.02  # of a job, to pull the image
INTERRUPTED_SHARE = 0.05  # of jobs that lose their Spot capacity and end on demand
LOG_BYTES_PER_JOB = 6_000  # of the media job
STATUS_CHECKS = 36  # polls for a recording of an hour, of its media job and its transcription
INPUT_TOKENS_PER_HOUR = 9_750
"""Input tokens of one request to a model, per hour of recording. An hour of speech has about 9,000 words, and both
requests (for the summary and for the action items) contain all of them."""
OUTPUT_TOKENS = 1_500  # of one request, including the model's reasoning
GIGABYTES_PER_HOUR = 0.9  # of screen and camera recording
AUDIO_GB_PER_HOUR = 0.06  # of 16-kHz mono FLAC
KEPT_MONTHS = 12  # of videos in the bucket at the time of the estimate; videos are never deleted
OTHER_PUTS_PER_MEETING = 20  # writes by the media job, Amazon Transcribe and the summary, and listings of uploads
SHARE_PLAYED = 0.1  # of a video that is downloaded, because users play only the passages that a summary quotes
READS_PER_PLAYBACK = 5  # of each recording, which is played once
ITEM_KILOBYTES = 2  # of a meeting's record
WRITES_PER_MEETING = 8  # of a meeting's record
READS_PER_MEETING = 20  # of a meeting's record


def monthly_usage(settings: MeetingsSettings) -> Usage:
    load, kept = settings.load, settings.kept
    meetings = load.meetings_per_month
    hours = meetings * load.hours_each
    uploads = hours * CHUNKS_PER_HOUR + meetings  # the chunks, and `complete.json` of each meeting
    deletions = meetings * DELETED_SHARE * len(DELAYS_SECONDS)
    exchanges = float(meetings * EXCHANGES_PER_MEETING)
    video_gb = hours * GIGABYTES_PER_HOUR
    audio_gb = hours * AUDIO_GB_PER_HOUR
    # The media job uploads its results in parts, and each part is billed as a write.
    media_parts = (video_gb + audio_gb) * 1024 / MEDIA_PART_MEGABYTES
    copying = hours * COPY_HOURS + meetings * STARTING_HOURS_PER_JOB
    encoding = hours * load.encoded_share * ENCODE_HOURS
    uses_spot = settings.processing.engine is ProcessingEngine.BATCH_SPOT
    # With the engine `fargate`, the job has twice the vCPUs by default. This halves the time for encoding only.
    on_demand = (copying + encoding) * INTERRUPTED_SHARE if uses_spot else copying + encoding / 2
    return {
        "meetings-api": {"requests": exchanges, "logGb": exchanges * LOG_BYTES_PER_CALL / GB},
        "meetings-auth-exchange": function_usage(exchanges, CALL_MILLISECONDS),
        "meetings-uploads": {"messages": float(meetings), "batches": float(meetings)},
        "meetings-start": function_usage(meetings, CALL_MILLISECONDS),
        "meetings-deletions": {"messages": deletions, "batches": deletions},
        "meetings-meeting-cleanup": function_usage(deletions, CALL_MILLISECONDS),
        "meetings-steps": function_usage(
            STEP_CALLS * meetings,
            CALL_MILLISECONDS,
            metricRequests=STEP_METRIC_REQUESTS * meetings,
            customMetrics=CUSTOM_METRICS,
        ),
        "meetings-bedrock-summarize": function_usage(
            meetings, SUMMARY_MILLISECONDS, metricRequests=meetings, **_summary_tokens(settings, hours, meetings)
        ),
        "meetings-storage": function_usage(DAYS_PER_MONTH, STORAGE_MILLISECONDS, metricRequests=DAYS_PER_MONTH),
        "meetings-workflow": {
            "transitions": meetings * (OTHER_TRANSITIONS + STATUS_CHECKS * TRANSITIONS_PER_CHECK),
            "transcribeMinutes": hours * 60,
            "logGb": 0,
        },
        "meetings-media": {
            "spotHours": copying + encoding if uses_spot else 0,
            "onDemandHours": on_demand,
            "logGb": meetings * LOG_BYTES_PER_JOB / GB,
        },
        "meetings-recordings": {
            "storageGb": video_gb * (1 + kept.raw_days / DAYS_PER_MONTH) + audio_gb * kept.audio_days / DAYS_PER_MONTH,
            "infrequentGb": video_gb * (KEPT_MONTHS - 1),  # Intelligent-Tiering moves a video after a month
            "monitoredObjects": meetings * KEPT_MONTHS,
            "tieredObjects": meetings,
            "puts": uploads + media_parts + meetings * OTHER_PUTS_PER_MEETING,
            "gets": uploads + meetings * READS_PER_PLAYBACK,  # the media job downloads each upload
            "downloadedGb": SHARE_PLAYED * video_gb,
        },
        "meetings-meetings": {
            "writes": meetings * WRITES_PER_MEETING,
            "indexWrites": meetings * WRITES_PER_MEETING,
            "reads": meetings * READS_PER_MEETING,
            "storageGb": meetings * KEPT_MONTHS * ITEM_KILOBYTES / 1024**2,
        },
    }


def _summary_tokens(settings: MeetingsSettings, hours: float, meetings: float) -> dict[str, float]:
    """Return the tokens of the two requests about the same transcript, each for its own model."""
    tokens: dict[str, float] = defaultdict(float)
    for model in (settings.models.summary, settings.models.action_items):
        for measure, amount in token_usage(model, hours * INPUT_TOKENS_PER_HOUR, meetings * OUTPUT_TOKENS).items():
            tokens[measure] += amount
    return dict(tokens)
