"""Alarms of transcription, for captions that are late, suppressed or missing.

The router is the function behind the WebSocket API. It invokes the audio processor for each utterance, which is a
message with some seconds of speech. Every component in `components/blocks` registers its own alarms in addition.
"""

import pulumi

from components.blocks.compute.function import Function
from components.blocks.monitoring.alarm import AlarmGroup, Comparison, Metric, Severity
from components.blocks.naming.subsystem_scope import Scope
from components.settings import TranscriptionSettings
from handlers.transcription.names_shared_with_deployment import (
    DROPPED_METRIC,
    FALLBACK_METRIC,
    GIVEN_UP_EVENT,
    LATENCY_METRIC,
    METRICS_NAMESPACE,
    ORPHANS_METRIC,
)

RUNBOOK = "captions"
GIVEN_UP_IN_FIVE_MINUTES = 10
"""An alarm is raised if this number of utterances or more are given up in five minutes. The audio processor gives up an
utterance after several failed attempts. A few such utterances may be a client's fault."""
FAILED_MESSAGES = " || ".join(f'$.message = "{event}"' for event in ("message_failed", "processor_not_called"))
"""Log filter for messages whose processing failed. The router still returns a response, so neither API Gateway nor
Lambda counts an error."""


def register_alarms(
    scope: Scope,
    settings: TranscriptionSettings,
    processor: Function,
    router: Function,
    opts: pulumi.ResourceOptions,
) -> None:
    limits, critical = settings.alarms, Severity.CRITICAL
    latency = _processor_metric(processor, LATENCY_METRIC, "p95", 300)
    dropped = _processor_metric(processor, DROPPED_METRIC, "Sum", 60)
    orphans = _processor_metric(processor, ORPHANS_METRIC, "Sum", 300)
    degraded = AlarmGroup(scope, RUNBOOK, opts)
    degraded.register("latency", latency, limits.latency_ms, "Captions are late.", severity=critical, periods=2)
    suppressed = "The rate limit suppresses many partial captions."
    degraded.register("rate-limit", dropped, limits.dropped_per_minute, suppressed, periods=2)
    degraded.register("orphans", orphans, limits.orphans, "Many results never become final.", periods=2)
    degraded.register(
        "fallback",
        _processor_metric(processor, FALLBACK_METRIC, "Sum", 300),
        limits.fallbacks,
        "Utterances get only final captions, no partial ones: a stream of Amazon Transcribe failed or marks nothing as "
        "stable, or captions are delivered too slowly.",
        severity=critical,
        comparison=Comparison.AT_LEAST,
    )
    processor.alarm_on_log_lines(
        "given-up",
        f'{{ $.message = "{GIVEN_UP_EVENT}" }}',
        "Utterances are given up: Amazon Transcribe refuses them, or each attempt fails.",
        degraded,
        threshold=GIVEN_UP_IN_FIVE_MINUTES,
        severity=critical,
        comparison=Comparison.AT_LEAST,
    )
    router.alarm_on_log_lines(
        "messages-failed",
        f"{{ {FAILED_MESSAGES} }}",
        "The router fails to process messages, or cannot invoke the audio processor.",
        AlarmGroup(scope, "apis", opts),
        threshold=1,
        severity=critical,
        comparison=Comparison.AT_LEAST,
    )


def _processor_metric(processor: Function, metric: str, statistic: str, period_seconds: int) -> Metric:
    return Metric(METRICS_NAMESPACE, metric, {"FunctionName": processor.name}, statistic, period_seconds)
