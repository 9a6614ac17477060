"""Alarms of the livestream backend that are derived from log lines.

They cover stuck or failed episodes, MediaConvert, the agent and the cleanup's sweep, which log lines call `care_sweep`
by the cleanup's former name `care`. The alarms that every function, queue and API has are registered by their blocks.
"""

import pulumi

from components.blocks.api.rest_stage import RUNBOOK as REST_RUNBOOK
from components.blocks.compute.function import Function
from components.blocks.monitoring.alarm import Severity

STUCK_RUNBOOK = "episodes-stuck"


def register_alarms(
    episodes: Function, videos: Function, agent: Function, cleanup: Function, opts: pulumi.ResourceOptions
) -> None:
    """Register livestream's own alarms."""
    # The API never sends a response that violates its own model. Such a response is always a programming error.
    episodes.alarm_on_log_lines(
        "answers-broken",
        '{ $.message = "answer_broken" }',
        "A response of the API did not match its model and was replaced by an error.",
        REST_RUNBOOK,
        opts,
        severity=Severity.CRITICAL,
    )
    for alarm, function, message, value, description in (
        (
            "deletions-untold",
            episodes,
            "deletion_not_published",
            "1",
            "The event of a deletion could not be published.",
        ),
        ("videos-failed", videos, "video_failed", "1", "MediaConvert jobs failed."),
        ("windows-failed", agent, "window_failed", "1", "The agent could not analyze windows of a transcript."),
        (
            "tracks-timed-out",
            cleanup,
            "care_sweep",
            "$.timed_out",
            "The sweep marked videos or transcripts as failed, because they stayed in one state for too long.",
        ),
        ("episodes-unattended", cleanup, "care_sweep", "$.failed", "The sweep could not process some episodes."),
        (
            "sweep-unfinished",
            cleanup,
            "care_sweep",
            "$.unfinished",
            "The sweep used up its time before it had checked all due episodes.",
        ),
    ):
        function.alarm_on_log_lines(
            alarm, f'{{ $.message = "{message}" }}', description, STUCK_RUNBOOK, opts, value=value
        )
