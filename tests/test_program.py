"""The whole program, unmodified, for every stack file."""

import re
from pathlib import Path
from typing import Any

import pytest
from pulumi import RunError

from components.settings import SettingsError
from local import ROOT
from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.preview.property_values import UNKNOWN, Props
from local.preview.resource_graph import Graph
from tests.whole_program import ONE_WORKER, STACKS, changed, graph, previewed, recorded

pytestmark = ONE_WORKER
UNTAGGED = {
    # Types that AWS gives no tags (and objects, whose bucket has them).
    "Account", "AgentcoreMemoryStrategy", "Alias", "BucketCorsConfiguration", "BucketLifecycleConfiguration", "BucketLogging", "BucketNotification",
    "BucketObjectv2", "BucketOwnershipControls", "BucketPolicy", "BucketPublicAccessBlock",
    "BucketServerSideEncryptionConfiguration", "BucketVersioning", "CatalogTable", "Dashboard", "EventArchive", "EventTarget",
    "Deployment", "FunctionEventInvokeConfig", "IdentityPoolRoleAttachment", "Integration", "LayerVersion", "LifecyclePolicy", "MethodSettings",
    "LogMetricFilter", "Permission", "ProvisionedConcurrencyConfig", "QueuePolicy", "RegionSettings", "RolePolicy", "Route", "RouteResponse", "RouteTableAssociation", "Schedule", "SecurityConfiguration",
    "Selection", "TopicPolicy", "TopicSubscription",
}  # fmt: skip
PROVISIONED = "ProvisionedConcurrencyConfig"
GUIDE = ROOT / "docs" / "deploying.md"
UNNAMED = {"RolePolicy", "Alias", "CatalogTable", "Stage", "AgentcoreMemoryStrategy"}
"""Types whose names need be nobody else's: those of one role, function, database, API or memory."""
LATE = {
    "livestream-agent-grants-2",
    "livestream-care-grants-2",
    "transcription-audio-processor-grants-2",
    "transcription-router-grants-2",
    "voice-qa-guests-guest-grants-2",
    "voice-qa-guests-guest-role",
    "voice-qa-query-worker-grants-2",
}
"""Documents that name an API or an identity pool, whose ids only AWS knows; tests of their subsystems say what is in them."""


def inputs(stack: str, kind: str, name: str) -> Props:
    (found,) = [item for item in graph(stack) if item.custom and item.kind == kind and name in item.name]
    return found.inputs


def policies(graph: Graph) -> list[tuple[str, Any]]:
    return [
        (custom.name, custom.inputs[key])
        for custom in graph.customs()
        for key in ("policy", "assumeRolePolicy")
        if key in custom.inputs
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_runs_and_says_nothing(stack: str) -> None:
    assert previewed(stack).messages == ()
    assert len(graph(stack).customs()) > 30


@pytest.mark.parametrize("stack", STACKS)
def test_every_policy_document_is_known_before_anything_exists_unless_it_names_an_id(stack: str) -> None:
    found = policies(graph(stack))
    assert len(found) > 10
    assert {name for name, text in found if text is UNKNOWN} == LATE


@pytest.mark.parametrize("stack", STACKS)
def test_everything_carries_every_tag_itself(stack: str) -> None:
    for custom in graph(stack).customs():
        if custom.kind in UNTAGGED:
            assert "tags" not in custom.inputs
        else:
            tags = custom.inputs["tags"]
            assert {"Project", "Environment", "Subsystem", "Owner", "CostCenter", "Name"} <= set(tags), custom.name
            assert (tags["Project"], tags["Environment"]) == ("polyphony", stack)


@pytest.mark.parametrize("stack", STACKS)
def test_every_tag_is_one_that_aws_takes(stack: str) -> None:
    """Each service has rules of its own; these letters are those that all of them allow."""
    refused = {
        (custom.name, name, value)
        for custom in graph(stack).customs()
        for name, value in custom.inputs.get("tags", {}).items()
        if not re.fullmatch(r"[\w .:/=+@-]{1,256}", value)
    }
    assert refused == set()


@pytest.mark.parametrize("stack", STACKS)
def test_every_name_is_this_stacks_own(stack: str) -> None:
    for custom in graph(stack).customs():
        name = custom.inputs.get("name") or custom.inputs.get("bucket")
        if isinstance(name, str) and custom.kind not in UNNAMED:
            # A catalogue's database takes no hyphens: Athena's SQL would have to quote it.
            assert f"polyphony-{stack}-" in name.replace("_", "-"), f"{custom.name} is called {name}"


@pytest.mark.parametrize("stack", STACKS)
def test_every_component_has_a_name_of_its_own(stack: str) -> None:
    """Usage is published under it."""
    names = [item.name for item in graph(stack) if not item.custom]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("stack", STACKS)
def test_every_alarm_has_its_runbook(stack: str) -> None:
    alarms = [item for item in graph(stack) if item.kind == "MetricAlarm"]
    assert alarms
    for alarm in alarms:
        _, _, page = alarm.inputs["alarmDescription"].rpartition("Runbook: ")
        assert (ROOT / page).is_file(), f"{alarm.name} names {page}"


@pytest.mark.parametrize("stack", STACKS)
def test_the_output_is_the_model_and_nothing_secret(stack: str) -> None:
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
    }


