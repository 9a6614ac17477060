"""What rings when captions are late, dropped or gone, beside what every block watches of itself."""

from dataclasses import dataclass

import pulumi

from components.blocks.alarm import AlarmArgs, Comparison, Metric, Severity, alarm
from components.blocks.dashboard import Chart
from components.blocks.function import Function
from components.blocks.scope import Scope
from components.settings import TranscriptionSettings
from handlers.transcription.environment import DROPPED, FALLBACK, GIVEN_UP, LATENCY, NAMESPACE, ORPHANS

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
            says="Captions come only when they are final: Amazon Transcribe fails or marks nothing as stable, or we show too slowly.",
            runbook=RUNBOOK,
        ),
        opts,
    )
    lost = args.router.logged("lost-utterances", '{ $.message = "utterances_lost" }', opts, value="$.lost")
    given_up = processor.logged("given-up", f'{{ $.message = "{GIVEN_UP}" }}', opts)
    # API Gateway gets an answer all the same, so that neither it nor Lambda counts these as errors.
    ours = " || ".join(f'$.message = "{one}"' for one in ("message_failed", "processor_not_called"))
    failed = args.router.logged("messages-failed", f"{{ {ours} }}", opts)
    for counted, severity, threshold, says, runbook in (
        (
            lost,
            Severity.WARNING,
            1,
            "Utterances were lost on the way to the processor; their clients were told to send them again.",
            "utterances-lost",
        ),
        (
            given_up,
            Severity.CRITICAL,
            limits.given_up,
            "Utterances are given up: Amazon Transcribe refuses them, or each attempt fails.",
            RUNBOOK,
        ),
        (
            failed,
            Severity.CRITICAL,
            1,
            "The router fails at messages, or cannot call the processor.",
            "websocket-errors",
        ),
    ):
        alarm(
            counted.name,
            AlarmArgs(
                scope=args.scope,
                metric=counted,
                severity=severity,
                threshold=threshold,
                comparison=Comparison.AT_LEAST,
                says=says,
                runbook=runbook,
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
    """From when a caption's words could have been heard to its delivery."""
    return Chart("milliseconds to a caption", [_of(processor, LATENCY, one, 60) for one in ("p50", "p95", "Maximum")])


def _of(processor: Function, metric: str, statistic: str, period_seconds: int) -> Metric:
    return Metric(NAMESPACE, metric, {"FunctionName": processor.name}, statistic, period_seconds)
