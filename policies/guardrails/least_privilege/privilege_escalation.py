"""Guardrail policies against privilege escalation: actions, and combinations of actions, by which a role or another
principal can gain permissions that it was not granted. `escalation_action_list` contains these actions.

Wildcards and NotAction are expanded with the table of all IAM actions, so a statement cannot hide an action. All IAM
policies of a role are checked together, because a dangerous combination can be spread over several.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.arn_parser import get_name, is_exact, parse_arn
from guardrails.model.escalation_action_list import (
    PASS_ROLE,
    get_principal_labels,
    list_changing_actions,
    list_overriding_actions,
    list_passing_actions,
    list_permission_actions,
)
from guardrails.model.iam_action_table import list_actions, supports_condition_key
from guardrails.model.iam_documents import Statement, parse_statements, patterns_overlap
from guardrails.model.resource_types import (
    FUNCTION,
    FUNCTION_PERMISSION,
    GLUE_JOB,
    IDENTITY_POLICIES,
    KMS_EXTERNAL_KEY,
    KMS_KEY,
    KMS_KEY_POLICY,
    KMS_REPLICA_KEY,
    POLICY_DOCUMENT_PROPERTIES,
    RESOURCE_POLICIES,
    ROLE,
)
from guardrails.model.role_statements import belongs_to_role, list_all_role_statements, list_allow_statements
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

MAX_NAMED_ACTIONS = 3
BOUNDARY_KEY = "iam:PermissionsBoundary"
BOUNDARY_REMOVALS = frozenset({"iam:DeleteRolePermissionsBoundary", "iam:DeleteUserPermissionsBoundary"})
"""Actions that remove a permissions boundary. A condition on the boundary does not prevent that, because it only
selects the boundary that may be removed.
"""
CREATE_GRANT = "kms:CreateGrant"
ROLE_ACTIONS = frozenset({PASS_ROLE, "sts:AssumeRole"})
"""Actions by which a principal acts with a role. The policies of `role_passing` find wildcards in the role's name."""
NEEDED_BY_SERVICES = {
    # https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html: the role of a workflow with logs needs it on *.
    "logs:PutResourcePolicy": "states.amazonaws.com",
}
"""Actions that change permissions, but that the roles of a service need: each with the service's principal."""
INVOKING_ACTIONS = frozenset({"lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:InvokeAsync"})
KEY_TYPES = frozenset({KMS_EXTERNAL_KEY, KMS_KEY, KMS_KEY_POLICY, KMS_REPLICA_KEY})