@pytest.mark.parametrize("stack", STACKS)
def test_at_preview_only_the_address_of_live_captions_is_unknown(stack: str) -> None:
    told = dict(previewed(stack).outputs["frontend"]["transcription"])
    assert "de-DE" in told.pop("languages")
    assert told == {
        "url": UNKNOWN,
        "protocol": "polyphony.transcription.v1",
        "pingSeconds": 300,
        "inFlight": 3,
        "sessionHours": 4,
        "routes": ["audio", "close", "direct", "open", "ping"],
    }


@pytest.mark.parametrize("stack", STACKS)
def test_at_preview_only_the_ids_that_voice_qa_waits_for_are_unknown(stack: str) -> None:
    assert previewed(stack).outputs["frontend"]["voiceQa"] == {
        "url": UNKNOWN,
        "identityPoolId": UNKNOWN,
        "pingSeconds": 300,
        "lectureUploads": "guests" if stack in {"local", "dev"} else "off",
        "maxQueryBytes": 10_000_000,
        "lectureFormats": ["mp3", "mp4", "wav", "flac", "ogg", "webm"],
        "routes": ["ping", "query", "upload"],
    }


def test_a_frontend_is_told_what_the_settings_say() -> None:
    found = recorded(changed("dev", "transcription", sessions={"inFlight": 2, "hours": 1.5}))
    told = found.outputs["frontend"]["transcription"]
    assert (told["inFlight"], told["sessionHours"]) == (2, 1.5)


@pytest.mark.parametrize(
    ("kind", "name", "key", "expected"),
    [
        ("Table", "files", "deletionProtectionEnabled", {"dev": False, "staging": True, "prod": True}),
        ("Table", "transcription-live", "deletionProtectionEnabled", {"dev": False, "staging": True, "prod": True}),
        (
            "Table",
            "transcription-sessions",
            "deletionProtectionEnabled",
            {"dev": False, "staging": True, "prod": True},
        ),
        ("Table", "voice-qa-sessions", "deletionProtectionEnabled", {"dev": False, "staging": True, "prod": True}),
        ("Bucket", "voice-qa-audio", "forceDestroy", {"dev": True, "staging": False, "prod": False}),
        ("LogGroup", "voice-qa-socket-execution", "retentionInDays", {"dev": 14, "staging": 30, "prod": 90}),
        ("LogGroup", "transcription-socket-execution", "retentionInDays", {"dev": 14, "staging": 30, "prod": 90}),
        ("Bucket", "landing", "forceDestroy", {"dev": True, "staging": False, "prod": False}),
        ("Vault", "vault", "forceDestroy", {"dev": True, "staging": False, "prod": False}),
        ("LogGroup", "builder", "retentionInDays", {"dev": 14, "staging": 30, "prod": 90}),
        ("Budget", "budget", "limitAmount", {"dev": "75.00", "staging": "120.00", "prod": "500.00"}),
    ],
)
def test_stacks_differ_where_they_should(kind: str, name: str, key: str, expected: dict[str, Any]) -> None:
    assert {stack: inputs(stack, kind, name)[key] for stack in expected} == expected


