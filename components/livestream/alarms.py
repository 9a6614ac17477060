"""What rings when episodes stay behind, or MediaConvert or the agent fails, beside what every block watches of itself."""

import pulumi

from components.blocks.api.rest_stage import RUNBOOK as REST
from components.blocks.compute.function import Function
from components.blocks.monitoring.alarm import Severity

STUCK = "episodes-stuck"


def watch(episodes: Function, videos: Function, agent: Function, care: Function, opts: pulumi.ResourceOptions) -> None:
    """Register livestream's own alarms."""
    # An answer that breaks its own model is never sent, and always a mistake of ours.
    episodes.alarm_on_log_lines(
        "answers-broken",
        '{ $.message = "answer_broken" }',
        "The API would have answered something that its document does not have.",
        REST,
        opts,
        severity=Severity.CRITICAL,
    )
    for what, function, message, value, says in (
        ("deletions-untold", episodes, "deletion_not_published", "1", "The bus did not take what was deleted."),
        ("videos-failed", videos, "video_failed", "1", "MediaConvert could not cut videos."),
        ("windows-failed", agent, "window_failed", "1", "Nothing came of windows of a transcript."),
        (
            "tracks-timed-out",
            care,
            "care_sweep",
            "$.timed_out",
            "Videos or transcripts were given up: nobody worked on them.",
        ),
        ("episodes-unattended", care, "care_sweep", "$.failed", "The sweep could not look after episodes."),
        ("sweep-unfinished", care, "care_sweep", "$.unfinished", "The sweep does not get through."),
    ):
        function.alarm_on_log_lines(what, f'{{ $.message = "{message}" }}', says, STUCK, opts, value=value)
