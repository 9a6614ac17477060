"""Alarms on log lines of the livestream backend: broken responses, failed or stuck videos and transcripts, and failures
of the sweep.

The sweep is a scheduled run of the cleanup function. It marks videos and transcripts as failed if they stayed in one
state for too long, and repeats unfinished cleanups. Its log lines are named `care_sweep`, after the function's former
name `care`. The agent is the function that checks the facts in transcripts, one section (window) at a time. The
components in `components/blocks` register the alarms that every function, queue and API has.
"""

import pulumi

from components.blocks.api.rest_stage import RUNBOOK as REST_RUNBOOK
from components.blocks.compute.function import Function
from components.blocks.monitoring.alarm import AlarmGroup, Severity
from components.blocks.naming.subsystem_scope import Scope

STUCK_RUNBOOK = "episodes"


def register_alarms(
    scope: Scope,
    episodes: Function,
    videos: Function,
    agent: Function,
    cleanup: Function,
    opts: pulumi.ResourceOptions,
) -> None:
    # If a response violates its model, the function sends an error instead. The cause is always a programming error.
    episodes.alarm_on_log_lines(
        "answers-broken",
        '{ $.message = "answer_broken" }',
        "A response of the API did not match its model and was replaced by an error.",
        AlarmGroup(scope, REST_RUNBOOK, opts),
        severity=Severity.CRITICAL,
    )
    stuck = AlarmGroup(scope, STUCK_RUNBOOK, opts)
    for alarm, function, message, problem in (
        ("deletions-untold", episodes, "deletion_not_published", "The event of a deletion could not be published."),
        ("videos-failed", videos, "video_failed", "MediaConvert jobs failed."),
        ("windows-failed", agent, "window_failed", "The agent could not analyze windows of a transcript."),
    ):
        function.alarm_on_log_lines(alarm, f'{{ $.message = "{message}" }}', problem, stuck)
    timed_out = "The sweep marked videos or transcripts as failed, because they stayed in one state for too long."
    for alarm, count, problem in (
        ("tracks-timed-out", "$.timed_out", timed_out),
        ("episodes-unattended", "$.failed", "The sweep could not process some episodes."),
        ("sweep-unfinished", "$.unfinished", "The sweep used up its time before it had checked all due episodes."),
    ):
        cleanup.alarm_on_log_lines(alarm, '{ $.message = "care_sweep" }', problem, stuck, value=count)
