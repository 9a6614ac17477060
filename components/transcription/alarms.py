"""Alarms of transcription, for captions that are late, suppressed or missing.

The router is the function behind the WebSocket API. It invokes the audio processor for each utterance, which is a
message with some seconds of speech. A partial caption may still change, and a final one does not. Every block in
`components/blocks` creates its own alarms in addition.
"""

from components.blocks.alarm import Comparison, Metric, Severity, create_alarm
from components.blocks.function import Function
from components.core import Scope
from components.settings import TranscriptionSettings
from handlers.transcription.environment import (
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


def create_alarms(scope: Scope, settings: TranscriptionSettings, processor: Function, router: Function) -> None:
    limits = settings.alarms

    def metric(name: str, statistic: str = "Sum", period_seconds: int = 300) -> Metric:
        return Metric(METRICS_NAMESPACE, name, {"FunctionName": processor.name}, statistic, period_seconds)

    drops = metric(DROPPED_METRIC, period_seconds=60)  # partial captions that the rate limit suppressed
    drops_problem = "The rate limit suppresses many partial captions."
    for name, source, threshold, problem, severity in (
        ("latency", metric(LATENCY_METRIC, "p95"), limits.latency_ms, "Captions are late.", Severity.CRITICAL),
        ("rate-limit", drops, limits.dropped_per_minute, drops_problem, Severity.WARNING),
        ("orphans", metric(ORPHANS_METRIC), limits.orphans, "Many results never become final.", Severity.WARNING),
    ):
        create_alarm(scope, name, source, threshold, problem, runbook=RUNBOOK, severity=severity, periods=2)
    create_alarm(
        scope,
        "fallback",
        metric(FALLBACK_METRIC),
        threshold=limits.fallbacks,
        problem="Utterances get only final captions, no partial captions: a stream of Amazon Transcribe failed or marks nothing as "
        "stable, or captions are delivered too slowly.",
        runbook=RUNBOOK,
        severity=Severity.CRITICAL,
        comparison=Comparison.AT_LEAST,
    )
    processor.alarm_on_log_lines(
        "given-up",
        f'{{ $.message = "{GIVEN_UP_EVENT}" }}',
        "Utterances are given up: Amazon Transcribe refuses them, or each attempt fails.",
        runbook=RUNBOOK,
        threshold=GIVEN_UP_IN_FIVE_MINUTES,
        severity=Severity.CRITICAL,
        comparison=Comparison.AT_LEAST,
    )
    router.alarm_on_log_lines(
        "messages-failed",
        f"{{ {FAILED_MESSAGES} }}",
        "The router fails to process messages, or cannot invoke the audio processor.",
        runbook="apis",
        threshold=1,
        severity=Severity.CRITICAL,
        comparison=Comparison.AT_LEAST,
    )
