"""Tests of the bootstrap's roles and permissions boundary, with the IAM policy evaluator of the local platform.

They cover the tokens that may assume the roles, what each resource type and the program's roles need, and requests inside
the stack (`verdicts.toml`). `test_escalation.py` tests what lies outside the stack.
"""

import inspect
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pulumi_aws
import pytest

from local import ACCOUNT
from local.drivers import ALL_DRIVERS
from local.emulation.iam.policy_evaluator import AccessRequest, as_list, evaluate_policies
from local.generate.documented_resource_graph import build_graph, build_stack_graph, list_role_statements
from local.preview.botocore_input_checks import UNUSED_BY_DRIVER, find_invalid_inputs
from local.preview.resource_graph import Graph
from tests.bootstrap.account_model import list_entries
from tests.bootstrap.required_actions import REQUIRED, REQUIRED_ACTIONS, list_requests
from tests.bootstrap.template import REPOSITORY, STATE_KEY_ARN, resolve_template
from tests.whole_program import ONE_WORKER_FOR_DOCUMENTS, change_sections

pytestmark = ONE_WORKER_FOR_DOCUMENTS
STACKS = ["dev", "staging", "prod"]
VERDICTS = tomllib.loads(Path(__file__).with_name("verdicts.toml").read_text())["request"]


def list_allowed(role: str, requests: Iterable[AccessRequest], stack: str, more: Sequence[Any] = ()) -> list[Any]:
    """Return the requests that a role, or the boundary, allows together with more statements."""
    document = {"Statement": [*resolve_template(stack).statements(role), *more]}
    return [request for request in requests if evaluate_policies([document], request).allowed]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(("role", "suffix"), [("DeployRole", ""), ("PreviewRole", "-preview")])
def test_a_role_trusts_exactly_the_tokens_of_one_github_environment(stack: str, role: str, suffix: str) -> None:
    issuer = "token.actions.githubusercontent.com"
    claims = {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": f"repo:{REPOSITORY}:environment:{stack}{suffix}"}
    assert resolve_template(stack).properties[role]["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": claims},
        }
    ]


def test_a_pattern_is_not_accepted_as_a_repository() -> None:
    pattern = re.compile(resolve_template("prod").parameters["Repository"]["AllowedPattern"])
    assert pattern.fullmatch(REPOSITORY)
    assert not any(map(pattern.fullmatch, ["org/*", "*", "org/repo:*", "org", "or?g/repo", "a/b/c", "a/b "]))


@cache
def graph_with_all_options() -> Graph:
    """Return the resources of a stack with every setting that grants something which no committed stack file grants."""
    keys = {"environmentKeyArn": STATE_KEY_ARN, "spark": {"encryptionKeyArn": STATE_KEY_ARN}}
    meetings = {"tableKmsKey": STATE_KEY_ARN, "processing": {"engine": "fargate"}}
    return build_graph(change_sections("prod", {"ingestion": {"networkAttached": True, **keys}, "meetings": meetings}))


@pytest.mark.parametrize("stack", [*STACKS, "options"])
def test_every_grant_of_every_role_is_within_the_boundary(stack: str) -> None:
    stack, graph = ("prod", graph_with_all_options()) if stack == "options" else (stack, build_stack_graph(stack))
    # The program tags the memory of livestream's agent. A customer managed key must have the same tags.
    tags = {"aws:resourcetag/project": "polyphony", "aws:resourcetag/environment": stack}
    grants = {}
    for _, statement in list_role_statements(graph):
        resources = as_list(statement["Resource"])
        context = dict(tags) if any(arn == STATE_KEY_ARN or ":memory/" in arn for arn in resources) else {}
        for operator, keys in (statement.get("Condition") or {}).items():
            if operator != "Null":
                context |= {key.lower(): value if isinstance(value, str) else value[0] for key, value in keys.items()}
        for action in as_list(statement["Action"]):
            for resource in resources:
                # Treat a policy variable as one name, and a pattern as a name that it matches.
                request = AccessRequest(action, resource.replace("${", "").replace("}", ""), context)
                grants[repr(request)] = request
    assert len(grants) > 100
    assert set(grants) - {repr(request) for request in list_allowed("Boundary", grants.values(), stack)} == set()


def test_the_local_platform_supports_every_optional_setting() -> None:
    """A resource driver of the local platform reports an input that it would ignore."""
    invalid_inputs = find_invalid_inputs(graph_with_all_options())
    assert [str(invalid) for invalid in invalid_inputs if invalid.rule == UNUSED_BY_DRIVER] == []


