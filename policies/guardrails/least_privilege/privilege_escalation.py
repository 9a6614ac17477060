"""Guardrail policy against privilege escalation: actions and combinations of actions by which a role can gain further
permissions.

The combinations are a selection from two published lists: "AWS IAM Privilege Escalation" by Rhino Security Labs, and
"IAM Vulnerable" by Bishop Fox.
"""

from collections.abc import Iterator

from guardrails.model.iam_documents import matches_pattern
from guardrails.model.resource_types import ROLE
from guardrails.model.role_statements import list_all_role_statements
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

COMBINATIONS: tuple[tuple[str, ...], ...] = (
    ("iam:AddUserToGroup",),
    ("iam:AttachGroupPolicy",),
    ("iam:AttachRolePolicy",),
    ("iam:AttachUserPolicy",),
    ("iam:CreateAccessKey",),
    ("iam:CreateLoginProfile",),
    ("iam:CreatePolicyVersion",),
    ("iam:PutGroupPolicy",),
    ("iam:PutRolePolicy",),
    ("iam:PutUserPolicy",),
    ("iam:SetDefaultPolicyVersion",),
    ("iam:UpdateAssumeRolePolicy",),
    ("iam:UpdateLoginProfile",),
    ("lambda:UpdateFunctionCode",),
    ("glue:UpdateDevEndpoint",),
    ("ssm:SendCommand",),
    ("iam:PassRole", "lambda:CreateFunction"),
    ("iam:PassRole", "glue:CreateDevEndpoint"),
    ("iam:PassRole", "glue:CreateJob"),
    ("iam:PassRole", "glue:UpdateJob"),
    ("iam:PassRole", "ec2:RunInstances"),
    ("iam:PassRole", "ecs:RegisterTaskDefinition"),
    ("iam:PassRole", "batch:RegisterJobDefinition"),
    ("iam:PassRole", "states:CreateStateMachine"),
    ("iam:PassRole", "states:UpdateStateMachine"),
    ("iam:PassRole", "cloudformation:CreateStack"),
    ("iam:PassRole", "codebuild:CreateProject"),
    ("iam:PassRole", "datapipeline:CreatePipeline"),
    ("iam:PassRole", "sagemaker:CreateNotebookInstance"),
    ("iam:PassRole", "sagemaker:CreateTrainingJob"),
    ("iam:PassRole", "bedrock-agentcore:CreateCodeInterpreter"),
)
"""Combinations of actions. A role that may call all actions of an entry can gain further permissions."""


@POLICIES.relation(
    "iam-no-escalation",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No role can gain further permissions by one action or by a combination of actions.",
    remedy="Remove one of the actions. Deployments need such actions, but functions do not.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types={ROLE},
    excusable=False,
)
def _check_iam_no_escalation(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    statements = list_all_role_statements(role, stack)
    allowed_actions = [action for statement in statements if statement.is_allow for action in statement.actions]
    for combination in COMBINATIONS:
        if all(any(matches_pattern(needed, allowed) for allowed in allowed_actions) for needed in combination):
            yield f"The role may call {' and '.join(combination)}, and so gain permissions that it was not granted."
