"""How much the livestream backend is used in a month, from its load settings: what the cost model prices.

Keys are the Pulumi names of the blocks, measures those that the cost model's rules read. Figures that no document gives
are constants here, each marked as assumed.
"""

import math

from components.settings.livestream import AuthorizerKind, LivestreamSettings
from components.usage_measures import DAYS, GB, LOG_BYTES_PER_CALL, Usage, of_function, tokens
from handlers.livestream.transcript_windows.environment import WINDOW_SECONDS

EVENT_DAYS = 14
"""How long the events of this subsystem are archived, to be replayed."""
OLD_VERSION_DAYS = 1
"""How long the bucket keeps an object that was overwritten or deleted, or that expired."""
SWEEP_MINUTES = 15
REQUESTS_PER_EPISODE = 300
"""Assumed: requests to the API for one episode, mostly reading."""
VIDEO_GIGABYTES = 1
TRANSCRIPT_MEGABYTES = 0.2
"""Assumed, both: the size of an episode's video and of its transcript."""
REQUEST_MILLISECONDS = 40
"""Assumed: what one request takes."""
WRITING_SHARE = 0.05
"""Assumed: of requests that write."""
ITEM_KILOBYTES = 4
"""Assumed: an episode, with what is claimed in it."""
EPISODE_MONTHS = 12
"""Assumed: months of episodes in the table when its cost is looked at; it keeps growing."""
EVENTS_PER_VIDEO = 4
"""Created, completed, first progress, end."""
MINUTES_PER_UPDATE = 2
"""Assumed: minutes of video that MediaConvert works on between two updates, of which it sends one a minute."""
EVENT_MILLISECONDS = 150
EVENT_BYTES = 1_000
"""Assumed, both: what the function takes for an event, and its size."""
TRANSCRIPT_MILLISECONDS = 1_000
WINDOW_MILLISECONDS = 20_000
"""Assumed, both: what reading a transcript takes, and a model's answer about a window."""
CHARACTERS_PER_HOUR = 50_000
"""Assumed: what is said in an hour."""
INPUT_TOKENS = 7_000
OUTPUT_TOKENS = 1_000
"""Assumed, both: a window's words, instructions and memories; and claims and clips."""
HD_FACTOR = 2
"""A minute of HD (above 720 lines it would be more) counts as two, in AVC."""
VIDEO_COPIES = 2
"""Assumed: what a video is cut into is as large as it is."""
PARTS_PER_VIDEO = 30
"""Assumed: a large video is uploaded in parts."""
SWEEP_MILLISECONDS = 200
TIDIED_SHARE = 0.1
"""Assumed, both: what a sweep takes, and of episodes that are deleted by hand."""
CHECKED_SHARE = 0.2
"""Assumed: of requests whose token the gateway has not seen lately."""
CHECK_MILLISECONDS = 30
"""Assumed: what checking a token takes."""


def monthly_usage(settings: LivestreamSettings) -> Usage:
    """Pulumi name of a block → measure → amount a month."""
    load = settings.load
    episodes = load.episodes_per_day * DAYS
    requests = episodes * REQUESTS_PER_EPISODE
    writes = requests * WRITING_SHARE
    stored_gb = VIDEO_GIGABYTES * VIDEO_COPIES + TRANSCRIPT_MEGABYTES / 1024
    kept_gb = load.episodes_per_day * (settings.uploads.object_days + OLD_VERSION_DAYS) * stored_gb
    firewall = {"inspectedRequests": requests} if settings.api.waf_requests else {}
    checked = (
        {"livestream-authorizer": of_function(requests * CHECKED_SHARE, CHECK_MILLISECONDS)}
        if settings.api.authorizer is AuthorizerKind.JWT
        else {}
    )
    minutes = episodes * load.video_minutes
    windows = episodes * _windows(settings)
    events = episodes * (EVENTS_PER_VIDEO + load.video_minutes / MINUTES_PER_UPDATE)
    return {
        "livestream-api": {"requests": requests, "logGb": requests * LOG_BYTES_PER_CALL / GB, **firewall},
        "livestream-episodes": of_function(requests, REQUEST_MILLISECONDS),
        **checked,
        "livestream-video-chunks": of_function(
            events, EVENT_MILLISECONDS, mediaConvertMinutes=minutes * HD_FACTOR, customEvents=2 * episodes
        ),
        "livestream-transcript-windows": of_function(episodes, TRANSCRIPT_MILLISECONDS),
        "livestream-transcript-events": {"messages": episodes, "batches": episodes},
        "livestream-agent-windows": {"messages": windows, "batches": windows},
        "livestream-agent": of_function(
            windows,
            WINDOW_MILLISECONDS,
            **tokens(settings.agent.model_id, windows * INPUT_TOKENS, windows * OUTPUT_TOKENS),
        ),
        "livestream-memory": {
            "memoryEvents": windows,
            "memoryRecords": windows * settings.agent.memory_days / DAYS,
            "memoryRetrievals": 0,
        },
        "livestream-care": of_function(DAYS * 24 * 60 / SWEEP_MINUTES + episodes * TIDIED_SHARE, SWEEP_MILLISECONDS),
        "livestream-care-failures": {"messages": 0},
        "livestream-deletions": {"messages": episodes * TIDIED_SHARE, "batches": episodes * TIDIED_SHARE},
        "livestream-videos": {"messages": events, "batches": events},
        "livestream-events": {
            "archivedGb": 2 * episodes * EVENT_BYTES / GB,
            "archiveGb": 2 * episodes / DAYS * EVENT_DAYS * EVENT_BYTES / GB,
        },
        "livestream-transcripts": {
            "storageGb": kept_gb,
            "puts": episodes * (PARTS_PER_VIDEO + 2),
            "gets": episodes,
            "downloadedGb": 0,
        },
        "livestream-null-check": {
            "writes": writes,
            "indexWrites": writes,
            "reads": requests - writes,
            "storageGb": episodes * EPISODE_MONTHS * ITEM_KILOBYTES / 1024**2,
        },
    }


def _windows(settings: LivestreamSettings) -> int:
    """Of one transcript: as many as its length makes, or its characters."""
    minutes, agent = settings.load.video_minutes, settings.agent
    by_time = minutes * 60 / WINDOW_SECONDS
    by_characters = minutes * CHARACTERS_PER_HOUR / 60 / agent.window_characters
    return math.ceil(max(by_time, by_characters))
