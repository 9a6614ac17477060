"""Test of the progress output of `make up` in a pipe."""

import io

import pytest
from rich.console import Console

from local.platform.deployer import Action
from local.platform.progress import ProgressReporter

pytestmark = pytest.mark.unit

QUEUE = "urn:pulumi:local::polyphony::polyphony:blocks:Queue$aws:sqs/queue:Queue::voice-qa-intake-queue"
TOPIC = "urn:pulumi:local::polyphony::aws:sns/topic:Topic::foundation-alerts"


def print_progress(*, lists_resources: bool) -> list[str]:
    """Return the output of a run with a finished, an unchanged and a failed step."""
    out = io.StringIO()
    with ProgressReporter(Console(file=out, width=200), lists_resources=lists_resources) as report:
        report.on_finish(QUEUE, Action.CREATE, 0.034)
        report.on_finish(TOPIC, Action.SAME, 0)
        report.on_failure(TOPIC, "SetTopicAttributes: InvalidParameter: [red]no[/red]")
        report.print_subsystems()
        report.print_line(report.summary())
    assert "\x1b" not in out.getvalue()
    return out.getvalue().splitlines()


def test_in_a_pipe_each_step_is_a_plain_line_and_the_subsystems_are_summed_up() -> None:
    lines = print_progress(lists_resources=True)
    assert lines[0] == "  created   voice-qa-intake-queue (Queue) 34 ms"
    assert lines[1] == "  failed    foundation-alerts (Topic)"
    assert lines[2].strip() == TOPIC
    assert lines[3].strip() == "SetTopicAttributes: InvalidParameter: [red]no[/red]", (
        "a message of AWS must not be interpreted as markup"
    )
    assert lines[4:6] == ["  foundation     1 unchanged", "  voice-qa       1 created"]
    assert lines[6].startswith("1 created, 1 unchanged, 1 failed in ")


def test_without_the_list_only_failures_have_lines() -> None:
    lines = print_progress(lists_resources=False)
    assert lines[0] == "  failed    foundation-alerts (Topic)"
    assert len(lines) == 6
