"""Tests that no role of the bootstrap template can reach something outside its stack.

A breadth-first search (`escalation_search.py`) looks for paths, which are series of allowed requests. To test the search
itself, each condition of the template is removed once, and each resource name with the stack's prefix is replaced by `*`
once. The search must then find a path.

Denials are tested separately, because they must hold even if an administrator attaches further policies. The tests
allow everything else, and check that every request in a list is denied. They also remove each part of a denial once.
Then at least one of these requests must succeed.

A failure prints the path, or the part of the template whose removal changes nothing.
"""

import copy
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from local import ROOT
from local.emulation.iam.policy_conditions import as_list
from local.emulation.iam.policy_evaluator import AccessRequest, evaluate_policies
from local.preview.preview_provider import ACCOUNT
from tests.bootstrap.accepted_accesses import SHARED_ACCESSES, STATE_ACCESSES, AccessGroup, is_accepted
from tests.bootstrap.attack_requests import list_attempts
from tests.bootstrap.attack_targets import OTHER_STACK, STACK, expand_actions, list_targets
from tests.bootstrap.escalation_search import (
    DEPLOY,
    PREVIEW,
    Counterexample,
    EscalationSearch,
    Policies,
    SearchResult,
    Statement,
)
from tests.bootstrap.role_template import resolve_template

pytestmark = pytest.mark.xdist_group("escalation")

STACK_NAME_PREFIX = re.compile(rf"polyphony[-_?]{STACK}[-_?]")


@dataclass(frozen=True)
class Weakening:
    """Statement of the template with one part taken out."""

    description: str
    original: Statement
    weakened: Statement
    service: str = ""
    """Service of the resource whose name was replaced by a wildcard, or empty if a condition was removed."""


def statements_of(documents: list[dict[str, Any]]) -> tuple[Statement, ...]:
    return tuple(statement for document in documents for statement in document["Statement"])


@cache
def policies() -> Policies:
    template = resolve_template(STACK)
    return Policies(
        deploy=statements_of(template.documents("DeployRole")),
        preview=statements_of(template.documents("PreviewRole")),
        boundary=statements_of([template.boundary]),
        trusts=((DEPLOY, template.trust("DeployRole")), (PREVIEW, template.trust("PreviewRole"))),
    )


@cache
def tagged_creations() -> frozenset[str]:
    """Return the actions that a statement of the deploy role allows only with certain tags in the request."""
    return frozenset(
        action
        for statement in policies().deploy
        if "aws:RequestTag/" in str(statement.get("Condition"))
        for action in expand_actions(as_list(statement["Action"]))
    )


@cache
def search() -> EscalationSearch:
    return EscalationSearch(is_accepted, tagged_creations())


def apply_weakening(weakening: Weakening) -> Policies:
    def weaken(statement: Statement) -> Statement:
        return weakening.weakened if statement is weakening.original else statement

    current = policies()
    return Policies(
        deploy=tuple(map(weaken, current.deploy)),
        preview=tuple(map(weaken, current.preview)),
        boundary=tuple(map(weaken, current.boundary)),
        trusts=tuple((role, weaken(trust)) for role, trust in current.trusts),
    )


def find_path(weakening: Weakening, service: str = "") -> Counterexample | None:
    """Return a path that the weakening opens, on resources of one service or of all."""
    actions = {action for action in expand_actions(as_list(weakening.original["Action"])) if action.startswith(service)}
    return search().find_path(apply_weakening(weakening), frozenset(actions))


def list_statements() -> Iterator[tuple[str, Statement]]:
    """Yield each statement of the template once, with its name. The roles share some statements."""
    current = policies()
    groups = {DEPLOY: current.deploy, PREVIEW: current.preview, "boundary": current.boundary}
    groups |= {f"trust policy of the {role}": (trust,) for role, trust in current.trusts}
    yielded_statements: set[int] = set()
    for owner, statements in groups.items():
        for statement in statements:
            if id(statement) not in yielded_statements:
                yielded_statements.add(id(statement))
                yield f"{owner} {statement.get('Sid') or as_list(statement['Action'])[0]}", statement


