"""Tests that no role of the bootstrap template can reach something outside its stack.

A search looks for paths, which are series of allowed requests. To test it, each condition of the template is removed once,
and each resource name with the stack's prefix is replaced by `*` once. The search must then find a path.
"""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local import ROOT
from local.emulation.iam.policy_evaluator import as_list
from tests.bootstrap.account_model import OTHER_STACK, STACK, VALUES, expand_action
from tests.bootstrap.escalation_search import (
    ACCEPTED,
    DEPLOY,
    TEMPLATE,
    Finding,
    Statement,
    expand,
    find_paths,
    is_in_group,
)
from tests.bootstrap.template import resolve_template

pytestmark = pytest.mark.xdist_group("escalation")
STACK_NAME = re.compile(rf"polyphony[-_]{STACK}[-_].*")
DIRECTLY_TESTED = {"Created", "CreatedWithoutArn", "RolesWithBoundary", "PassRolesToServices"}


def find_path(original: Statement, weakened: Statement, service: str = "") -> Finding | None:
    """Return a path that opens if the weakened statement replaces the original one, on resources of one service or all."""
    actions = frozenset(action for action in expand(original) if action.startswith(service))
    policies = {
        principal: [weakened if statement is original else statement for statement in statements]
        for principal, statements in TEMPLATE.items()
    }
    return next(find_paths(policies, actions), None)


def list_statements() -> Iterator[tuple[str, Statement]]:
    """Yield each statement of the template once, with its name. The roles share some statements."""
    by_id = {id(item): (principal, item) for principal, statements in TEMPLATE.items() for item in statements}
    for principal, statement in by_id.values():
        yield f"{principal} {statement.get('Sid') or as_list(statement['Action'])[0]}", statement


def list_removed_conditions() -> Iterator[Any]:
    for name, statement in list_statements():
        keys = [(operator, key) for operator, items in statement.get("Condition", {}).items() for key in items]
        for operator, key in keys if name.rpartition(" ")[2] not in DIRECTLY_TESTED else ():
            weakened: dict[str, Any] = copy.deepcopy(dict(statement))
            del weakened["Condition"][operator][key]
            yield pytest.param(statement, weakened, id=f"{name}: {operator} {key}")


def list_widened_names() -> Iterator[tuple[Statement, Statement, str]]:
    for _, statement in list_statements():
        patterns = as_list(statement["Resource"])
        for pattern in patterns if statement["Effect"] == "Allow" else ():
            if STACK_NAME.search(pattern):
                widened = [STACK_NAME.sub("*", item) if item == pattern else item for item in patterns]
                yield statement, {**statement, "Resource": widened}, pattern.split(":")[2]


def test_no_role_reaches_anything_outside_its_stack() -> None:
    assert [finding.steps for finding in find_paths(TEMPLATE)] == []


@pytest.mark.parametrize(("statement", "weakened"), list(list_removed_conditions()))
def test_the_search_finds_a_path_after_the_removal_of_one_condition(statement: Statement, weakened: Statement) -> None:
    assert find_path(statement, weakened) is not None


def test_the_search_finds_a_path_after_one_resource_name_becomes_a_wildcard() -> None:
    weakenings = list(list_widened_names())
    assert len(weakenings) > 50
    assert [item[1]["Resource"] for item in weakenings if find_path(*item) is None] == []


def test_the_search_reports_only_statements_that_leave_the_stack() -> None:
    reported = []
    for action, resource in (*VALUES["statements"]["bad"], *VALUES["statements"]["good"]):
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        policies = {**TEMPLATE, DEPLOY: [*TEMPLATE[DEPLOY], statement]}
        if next(find_paths(policies, expand_action(action)), None):
            reported.append([action, resource])
    assert reported == VALUES["statements"]["bad"]


def test_a_path_can_change_tags_first_and_then_the_resource() -> None:
    policies = {
        **TEMPLATE,
        DEPLOY: [*TEMPLATE[DEPLOY], {"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "*"}],
    }
    steps = [[step.split()[1] for step in path.steps] for path in find_paths(policies, frozenset({"ec2:CreateTags"}))]
    assert ["ec2:CreateTags", "ec2:AuthorizeSecurityGroupIngress"] in steps


def test_the_search_finds_every_accepted_access_and_deploying_md_lists_the_shared_ones() -> None:
    findings = list(find_paths(TEMPLATE, accepted=()))
    assert [group for group in ACCEPTED if not any(is_in_group(finding, group) for finding in findings)] == []
    page = (ROOT / "docs" / "deploying.md").read_text().partition("### What stacks in one account share")[2]
    listed = re.findall("^- (.*)$", page.partition("\n## ")[0], re.MULTILINE)
    assert listed == [group["title"] for group in ACCEPTED if "title" in group]


def test_all_stacks_have_the_searched_statements() -> None:
    """The search explores dev, so another stack must not have other statements."""
    for stack in ("staging", OTHER_STACK):
        for principal, searched in TEMPLATE.items():
            for statement in resolve_template(stack).statements(principal):
                assert str(statement).replace(stack, STACK) in str(searched), statement


def test_what_the_deploy_role_creates_gets_the_tags_of_its_stack() -> None:
    found = {item["Sid"]: item["Condition"] for item in TEMPLATE[DEPLOY] if "aws:RequestTag/" in str(item)}
    condition = {"StringEquals": {"aws:RequestTag/Project": "polyphony", "aws:RequestTag/Environment": STACK}}
    assert found == dict.fromkeys(("Created", "CreatedWithoutArn", "TagsOfNewRestStages"), condition)
