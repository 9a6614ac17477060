"""Tests of `make preview`: output, errors and exit status, with the real policy pack process."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi_aws import sns
from rich.console import Console

from local.__main__ import main
from local.platform import lifecycle
from local.platform.resource_changes import ResourceAction
from local.platform.state import StateError
from local.platform.update_plan import PlannedStep
from local.preview import preview as previewing
from local.preview import report, stack_files
from local.preview.preview import CannotPreview, preview
from local.preview.sarif import to_sarif
from local.preview.stack_files import StackConfig
from tests.whole_program import ONE_WORKER, changed, ingestion_alone, previewed

pytestmark = ONE_WORKER


@pytest.fixture
def as_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command use the cached preview of each committed stack."""
    monkeypatch.setattr(previewing, "preview", lambda config: previewed(config.stack))


def given(monkeypatch: pytest.MonkeyPatch, config: StackConfig) -> None:
    monkeypatch.setattr(stack_files, "read_stack", lambda _: config)


@pytest.mark.parametrize("stack", stack_files.list_stacks())
def test_every_committed_stack_can_be_deployed(stack: str) -> None:
    result = previewed(stack)
    assert result.invalid_inputs == ()
    assert result.mandatory == []
    assert result.deployable


@pytest.mark.usefixtures("as_committed")
def test_the_preview_shows_a_tree_with_counts_and_the_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "--stack", "prod"]) == 0
    text = capsys.readouterr().out
    for part in (
        "stack prod: ",
        "ingestion-intake-dlq DeadLetterQueue: MetricAlarm, Queue, QueuePolicy",
        "by service: ",
    ):
        assert part in text
    assert "total" in text
    assert "budget 500.00" in text
    assert "prefix: incoming/" in text
    assert "stack prod can be deployed" in text


