"""Alarms on log lines of the livestream backend: failed or stuck videos and transcripts, and failures of the sweep.

The sweep is a scheduled run of the function `episode-cleanup`. It marks videos and transcripts as failed if they stayed in
one state for too long, and repeats unfinished cleanups. The agent is the function that checks the facts in transcripts,
one section (window) at a time. The blocks in `components/blocks` create the alarms that every function, queue and API has.
"""

from components.blocks.function import Function

RUNBOOK = "episodes"


def create_alarms(*, episodes: Function, video_chunks: Function, agent: Function, cleanup: Function) -> None:
    for alarm, function, message, problem in (
        ("deletions-untold", episodes, "deletion_not_published", "The event of a deletion could not be published."),
        ("videos-failed", video_chunks, "video_failed", "MediaConvert jobs failed."),
        ("windows-failed", agent, "window_failed", "The agent could not analyze windows of a transcript."),
    ):
        function.alarm_on_log_lines(alarm, f'{{ $.message = "{message}" }}', problem, runbook=RUNBOOK)
    timed_out = "The sweep marked videos or transcripts as failed, because they stayed in one state for too long."
    for alarm, count, problem in (
        ("tracks-timed-out", "$.timed_out", timed_out),
        ("episodes-unattended", "$.failed", "The sweep could not process some episodes."),
        ("sweep-unfinished", "$.unfinished", "The sweep used up its time before it had checked all due episodes."),
    ):
        cleanup.alarm_on_log_lines(alarm, '{ $.message = "episode_sweep" }', problem, runbook=RUNBOOK, value=count)
