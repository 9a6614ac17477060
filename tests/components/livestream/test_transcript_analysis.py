"""Tests of the transcript analysis: memory, queues, functions, token metrics and model permissions.

The function `transcript-windows` divides a transcript into windows, which are small enough for one model request. The
fact-check agent analyses one window per invocation.
"""

import json
from typing import Any

import pytest

from components.blocks.bedrock.agentcore_memory import MEMORY_ID_SUFFIX
from local.emulation.iam.policy_evaluator import matches_resource
from local.platform.driver_model.service_shapes import service_model
from tests.components.deployment_harness import QUEUES, arn, variables
from tests.components.livestream.recorded_deployment import BUCKET, PREFIX, TABLE, changed_preview, deployed, previewed
from tests.fake_engine import Recorded


def test_the_rule_matches_uploaded_transcripts_only() -> None:
    pattern = json.loads(deployed().one("cloudwatch.EventRule", "transcript-created").inputs["eventPattern"])
    assert pattern["detail"] == {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": "transcripts/"}]}}
    target = deployed().one("cloudwatch.EventTarget", "transcript-created").inputs
    assert target["arn"] == arn("sqs", f"{PREFIX}-transcript-events")


def test_the_memory_has_the_required_name_retention_and_strategies() -> None:
    memory = deployed().one("bedrock.AgentcoreMemory").inputs
    assert (memory["name"], memory["eventExpiryDuration"]) == ("polyphony_test_clipAgentMemory", 90)
    strategies = {
        strategy.inputs["type"]: strategy.inputs["namespaceTemplates"]
        for strategy in deployed().all("bedrock.AgentcoreMemoryStrategy")
    }
    assert strategies == {"SUMMARIZATION": ["/summaries/{actorId}/{sessionId}/"], "SEMANTIC": ["/facts/{actorId}/"]}
    assert changed_preview().one("bedrock.AgentcoreMemory").inputs["eventExpiryDuration"] == 30
    facts, summaries = deployed().all("bedrock.AgentcoreMemoryStrategy")
    assert summaries in list(deployed().ancestors(facts)), "AgentCore refuses concurrent updates of one memory"


@pytest.mark.parametrize(
    ("memory_id", "is_matched"),
    [
        ("polyphony_test_clipAgentMemory-aB3dE6gH9j", True),
        ("polyphony_test_clipAgentMemory2-aB3dE6gH9j", False),
        ("polyphony_test_clipAgentMemory-aB3dE6gH9", False),
        ("polyphony_test_clipAgentMemory-aB3dE6gH9jK", False),
        ("other_polyphony_test_clipAgentMemory-aB3dE6gH9j", False),
    ],
)
def test_the_grants_match_only_the_memory_with_the_stacks_name(memory_id: str, is_matched: bool) -> None:
    [statement] = [item for item in json.loads(agent_policy(deployed()))["Statement"] if ":memory/" in str(item)]
    [pattern] = statement["Resource"]
    assert matches_resource(arn("bedrock-agentcore", f"memory/{memory_id}"), pattern) is is_matched


def test_agentcore_still_builds_a_memorys_id_from_its_name() -> None:
    """The grants rely on it: a name has no hyphen, and the id is the name with a hyphen and ten characters."""
    model = service_model("bedrock-agentcore-control")
    assert model.shape_for("Name").metadata["pattern"] == "[a-zA-Z][a-zA-Z0-9_]{0,47}"
    assert model.shape_for("MemoryId").metadata["pattern"].endswith("-[a-zA-Z0-9]{10}")
    assert MEMORY_ID_SUFFIX == "-" + 10 * "?"


def test_the_agent_has_time_for_two_answers_about_one_window_per_invocation() -> None:
    function = deployed().one("lambda.Function", "livestream-agent").inputs
    assert (function["timeout"], function["memorySize"]) == (2 * 65 + 20, 1024), "20 seconds to read and to store"
    mapping = deployed().one("lambda.EventSourceMapping", "agent-windows").inputs
    assert (mapping["batchSize"], mapping["functionResponseTypes"]) == (1, ["ReportBatchItemFailures"])
    queue = deployed().one("sqs.Queue", "livestream-agent-windows-queue").inputs
    assert queue["visibilityTimeoutSeconds"] == 6 * 150


def test_a_setting_limits_the_concurrent_invocations_of_the_agent() -> None:
    mapping = deployed().one("lambda.EventSourceMapping", "agent-windows").inputs
    assert mapping["scalingConfig"] == {"maximumConcurrency": 5}
    mapping = changed_preview().one("lambda.EventSourceMapping", "agent-windows").inputs
    assert mapping["scalingConfig"] == {"maximumConcurrency": 6}


def test_both_functions_use_the_same_table_and_bucket() -> None:
    for function in ("livestream-agent-function", "transcript-windows"):
        environment = variables(changed_preview(), function)
        assert (environment["TABLE_NAME"], environment["BUCKET_NAME"]) == (TABLE, BUCKET)


def test_the_functions_read_window_sizes_queue_and_model() -> None:
    environment = variables(changed_preview(), "transcript-windows")
    sizes = [environment[name] for name in ("WINDOW_CHARACTERS", "WINDOW_SECONDS", "OVERLAP_CHARACTERS")]
    assert sizes == ["2000", "600", "600"]
    assert variables(deployed(), "transcript-windows")["AGENT_QUEUE_URL"] == f"{QUEUES}/{PREFIX}-agent-windows"
    assert variables(deployed(), "livestream-agent-function")["MODEL_ID"].startswith("us.anthropic.")


def agent_policy(recorded: Recorded) -> str:
    """Return the agent's only policy document."""
    [policy] = [
        item.inputs["policy"] for item in recorded.all("iam.RolePolicy") if item.name.startswith("livestream-agent-")
    ]
    return str(policy)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (
            {"modelId": "anthropic.claude-haiku-5-5"},
            {"arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-5-5"},
        ),
        (
            {"modelId": "global.anthropic.claude-x-v1:0", "modelRegions": ["us-east-1"]},
            {
                arn("bedrock", "inference-profile/global.anthropic.claude-x-v1:0"),
                "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-x-v1:0",
                "arn:aws:bedrock:::foundation-model/anthropic.claude-x-v1:0",
            },
        ),
    ],
)
def test_the_agent_may_invoke_only_the_configured_model(agent: dict[str, Any], expected: set[str]) -> None:
    policy = agent_policy(previewed(agent=agent))
    statements = [item for item in json.loads(policy)["Statement"] if "bedrock:InvokeModel" in item["Action"]]
    assert {resource for statement in statements for resource in statement["Resource"]} == expected


def test_the_agent_reads_the_token_limit_and_the_timeout_of_an_answer() -> None:
    environment = variables(deployed(), "livestream-agent-function")
    assert (environment["MAX_OUTPUT_TOKENS"], environment["ANSWER_SECONDS"]) == ("3900", "65")
    assert variables(changed_preview(), "livestream-agent-function")["ANSWER_SECONDS"] == "66"
