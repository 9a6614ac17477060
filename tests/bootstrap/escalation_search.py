"""Breadth-first search for resources that the bootstrap's roles can reach outside their stack.

A state consists of the changes that an attacker has made so far: the tags of a target, or the boundary and the policies
of a role. The search starts with the roles of the template, and adds the role that the deploy role can create for
itself: a role of the program with every permission that the permissions boundary allows. `attack_targets` and
`attack_requests` list the possible requests. The search makes each request that the policies allow, follows those that
change the state, and reports each request that affects something outside the stack.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.emulation.iam.policy_conditions import as_list, lower_case_keys, operator_holds
from local.emulation.iam.policy_evaluator import AccessRequest, AccessVerdict, evaluate_policies
from local.preview.preview_provider import ACCOUNT
from tests.bootstrap.attack_requests import OWN_BOUNDARY, Attempt, list_attempts
from tests.bootstrap.attack_targets import (
    OTHER_STACK,
    STACK,
    Access,
    AccessLevel,
    Ownership,
    Tags,
    Target,
    expand_actions,
    list_targets,
)
from tests.bootstrap.role_template import REPOSITORY

Statement = Mapping[str, Any]
IsAccepted = Callable[[str, Target, Attempt], bool]
"""True for a principal's known and documented request outside the stack."""

DEPLOY, PREVIEW, PROGRAM = "deploy role", "preview role", "role of the program"
OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/polyphony-{STACK}-own"
"""Role of the program that the attacker creates and changes with the deploy role."""
BOUNDARIES = (
    OWN_BOUNDARY,
    f"arn:aws:iam::{ACCOUNT}:policy/polyphony-bootstrap/boundary-{OTHER_STACK}",
    "arn:aws:iam::aws:policy/AdministratorAccess",
    None,
)
"""Permissions boundaries that the attacker tries: the stack's own one, two others, and none."""
SEVERITY = [AccessLevel.PERMISSIONS, AccessLevel.WRITE, AccessLevel.TAGGING, AccessLevel.READ, AccessLevel.LIST]
"""Effects of actions, worst first."""


@dataclass(frozen=True)
class Policies:
    """Policy statements of one stack's bootstrap."""

    deploy: tuple[Statement, ...]
    preview: tuple[Statement, ...]
    boundary: tuple[Statement, ...]
    trusts: tuple[tuple[str, Statement], ...]
    """Trust policy statement of each role."""


@dataclass(frozen=True)
class Counterexample:
    """Path to something outside the stack."""

    steps: tuple[str, ...]
    principal: str
    attempt: Attempt | None = None
    """Last request of the path, or None if the path ends in another way."""
    target: Target | None = None

    def __str__(self) -> str:
        return " -> ".join(self.steps)

    @property
    def rank(self) -> tuple[int, int]:
        """Sort key: worst effect first, then the shortest path."""
        return (SEVERITY.index(self.attempt.access.level) if self.attempt else 0, len(self.steps))


@dataclass
class SearchResult:
    """Counterexamples, and the number of states that were explored."""

    counterexamples: list[Counterexample] = field(default_factory=list)
    state_count: int = 0


@dataclass(frozen=True)
class RoleState:
    """Role of the program that the attacker manages."""

    exists: bool = False
    boundary: str | None = None
    has_all_permissions: bool = False


@dataclass(frozen=True)
class Principal:
    """Role that the attacker uses."""

    name: str
    statements: Mapping[str, list[Statement]]
    """Statements that concern an action, by action."""
    path: tuple[str, ...] = ()
    """Requests with which the attacker created the role."""


