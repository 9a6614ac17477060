"""The template itself: IAM's limits, actions that exist, and what state and keys must have."""

import fnmatch
import json
import re
from collections import defaultdict
from typing import Any

import pytest

from guardrails.model import iam_actions
from local.emulation.iam.policy_evaluator import as_list
from tests.bootstrap.required_actions import actions as needed
from tests.bootstrap.required_actions import needs
from tests.bootstrap.role_template import PATH, deployed, raw

STACKS = ["dev", "staging", "prod"]
LONGEST = 6144
"""Characters of a managed policy, white space left out (IAM, "Quotas and limits")."""
MOST_POLICIES = 10
FARTHEST = "ap-southeast-2"
"""As long as any region's name."""


@pytest.mark.parametrize("stack", STACKS)
def test_every_managed_policy_fits_whatever_the_region(stack: str) -> None:
    for name, document in deployed(stack, FARTHEST).managed():
        assert len("".join(json.dumps(document).split())) <= LONGEST, name


def test_the_deploying_role_has_room_for_its_policies() -> None:
    assert len(deployed("prod").resources["DeployRole"]["Properties"]["ManagedPolicyArns"]) <= MOST_POLICIES


def statements(stack: str) -> list[dict[str, Any]]:
    """Every statement of the managed policies and of the previewing role, its actions as a list."""
    one = deployed(stack)
    documents = [document for _, document in one.managed()] + one.documents("PreviewRole")
    return [{**entry, "Action": as_list(entry["Action"])} for document in documents for entry in document["Statement"]]


def named() -> set[str]:
    return {action for entry in statements("dev") for action in entry["Action"]}


def test_every_action_is_one_that_iam_knows() -> None:
    assert [one for one in sorted(named() | needed()) if "*" not in one and not iam_actions.exists(one)] == []


def test_what_a_type_needs_is_asked_on_resources_that_the_action_knows() -> None:
    """The table is held against IAM's own: an ARN of the wrong form would be granted in vain."""
    vain = set()
    for type_, wanted in needs().items():
        for on, words in wanted.items():
            arn = on.format_map(defaultdict(lambda: "x", region="us-east-1", account="123456789012"))
            for action in (word.partition("?")[0] for word in words.split()):
                known = iam_actions.patterns(action)
                # IAM's table has of `apigateway` the verbs of WebSocket APIs alone.
                if on in {"{role}", "*"} or action.startswith("apigateway:") or any(matches(one, arn) for one in known):
                    continue
                vain.add(f"{type_}: {action} on {on}")
    assert vain == set()


def matches(form: str, arn: str) -> bool:
    return fnmatch.fnmatchcase(arn, form.replace("[", "?"))


def test_a_pattern_of_actions_stands_only_for_what_describes() -> None:
    assert {one for one in named() if "*" in one} == {"ec2:Describe*", "iam:*", "s3:GetBucket*"}


@pytest.mark.parametrize("stack", STACKS)
def test_everything_is_allowed_by_name_and_only_denials_say_everything(stack: str) -> None:
    allowed = {action for entry in statements(stack) if entry["Effect"] == "Allow" for action in entry["Action"]}
    assert {action for action in allowed if action.endswith(":*")} == set()


def test_an_action_that_knows_no_resource_is_granted_on_everything_or_it_is_granted_in_vain() -> None:
    limited = {action for entry in statements("prod") if entry["Resource"] != "*" for action in entry["Action"]}
    assert {one for one in limited if "*" not in one and not iam_actions.has_resource_level(one)} == set()


@pytest.mark.parametrize("stack", STACKS)
def test_without_resource_stand_only_actions_that_have_none_or_whose_condition_confines_them(stack: str) -> None:
    for document in deployed(stack).documents("DeployRole"):
        for entry in document["Statement"]:
            if entry["Effect"] == "Allow" and entry["Resource"] == "*" and "Condition" not in entry:
                assert {
                    action for action in as_list(entry["Action"]) if iam_actions.has_resource_level(action)
                } == set()


def test_state_is_kept_encrypted_versioned_private_and_when_the_template_goes() -> None:
    state: dict[str, Any] = deployed("prod").resources["State"]
    properties = state["Properties"]
    assert (state["DeletionPolicy"], state["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


def test_the_key_outlives_the_template_because_state_needs_it() -> None:
    key = deployed("prod").resources["StateKey"]
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert key["Properties"]["EnableKeyRotation"] is True


def test_the_buckets_name_is_none_of_the_programs() -> None:
    for stack in STACKS:
        name = deployed(stack).resources["State"]["Properties"]["BucketName"]
        assert not any(name.startswith(f"polyphony-{other}-") for other in STACKS)


def test_there_is_no_account_no_secret_and_no_thumbprint_in_it() -> None:
    text = PATH.read_text()
    assert re.search(r"\b[0-9]{12}\b|AKIA|[0-9a-f]{40}", text) is None
    assert set(raw()["Parameters"]) == {"Stack", "Repository", "ProviderIsThere"}
