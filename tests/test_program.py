"""Tests of the resources and outputs that the whole program has with every stack file."""

import re
from dataclasses import replace
from typing import Any

import pytest

from handlers.transcription.messages import REQUESTS
from local import ACCOUNT, ROOT
from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.property_values import UNKNOWN, Props
from tests.whole_program import ONE_WORKER, STACKS, change_section, graph, previewed, run_whole_program

pytestmark = ONE_WORKER
GUIDE = ROOT / "docs" / "deploying.md"
NAMES_WITH_LOCAL_SCOPE = {"RolePolicy", "Alias", "CatalogTable", "Stage", "AgentcoreMemoryStrategy"}
"""Types whose names only need to be unique within one role, function, database, API or memory."""


def read_inputs(stack: str, kind: str, name: str) -> Props:
    """Return the inputs of the only resource of a kind whose name contains `name`."""
    resources = graph(stack).customs()
    (match,) = [resource for resource in resources if resource.kind == kind and name in resource.name]
    return match.inputs


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_has_the_alarms_of_prod(stack: str) -> None:
    """The pages and the tests of the runbooks read only those of prod."""
    alarms, expected = (
        {item.name for item in graph(name).customs() if item.kind == "MetricAlarm"} for name in (stack, "prod")
    )
    assert alarms == expected


@pytest.mark.parametrize("stack", STACKS)
def test_every_name_contains_the_stack(stack: str) -> None:
    for resource in graph(stack).customs():
        name = resource.inputs.get("name") or resource.inputs.get("bucket")
        if isinstance(name, str) and resource.kind not in NAMES_WITH_LOCAL_SCOPE:
            # A Glue database's name has no hyphens, because Athena's SQL would have to quote it.
            assert f"polyphony-{stack}-" in name.replace("_", "-"), f"{resource.name} has the name {name}"


@pytest.mark.parametrize("stack", STACKS)
def test_every_component_has_a_unique_name(stack: str) -> None:
    """The usage is published under the component's name."""
    names = [resource.name for resource in graph(stack) if not resource.custom]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_output_has_only_the_frontend_model(stack: str) -> None:
    """At preview, only the URLs of the APIs and the id of the identity pool are unknown."""
    assert set(previewed(stack).outputs) == {"frontend"}
    frontend = previewed(stack).outputs["frontend"]
    assert frontend["schemaVersion"] == 1
    assert frontend["environment"] == stack
    assert frontend["ingestion"] == {
        "bucket": f"polyphony-{stack}-ingestion-landing-123456789012",
        "prefix": "incoming/",
        "table": f"polyphony-{stack}-ingestion-files",
        "suffixes": [".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz", ".json", ".json.gz"],
        "maxFileBytes": 5 * 1024**3,
        "flushMinutes": 0 if stack == "local" else 60,
    }
    transcription = dict(frontend["transcription"])
    assert "de-DE" in transcription.pop("languages")
    assert transcription == {
        "url": UNKNOWN,
        "protocol": "polyphony.transcription.v2",
        "pingSeconds": 300,
        "inFlight": 3,
        "routes": sorted(REQUESTS),
    }
    assert frontend["livestream"]["apiUrl"] == UNKNOWN
    assert frontend["voiceQa"]["lectureUploads"] == ("guests" if stack in {"local", "dev"} else "off")
    unknown = {name for name, value in frontend["voiceQa"].items() if value == UNKNOWN}
    assert unknown == {"url", "identityPoolId"}
    formats = ["mp3", "mp4", "wav", "flac", "ogg", "webm"]
    limits = {"maxQueryBytes": 10_000_000, "maxLectureBytes": 2_000_000_000, "lectureFormats": formats}
    seconds = {"lectureMinSeconds": 10, "lectureMaxSeconds": 14_400, "pingSeconds": 300}
    assert {**limits, **seconds}.items() <= frontend["voiceQa"].items()
    meetings = {"table": f"polyphony-{stack}-meetings-meetings", "index": "GSI-1", "credentialSeconds": 3600}
    bucket = f"polyphony-{stack}-meetings-recordings-123456789012"
    assert {**meetings, "bucket": bucket, "rawDays": 7}.items() <= frontend["meetings"].items()
    assert frontend["meetings"]["routes"] == ["POST /exchange", "DELETE /meetings/{meetingId}"]


