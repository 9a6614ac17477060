"""Tests that the bootstrap's template stays below limits, names actions that exist, and protects state and repository."""

import fnmatch
import json
import re
from collections import defaultdict
from typing import Any

import pytest

from guardrails.surface.tables import Table, read_table
from local.emulation.iam.policy_evaluator import as_list
from tests.bootstrap.account_model import arn_patterns, list_entries
from tests.bootstrap.required_actions import REQUIRED
from tests.bootstrap.template import TEMPLATE_PATH, resolve_template

USABLE_SHARE = 0.95
"""Share of each limit that is used at most, so that a new resource type does not meet the limit without notice."""
STATEMENTS = [
    {**statement, "Action": as_list(statement["Action"])}
    for role in ("DeployRole", "PreviewRole", "Boundary")
    for statement in resolve_template("dev").statements(role)
]


def test_every_policy_and_the_template_have_room_to_grow_in_any_region() -> None:
    """The limits are in the IAM guide, "IAM and AWS STS quotas", and the CloudFormation guide, "quotas"."""

    def characters(document: dict[str, Any]) -> int:
        return len("".join(json.dumps(document).split()))

    template = resolve_template("staging", "ap-southeast-2")  # one of the longest region names
    for name, resource in template.resources.items():
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            assert characters(template.properties[name]["PolicyDocument"]) <= USABLE_SHARE * 6144, name
    for role in ("DeployRole", "PreviewRole"):
        assert len(template.properties[role]["ManagedPolicyArns"]) <= 8, "a role has at most 10"
        assert sum(map(characters, template.properties[role].get("Policies", ()))) <= USABLE_SHARE * 10240
    assert TEMPLATE_PATH.stat().st_size <= USABLE_SHARE * 51200


def test_each_required_action_supports_its_resource() -> None:
    """A grant on an ARN of the wrong form would have no effect. For `apigateway`, IAM's list has only WebSocket APIs."""
    ineffective = set()
    for pattern, action in REQUIRED:
        arn = pattern.format_map(defaultdict(lambda: "x", region="us-east-1", account="123456789012"))
        # A bracket is a literal character for IAM and the start of a character set for fnmatch.
        supported = any(fnmatch.fnmatchcase(arn, known.replace("[", "?")) for known in arn_patterns(action))
        if not supported and pattern not in {"{role}", "*"} and not action.startswith("apigateway:"):
            ineffective.add(f"{action} on {pattern}")
    assert ineffective == set()


def test_every_action_exists_in_iam_and_wildcards_are_used_only_for_known_groups() -> None:
    actions = {action for item in STATEMENTS for action in item["Action"]}
    # The boundary grants nothing, and a denial has `iam:*`. The others are all changes or reads of one resource type.
    assert " ".join(sorted(action for action in actions if "*" in action)) == (
        "athena:*WorkGroup batch:*ComputeEnvironment batch:*JobQueue bedrock:InvokeModel* dynamodb:*Item events:*Archive "
        "glue:*JobRun* iam:* lambda:Delete* lambda:Get*Con* lambda:Update* logs:*LogDeliver* logs:*MetricFilter "
        "logs:*RetentionPolicy s3:Get*Configuration s3:GetBucket* s3:ListBucket* scheduler:*Schedule sqs:*Message "
        "states:*StateMachine transcribe:StartStreamTranscription* xray:GetSampling*"
    )
    assert [item for item in STATEMENTS if "iam:*" in item["Action"] and item["Effect"] != "Deny"] == []
    exact = {action for action in actions if "*" not in action} | {action for _, action in REQUIRED}
    assert {action for action in exact if not list_entries(action) and not arn_patterns(action)} == set()


def test_a_grant_names_its_resources_if_and_only_if_the_actions_support_it() -> None:
    for item in STATEMENTS:
        exact = {action for action in item["Action"] if "*" not in action}
        if item["Resource"] != "*":
            assert {action for action in exact if not arn_patterns(action)} == set()
        elif item["Effect"] == "Allow" and "Condition" not in item and item.get("Sid"):  # the boundary's have no Sid
            assert {action for action in exact if arn_patterns(action)} == set()


def test_the_state_is_encrypted_versioned_private_and_retained() -> None:
    resources, properties = resolve_template("prod").resources, resolve_template("prod").properties
    for name in ("State", "StateKey", "MediaImages", "Provider"):
        assert (resources[name]["DeletionPolicy"], resources[name]["UpdateReplacePolicy"]) == ("Retain", "Retain")
    state, key = properties["State"], properties["StateKey"]
    assert state["VersioningConfiguration"] == {"Status": "Enabled"}
    assert list(state["PublicAccessBlockConfiguration"].values()) == [True] * 4
    [rule] = state["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert key["EnableKeyRotation"] is True
    assert [item["Principal"] for item in key["KeyPolicy"]["Statement"]] == [{"AWS": "arn:aws:iam::123456789012:root"}]
    [only_tls] = properties["StateOnlyByTls"]["PolicyDocument"]["Statement"]
    assert (only_tls["Effect"], only_tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_image_repository_is_scanned_and_its_tags_never_move(stack: str) -> None:
    repository = resolve_template(stack).properties["MediaImages"]
    assert resolve_template(stack).outputs["MediaImages"].endswith(f":repository/{repository['RepositoryName']}")
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    rules = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged", "any"]


def test_the_template_contains_no_account_secret_or_thumbprint() -> None:
    assert re.search(r"\b[0-9]{12}\b|AKIA|[0-9a-f]{40}", TEMPLATE_PATH.read_text()) is None
    assert set(resolve_template("prod").parameters) == {"Stack", "Repository", "ProviderIsThere"}


def test_the_boundary_allows_every_action_that_a_role_may_have() -> None:
    """The table of the policy pack lists what roles may do. An action that the boundary lacks would fail only on AWS."""
    allowed = [action for item in resolve_template("prod").statements("Boundary") for action in as_list(item["Action"])]
    rows = [row.split(" | ") for row in sorted(read_table(Table.GRANTS)) if not row.startswith("aws:")]
    actions = {row[1] for row in rows if " trust " not in row[0] and row[1] != "unknown"}
    assert {item for item in actions if not any(fnmatch.fnmatchcase(item, pattern) for pattern in allowed)} == set()
