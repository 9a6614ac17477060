"""What rings when episodes stay behind, or MediaConvert or the agent fails, beside what every block watches of itself."""

from dataclasses import dataclass

import pulumi

from components.blocks.alarm import AlarmArgs, Severity, alarm
from components.blocks.function import Function
from components.blocks.rest_stage import RUNBOOK as REST
from components.blocks.scope import Scope
from components.settings.livestream import RestAlarmSettings

STUCK = "episodes-stuck"


@dataclass(frozen=True)
class WatchArgs:
    """What is watched."""

    scope: Scope
    settings: RestAlarmSettings
    episodes: Function
    videos: Function
    agent: Function
    care: Function


@dataclass(frozen=True)
class _Watched:
    """Lines of a function, and what they mean."""

    function: Function
    pattern: str
    says: str
    severity: Severity = Severity.WARNING
    value: str = "1"
    above: float = 0
    runbook: str = STUCK


def watch(args: WatchArgs, opts: pulumi.ResourceOptions) -> None:
    """Registers livestream's own alarms."""
    swept = '{ $.message = "care_sweep" }'
    watched = {
        # An answer that breaks its own model is never sent, and always a mistake of ours.
        "answers-broken": _Watched(
            args.episodes,
            '{ $.message = "answer_broken" }',
            "The API would have answered something that its document does not have.",
            Severity.CRITICAL,
            runbook=REST,
        ),
        "deletions-untold": _Watched(
            args.episodes, '{ $.message = "deletion_not_published" }', "The bus did not take what was deleted."
        ),
        "videos-failed": _Watched(
            args.videos,
            '{ $.message = "video_failed" }',
            "MediaConvert could not cut videos.",
            above=args.settings.failed_videos_above,
        ),
        "windows-failed": _Watched(
            args.agent,
            '{ $.message = "window_failed" }',
            "Nothing came of windows of a transcript.",
            above=args.settings.failed_windows_above,
        ),
        "tracks-timed-out": _Watched(
            args.care, swept, "Videos or transcripts were given up: nobody worked on them.", value="$.timed_out"
        ),
        "episodes-unattended": _Watched(args.care, swept, "The sweep could not look after episodes.", value="$.failed"),
        "sweep-unfinished": _Watched(args.care, swept, "The sweep does not get through.", value="$.unfinished"),
    }
    for what, one in watched.items():
        metric = one.function.logged(what, one.pattern, opts, value=one.value)
        alarm(
            what,
            AlarmArgs(
                scope=args.scope,
                metric=metric,
                severity=one.severity,
                threshold=one.above,
                says=one.says,
                runbook=one.runbook,
            ),
            opts,
        )