PROTECTED = {"dev": False, "staging": True, "prod": True}
"""True for the stacks whose data is protected against deletion. All other stacks are disposable."""
DISPOSABLE = {stack: not protected for stack, protected in PROTECTED.items()}
LOG_RETENTION = {"dev": 14, "staging": 30, "prod": 90}


@pytest.mark.parametrize(
    ("kind", "name", "key", "expected"),
    [
        ("Table", "files", "deletionProtectionEnabled", PROTECTED),
        ("Table", "voice-qa-sessions", "deletionProtectionEnabled", PROTECTED),
        ("Table", "files", "pointInTimeRecovery", {name: {"enabled": value} for name, value in PROTECTED.items()}),
        ("Bucket", "landing", "forceDestroy", DISPOSABLE),
        ("Bucket", "voice-qa-audio", "forceDestroy", DISPOSABLE),
        ("LogGroup", "builder", "retentionInDays", LOG_RETENTION),
        ("LogGroup", "voice-qa-socket-execution", "retentionInDays", LOG_RETENTION),
        ("Budget", "budget", "limitAmount", {"dev": "75.00", "staging": "120.00", "prod": "500.00"}),
    ],
)
def test_stacks_have_their_own_protection_retention_and_budget(
    kind: str, name: str, key: str, expected: dict[str, Any]
) -> None:
    assert {stack: read_inputs(stack, kind, name)[key] for stack in expected} == expected


@pytest.mark.parametrize(("stack", "expected"), {"local": False, **PROTECTED}.items())
def test_resources_with_data_are_protected_if_the_stack_protects_data(stack: str, *, expected: bool) -> None:
    """Pulumi refuses to delete a resource with the option `protect`, before it deletes any other resource.

    If only AWS refused it, the other resources would already be deleted.
    """
    types_with_data = {"AgentcoreMemory", "Bucket", "IdentityPool", "Table", "Vault"}
    resources = graph(stack).customs()
    with_data = [resource for resource in resources if resource.kind in types_with_data]
    assert len(with_data) > 12
    protected = [resource.name for resource in resources if resource.request.protect]
    assert protected == [resource.name for resource in with_data if expected], (
        "a change may replace all other resources"
    )
    (vault,) = [resource for resource in with_data if resource.kind == "Vault"]
    assert (vault.request.retainOnDelete, vault.inputs["forceDestroy"]) == (expected, not expected)


def test_the_guide_imports_the_vault_under_its_name_and_parent() -> None:
    (vault,) = [resource for resource in graph("prod").customs() if resource.kind == "Vault"]
    [imported_resource] = re.findall(r"pulumi import -s prod (\S+) (\S+) (\S+) ", GUIDE.read_text())
    assert imported_resource == (vault.type, vault.name, vault.inputs["name"])
    assert re.findall(r"--parent 'foundation=(.*)'", GUIDE.read_text()) == [vault.parent]


@pytest.mark.parametrize("stack", STACKS)
def test_prod_has_a_higher_log_level_than_other_stacks(stack: str) -> None:
    functions = [resource.inputs for resource in graph(stack).customs() if resource.kind == "Function"]
    levels = {function["environment"]["variables"]["LOG_LEVEL"] for function in functions}
    assert levels == {"INFO" if stack == "prod" else "DEBUG"}


def test_stacks_in_one_account_do_not_receive_each_others_events() -> None:
    """Stacks in one account share the event bus, so each rule and archive must match its own stack only."""
    stacks_by_pattern: dict[str, list[str]] = {}
    for stack in ("dev", "staging", "prod"):
        for resource in graph(stack).customs():
            if resource.kind in {"EventRule", "EventArchive"}:
                pattern = str(resource.inputs["eventPattern"])
                stacks_by_pattern.setdefault(pattern, []).append(f"{stack}: {resource.name}")
    assert len(stacks_by_pattern) > 20
    assert [stacks for stacks in stacks_by_pattern.values() if len(stacks) > 1] == []


