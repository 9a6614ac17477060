"""Alarms on log lines of the livestream backend: failed videos and transcripts.

The agent is the function that checks the facts in transcripts, one section (window) at a time. The blocks in
`components/blocks` create the alarms that every function, queue and API has.
"""

from components.blocks.function import Function

RUNBOOK = "episodes"


def create_alarms(*, video_chunks: Function, agent: Function) -> None:
    for alarm, function, message, problem in (
        ("videos-failed", video_chunks, "video_failed", "MediaConvert jobs failed."),
        ("windows-failed", agent, "window_failed", "The agent could not analyze windows of a transcript."),
    ):
        function.alarm_on_log_lines(alarm, f'{{ $.message = "{message}" }}', problem, runbook=RUNBOOK)