@pytest.mark.usefixtures("as_committed")
def test_a_sarif_file_that_cannot_be_written_is_reported_after_the_preview(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", "--stack", "prod", "--sarif", str(tmp_path / "no" / "x.sarif")]) == 2
    output = capsys.readouterr()
    assert "stack prod can be deployed" in output.out
    assert f"No such file or directory: '{tmp_path}/no/x.sarif'" in output.err


@pytest.mark.usefixtures("as_committed")
def test_an_unreadable_state_file_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreadable(_config: StackConfig) -> None:
        raise StateError("state.json has schema version 99")

    monkeypatch.setattr(lifecycle, "plan_update", unreadable)
    assert main(["preview", "--stack", "local"]) == 2
    assert capsys.readouterr().err.strip().endswith("state.json has schema version 99")


def test_the_preview_covers_the_enabled_subsystems_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(monkeypatch, ingestion_alone())
    assert main(["preview", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["cost"]["bySubsystem"]) == {"foundation", "ingestion"}


@pytest.mark.usefixtures("as_committed")
def test_the_preview_can_be_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "--stack", "dev", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["schemaVersion"], result["stack"], result["deployable"]) == (1, "dev", True)
    assert result["cost"]["monthlyUsd"] > 0
    assert {resource["name"] for resource in result["resources"]} > {"ingestion-landing-bucket", "platform"}
    assert result["outputs"]["frontend"]["environment"] == "dev"


def test_a_budget_of_one_dollar_blocks_and_names_the_three_most_expensive_blocks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spend = {**json.loads(stack_files.read_stack("dev").values["polyphony:foundation"])["spend"], "monthlyBudget": 1}
    given(monkeypatch, ingestion_alone(spend=spend))
    assert main(["preview"]) == 1
    text = capsys.readouterr().out
    assert "spend-within-budget" in text
    assert "exceeds the budget of $1.00" in " ".join(text.split())
    blocks = re.search(r"Largest blocks: (.+?)\. ", " ".join(text.split()))
    assert blocks is not None
    assert len(re.findall(r"(ingestion|foundation)-\S+ \$", blocks[1])) == 3
    assert "stack dev cannot be deployed" in text


def test_five_invalid_settings_give_one_message_and_status_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(
        monkeypatch,
        changed(
            "dev",
            "ingestion",
            lod={},
            builder={"memoryMb": 1, "timeoutSeconds": 0},
            load={"filesPerDay": "x"},
            logLevel=1,
        ),
    )
    assert main(["preview"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[0] == "stack dev has 5 problems in its configuration:"
    assert len(captured.err.splitlines()) == 6


@pytest.mark.usefixtures("as_committed")
def test_the_preview_of_the_local_stack_lists_changes_of_make_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [
        PlannedStep("urn:a::b::c::one", ResourceAction.UPDATE),
        PlannedStep("urn:a::b::c::two", ResourceAction.SAME),
    ]
    monkeypatch.setattr("local.platform.lifecycle.plan_update", lambda _: steps)
    assert main(["preview", "--stack", "local"]) == 0
    text = capsys.readouterr().out
    assert "changes on the local platform: 1 same, 1 update" in text
    assert "  update   one" in text
    main(["preview", "--stack", "dev"])
    assert "on this machine" not in capsys.readouterr().out


def test_an_unknown_stack_gives_status_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "--stack", "nope"]) == 2
    assert "There is no stack 'nope'" in capsys.readouterr().err


def test_an_invalid_resource_input_is_found_and_an_error_in_sarif(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.blocks.compute.function.RUNTIME", "python3.31")
    actual = preview(ingestion_alone())
    assert len(actual.invalid_inputs) == sum(
        resource.kind == "Function" and resource.custom for resource in actual.graph
    )
    invalid_input = next(
        item for item in actual.invalid_inputs if item.urn.endswith("::ingestion-manifest-builder-function")
    )
    assert (invalid_input.property, invalid_input.value) == ("CreateFunction.Runtime", "'python3.31'")
    assert invalid_input.rule.startswith("must be one of ")
    assert not actual.deployable
    (run,) = to_sarif(actual.rules, actual.findings, actual.invalid_inputs, actual.config)["runs"]
    assert {result["ruleId"] for result in run["results"] if result["level"] == "error"} == {"service-refuses-value"}


def test_a_valid_exception_is_shown_and_an_expired_or_unmatched_exception_blocks() -> None:
    config = ingestion_alone()
    good = {
        "policy": "logs-expire",
        "resource": "ingestion-manifest-builder-logs",
        "reason": "a reason that is long enough",
        "expires": "2999-12-31",
    }
    given = [good, {**good, "expires": "2026-01-01"}, {**good, "policy": "no-such", "resource": "nothing"}]
    result = preview(StackConfig(config.project, "dev", {**config.values, "polyphony:exceptions": json.dumps(given)}))
    [shown] = [
        finding
        for finding in result.findings
        if finding.policy == "exceptions-in-force" and "logs-expire" in finding.message
    ]
    assert shown.level == "advisory"
    assert {item.policy for item in result.mandatory} == {"exceptions-in-order"}
    messages = sorted(entry.message for entry in result.mandatory)
    assert len(messages) == 3
    for text in (
        "expired on 2026-01-01",
        "names a policy that this pack does not have",
        "names a resource that this stack does not have",
    ):
        assert any(text in message for message in messages)


def test_a_pack_that_cannot_start_reports_the_reason() -> None:
    config = stack_files.read_stack("dev")
    values = {key: value for key, value in config.values.items() if key != "polyphony:exceptions"}
    with pytest.raises(CannotPreview, match="exceptions"):
        preview(StackConfig(config.project, "dev", values))


@pytest.mark.usefixtures("as_committed")
def test_findings_are_written_as_sarif(tmp_path: Path) -> None:
    path = tmp_path / "findings.sarif"
    assert main(["preview", "--stack", "dev", "--sarif", str(path)]) == 0
    (run,) = json.loads(path.read_text())["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert run["results"]
    assert {result["ruleId"] for result in run["results"]} <= rules
    assert all(
        item["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "Pulumi.dev.yaml"
        for item in run["results"]
    )


def test_a_secret_input_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_secret(*arguments: Any, **named: Any) -> sns.Topic:
        return original(*arguments, **{**named, "display_name": pulumi.Output.secret("canary")})

    original = sns.Topic
    monkeypatch.setattr(sns, "Topic", with_secret)
    monkeypatch.setattr(previewing, "find_invalid_inputs", lambda _: [])
    result = preview(ingestion_alone())
    out = io.StringIO()
    report.print_preview(result, Console(file=out, width=200))
    assert "canary" not in out.getvalue() + json.dumps(result.as_json())
    assert "[secret]" in json.dumps(result.as_json())