@pytest.mark.parametrize(
    ("stack", "expected"),
    {"dev": ("none", False), "local": ("oidc", True), "staging": ("oidc", True), "prod": ("oidc", True)}.items(),
)
def test_callers_are_authenticated_in_staging_and_prod(stack: str, expected: tuple[str, bool]) -> None:
    """The tag `CallersCheckedBy` names the check that authenticates callers in place of API Gateway."""
    auth = read_inputs(stack, "Function", "router")["environment"]["variables"]["AUTH"]
    assert (auth, "CallersCheckedBy" in read_inputs(stack, "Api", "transcription")["tags"]) == expected


@pytest.mark.parametrize("stack", STACKS)
def test_only_the_audio_processor_discards_failed_calls(stack: str) -> None:
    """Failed calls of the audio processor contain audio. All other functions keep their failed calls in a queue.

    The tag `Reason` of the function gives the reason.
    """
    resources = graph(stack).customs()
    configurations = [resource for resource in resources if resource.kind == "FunctionEventInvokeConfig"]
    discarding = [resource.name for resource in configurations if not resource.inputs.get("destinationConfig")]
    assert discarding == ["transcription-audio-processor-asynchronous"]
    functions = [resource for resource in resources if resource.kind == "Function"]
    with_reason = [function.name for function in functions if "Reason" in function.inputs["tags"]]
    assert with_reason == ["transcription-audio-processor-function"]


def test_invalid_settings_stop_the_program_before_any_registration() -> None:
    registered: list[str] = []

    class Provider(PreviewProvider):
        def call(self, token: str, arguments: Props) -> Props:
            registered.append(token)
            return super().call(token, arguments)

    with pytest.raises(program_run.ProgramError, match=r"ingestion\.enabld: is not a setting; did you mean enabled\?"):
        program_run.run_program(change_section("dev", "ingestion", enabld=True), Provider(), preview=True)
    assert registered == []


def test_a_secret_in_plain_text_stops_the_program() -> None:
    config = replace(stack_files.read_stack("dev"), secret_keys=frozenset({"polyphony:voiceQa"}))
    command = "pulumi config set --secret --path 'polyphony:livestream.encryptionKey' --stack dev"
    with pytest.raises(program_run.ProgramError, match=rf"1 problem .*\n.* in plain text; .*: {command}$"):
        run_whole_program(config)


def test_a_deployment_without_a_layer_archive_names_the_command_that_builds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.foundation.lock_hash", lambda: "0" * 12)
    with pytest.raises(program_run.ProgramError, match="run `make layers`"):
        program_run.run_program(stack_files.read_stack("dev"), PreviewProvider(), preview=False)


def test_the_platform_publishes_the_values_that_policies_need() -> None:
    """`Platform` is the component that contains all others. Guardrail policies read its inputs."""
    (platform,) = [resource for resource in graph("prod") if resource.kind == "Platform"]
    assert platform.inputs["account"] == ACCOUNT
    assert platform.inputs["environment"] == "prod"
    assert platform.inputs["budget"] == 500
    # The usage of a month is 30 times the expected load of a day.
    assert platform.inputs["usage"]["ingestion-landing"]["puts"] == 8_000 * 30
    assert platform.inputs["usage"]["transcription-audio-processor"]["invocations"] == 1_000 * 30
    assert platform.inputs["usage"]["voice-qa-query-worker"]["invocations"] == 200 * 30
    outputs = dict(platform.outputs)
    assert {"account", "environment", "budget", "usage", "exceptions", "frontend"} == set(outputs)


def test_only_the_table_of_meetings_is_backed_up_daily_and_its_backups_are_billed() -> None:
    prod_graph = graph("prod")
    [selected] = read_inputs("prod", "Selection", "backup")["selectionTags"]
    tables = [resource for resource in prod_graph if resource.kind == "Table" and resource.custom]
    backed_up = [table.name for table in tables if table.inputs["tags"].get(selected["key"]) == selected["value"]]
    assert backed_up == ["meetings-meetings-table"]
    (platform,) = [resource for resource in prod_graph if resource.kind == "Platform"]
    usage = platform.inputs["usage"]
    gigabytes = usage["meetings-meetings"]["storageGb"]
    assert usage["foundation"]["backupGb"] == pytest.approx(gigabytes * 35), "a backup is kept for each of 35 days"