def list_removed_conditions() -> Iterator[Weakening]:
    for name, statement in list_statements():
        for operator, keys in statement.get("Condition", {}).items():
            for key in keys:
                weakened = copy.deepcopy(dict(statement))
                del weakened["Condition"][operator][key]
                yield Weakening(f"{name}: {operator} {key}", statement, weakened)


def list_widened_names() -> Iterator[Weakening]:
    for name, statement in list_statements():
        for number, pattern in enumerate(as_list(statement.get("Resource", []))):
            if STACK_NAME_PREFIX.search(pattern) and statement["Effect"] == "Allow":
                weakened = copy.deepcopy(dict(statement))
                weakened["Resource"] = as_list(weakened["Resource"])
                weakened["Resource"][number] = re.sub(rf"{STACK_NAME_PREFIX.pattern}.*", "*", pattern)
                yield Weakening(f"{name}: {pattern}", statement, weakened, pattern.split(":")[2])


REMOVED_CONDITIONS, WIDENED_NAMES = list(list_removed_conditions()), list(list_widened_names())
STATEMENTS_WITH_CONDITIONS = [
    pytest.param(statement, id=name)
    for name, statement in list_statements()
    # The search checks trust policies with tokens of GitHub and not with requests on targets.
    if statement.get("Condition") and not name.startswith("trust policy of the ")
]
UNSENT_KEYS = {"ec2:CreateAction"}
"""EC2 sends this key with `ec2:CreateTags` only while it creates the resource. The search sends `ec2:CreateTags` only
for existing resources, so a statement that requires the key allows none of its requests."""


def report(result: SearchResult) -> str:
    """Return the number of states and the worst paths, as the output of a failure."""
    examples = sorted(result.counterexamples, key=lambda example: example.rank)
    return "\n".join([f"{result.state_count} states, {len(examples)} counterexamples", *map(str, examples[:20])])


def test_no_role_reaches_anything_outside_its_stack() -> None:
    result = search().run(policies())
    assert result.state_count > 500, "the search explores nothing"
    assert not result.counterexamples, report(result)


@pytest.mark.parametrize("weakening", REMOVED_CONDITIONS, ids=lambda item: item.description)
def test_the_search_finds_a_path_after_the_removal_of_one_condition(weakening: Weakening) -> None:
    path = find_path(weakening)
    sys.stdout.write(f"without {weakening.description}: {path}\n")  # pytest -rP prints it
    assert path is not None, f"no path without {weakening.description}"


def test_the_search_finds_a_path_after_one_resource_name_becomes_a_wildcard() -> None:
    assert len(WIDENED_NAMES) > 50
    undetected = [item.description for item in WIDENED_NAMES if find_path(item, item.service) is None]
    assert undetected == []


def test_a_path_can_change_tags_first_and_then_the_resource() -> None:
    description = f"{DEPLOY} TagsOfNewNetworks: StringEquals ec2:CreateAction"
    [weakening] = [item for item in REMOVED_CONDITIONS if item.description == description]
    examples = search().run(apply_weakening(weakening)).counterexamples
    paths = [[step.split()[2] for step in example.steps] for example in examples]
    assert ["ec2:CreateTags", "ec2:AuthorizeSecurityGroupIngress"] in paths


def test_a_path_can_use_a_role_of_the_program() -> None:
    """The boundary limits only roles of the program, so without such paths the search would not explore it."""
    every_key = {"Effect": "Allow", "Action": "kms:DisableKey", "Resource": "*"}
    widened = replace(policies(), boundary=(*policies().boundary, every_key))
    path = search().find_path(widened, frozenset({"kms:DisableKey"}))
    assert path is not None
    assert [re.findall(r"\w+:\w+", step.partition(": ")[2])[0] for step in path.steps] == [
        "iam:CreateRole",
        "iam:PutRolePolicy",
        "kms:DisableKey",
    ]


