"""Breadth-first search for resources that the bootstrap's roles can reach outside their stack.

The attacker uses the roles of the template, and a role of the program with every permission that the boundary allows, which
the deploy role can create. The search makes each request of `account_model` that the policies allow, follows those that
change a target's tags, and reports each that affects something outside the stack. `accepted.toml` lists the allowed effects.
"""

import fnmatch
import tomllib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from local import ACCOUNT, REGION
from local.emulation.iam.policy_evaluator import AccessRequest, AccessVerdict, as_list, evaluate_policies
from tests.bootstrap import account_model
from tests.bootstrap.account_model import NO_TAGS, OWN_TAGS, STACK, Attempt, Tags, Target
from tests.bootstrap.template import resolve_template

Statement = Mapping[str, Any]
Policies = Mapping[str, Sequence[Statement]]
"""Policy statements of the deploy role, of the preview role and of the boundary, by name in the template."""
DEPLOY, PREVIEW, PROGRAM = PRINCIPALS = ("DeployRole", "PreviewRole", "Boundary")
Group = Mapping[str, str]
ACCEPTED: Sequence[Group] = tomllib.loads(Path(__file__).with_name("accepted.toml").read_text())["group"]


class Finding(NamedTuple):
    """Path to something outside the stack."""

    steps: tuple[str, ...]
    principal: str
    target: Target
    attempt: Attempt


TEMPLATE: Policies = {name: resolve_template(STACK).statements(name) for name in PRINCIPALS}


def expand(statement: Statement) -> frozenset[str]:
    """Return the actions of AWS that a statement concerns."""
    return frozenset().union(*map(account_model.expand_action, as_list(statement["Action"])))


def find_paths(
    policies: Policies, changed: frozenset[str] | None = None, accepted: Sequence[Group] = ACCEPTED
) -> Iterator[Finding]:
    """Yield the findings that no accepted group contains. If the `changed` actions are given, search only their targets."""
    by_action = {principal: _index(statements) for principal, statements in policies.items()}
    for target in account_model.list_targets(frozenset().union(*by_action.values())):
        if changed is None or any(access.action in changed for access in target.accesses):
            findings = _search_target(target, by_action)
            yield from (item for item in findings if not any(is_in_group(item, group) for group in accepted))


def _search_target(target: Target, by_action: Mapping[str, Mapping[str, list[Statement]]]) -> Iterator[Finding]:
    """Yield the requests that affect the target, and follow those that change its tags."""
    paths: dict[Tags, tuple[str, ...]] = {target.tags: ()}
    queue = deque([target.tags])
    while queue:
        tags = queue.popleft()
        for principal, index in by_action.items():
            # Changed tags make no difference to an access for which IAM does not compare tags.
            for access in (item for item in target.accesses if item.sees_tags or tags == target.tags):
                for attempt in account_model.list_attempts(access, tags) if access.action in index else ():
                    if not _allows(index[access.action], attempt):
                        continue
                    steps = (*paths[tags], f"{principal}: {access.action} on {access.arn} with {attempt.context}")
                    new_tags = attempt.tags_after(tags)
                    if target.tags != OWN_TAGS and new_tags not in paths:
                        paths[new_tags] = steps
                        queue.append(new_tags)
                    if target.tags != OWN_TAGS or (access.level == "Tagging" and not target.tags <= new_tags):
                        yield Finding(steps, principal, target, attempt)


def _index(statements: Iterable[Statement]) -> dict[str, list[Statement]]:
    """Return the statements that concern each action that some statement allows."""
    expanded = [(item, expand(item)) for item in statements]
    allowed = frozenset().union(*(actions for item, actions in expanded if item["Effect"] == "Allow"))
    return {action: [item for item, actions in expanded if action in actions] for action in allowed}


_verdicts: dict[tuple[int, str], tuple[AccessVerdict, Statement]] = {}
"""Verdicts by `id` of the statement and request. The references keep the statements alive, because of their `id`."""


def _allows(statements: Sequence[Statement], attempt: Attempt) -> bool:
    for statement in statements:
        if (id(statement), attempt.key) not in _verdicts:
            request = AccessRequest(attempt.access.action, attempt.access.arn, attempt.context)
            only_this_action = {**statement, "Action": request.action}  # `_index` has already matched the action.
            verdict = evaluate_policies([{"Statement": [only_this_action]}], request)
            _verdicts[id(statement), attempt.key] = verdict, statement
    verdicts = {_verdicts[id(statement), attempt.key][0] for statement in statements}
    return AccessVerdict.ALLOW in verdicts and AccessVerdict.DENY not in verdicts


def is_in_group(finding: Finding, group: Group) -> bool:
    """Return True if a group of `accepted.toml` contains the finding. Nothing in other accounts is accepted."""
    access, arns = finding.attempt.access, group.get("arns", "*").format(account=ACCOUNT)
    return (
        not access.account
        and any(fnmatch.fnmatchcase(access.action, pattern) for pattern in group["actions"].split())
        and any(fnmatch.fnmatchcase(access.arn, pattern) for pattern in arns.split())
        and ("only" not in group or ONLY[group["only"]](finding))
    )


def _is_through_service(finding: Finding) -> bool:
    """Return True if a key is used through a service that encrypts the stack's resources, or for a grant to a service."""
    context, is_program = finding.attempt.context, finding.principal == PROGRAM
    services = {"backup", "dynamodb", "lambda", "ssm"} | ({"s3"} if is_program else set())
    through_service = str(context.get("kms:ViaService", "")).partition(".")[0] in services
    if finding.attempt.access.action != "kms:CreateGrant":
        return through_service
    return context.get("kms:GrantIsForAWSResource") == "true" and (through_service or is_program)


def _has_own_tags(finding: Finding) -> bool:
    """Return True if the request puts the stack's tags on a resource, or if the resource already has them."""
    items = (*finding.attempt.added_tags, *finding.attempt.context.items())
    found = {key.lower().removeprefix("aws:resourcetag/"): value for key, value in items}
    return all(found.get(key.lower()) == value for key, value in OWN_TAGS)


ONLY: Mapping[str, Callable[[Finding], bool]] = {
    # The boundary does not limit roles of the program to one region, because their own policies do.
    "reads": lambda item: (
        item.attempt.access.level in {"Read", "List"}
        and (item.principal == PROGRAM or item.attempt.context.get("aws:RequestedRegion", REGION) == REGION)
    ),
    "through services": _is_through_service,
    "other tags": lambda item: not {key.lower() for key in item.attempt.changed_keys()} & {"project", "environment"},
    "Glue's tag": lambda item: item.attempt.context.get("aws:TagKeys") == ["aws-glue-service-resource"],
    "AWS Backup's role": lambda item: item.attempt.context["iam:AWSServiceName"] == "backup.amazonaws.com",
    "no or own tags": lambda item: item.target.tags in {NO_TAGS, OWN_TAGS},
    "the stack's tags": _has_own_tags,
}
"""Conditions that a group names with `only`."""