@POLICIES.resource_in_stack(
    "iam-no-escalation",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "No role can gain further permissions: it changes no permissions, passes no role to a service that runs it, "
        "and changes nothing that runs with another role."
    ),
    remedy="Remove one of the actions. Deployments need such actions, but functions do not.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types=IDENTITY_POLICIES,
    excusable=False,
)
def _check_iam_no_escalation(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if resource.type == ROLE:
        statements = [statement for statement in list_all_role_statements(resource, stack) if statement.is_allow]
        holder, role = "The role", resource
    elif belongs_to_role(resource, stack):
        return  # the policies of a role of this stack are checked with the role
    else:
        statements, holder, role = list(list_allow_statements(resource)), "The holder of the policy", None
    for statement in statements:
        yield from _find_single_actions(statement, holder, role, stack)
    yield from _find_passed_roles(statements, holder)
    yield from _find_roles_outside(statements, holder, stack)
    yield from _find_replaced_code(statements, holder, role, stack)


def _find_single_actions(
    statement: Statement, holder: str, role: CheckedResource | None, stack: CheckedStack
) -> Iterator[str]:
    """Yield the faults of actions that are dangerous without any other action."""
    actions = list_actions(statement)
    permission_actions = [
        action
        for action in actions & list_permission_actions()
        if not _is_bounded(action, statement) and not _is_needed_by_service(action, role)
    ]
    if permission_actions:
        yield (
            f"{holder} may call {_describe_actions(permission_actions)}, and so change permissions or become another "
            "identity."
        )
    changing_actions = actions & list_changing_actions()
    if changing_actions and not _changes_only_own_function(statement, role, stack):
        yield f"{holder} may call {_describe_actions(changing_actions)}, and so run code or commands with another role."
    overriding_actions = actions & list_overriding_actions()
    if overriding_actions and not _are_exact(statement):
        yield (
            f"{holder} may call {_describe_actions(overriding_actions)} on jobs that the policy does not name, and so run "
            "commands with their roles."
        )


def _describe_actions(actions: Collection[str]) -> str:
    named = sorted(actions)[:MAX_NAMED_ACTIONS]
    rest = len(actions) - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def _are_exact(statement: Statement) -> bool:
    return bool(statement.resources) and all(map(is_exact, statement.resources))


def _is_bounded(action: str, statement: Statement) -> bool:
    """Return True if a statement allows an action only on exact resources and under a limiting condition. For
    kms:CreateGrant, the condition requires that the grant is for an AWS resource. For other actions, it requires that
    the changed identity has a certain permissions boundary.
    """
    if not _are_exact(statement) or action in BOUNDARY_REMOVALS:
        return False
    if action == CREATE_GRANT:
        return _grants_only_for_aws_resources(statement)
    return supports_condition_key(action, BOUNDARY_KEY) and statement.is_pinned_by(BOUNDARY_KEY)


def _grants_only_for_aws_resources(statement: Statement) -> bool:
    values = {
        str(value).lower()
        for operator, keys in statement.conditions.items()
        for key, value in keys.items()
        if operator.lower() == "bool" and key.lower() == "kms:grantisforawsresource"
    }
    return values == {"true"}


def _is_needed_by_service(action: str, role: CheckedResource | None) -> bool:
    """Return True if AWS documents that a service's roles need the action, and only this service assumes the role."""
    if role is None or action not in NEEDED_BY_SERVICES:
        return False
    try:
        trust = parse_statements(role.props.get("assumeRolePolicy"))
    except UnknownValueError:
        return False
    principals = {principal for statement in trust if statement.is_allow for principal in statement.principals}
    return principals == {("Service", NEEDED_BY_SERVICES[action])}


def _changes_only_own_function(statement: Statement, role: CheckedResource | None, stack: CheckedStack) -> bool:
    """Return True if a statement names only functions that have this role already."""
    if role is None or not _are_exact(statement):
        return False
    own_names = {
        function.props.get("name") for function in stack.list_resources(FUNCTION) if _has_role(function, "role", role)
    }
    arns = [parse_arn(arn) for arn in statement.resources]
    return all(arn is not None and arn.service == "lambda" and get_name(arn) in own_names for arn in arns)


def _has_role(resource: CheckedResource, key: str, role: CheckedResource) -> bool:
    """Return True if a property names the role, by reference or by ARN."""
    if resource.references.get(key):
        return role in resource.references[key]
    return str(resource.props.get(key)).endswith(f":role/{role.props.get('name', role.name)}")


def _find_passed_roles(statements: Iterable[Statement], holder: str) -> Iterator[str]:
    """Yield a fault if a role can be passed to a service, and an action makes this service act with it."""
    statements = list(statements)
    actions = frozenset().union(*map(list_actions, statements)) & list_passing_actions()
    for statement in statements:
        if PASS_ROLE in list_actions(statement):
            running_actions = [action for action in actions if _may_pass_to_service_of(action, statement)]
            if running_actions:
                yield (
                    f"{holder} may call {PASS_ROLE} and {_describe_actions(running_actions)}, and so let a service act "
                    "with a role that it was not granted."
                )
                return


def _may_pass_to_service_of(action: str, statement: Statement) -> bool:
    """Return True if a statement with iam:PassRole allows passing a role to the service of an action."""
    if not statement.is_narrowed_by("iam:PassedToService"):
        return True
    services = statement.condition_values("iam:PassedToService")
    labels = {service.partition(".")[0].lower() for service in services}
    return bool(labels & get_principal_labels(action)) or any({"*", "?"} & set(service) for service in services)


def _find_roles_outside(statements: Iterable[Statement], holder: str, stack: CheckedStack) -> Iterator[str]:
    """Yield a fault for each role that can be passed or assumed, and that is no resource of this stack, so that the
    pack cannot check its permissions.
    """
    names = {str(role.props.get("name", role.name)) for role in stack.list_resources(ROLE)}
    for statement in statements:
        if list_actions(statement) & ROLE_ACTIONS:
            for arn in statement.resources:
                if is_exact(arn) and arn.rpartition("/")[2] not in names:
                    yield f"{holder} may pass or assume {arn}, which is no role of this stack."


def _find_replaced_code(
    statements: Iterable[Statement], holder: str, role: CheckedResource | None, stack: CheckedStack
) -> Iterator[str]:
    """Yield a fault if the holder may write an object whose code a Glue job with another role runs."""
    writable = [
        arn
        for statement in statements
        if "s3:PutObject" in list_actions(statement)
        for arn in (statement.resources or ("*",))
    ]
    for job in stack.list_resources(GLUE_JOB) if writable else ():
        if role is not None and _has_role(job, "roleArn", role):
            continue
        for code in _list_code_arns(job):
            if any(patterns_overlap(arn, code) for arn in writable):
                yield f"{holder} may write {code}, which the job {job.name} runs with its own role."


def _list_code_arns(job: CheckedResource) -> Iterator[str]:
    """Yield the ARNs of the script and of the libraries of a Glue job, as far as they are known."""
    with suppress(UnknownValueError):
        locations = [str(job.get_nested("command", "scriptLocation") or "")]
        arguments = job.props.get("defaultArguments") or {}
        for key in ("--extra-py-files", "--extra-jars"):
            locations += str(arguments.get(key) or "").split(",")
        for location in locations:
            if location.startswith("s3://"):
                yield f"arn:aws:s3:::{location.removeprefix('s3://')}"


@POLICIES.resource(
    "resource-policy-no-escalation",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No IAM policy of a resource, and no function permission, lets a principal change permissions or code.",
    remedy="Allow only the actions that the principal needs, for example lambda:InvokeFunction or sqs:SendMessage.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types=RESOURCE_POLICIES | {FUNCTION_PERMISSION},
    excusable=False,
)
def _check_resource_policy_no_escalation(resource: CheckedResource) -> Iterator[str]:
    if resource.type == FUNCTION_PERMISSION:
        action = str(resource.props.get("action"))
        if action not in INVOKING_ACTIONS:
            yield f"The permission allows {action}, but only {', '.join(sorted(INVOKING_ACTIONS))} are allowed."
        return
    dangerous = list_permission_actions() | list_changing_actions()
    for statement in parse_statements(resource.props.get(POLICY_DOCUMENT_PROPERTIES.get(resource.type, "policy"))):
        if not statement.is_allow or (resource.type in KEY_TYPES and _is_for_account(statement)):
            continue
        actions = [
            action
            for action in list_actions(statement) & dangerous
            if action != CREATE_GRANT or not _grants_only_for_aws_resources(statement)
        ]
        if actions:
            yield (
                f"The IAM policy allows {_describe_actions(actions)}, by which its principals can change permissions "
                "or code."
            )


def _is_for_account(statement: Statement) -> bool:
    """Return True if a statement of a key policy allows the account itself, whose IAM policies then decide."""
    return bool(statement.principals) and all(
        kind == "AWS" and value.endswith(":root") for kind, value in statement.principals
    )
