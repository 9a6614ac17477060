"""Tests of `make preview`: output, errors and exit status. They use the real process of the policy pack."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi_aws import cloudwatch, sns, sqs
from rich.console import Console

from components import platform
from components.platform import monthly_usage
from components.settings import StackSettings
from components.usage_formulas import Usage
from local.__main__ import main
from local.preview import policy_pack_process, program_run, report, stack_files
from local.preview.botocore_input_checks import find_invalid_inputs
from local.preview.policy_pack_process import PackError, PolicyPackProcess
from local.preview.preview import Preview, preview
from local.preview.preview_provider import PreviewProvider
from local.preview.sarif import to_sarif
from local.preview.stack_files import StackConfig
from local.property_values import Secret
from tests.broken_archive import BROKEN_FILE, BROKEN_TEXT, use_broken_handler
from tests.whole_program import ONE_WORKER, backend_alone, previewed

pytestmark = ONE_WORKER


@pytest.fixture
def _committed_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command use the cached preview of each committed stack."""
    monkeypatch.setattr(report, "preview", lambda config: previewed(config.stack))


@pytest.fixture(scope="module")
def undeployable_preview(tmp_path_factory: pytest.TempPathFactory) -> Preview:
    """Return the preview of a small stack that cannot be deployed. It has errors of every kind and a secret input."""
    config = backend_alone("dev", "ingestion")
    foundation = json.loads(config.values["polyphony:foundation"])
    foundation["spend"]["monthlyBudget"] = 1
    valid_exception = {
        "policy": "logs-expire",
        "resource": "ingestion-manifest-builder-logs",
        "reason": "a reason that is long enough",
        "expires": str(datetime.now(UTC).date() + timedelta(days=30)),
    }
    expired_exception = {**valid_exception, "expires": "2026-01-01"}
    unmatched_exception = {**valid_exception, "policy": "unknown", "resource": "unknown"}
    exceptions = [valid_exception, expired_exception, unmatched_exception]
    changes = {"polyphony:foundation": json.dumps(foundation), "polyphony:exceptions": json.dumps(exceptions)}
    topic_class = sns.Topic

    def create_topic(*arguments: Any, **options: Any) -> sns.Topic:
        return topic_class(*arguments, **{**options, "display_name": pulumi.Output.secret("canary")})

    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("components.blocks.function.RUNTIME", "python3.31")
        patches.setattr(sns, "Topic", create_topic)
        use_broken_handler(patches, tmp_path_factory.mktemp("archive"))
        return preview(replace(config, values={**config.values, **changes}))


@pytest.mark.parametrize("stack", stack_files.list_stacks())
def test_every_committed_stack_can_be_deployed(stack: str) -> None:
    result = previewed(stack)
    assert result.invalid_inputs == ()
    assert result.handler_faults == ()
    assert result.mandatory == []
    assert result.messages == ()
    assert result.deployable


@pytest.mark.usefixtures("_committed_previews")
def test_the_preview_prints_resources_outputs_warnings_and_costs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "--stack", "prod"]) == 0
    text = capsys.readouterr().out
    for part in (
        "stack prod: ",
        "ingestion-intake-dlq DeadLetterQueue: MetricAlarm, Queue, QueuePolicy",
        "by service: ",
        "warning ",
        "is not set. This preview uses a placeholder.",
        "total",
        "budget 500.00",
        "stack prod can be deployed",
    ):
        assert part in text
    assert re.search(r"^ +prefix +incoming/$", text, re.MULTILINE)