class EscalationSearch:
    """Search that can be repeated with changed policies. Verdicts on a statement are kept for the next search, because
    most statements are the same.
    """

    def __init__(self, is_accepted: IsAccepted, tagged_creations: frozenset[str]) -> None:
        """`tagged_creations` are the actions that the policies allow only with the stack's tags in the request."""
        self._is_accepted = is_accepted
        self._tagged_creations = tagged_creations
        self._verdicts: dict[tuple[int, str], AccessVerdict] = {}
        self._judged_statements: list[Statement] = []
        """References that keep the statements alive, because verdicts are stored by `id(statement)`."""
        self._targets: dict[frozenset[str], list[Target]] = {}

    def run(self, policies: Policies) -> SearchResult:
        """Return all counterexamples of a set of policies."""
        return self._run(policies, None)

    def find_path(self, policies: Policies, changed_actions: frozenset[str]) -> Counterexample | None:
        """Return the worst counterexample, or None.

        Only targets that `changed_actions` can reach are explored, so the policies must be safe except for these
        actions. The exploration ends with the first target that has a counterexample.
        """
        result = self._run(policies, changed_actions)
        return min(result.counterexamples, key=lambda example: example.rank, default=None)

    def _run(self, policies: Policies, changed_actions: frozenset[str] | None) -> SearchResult:
        result = SearchResult()
        self._search_tokens(policies, result)
        path_to_own_role = self._search_own_role(policies, result)
        principals = [Principal(DEPLOY, _index(policies.deploy)), Principal(PREVIEW, _index(policies.preview))]
        if path_to_own_role is not None:
            principals.append(Principal(PROGRAM, _index(policies.boundary), path_to_own_role))
        actions = frozenset(action for principal in principals for action in principal.statements)
        for target in self._list_targets(actions):
            if changed_actions is None or any(access.action in changed_actions for access in target.accesses):
                self._search_target(target, principals, result)
            if changed_actions is not None and result.counterexamples:
                break
        return result

    def _list_targets(self, actions: frozenset[str]) -> list[Target]:
        if actions not in self._targets:
            self._targets[actions] = list(list_targets(actions, self._tagged_creations))
        return self._targets[actions]

    def _search_target(self, target: Target, principals: list[Principal], result: SearchResult) -> None:
        """Report the requests that affect the target, and follow those that change its tags."""
        paths: dict[Tags, tuple[str, ...]] = {target.tags: ()}
        queue = deque([target.tags])
        reported: set[tuple[str, Access]] = set()
        while queue:
            current_tags = queue.popleft()
            for principal in principals:
                for access in target.accesses:
                    statements = principal.statements.get(access.action)
                    # Changed tags make no difference to an access for which IAM does not compare tags.
                    if not statements or (current_tags != target.tags and not access.sees_tags):
                        continue
                    for attempt in list_attempts(target.ownership, access, current_tags):
                        if not self._allows(statements, attempt.request, attempt.key):
                            continue
                        steps = (
                            # If the same principal changed the tags, their path already contains the principal's path.
                            *(step for step in principal.path if step not in paths[current_tags]),
                            *paths[current_tags],
                            _describe(principal.name, target, attempt),
                        )
                        new_tags = attempt.tags_after(current_tags)
                        if target.ownership is Ownership.OUTSIDE and new_tags not in paths:
                            paths[new_tags] = steps
                            queue.append(new_tags)
                        is_new = (principal.name, access) not in reported and _affects_others(target, attempt)
                        if is_new and not self._is_accepted(principal.name, target, attempt):
                            reported.add((principal.name, access))
                            result.counterexamples.append(Counterexample(steps, principal.name, attempt, target))
        result.state_count += len(paths)

    def _search_own_role(self, policies: Policies, result: SearchResult) -> tuple[str, ...] | None:
        """Report each path to a role that has all permissions without being limited by the stack's boundary.

        Return the path to a role that has all permissions within the stack's boundary, or None.
        """
        index = _index(policies.deploy)
        bounded_path: tuple[str, ...] | None = None
        paths: dict[RoleState, tuple[str, ...]] = {RoleState(): ()}
        queue = deque(paths)
        while queue:
            state = queue.popleft()
            for action, context, new_state in _list_role_changes(state):
                request = AccessRequest(action, OWN_ROLE, context)
                if new_state in paths or not self._allows(index.get(action, []), request, repr(request)):
                    continue
                step = f"{DEPLOY}: {action} on {OWN_ROLE} with {dict(context) or 'no boundary'}"
                paths[new_state] = (*paths[state], step)
                queue.append(new_state)
                if new_state.has_all_permissions and new_state.boundary != OWN_BOUNDARY:
                    result.counterexamples.append(Counterexample(paths[new_state], DEPLOY))
                elif new_state.has_all_permissions and bounded_path is None:
                    bounded_path = paths[new_state]
        pass_role = AccessRequest("iam:PassRole", OWN_ROLE, {"iam:PassedToService": "ec2.amazonaws.com"})
        if self._allows(index.get("iam:PassRole", []), pass_role, repr(pass_role)):
            step = f"{DEPLOY}: iam:PassRole of {OWN_ROLE} to a service whose resources no stack has (ec2.amazonaws.com)"
            result.counterexamples.append(Counterexample((step,), DEPLOY))
        result.state_count += len(paths)
        return bounded_path

    def _search_tokens(self, policies: Policies, result: SearchResult) -> None:
        """Report each token of a foreign workflow with which a role can be assumed."""
        for role, trust in policies.trusts:
            for description, claims in _list_foreign_tokens(role):
                result.state_count += 1
                conditions = trust.get("Condition", {}).items()
                if all(operator_holds(operator, lower_case_keys(keys), claims) for operator, keys in conditions):
                    step = f"{description}: sts:AssumeRoleWithWebIdentity of the {role}"
                    result.counterexamples.append(Counterexample((step,), description))

    def _allows(self, statements: list[Statement], request: AccessRequest, key: str) -> bool:
        verdicts = {self._verdict(statement, request, key) for statement in statements}
        return AccessVerdict.ALLOW in verdicts and AccessVerdict.DENY not in verdicts

    def _verdict(self, statement: Statement, request: AccessRequest, key: str) -> AccessVerdict:
        if (id(statement), key) not in self._verdicts:
            self._judged_statements.append(statement)
            only_this_action = {**statement, "Action": request.action}  # `_index` has already matched the action.
            self._verdicts[id(statement), key] = evaluate_policies([{"Statement": [only_this_action]}], request)
        return self._verdicts[id(statement), key]


