"""Test of the progress output of `make up` in a pipe."""

import io

import pytest
from rich.console import Console

from local.platform.progress import ProgressReporter
from local.platform.resource_change_planning import ResourceAction

pytestmark = pytest.mark.unit

QUEUE = (
    "urn:pulumi:local::polyphony::polyphony:platform:Platform$polyphony:blocks:Queue$aws:sqs/queue:Queue::intake-queue"
)
TOPIC = "urn:pulumi:local::polyphony::aws:sns/topic:Topic::alerts"


def print_progress() -> str:
    """Return the output of a run with a finished, an unchanged and a failed step."""
    out = io.StringIO()
    with ProgressReporter(Console(file=out, width=200)) as report:
        report.on_start(QUEUE, ResourceAction.CREATE)
        report.on_finish(QUEUE, ResourceAction.CREATE, 0.034)
        report.on_finish(TOPIC, ResourceAction.SAME, 0)
        report.on_start(TOPIC, ResourceAction.UPDATE)
        report.on_failure(TOPIC, "SetTopicAttributes: InvalidParameter: [red]no[/red]")
        report.print_line(report.summary())
    return out.getvalue()


def test_in_a_pipe_each_step_is_a_plain_line() -> None:
    lines = print_progress().splitlines()
    assert lines[0] == "  created   intake-queue (Queue) 34 ms"
    assert lines[1] == "  failed    alerts (Topic)"
    assert lines[2].strip() == TOPIC
    assert lines[3].strip() == "SetTopicAttributes: InvalidParameter: [red]no[/red]", (
        "a message of AWS must not be interpreted as markup"
    )
    assert lines[4].startswith("1 created, 1 unchanged, 1 failed in ")
    assert "\x1b" not in print_progress()