def test_what_holds_data_cannot_be_taken_away_where_data_is_protected() -> None:
    """Pulumi refuses before anything is gone; a destruction that AWS ends would have taken the rest by then."""
    holding = {"AgentcoreMemory", "Bucket", "IdentityPool", "Table", "Vault"}
    for stack, expected in {"local": False, "dev": False, "staging": True, "prod": True}.items():
        found = {custom.name: custom.request.protect for custom in graph(stack).customs() if custom.kind in holding}
        assert len(found) > 12
        assert found == dict.fromkeys(found, expected), stack
        others = [item.name for item in graph(stack).customs() if item.kind not in holding and item.request.protect]
        assert others == [], "what a deployment brings back may be replaced"


def test_the_vault_and_its_copies_outlive_all_stacks_but_those_that_clean_up() -> None:
    for stack, stays in {"local": False, "dev": False, "staging": True, "prod": True}.items():
        (vault,) = [custom for custom in graph(stack).customs() if custom.kind == "Vault"]
        assert (vault.request.retainOnDelete, vault.inputs["forceDestroy"]) == (stays, not stays)


def test_the_guide_takes_the_vault_in_where_the_program_has_it() -> None:
    (vault,) = [custom for custom in graph("prod").customs() if custom.kind == "Vault"]
    [taken] = re.findall(r"pulumi import -s prod (\S+) (\S+) (\S+) ", GUIDE.read_text())
    assert taken == (vault.type, vault.name, vault.inputs["name"])
    assert re.findall(r"--parent 'backup=(.*)'", GUIDE.read_text()) == [vault.parent]


def test_taking_protection_back_leaves_the_vault_where_it_is() -> None:
    found = recorded(changed("prod", "foundation", data={"deletionProtection": False})).graph
    assert [item.name for item in found.customs() if item.request.protect] == []
    (vault,) = [custom for custom in found.customs() if custom.kind == "Vault"]
    assert (vault.request.retainOnDelete, vault.inputs["forceDestroy"]) == (True, False)


@pytest.mark.parametrize(
    "function", ["builder", "audio-processor", "router", "websocket-handler", "query-worker", "validate-lecture"]
)
def test_prod_logs_less_than_the_others(function: str) -> None:
    levels = {s: inputs(s, "Function", function)["environment"]["variables"]["LOG_LEVEL"] for s in STACKS}
    assert levels == {"dev": "DEBUG", "local": "DEBUG", "staging": "DEBUG", "prod": "INFO"}


def test_no_stack_hears_what_is_anothers_where_they_share_an_account() -> None:
    """They share the default bus too: a rule, and an archive, names something of its own stack's."""
    heard: dict[str, list[str]] = {}
    for stack in ("dev", "staging", "prod"):
        for custom in graph(stack).customs():
            if custom.kind in {"EventRule", "EventArchive"}:
                heard.setdefault(str(custom.inputs["eventPattern"]), []).append(f"{stack}: {custom.name}")
    assert len(heard) > 20
    assert [stacks for stacks in heard.values() if len(stacks) > 1] == []


def test_prod_can_be_restored_to_any_second() -> None:
    recovery = {s: inputs(s, "Table", "files")["pointInTimeRecovery"]["enabled"] for s in ("dev", "staging", "prod")}
    assert recovery == {"dev": False, "staging": True, "prod": True}


def test_one_environment_of_voice_qas_handler_is_warm_in_prod_and_none_elsewhere() -> None:
    warm = {
        stack: [item.inputs["provisionedConcurrentExecutions"] for item in graph(stack) if item.kind == PROVISIONED]
        for stack in STACKS
    }
    assert warm == {"dev": [], "local": [], "staging": [], "prod": [1]}


def test_pages_that_may_use_the_bucket_are_named_in_prod() -> None:
    (rule,) = inputs("prod", "BucketCorsConfiguration", "voice-qa-audio")["corsRules"]
    assert rule["allowedOrigins"] == ["https://app.example.com"]


def test_sessions_of_lectures_are_backed_up() -> None:
    assert inputs("prod", "Table", "voice-qa-sessions")["tags"]["Backup"] == "polyphony-prod-daily"


def test_callers_are_checked_wherever_others_depend_on_it() -> None:
    checks = {
        stack: (
            inputs(stack, "Function", "router")["environment"]["variables"]["AUTH"],
            "CallersCheckedBy" in inputs(stack, "Api", "transcription")["tags"],
        )
        for stack in STACKS
    }
    assert checks == {
        "dev": ("none", False),
        "local": ("none", False),
        "staging": ("oidc", True),
        "prod": ("oidc", True),
    }