def _index(statements: Sequence[Statement]) -> dict[str, list[Statement]]:
    """Return the statements that concern each action that some statement allows."""
    expanded = {id(item): expand_actions(as_list(item["Action"])) for item in statements}
    allowed = {action for item in statements if item["Effect"] == "Allow" for action in expanded[id(item)]}
    return {action: [item for item in statements if action in expanded[id(item)]] for action in allowed}


def _affects_others(target: Target, attempt: Attempt) -> bool:
    """Return True if an allowed request affects something outside the stack."""
    match target.ownership:
        case Ownership.OUTSIDE:
            return True
        case Ownership.NEW:
            return attempt.added_tags is not None
        case Ownership.OWN:
            keeps_tags = target.tags <= attempt.tags_after(target.tags)
            return attempt.access.level is AccessLevel.TAGGING and not keeps_tags
    raise AssertionError(target.ownership)


def _describe(principal: str, target: Target, attempt: Attempt) -> str:
    text = f"{principal}: {attempt.access.action} on {attempt.access.arn}"
    labels = ", ".join(f"{key}={value}" for key, value in sorted(target.tags)) or "no tags"
    derived_keys = ("aws:ResourceTag/", "aws:RequestedRegion")  # They follow from the target and the ARN.
    chosen_values = {key: value for key, value in attempt.context.items() if not key.startswith(derived_keys)}
    return f"{text} ({target.ownership}, {labels})" + (f" with {chosen_values}" if chosen_values else "")


def _list_role_changes(state: RoleState) -> Iterator[tuple[str, Mapping[str, str], RoleState]]:
    """Yield each request that changes the role: its action, its context, and the role's state after it."""

    def boundary_context(boundary: str | None) -> dict[str, str]:
        return {"iam:PermissionsBoundary": boundary} if boundary else {}

    if not state.exists:
        for boundary in BOUNDARIES:
            yield "iam:CreateRole", boundary_context(boundary), RoleState(exists=True, boundary=boundary)
        return
    for boundary in BOUNDARIES[:-1]:
        with_boundary = RoleState(exists=True, boundary=boundary, has_all_permissions=state.has_all_permissions)
        yield "iam:PutRolePermissionsBoundary", boundary_context(boundary), with_boundary
    without_boundary = RoleState(exists=True, has_all_permissions=state.has_all_permissions)
    yield "iam:DeleteRolePermissionsBoundary", boundary_context(state.boundary), without_boundary
    with_policy = RoleState(exists=True, boundary=state.boundary, has_all_permissions=True)
    for action in ("iam:PutRolePolicy", "iam:AttachRolePolicy"):
        yield action, boundary_context(state.boundary), with_policy


def _list_foreign_tokens(role: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield tokens of GitHub that must not assume a role."""
    issuer = "token.actions.githubusercontent.com"
    environment = f"{STACK}-preview" if role == PREVIEW else STACK
    valid_claims = {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": f"repo:{REPOSITORY}:environment:{environment}",
    }
    foreign_subjects = {
        "token of another repository": f"repo:another@1/repository@2:environment:{environment}",
        "token of another stack's environment": f"repo:{REPOSITORY}:environment:{OTHER_STACK}",
        "token of a branch": f"repo:{REPOSITORY}:ref:refs/heads/main",
    }
    for description, subject in foreign_subjects.items():
        yield description, {**valid_claims, f"{issuer}:sub": subject}
    yield "token for another audience", {**valid_claims, f"{issuer}:aud": "https://github.com/another"}
