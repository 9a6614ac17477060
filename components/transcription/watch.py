"""What rings when captions are late, dropped or gone, beside what every block watches of itself."""

from dataclasses import dataclass

import pulumi

from components.blocks.alarm import AlarmArgs, Comparison, Metric, Severity, alarm
from components.blocks.dashboard import Chart
from components.blocks.function import Function
from components.blocks.logged import LoggedArgs, logged
from components.blocks.scope import Scope
from components.settings import TranscriptionSettings
from handlers.transcription.environment import DROPPED, FALLBACK, LATENCY, NAMESPACE, ORPHANS

RUNBOOK = "captions-degraded"


@dataclass(frozen=True)
class WatchArgs:
    """What is watched."""

    scope: Scope
    settings: TranscriptionSettings
    processor: Function
    router: Function


def watch(args: WatchArgs, opts: pulumi.ResourceOptions) -> None:
    """Registers transcription's own alarms."""
    limits, processor = args.settings.alarms, args.processor
    minute, minutes = 60, 300
    for what, metric, severity, threshold, periods, says in (
        (
            "latency",
            _of(processor, LATENCY, "p95", minutes),
            Severity.CRITICAL,
            limits.latency_ms,
            2,
            "Captions are late.",
        ),
        (
            "rate-limit",
            _of(processor, DROPPED, "Sum", minute),
            Severity.WARNING,
            limits.dropped_per_minute,
            2,
            "Many partial captions are left out.",
        ),
        (
            "orphans",
            _of(processor, ORPHANS, "Sum", minutes),
            Severity.WARNING,
            limits.orphans,
            2,
            "Finals do not come.",
        ),
    ):
        alarm(
            what,
            AlarmArgs(
                scope=args.scope,
                metric=metric,
                severity=severity,
                threshold=threshold,
                says=says,
                runbook=RUNBOOK,
                periods=periods,
            ),
            opts,
        )
    alarm(
        "fallback",
        AlarmArgs(
            scope=args.scope,
            metric=_of(processor, FALLBACK, "Sum", minutes),
            severity=Severity.CRITICAL,
            threshold=limits.fallbacks,
            comparison=Comparison.AT_LEAST,
            says="Captions come only when they are final: Amazon Transcribe fails, or marks nothing as stable.",
            runbook=RUNBOOK,
        ),
        opts,
    )
    lost = logged(
        "lost-utterances",
        LoggedArgs(args.scope, args.router.log_group, '{ $.message = "utterances_lost" }', "$.lost"),
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[args.router])),
    )
    alarm(
        "lost-utterances",
        AlarmArgs(
            scope=args.scope,
            metric=lost,
            severity=Severity.WARNING,
            threshold=1,
            comparison=Comparison.AT_LEAST,
            says="Utterances were lost on the way to the processor; their clients were told to send them again.",
            runbook="utterances-lost",
        ),
        opts,
    )


def caption_charts(processor: Function) -> list[Chart]:
    """What becomes of partial results."""
    return [
        Chart("partial results: dropped, orphaned", [_of(processor, one, "Sum", 60) for one in (DROPPED, ORPHANS)]),
        Chart("fallback to finals only", [_of(processor, FALLBACK, "Sum", 60)]),
    ]


def latency_chart(processor: Function) -> Chart:
    """From a result's arrival to its caption's delivery."""
    return Chart("milliseconds to a caption", [_of(processor, LATENCY, one, 60) for one in ("p50", "p95", "Maximum")])


def _of(processor: Function, metric: str, statistic: str, period_seconds: int) -> Metric:
    return Metric(NAMESPACE, metric, {"FunctionName": processor.name}, statistic, period_seconds)
