"""Tests of the bootstrap's CloudFormation template, which creates the roles that preview and deploy a stack.

It stays below IAM's limits, names only actions that exist, and protects the bucket and the key of Pulumi's state.
"""

import fnmatch
import json
import re
from collections import defaultdict
from typing import Any

import pytest

from guardrails.model import iam_action_table
from local.emulation.iam.policy_conditions import as_list
from tests.bootstrap.required_actions import required_actions, required_actions_by_type
from tests.bootstrap.role_template import TEMPLATE_PATH, resolve_template, template

STACKS = ["dev", "staging", "prod"]
USABLE_SHARE = 0.8
"""Share of each limit that is used at most, so that the program can get new resource types."""
MAX_POLICY_CHARACTERS = 6144
"""Maximum characters of a managed policy without white space (IAM guide, "IAM and AWS STS quotas")."""
MAX_INLINE_CHARACTERS = 10240
"""Maximum characters of all inline policies of a role without white space (same page)."""
MAX_ATTACHED_POLICIES = 10
"""Default quota of managed policies of a role (same page)."""
MAX_TEMPLATE_BYTES = 51200
"""Maximum size of a template that `aws cloudformation deploy` sends without `--s3-bucket` (CloudFormation guide,
"Understand CloudFormation quotas")."""
LONG_REGION = "ap-southeast-2"
"""One of the longest region names."""


def policy_characters(document: dict[str, Any]) -> int:
    return len("".join(json.dumps(document).split()))


@pytest.mark.parametrize("stack", STACKS)
def test_every_managed_policy_has_room_to_grow_in_any_region(stack: str) -> None:
    sizes = {
        name: policy_characters(document) for name, document in resolve_template(stack, LONG_REGION).managed_policies()
    }
    assert {name for name, size in sizes.items() if size > USABLE_SHARE * MAX_POLICY_CHARACTERS} == set(), sizes


def test_every_role_and_the_template_have_room_to_grow() -> None:
    for role in ("DeployRole", "PreviewRole"):
        properties = resolve_template("prod", LONG_REGION).resources[role]["Properties"]
        assert len(properties["ManagedPolicyArns"]) <= USABLE_SHARE * MAX_ATTACHED_POLICIES, role
        inline = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
        assert sum(map(policy_characters, inline)) <= USABLE_SHARE * MAX_INLINE_CHARACTERS, role
    assert TEMPLATE_PATH.stat().st_size <= USABLE_SHARE * MAX_TEMPLATE_BYTES


def statements(stack: str) -> list[dict[str, Any]]:
    """Return every statement of the managed policies and of the preview role, with its actions as a list."""
    template_of_stack = resolve_template(stack)
    documents = [document for _, document in template_of_stack.managed_policies()] + template_of_stack.documents(
        "PreviewRole"
    )
    return [{**entry, "Action": as_list(entry["Action"])} for document in documents for entry in document["Statement"]]


def granted_actions() -> set[str]:
    return {action for entry in statements("dev") for action in entry["Action"]}


def test_every_action_exists_in_iam() -> None:
    assert [
        action
        for action in sorted(granted_actions() | required_actions())
        if "*" not in action and not iam_action_table.is_known_action(action)
    ] == []


def test_each_required_action_supports_its_resource() -> None:
    """Check `needs.toml`, which lists the required actions of each resource type, against IAM's list of actions.

    A grant on an ARN of the wrong form would have no effect.
    """
    ineffective_grants = set()
    for type_, required in required_actions_by_type().items():
        for arn_pattern, actions_text in required.items():
            arn = arn_pattern.format_map(defaultdict(lambda: "x", region="us-east-1", account="123456789012"))
            for action_text in actions_text.split():
                action, _, _condition = action_text.partition("?")
                known_patterns = iam_action_table.get_arn_patterns(action)
                # For `apigateway`, IAM's list only has the actions of WebSocket APIs.
                if (
                    arn_pattern in {"{role}", "*"}
                    or action.startswith("apigateway:")
                    or any(matches_pattern(arn, pattern) for pattern in known_patterns)
                ):
                    continue
                ineffective_grants.add(f"{type_}: {action} on {arn_pattern}")
    assert ineffective_grants == set()


def matches_pattern(arn: str, pattern: str) -> bool:
    # A bracket is a literal character for IAM and the start of a character set for fnmatch.
    return fnmatch.fnmatchcase(arn, pattern.replace("[", "?"))


WILDCARDS = {
    # Deploy role and preview role: all changes and reads of the configuration of one resource type of the stack.
    *("athena:*WorkGroup", "batch:*ComputeEnvironment", "batch:*JobQueue", "events:*Archive", "lambda:Delete*"),
    *("lambda:Get*Con*", "lambda:Update*", "logs:*MetricFilter", "logs:*RetentionPolicy", "s3:Get*Configuration"),
    *("s3:GetBucket*", "scheduler:*Schedule", "states:*StateMachine"),
    # Permissions boundary, which grants nothing.
    *("bedrock:InvokeModel*", "dynamodb:*Item", "glue:*JobRun*", "logs:*LogDeliver*"),
    *("s3:ListBucket*", "sqs:*Message", "transcribe:StartStreamTranscription*", "xray:GetSampling*"),
    # A statement with the effect Deny.
    "iam:*",
}


def test_wildcards_are_used_only_for_known_groups_of_actions() -> None:
    assert {action for action in granted_actions() if "*" in action} == WILDCARDS


@pytest.mark.parametrize("stack", STACKS)
def test_only_denials_cover_all_actions_of_a_service(stack: str) -> None:
    allowed = {action for entry in statements(stack) if entry["Effect"] == "Allow" for action in entry["Action"]}
    assert {action for action in allowed if action.endswith(":*")} == set()


def test_an_action_without_resource_level_permissions_is_granted_on_all_resources() -> None:
    limited = {action for entry in statements("prod") if entry["Resource"] != "*" for action in entry["Action"]}
    assert {
        action for action in limited if "*" not in action and not iam_action_table.has_resource_level(action)
    } == set()


@pytest.mark.parametrize("stack", STACKS)
def test_a_grant_on_all_resources_has_a_condition_or_actions_without_resource_level_permissions(stack: str) -> None:
    for document in resolve_template(stack).documents("DeployRole"):
        for entry in document["Statement"]:
            if entry["Effect"] == "Allow" and entry["Resource"] == "*" and "Condition" not in entry:
                assert {
                    action for action in as_list(entry["Action"]) if iam_action_table.has_resource_level(action)
                } == set()


def test_the_state_bucket_is_encrypted_versioned_private_and_retained() -> None:
    state: dict[str, Any] = resolve_template("prod").resources["State"]
    properties = state["Properties"]
    assert (state["DeletionPolicy"], state["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


def test_the_state_key_is_retained_and_rotated() -> None:
    key = resolve_template("prod").resources["StateKey"]
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert key["Properties"]["EnableKeyRotation"] is True


def test_the_state_buckets_name_differs_from_the_programs_buckets() -> None:
    for stack in STACKS:
        name = resolve_template(stack).resources["State"]["Properties"]["BucketName"]
        assert not any(name.startswith(f"polyphony-{program_stack}-") for program_stack in STACKS)


def test_the_template_contains_no_account_secret_or_thumbprint() -> None:
    text = TEMPLATE_PATH.read_text()
    assert re.search(r"\b[0-9]{12}\b|AKIA|[0-9a-f]{40}", text) is None
    assert set(template()["Parameters"]) == {"Stack", "Repository", "ProviderIsThere"}
