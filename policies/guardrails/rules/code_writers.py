"""Policy about roles that could replace code, which then runs with another role."""

import itertools
import re
from collections.abc import Iterator

from guardrails.iam_documents import matches_pattern
from guardrails.records import MANDATORY_EVERYWHERE, CheckedResource, CheckedStack, Group, PolicySet, Severity
from guardrails.resource_types import GLUE_JOB, ROLE
from guardrails.rules.role_documents import list_allow_statements

POLICIES = PolicySet(Group.LEAST_PRIVILEGE)

CODE_ACTIONS = (
    *("batch:RegisterJobDefinition", "ecr:PutImage", "glue:UpdateJob", "lambda:PublishLayerVersion"),
    *("lambda:UpdateAlias", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"),
    "states:UpdateStateMachine",
)
"""Actions that change what a function, job or state machine runs. Only a deployment needs them."""
VARIABLE = re.compile(r"\$\{[^}]*\}")


@POLICIES.related_policy(
    "iam-no-code-replacement",
    severity=Severity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No role may write the code of a Glue job, or change what a function, job or state machine runs.",
    remedy="Remove the action, or limit s3:PutObject to a prefix without code.",
    types={ROLE},
    exceptions_allowed=False,
)
def _check_iam_no_code_replacement(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    code = [arn for job in stack.list_resources(GLUE_JOB) for arn in _list_code_arns(job)]
    for statement in list_allow_statements(role, stack):
        yield from (f"The role may call {action}." for action in CODE_ACTIONS if statement.covers_action(action))
        if statement.covers_action("s3:PutObject"):
            # A policy variable may have any value, and a statement without `Resource` (with `NotResource`) may cover any.
            patterns = [VARIABLE.sub("*", resource) for resource in statement.resources] or ["*"]
            for arn in code:
                if any(matches_pattern(arn, pattern) for pattern in patterns):
                    yield f"The role may write {arn}, which a Glue job runs."


def _list_code_arns(job: CheckedResource) -> Iterator[str]:
    """Yield the ARNs of a job's script and libraries."""
    arguments = job.get("defaultArguments") or {}
    script = job.get("command.scriptLocation") or ""
    # Each argument is a list of locations, separated by commas.
    libraries = [arguments[key].split(",") for key in arguments if key.startswith("--extra-")]
    for location in filter(None, [script, *itertools.chain(*libraries)]):
        yield f"arn:aws:s3:::{location.strip().removeprefix('s3://')}"
