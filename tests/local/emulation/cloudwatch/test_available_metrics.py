"""Tests that each alarm of the program is evaluated on the local platform, or listed with a reason."""

from local import ROOT
from local.emulation.cloudwatch.available_metrics import (
    MISSING_METRIC_REASONS,
    UNKNOWN_METRIC,
    metric_label,
    why_not_evaluated,
)
from local.platform.lifecycle import list_unevaluated_metrics
from tests.whole_program import ONE_WORKER, graph

pytestmark = ONE_WORKER


def alarm_metrics() -> list[tuple[str, str]]:
    """Return namespace and name of the metric of each alarm."""
    alarms = [resource.inputs for resource in graph("local").customs() if resource.kind == "MetricAlarm"]
    return [(alarm["namespace"], alarm["metricName"]) for alarm in alarms]


def test_every_alarm_is_evaluated_or_has_a_reason() -> None:
    unevaluated = {metric_label(*metric) for metric in alarm_metrics() if why_not_evaluated(*metric)}
    assert unevaluated == MISSING_METRIC_REASONS.keys(), "the list must have exactly the metrics that do not exist here"
    assert sum(why_not_evaluated(*metric) is None for metric in alarm_metrics()) > 100


def test_an_unknown_metric_of_a_service_has_a_reason_but_a_metric_of_the_program_does_not() -> None:
    assert why_not_evaluated("AWS/Lambda", "IteratorAge") == UNKNOWN_METRIC
    assert why_not_evaluated("AWS/Events", "FailedInvocations") == UNKNOWN_METRIC
    assert why_not_evaluated("AWS/Lambda", "Errors") is None
    assert why_not_evaluated("polyphony-local/meetings", "meetings-failed") is None


def test_make_up_lists_each_unevaluated_metric_with_its_alarms() -> None:
    lines = list_unevaluated_metrics(graph("local"))
    assert len(lines) == len(MISSING_METRIC_REASONS)
    timed_out = next(line for line in lines if line.startswith("AWS/States ExecutionsTimedOut: "))
    assert "polyphony-local-ingestion-" in timed_out
    assert timed_out.endswith(")"), "the names of the alarms are in brackets after the reason"


def test_the_documentation_lists_the_metrics_that_are_not_evaluated() -> None:
    page = (ROOT / "docs" / "local-platform.md").read_text(encoding="utf-8")
    section = page.partition("## Alarms")[2].partition("\n## ")[0]
    rows = dict(line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `"))
    assert rows == {f"`{name}`": reason for name, reason in MISSING_METRIC_REASONS.items()}