@pytest.mark.parametrize("stack", STACKS)
def test_failed_calls_of_one_function_alone_land_nowhere(stack: str) -> None:
    """Their record would hold audio: the one exception to that nothing is lost."""
    dropping = [
        item.name
        for item in graph(stack)
        if item.kind == "FunctionEventInvokeConfig" and not item.inputs.get("destinationConfig")
    ]
    assert dropping == ["transcription-audio-processor-asynchronous"]
    excused = [
        entry.name
        for entry in graph(stack)
        if entry.custom and entry.kind == "Function" and "Reason" in entry.inputs["tags"]
    ]
    assert excused == ["transcription-audio-processor-function"]


def test_nobody_but_the_router_may_call_the_audio_processor() -> None:
    processor = inputs("prod", "Function", "audio-processor")["name"]
    callers = [
        name for name, text in policies(graph("prod")) if text is not UNKNOWN and f"function:{processor}" in text
    ]
    assert callers == ["transcription-router-grants"]
    permissions = [item for item in graph("prod") if item.kind == "Permission"]
    assert processor not in [permission.inputs["function"] for permission in permissions]


@pytest.mark.parametrize(
    ("section", "off"), [("ingestion", "ingestion"), ("transcription", "transcription"), ("voiceQa", "voice-qa")]
)
def test_a_subsystem_that_is_off_leaves_the_rest_and_nothing_of_itself(section: str, off: str) -> None:
    found = recorded(changed("dev", section, enabled=False))
    rest = {item.urn for item in graph("dev") if off not in item.urn}
    assert {member.urn for member in found.graph} == rest
    assert len(rest) < len(list(graph("dev")))
    assert [entry for entry in found.graph if entry.name == "foundation-alerts-topic"]
    kept = {key: value for key, value in previewed("dev").outputs["frontend"].items() if key != section}
    assert found.outputs["frontend"] == kept
    (platform,) = [element for element in found.graph if element.kind == "Platform"]
    assert platform.inputs["usage"]
    assert not [block for block in platform.inputs["usage"] if block.startswith(off)]


def test_bad_settings_stop_the_program_before_anything_is_registered() -> None:
    registered: list[str] = []

    class Provider(PreviewProvider):
        def call(self, token: str, arguments: Props) -> Props:
            registered.append(token)
            return super().call(token, arguments)

    with pytest.raises(program_run.ProgramError, match=r"ingestion\.enabld: is not a setting; did you mean enabled\?"):
        program_run.run(changed("dev", "ingestion", enabld=True), Provider(), preview=True)
    assert registered == []


def test_the_program_reports_bad_settings_without_a_traceback() -> None:
    assert issubclass(SettingsError, RunError)


def test_a_deployment_without_its_layer_stops_and_says_how_to_build_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.foundation.layer.ARCHIVE", Path("build/layers/absent.zip"))
    with pytest.raises(program_run.ProgramError, match="run `make layers`"):
        program_run.run(stack_files.read("dev"), PreviewProvider(), preview=False)


def test_the_platform_publishes_what_policies_judge_by() -> None:
    (platform,) = [item for item in graph("prod") if item.kind == "Platform"]
    assert platform.inputs["environment"] == "prod"
    assert platform.inputs["budget"] == 500
    assert platform.inputs["usage"]["ingestion-landing"]["puts"] == 8_000 * 30
    assert platform.inputs["usage"]["transcription-audio-processor"]["invocations"] == 1_000 * 30
    assert platform.inputs["usage"]["voice-qa-query-worker"]["invocations"] == 200 * 30
    outputs = dict(platform.outputs)
    assert {"environment", "budget", "usage", "exceptions", "frontend"} == set(outputs)


def test_only_tables_that_are_backed_up_count_as_backups() -> None:
    made = graph("prod")
    tables = [item for item in made if item.kind == "Table" and item.custom and item.inputs["tags"]["Backup"] != "none"]
    (platform,) = [entry for entry in made if entry.kind == "Platform"]
    usage = platform.inputs["usage"]
    gigabytes = sum(usage[made[table.parent].name]["storageGb"] for table in tables)
    assert gigabytes > 0
    assert usage["foundation-backup"]["backupGb"] == pytest.approx(gigabytes * 35)