REGION_AND_ACCOUNT = f"us-east-1:{ACCOUNT}"
OWN_TAGS_CONDITION = {"StringEquals": {"aws:ResourceTag/Project": "polyphony", "aws:ResourceTag/Environment": STACK}}
BAD_STATEMENTS = {
    "reads all secrets": {"Action": "secretsmanager:*", "Resource": "*"},
    "passes a foreign role": {"Action": "iam:PassRole", "Resource": "*"},
    "assumes a foreign role": {"Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/*"},
    "changes the trust of a foreign role": {"Action": "iam:UpdateAssumeRolePolicy", "Resource": "*"},
    "changes its own permissions": {
        "Action": "iam:PutRolePolicy",
        "Resource": f"arn:aws:iam::{ACCOUNT}:role/polyphony*",
    },
    "changes the boundary": {"Action": "iam:CreatePolicy*", "Resource": "*"},
    "changes the code of a foreign function": {
        "Action": "lambda:Update*",
        "Resource": f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:*",
    },
    "adds a grant to a foreign key": {"Action": "kms:CreateGrant", "Resource": "*"},
    "puts the stack's tags on a foreign key": {
        "Action": ["kms:TagResource", "kms:PutKeyPolicy"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestTag/Project": "polyphony", "aws:RequestTag/Environment": STACK}},
    },
    "changes the tags of a foreign API": {
        "Action": "apigateway:PUT",
        "Resource": "arn:aws:apigateway:us-east-1::/tags/*",
    },
    "opens a foreign bucket": {"Action": "s3:PutBucketPolicy", "Resource": "arn:aws:s3:::*"},
    "reads the data of machines": {"Action": "ec2:DescribeInstanceAttribute", "Resource": "*"},
    "changes networks that have one of the stack's two tags": {
        "Action": "ec2:Delete*",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/Environment": STACK}},
    },
}
HARMLESS_STATEMENTS = {
    "deletes its own roles, but not their boundary, which a denial protects": {
        "Action": "iam:Delete*",
        "Resource": f"arn:aws:iam::{ACCOUNT}:role/polyphony-{STACK}-*",
    },
    "invokes its own functions": {
        "Action": "lambda:InvokeFunction",
        "Resource": f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:polyphony-{STACK}-*",
    },
    "deletes its own network": {
        "Action": "ec2:DeleteEgressOnlyInternetGateway",
        "Resource": "*",
        "Condition": OWN_TAGS_CONDITION,
    },
    "changes its own key": {"Action": "kms:EnableKeyRotation", "Resource": "*", "Condition": OWN_TAGS_CONDITION},
    "reads its own objects": {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::polyphony-{STACK}-*"},
    "reads its own log": {
        "Action": "logs:GetLogEvents",
        "Resource": f"arn:aws:logs:{REGION_AND_ACCOUNT}:log-group:*polyphony-{STACK}-*",
    },
}


def find_path_with(statement: Statement) -> Counterexample | None:
    widened = replace(policies(), deploy=(*policies().deploy, statement))
    return search().find_path(widened, expand_actions(as_list(statement["Action"])))


@pytest.mark.parametrize("statement", BAD_STATEMENTS.values(), ids=BAD_STATEMENTS)
def test_a_statement_that_reaches_a_resource_outside_the_stack_is_found(statement: dict[str, Any]) -> None:
    assert find_path_with({"Effect": "Allow", **statement}) is not None


@pytest.mark.parametrize("statement", HARMLESS_STATEMENTS.values(), ids=HARMLESS_STATEMENTS)
def test_a_statement_within_the_stack_is_not_reported(statement: dict[str, Any]) -> None:
    assert find_path_with({"Effect": "Allow", **statement}) is None


@cache
def list_sent_condition_keys() -> dict[str, set[str]]:
    """Return the condition keys in the requests that the search makes, by action."""
    allowed = {action for _, item in list_statements() for action in expand_actions(as_list(item["Action"]))}
    keys_by_action: dict[str, set[str]] = {action: set() for action in allowed}
    for target in list_targets(allowed, tagged_creations()):
        for access in target.accesses:
            for attempt in list_attempts(target.ownership, access, target.tags):
                keys_by_action[access.action].update(attempt.context)
    return keys_by_action


@pytest.mark.parametrize("statement", STATEMENTS_WITH_CONDITIONS)
def test_the_search_sends_each_condition_key_of_a_statement(statement: Statement) -> None:
    """A key that no request of the statement's actions contains would make the statement invisible to the search."""
    condition_keys = {key for keys in statement["Condition"].values() for key in keys}
    actions = expand_actions(as_list(statement["Action"]))
    assert condition_keys - UNSENT_KEYS <= {key for action in actions for key in list_sent_condition_keys()[action]}


# Denials of the deploy role, which hold even if an administrator attaches another policy to the role

ROLE = f"arn:aws:iam::{ACCOUNT}:role"
DENIED_REQUESTS = [
    AccessRequest("iam:CreatePolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/polyphony-bootstrap/boundary-{STACK}"),
    AccessRequest("iam:PutRolePolicy", f"{ROLE}/polyphony-bootstrap/deploy-{STACK}"),
    AccessRequest(
        "iam:AddClientIDToOpenIDConnectProvider",
        f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
    ),
    AccessRequest("iam:DeleteRolePermissionsBoundary", f"{ROLE}/polyphony-{STACK}-steps"),
    AccessRequest("iam:AttachRolePolicy", f"{ROLE}/polyphony-{STACK}-steps"),
    AccessRequest("s3:PutAccountPublicAccessBlock", "*"),
]


def list_removed_denials() -> Iterator[tuple[str, tuple[Statement, ...]]]:
    """Yield the deploy role's statements without one action or resource of a denial."""
    for index, statement in enumerate(policies().deploy):
        if statement["Effect"] == "Deny":
            for element in ("Action", "Resource"):
                for item in as_list(statement[element]):
                    other_items = [other for other in as_list(statement[element]) if other != item]
                    weakened = ({**statement, element: other_items},) if other_items else ()
                    deploy = policies().deploy
                    yield f"{statement['Sid']}: {item}", (*deploy[:index], *weakened, *deploy[index + 1 :])


def allowed_beside_an_admin_policy(statements: tuple[Statement, ...]) -> list[str]:
    """Return the actions of `DENIED_REQUESTS` that a role with these statements and an administrator's policy may use."""
    admin = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    documents = [{"Statement": [*statements, admin]}]
    return [request.action for request in DENIED_REQUESTS if evaluate_policies(documents, request).allowed]


def test_the_denials_hold_even_with_an_attached_admin_policy() -> None:
    assert allowed_beside_an_admin_policy(policies().deploy) == []


def test_every_part_of_every_denial_is_needed() -> None:
    weakened = dict(list_removed_denials())
    assert len(weakened) >= 7
    unneeded = [part for part, statements in weakened.items() if not allowed_beside_an_admin_policy(statements)]
    assert unneeded == []


# Accepted accesses to resources outside the stack


def test_the_search_finds_every_accepted_access_and_deploying_md_lists_the_shared_ones() -> None:
    groups = (*SHARED_ACCESSES, *STATE_ACCESSES)
    examples = EscalationSearch(lambda *_: False, frozenset()).run(policies()).counterexamples
    found_titles = {group.title for group in groups for example in examples if is_in_group(example, group)}
    assert found_titles == {group.title for group in groups}
    page = (ROOT / "docs" / "deploying.md").read_text()
    assert [group.title for group in SHARED_ACCESSES if f"- {group.title}" not in page] == []


def is_in_group(example: Counterexample, group: AccessGroup) -> bool:
    return bool(
        example.attempt is not None
        and example.target is not None
        and group.matches(example.principal, example.target, example.attempt)
    )


def test_all_stacks_have_the_searched_statements() -> None:
    """The search explores dev, so another stack must not have other statements."""
    for other in ("staging", OTHER_STACK):
        template = resolve_template(other)
        for role in ("DeployRole", "PreviewRole"):
            searched = str(statements_of(resolve_template(STACK).documents(role)))
            for statement in statements_of(template.documents(role)):
                assert str(statement).replace(other, STACK) in searched, statement
        assert str(template.boundary).replace(other, STACK) == str(resolve_template(STACK).boundary)