@pytest.mark.usefixtures("_committed_previews")
def test_a_sarif_file_that_cannot_be_written_is_reported_after_the_preview(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", "--stack", "prod", "--sarif", str(tmp_path / "no" / "x.sarif")]) == 2
    output = capsys.readouterr()
    assert "stack prod can be deployed" in output.out
    assert f"No such file or directory: '{tmp_path}/no/x.sarif'" in output.err


@pytest.mark.usefixtures("_committed_previews")
def test_the_preview_can_be_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", "--stack", "dev", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["schemaVersion"], result["stack"], result["deployable"]) == (1, "dev", True)
    assert result["cost"]["monthlyUsd"] > 0
    assert {resource["name"] for resource in result["resources"]} > {"ingestion-landing-bucket", "platform"}
    assert result["outputs"]["frontend"]["environment"] == "dev"


def print_preview(result: Preview) -> str:
    out = io.StringIO()
    report.print_preview(result, Console(file=out, width=1_000))
    return out.getvalue()


def test_every_result_in_sarif_has_a_described_rule_a_message_and_a_location() -> None:
    [run] = to_sarif(previewed("dev"))["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert re.match(r"[\w-]+: ", result["message"]["text"])
        [location] = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "Pulumi.dev.yaml"


def test_the_error_of_a_pack_that_cannot_start_states_the_reason() -> None:
    config = stack_files.read_stack("dev")
    values = {key: value for key, value in config.values.items() if key != "polyphony:environment"}
    without_environment = StackConfig(config.project, "dev", values)
    with (
        PolicyPackProcess(without_environment, dry_run=True) as pack,
        pytest.raises(PackError, match="environment must"),
    ):
        pack.list_policies()


def test_a_preview_without_a_running_pack_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_pack_process, "PYTHON", Path("/bin/false"))
    with pytest.raises(PackError, match="instead of its port"):
        preview(backend_alone("dev", "ingestion"))


def test_a_cost_that_cannot_be_estimated_is_an_error_beside_the_plan_and_the_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def compute_usage(settings: StackSettings) -> Usage:
        sqs.Queue("scratch", name="scratch")
        return monthly_usage(settings)

    monkeypatch.setattr(platform, "monthly_usage", compute_usage)
    result = preview(backend_alone("dev", "ingestion"))
    monkeypatch.setattr(report, "preview", lambda _: result)
    assert main(["preview"]) == 1
    text = capsys.readouterr().out
    reason = "the block polyphony-dev has no published usage (batches, messages) for scratch (aws:sqs/queue:Queue)"
    assert f"monthly cost: The cost of dev cannot be estimated:\n{reason}\n" in text
    assert f"The cost cannot be estimated: {reason}." in text.partition("cannot be deployed")[2]
    assert "ingestion-intake-dlq DeadLetterQueue" in text
    assert result.as_json()["cost"] == {"error": f"The cost of dev cannot be estimated:\n{reason}"}
    monkeypatch.setattr(report, "preview", lambda _: replace(result, findings=(), invalid_inputs=()))
    assert main(["preview"]) == 1, "an exception from the policy about the budget does not hide the error"
    assert "stack dev can be deployed, but its cost cannot be estimated" in capsys.readouterr().out


def test_the_costs_contain_only_enabled_subsystems(undeployable_preview: Preview) -> None:
    assert set(undeployable_preview.as_json()["cost"]["bySubsystem"]) == {"foundation", "ingestion"}


def test_a_stack_above_its_budget_cannot_be_deployed_and_the_most_expensive_blocks_are_listed(
    undeployable_preview: Preview, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "preview", lambda _: undeployable_preview)
    assert main(["preview"]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(r"spend-within-budget .* exceeds the budget of \$1\.00", text)
    blocks = re.search(r"Largest blocks: (.+?)\. ", text)
    assert blocks is not None
    assert len(re.findall(r"(ingestion|foundation)\S* \$", blocks[1])) == 3
    assert "stack dev cannot be deployed" in text


def test_the_errors_that_stop_a_deployment_are_repeated_at_the_end(undeployable_preview: Preview) -> None:
    _, _, last_lines = print_preview(undeployable_preview).partition("stack dev cannot be deployed")
    messages = [finding.message for finding in undeployable_preview.mandatory]
    messages += [str(error) for error in (*undeployable_preview.invalid_inputs, *undeployable_preview.handler_faults)]
    assert last_lines.count("\n") == 1 + len(messages)
    assert all(message in last_lines for message in messages)


def test_outputs_are_an_aligned_tree_without_python_syntax() -> None:
    out = io.StringIO()
    outputs = {
        "frontend": {
            "version": 1,
            "ready": True,
            "none": None,
            "empty": {},
            "suffixes": [".json", ".gz"],
            "routes": ["GET /a", "PUT /b"],
            "api": {"url": "http://[x]", "token": Secret("canary")},
        }
    }
    report.print_outputs(Console(file=out, width=200), outputs)
    assert out.getvalue().splitlines() == [
        "  frontend",
        "    empty     {}",
        "    none      null",
        "    ready     true",
        "    routes    GET /a",
        "              PUT /b",
        "    suffixes  .json, .gz",
        "    version   1",
        "    api",
        "      token  [secret]",
        "      url    http://[x]",
    ]


def test_an_invalid_input_is_found_in_every_resource_and_is_an_error_in_sarif(undeployable_preview: Preview) -> None:
    runtimes = [error for error in undeployable_preview.invalid_inputs if error.property == "CreateFunction.Runtime"]
    assert {error.value for error in runtimes} == {"'python3.31'"}
    assert all(error.rule.startswith("must be one of ") for error in runtimes)
    functions = {resource.urn for resource in undeployable_preview.graph.customs() if resource.kind == "Function"}
    assert {error.urn for error in runtimes} == functions
    only_invalid_inputs = replace(undeployable_preview, findings=(), handler_faults=())
    assert not only_invalid_inputs.deployable
    (run,) = to_sarif(only_invalid_inputs)["runs"]
    assert {(result["ruleId"], result["level"]) for result in run["results"]} == {("service-refuses-value", "error")}


def test_a_handler_fault_prevents_the_deployment_and_is_listed_with_file_and_line(
    undeployable_preview: Preview, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only_handler_faults = replace(undeployable_preview, findings=(), invalid_inputs=())
    monkeypatch.setattr(report, "preview", lambda _: only_handler_faults)
    assert main(["preview", "--sarif", str(tmp_path / "findings.sarif")]) == 1
    text = capsys.readouterr().out
    line = BROKEN_TEXT.count("\n")
    assert re.search(rf"{BROKEN_FILE}:{line}: .* module missing: .*\(cannot run: ingestion-sweeper-function\)", text)
    assert "stack dev cannot be deployed" in text
    assert "evaluated, 0 mandatory findings, 0 advisory findings" in text
    assert "\n1 handler fault\n" in text

    assert main(["preview", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    [fault] = document["handlerFaults"]
    assert (document["deployable"], fault["file"], fault["line"]) == (False, BROKEN_FILE, line)

    (run,) = json.loads((tmp_path / "findings.sarif").read_text())["runs"]
    [entry] = run["results"]
    assert (entry["ruleId"], entry["level"]) == ("handler-cannot-run", "error")
    location = entry["locations"][0]["physicalLocation"]
    assert (location["artifactLocation"]["uri"], location["region"]["startLine"]) == (BROKEN_FILE, line)


def test_a_valid_exception_is_listed_and_an_expired_or_unmatched_one_prevents_the_deployment(
    undeployable_preview: Preview,
) -> None:
    levels = {finding.level for finding in undeployable_preview.findings if finding.policy == "exceptions-in-force"}
    assert levels == {"advisory"}
    messages = [
        finding.message for finding in undeployable_preview.mandatory if finding.policy == "exceptions-in-order"
    ]
    assert len(messages) == 3, "the unmatched exception has an unknown policy and an unknown resource"
    for problem in ("expires on 2026-01-01", "names a policy that this pack", "names a resource that this stack"):
        assert any(problem in message for message in messages)


def test_a_secret_input_is_in_neither_the_text_nor_the_json_document(undeployable_preview: Preview) -> None:
    document = json.dumps(undeployable_preview.as_json())
    assert "canary" not in print_preview(undeployable_preview) + document
    assert "[secret]" in document


def test_an_invalid_secret_input_is_reported_without_its_value() -> None:
    def create() -> None:
        cloudwatch.LogGroup("group", name=pulumi.Output.secret("canary group"))

    run = program_run.run_function(create, StackConfig("polyphony", "test", {}), PreviewProvider(), preview=True)
    [invalid_input] = find_invalid_inputs(run.graph)
    assert (invalid_input.property, invalid_input.value) == ("CreateLogGroup.logGroupName", "")
