"""Monthly usage of the livestream backend, derived from its load settings, for the cost model.

`Usage` maps the Pulumi name of each component to its measures, which the price rules of the cost model read.
`livestream-null-check` is the table. An episode is a recorded broadcast: a video, which is cut into chunks, and a
transcript, which is cut into sections (windows) and analyzed.
"""

import math

from components.settings.livestream import AuthorizerKind, LivestreamSettings
from components.usage_formulas import DAYS_PER_MONTH, GB, LOG_BYTES_PER_CALL, Usage, function_usage, token_usage
from handlers.livestream.environment import DELETION_DELAYS_SECONDS, WINDOW_SECONDS

EVENT_DAYS = 14  # for which this subsystem's events are archived for a replay
OLD_VERSION_DAYS = 1  # for which the bucket keeps a version that was overwritten, deleted or expired
EVENTS_PER_VIDEO = 4  # object created, upload completed, first progress of the job, end of the job
HD_FACTOR = 2
"""MediaConvert bills a minute of HD video in AVC as two normalized minutes. The chunks have at most 720 lines."""
REQUESTS_PER_MULTIPART_UPLOAD = 2  # in addition to the parts: create and complete
PLAYLISTS_PER_VIDEO = 2  # that MediaConvert writes: the master playlist and the playlist of the chunks

# Assumed, without a source.
REQUESTS_PER_EPISODE = 300  # to the API, most of them reads
WRITING_SHARE = 0.05  # of the requests
REQUEST_MILLISECONDS = 40
UNCACHED_TOKEN_SHARE = 0.2  # of requests whose token is not in API Gateway's authorizer cache
AUTHORIZER_MILLISECONDS = 30
VIDEO_GIGABYTES = 1
VIDEO_COPIES = 2  # the video, and its chunks, which together are as large as the video
VIEWS_PER_EPISODE = 1  # complete downloads of the chunks of a video
PARTS_PER_VIDEO = 30  # of its upload
TRANSCRIPT_MEGABYTES = 0.2
ITEM_KILOBYTES = 4  # of an episode with its fact claims and clips
EPISODE_MONTHS = 12  # whose episodes exist at the time of the estimate; the table and the agent's memory keep growing
RECORDS_PER_WINDOW = 1  # facts and summaries of AgentCore, at most two; they never expire, so each month adds as many
EVENT_MILLISECONDS = 150
EVENT_BYTES = 1_000
TRANSCRIPT_MILLISECONDS = 1_000  # to cut a transcript into windows
CHARACTERS_PER_HOUR = 50_000  # of speech
WINDOW_MILLISECONDS = 20_000  # to analyze a window
INPUT_TOKENS = 9_100  # instructions, memories and text in the request for one window
OUTPUT_TOKENS = 1_300  # answer for one window
CLEANUP_MILLISECONDS = 200  # for one message about a deleted episode
DELETED_SHARE = 0.1  # of the episodes


def monthly_usage(settings: LivestreamSettings) -> Usage:
    load = settings.load
    episodes = load.episodes_per_day * DAYS_PER_MONTH
    requests = episodes * REQUESTS_PER_EPISODE
    writes = requests * WRITING_SHARE
    windows = episodes * _windows_per_transcript(settings)
    chunks_per_video = math.ceil(load.video_minutes * 60 / settings.video.chunk_seconds)
    uploads_per_episode = PARTS_PER_VIDEO + REQUESTS_PER_MULTIPART_UPLOAD + 1  # the 1 is the transcript
    puts_per_episode = uploads_per_episode + chunks_per_video + PLAYLISTS_PER_VIDEO
    views = episodes * VIEWS_PER_EPISODE
    lists_per_view = 1 + chunks_per_video  # a player lists all chunks, and each chunk again when it needs its URL
    stored_gb = VIDEO_GIGABYTES * VIDEO_COPIES + TRANSCRIPT_MEGABYTES / 1024
    deletions = episodes * DELETED_SHARE * len(DELETION_DELAYS_SECONDS)  # messages
    events = episodes * EVENTS_PER_VIDEO
    usage: Usage = {
        "livestream-api": {"requests": requests, "logGb": requests * LOG_BYTES_PER_CALL / GB},
        "livestream-episodes": function_usage(requests, REQUEST_MILLISECONDS),
        "livestream-video-chunks": function_usage(
            events,
            EVENT_MILLISECONDS,
            mediaConvertMinutes=episodes * load.video_minutes * HD_FACTOR,
            customEvents=episodes,
        ),
        "livestream-transcript-windows": function_usage(episodes, TRANSCRIPT_MILLISECONDS),
        "livestream-transcript-events": {"messages": episodes, "batches": episodes},
        "livestream-agent-windows": {"messages": windows, "batches": windows},
        "livestream-fact-check-agent": function_usage(
            windows,
            WINDOW_MILLISECONDS,
            **token_usage(settings.agent.model_id, windows * INPUT_TOKENS, windows * OUTPUT_TOKENS),
        ),
        "livestream-memory": {"memoryEvents": windows, "memoryRecords": windows * RECORDS_PER_WINDOW * EPISODE_MONTHS},
        "livestream-episode-cleanup": function_usage(deletions, CLEANUP_MILLISECONDS),
        "livestream-deletions": {"messages": deletions, "batches": deletions},
        "livestream-videos": {"messages": events, "batches": events},
        "livestream-events": {
            "archivedGb": episodes * EVENT_BYTES / GB,
            "archiveGb": episodes / DAYS_PER_MONTH * EVENT_DAYS * EVENT_BYTES / GB,
        },
        "livestream-transcripts": {
            "storageGb": load.episodes_per_day * (settings.uploads.object_days + OLD_VERSION_DAYS) * stored_gb,
            "puts": episodes * puts_per_episode,
            # The transcript is read once to cut it into windows, and once for each window. The playlist is read for
            # each list of chunks that a player requests. The player reads the listed chunks.
            "gets": episodes + windows + views * (lists_per_view + chunks_per_video),
            "downloadedGb": views * VIDEO_GIGABYTES,
        },
        "livestream-null-check": {
            "writes": writes,
            "indexWrites": writes,
            "reads": requests,  # a change reads the record, too
            "storageGb": episodes * EPISODE_MONTHS * ITEM_KILOBYTES / 1024**2,
        },
    }
    if settings.api.authorizer is AuthorizerKind.JWT:
        usage["livestream-authorizer"] = function_usage(requests * UNCACHED_TOKEN_SHARE, AUTHORIZER_MILLISECONDS)
    return usage


def _windows_per_transcript(settings: LivestreamSettings) -> int:
    """Return the number of windows of one transcript: the larger of the numbers by duration and by text length."""
    minutes = settings.load.video_minutes
    by_time = minutes * 60 / WINDOW_SECONDS
    by_characters = minutes * CHARACTERS_PER_HOUR / 60 / settings.agent.window_characters
    return math.ceil(max(by_time, by_characters))
