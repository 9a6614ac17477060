"""What rings when captions are late, dropped or gone, beside what every block watches of itself."""

import pulumi

from components.blocks.compute.function import Function
from components.blocks.monitoring.alarm import Comparison, Metric, Severity, alarm
from components.blocks.monitoring.dashboard import Chart
from components.blocks.naming.scope import Scope
from components.settings import TranscriptionSettings
from handlers.transcription.environment import (
    DROPPED_METRIC,
    FALLBACK_METRIC,
    GIVEN_UP_EVENT,
    LATENCY_METRIC,
    METRICS_NAMESPACE,
    ORPHANS_METRIC,
)

RUNBOOK = "captions-degraded"
GIVEN_UP_IN_FIVE_MINUTES = 10
"""A few utterances may be a client's own fault."""
FAILED = " || ".join(f'$.message = "{one}"' for one in ("message_failed", "processor_not_called"))
"""API Gateway gets an answer all the same, so that neither it nor Lambda counts these as errors."""


def watch(
    scope: Scope,
    settings: TranscriptionSettings,
    processor: Function,
    router: Function,
    opts: pulumi.ResourceOptions,
) -> None:
    """Register transcription's own alarms."""
    limits = settings.alarms
    critical, warning = Severity.CRITICAL, Severity.WARNING
    late = _of(processor, LATENCY_METRIC, "p95", 300)
    dropped = _of(processor, DROPPED_METRIC, "Sum", 60)
    orphans = _of(processor, ORPHANS_METRIC, "Sum", 300)
    for what, metric, severity, threshold, says in (
        ("latency", late, critical, limits.latency_ms, "Captions are late."),
        ("rate-limit", dropped, warning, limits.dropped_per_minute, "Many partial captions are left out."),
        ("orphans", orphans, warning, limits.orphans, "Finals do not come."),
    ):
        alarm(what, scope, metric, threshold, says, RUNBOOK, opts, severity=severity, periods=2)
    alarm(
        "fallback",
        scope,
        _of(processor, FALLBACK_METRIC, "Sum", 300),
        limits.fallbacks,
        "Captions come only when they are final: Amazon Transcribe fails or marks nothing as stable, or we show too slowly.",
        RUNBOOK,
        opts,
        severity=critical,
        comparison=Comparison.AT_LEAST,
    )
    router.alarm_on_lines(
        "lost-utterances",
        '{ $.message = "utterances_lost" }',
        "Utterances were lost on the way to the processor; their clients were told to send them again.",
        "utterances-lost",
        opts,
        value="$.lost",
        threshold=1,
        comparison=Comparison.AT_LEAST,
    )
    processor.alarm_on_lines(
        "given-up",
        f'{{ $.message = "{GIVEN_UP_EVENT}" }}',
        "Utterances are given up: Amazon Transcribe refuses them, or each attempt fails.",
        RUNBOOK,
        opts,
        threshold=GIVEN_UP_IN_FIVE_MINUTES,
        severity=critical,
        comparison=Comparison.AT_LEAST,
    )
    router.alarm_on_lines(
        "messages-failed",
        f"{{ {FAILED} }}",
        "The router fails at messages, or cannot call the processor.",
        "websocket-errors",
        opts,
        threshold=1,
        severity=critical,
        comparison=Comparison.AT_LEAST,
    )


def caption_charts(processor: Function) -> list[Chart]:
    """What becomes of partial results."""
    return [
        Chart(
            "partial results: dropped, orphaned",
            [_of(processor, one, "Sum", 60) for one in (DROPPED_METRIC, ORPHANS_METRIC)],
        ),
        Chart("fallback to finals only", [_of(processor, FALLBACK_METRIC, "Sum", 60)]),
    ]


def latency_chart(processor: Function) -> Chart:
    """From when a caption's words could have been heard to its delivery."""
    return Chart(
        "milliseconds to a caption", [_of(processor, LATENCY_METRIC, one, 60) for one in ("p50", "p95", "Maximum")]
    )


def _of(processor: Function, metric: str, statistic: str, period_seconds: int) -> Metric:
    return Metric(METRICS_NAMESPACE, metric, {"FunctionName": processor.name}, statistic, period_seconds)