def reads_configuration(action: str) -> bool:
    """Return True for a read without content (objects, code, secrets), which the provider needs while it plans."""
    content = {"s3:GetObject", "s3:GetObjectTagging", "s3:ListBucket", "ssm:GetParameter", "lambda:GetFunction"}
    content |= {"lambda:GetLayerVersion", "kms:DescribeKey"}
    return action not in content and any(entry["access_level"] in {"Read", "List"} for entry in list_entries(action))


@pytest.mark.parametrize("stack", STACKS)
def test_the_deploy_role_can_manage_every_resource_of_a_stack_and_the_preview_role_can_read_it(stack: str) -> None:
    graph, boundary = build_stack_graph(stack), resolve_template(stack).boundary_arn
    resources = graph.customs()
    needs = {repr(item): item for each in resources for item in list_requests(each, graph, stack, boundary)}
    assert len(needs) > 1000
    assert set(needs) - set(map(repr, list_allowed("DeployRole", needs.values(), stack))) == set()
    reads = {key for key, item in needs.items() if reads_configuration(item.action)}
    assert set(map(repr, list_allowed("PreviewRole", needs.values(), stack))) ^ reads == set()


def test_every_resource_type_lists_its_required_actions_and_the_deploy_role_has_them_all() -> None:
    """Optional settings create networks, so the role needs the actions of types that no stack has yet."""
    assert set(ALL_DRIVERS) == set(REQUIRED_ACTIONS)
    allowed = [item for item in resolve_template("prod").statements("DeployRole") if item["Effect"] == "Allow"]
    anywhere = {"Statement": [{"Effect": "Allow", "Action": item["Action"], "Resource": "*"} for item in allowed]}
    assert [item for _, item in REQUIRED if not evaluate_policies([anywhere], AccessRequest(item, "x")).allowed] == []


def is_taggable(type_: str) -> bool:
    _, module, name = type_.split(":")
    package = getattr(pulumi_aws, module.partition("/")[0].replace("lambda", "lambda_"))
    return "tags" in inspect.signature(getattr(package, name)._internal_init).parameters


def test_every_taggable_resource_type_may_be_tagged_and_has_the_tags_by_which_a_grant_selects_it() -> None:
    """The provider's requests for tags need actions of their own, and the deploy role changes only resources with tags."""
    tag_action = re.compile(r":(Add|Create|Put|Update)?\w*Tag(s|ging|Resource|Role|Queue|sToResource)\b|/tags/")
    untagged = {type_ for type_, needs in REQUIRED_ACTIONS.items() if needs and not tag_action.search(str(needs))}
    assert {type_ for type_ in untagged if is_taggable(type_)} == set()
    by_tags = {type_ for type_, needs in REQUIRED_ACTIONS.items() if re.search(r"\?re(quest|source)-tags", str(needs))}
    for stack in STACKS:
        tags = {"Project": "polyphony", "Environment": stack}
        graph = build_stack_graph(stack)
        resources = [item for item in graph.customs() if item.type in by_tags and is_taggable(item.type)]
        assert resources
        assert [item.name for item in resources if not tags.items() <= dict(item.inputs["tags"]).items()] == []


@pytest.mark.parametrize("row", VERDICTS, ids=lambda row: f"{row['actions']} {row['arn']}")
def test_a_request_inside_the_stack_has_the_verdict_of_the_table(row: dict[str, Any]) -> None:
    requests = [AccessRequest(action, row["arn"], row.get("context", {})) for action in row["actions"].split()]
    admin = [{"Effect": "Allow", "Action": "*", "Resource": "*"}] if row.get("admin") else []
    for verdict, expected in (("allowed", requests), ("refused", [])):
        for role in row.get(verdict, "").split():
            assert list_allowed(role, requests, row.get("stack", "prod"), admin) == expected, role


def test_the_stack_file_names_the_boundary_that_the_bootstrap_creates() -> None:
    for stack in STACKS:
        template = resolve_template(stack)
        roles = [resource for resource in build_stack_graph(stack) if resource.kind == "Role"]
        assert {role.inputs["permissionsBoundary"] for role in roles} == {template.boundary_arn}
        assert template.boundary_arn.endswith(f":policy/{template.outputs['Boundary']}")
