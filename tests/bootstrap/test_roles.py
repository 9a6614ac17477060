"""The bootstrap's roles and boundary, judged by the evaluator of IAM that the local platform uses.

Who may take a role, what every resource type of every stack needs, what every role of the program is granted: let in.
Other repositories, other environments, other stacks, data, and every way to more rights: refused.
"""

import inspect
import re
from functools import cache
from typing import Any

import pulumi_aws
import pytest

from local.emulation.iam.policy_conditions import lower_case_keys, operator_holds
from local.emulation.iam.policy_evaluator import AccessRequest, AccessVerdict, as_list, evaluate_policies
from local.generate import documented_graph
from local.generate.diagram_edges import statements
from local.platform.engine import ALL_DRIVERS
from local.preview.input_checks import FORGOTTEN, refusals
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig
from tests.bootstrap.required_actions import actions, needs, requests
from tests.bootstrap.role_template import KEY, REPOSITORY, deployed, raw
from tests.whole_program import DOCUMENTED, changed_in

pytestmark = DOCUMENTED

STACKS = ["dev", "staging", "prod"]
SUBJECT = "token.actions.githubusercontent.com:sub"
AUDIENCE = "token.actions.githubusercontent.com:aud"
HERE = "us-east-1:123456789012"
RIGHT = {SUBJECT: f"repo:{REPOSITORY}:environment:prod", AUDIENCE: "sts.amazonaws.com"}


def lets_in(trust: dict[str, Any], claims: dict[str, str]) -> bool:
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    return all(
        operator_holds(operator, lower_case_keys(keys), lower_case_keys(claims))
        for operator, keys in trust["Condition"].items()
    )


def allowed(stack: str, action: str, resource: str, role: str = "DeployRole", **context: str) -> bool:
    given = {name.replace("__", ":").replace("_slash_", "/"): value for name, value in context.items()}
    return evaluate_policies(deployed(stack).documents(role), AccessRequest(action, resource, given)).allowed


# Who may take the roles


def test_the_environment_of_the_repository_deploys() -> None:
    assert lets_in(deployed("prod").trust("DeployRole"), RIGHT)
    assert lets_in(
        deployed("prod").trust("PreviewRole"), {**RIGHT, SUBJECT: f"repo:{REPOSITORY}:environment:prod-preview"}
    )


@pytest.mark.parametrize("role", ["DeployRole", "PreviewRole"])
@pytest.mark.parametrize(
    "claims",
    [
        {SUBJECT: "repo:octo-org@123456/another@456789:environment:prod"},
        {SUBJECT: "repo:octo-org/octo-repo:environment:prod"},
        {SUBJECT: "repo:somebody@1/octo-repo@2:environment:prod"},
        {SUBJECT: f"repo:{REPOSITORY}:environment:dev"},
        {SUBJECT: f"repo:{REPOSITORY}:environment:staging-preview"},
        {SUBJECT: f"repo:{REPOSITORY}:environment:prod-"},
        {SUBJECT: f"repo:{REPOSITORY}:environment:Prod"},
        {SUBJECT: f"repo:{REPOSITORY}:pull_request"},
        {SUBJECT: f"repo:{REPOSITORY}:ref:refs/heads/main"},
        {SUBJECT: f"repo:{REPOSITORY}:*"},
        {AUDIENCE: "https://github.com/octo-org"},
        {AUDIENCE: ""},
    ],
)
def test_everybody_else_is_refused(role: str, claims: dict[str, str]) -> None:
    assert not lets_in(deployed("prod").trust(role), {**RIGHT, **claims})


@pytest.mark.parametrize("missing", [SUBJECT, AUDIENCE])
def test_a_token_that_leaves_a_claim_out_is_refused(missing: str) -> None:
    assert not lets_in(
        deployed("prod").trust("DeployRole"), {key: value for key, value in RIGHT.items() if key != missing}
    )


@pytest.mark.parametrize("stack", STACKS)
def test_a_role_trusts_githubs_provider_alone_and_compares_to_the_letter(stack: str) -> None:
    for role in ("DeployRole", "PreviewRole"):
        trust = deployed(stack).trust(role)
        assert trust["Principal"] == {
            "Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
        }
        assert set(trust["Condition"]) == {"StringEquals"}
        assert set(trust["Condition"]["StringEquals"]) == {SUBJECT, AUDIENCE}


@pytest.mark.parametrize(
    "given", ["octo-org/*", "*", "octo-org/octo-repo:*", "octo-org", "octo?org/repo", "a/b/c", "a/b "]
)
def test_a_pattern_is_no_repository(given: str) -> None:
    assert re.fullmatch(raw()["Parameters"]["Repository"]["AllowedPattern"], given) is None


# What the program's roles may do


@pytest.mark.parametrize("stack", STACKS)
def test_every_grant_of_every_role_is_within_the_boundary(stack: str) -> None:
    assert beyond_the_boundary(stack, documented_graph.graph(stack)) == set()


def test_so_is_every_grant_that_only_a_setting_brings() -> None:
    graph = of_all_options()
    granted = {action for _, statement in statements(graph) for action in as_list(statement["Action"])}
    assert granted >= {"bedrock:ApplyGuardrail", "glue:GetConnection", "kms:ReEncryptTo"}
    assert beyond_the_boundary("prod", graph) == set()


def test_what_only_a_setting_gives_is_known_to_the_drivers_too() -> None:
    graph = of_all_options()
    assert {one.inputs.get("kmsKeyId") for one in graph.customs() if one.type.endswith(":LogGroup")} == {None, KEY}
    assert [str(one) for one in refusals(graph) if one.rule == FORGOTTEN] == []


@cache
def of_all_options() -> Graph:
    return documented_graph.graph_of(with_all_options("prod"))


def with_all_options(stack: str) -> StackConfig:
    """A stack with every setting that grants what no stack file as it is does."""
    guarded = {"guardrailId": "abc123", "guardrailVersion": "1"}
    processing = {"engine": "fargate", "imageDigest": f"sha256:{'0' * 64}"}
    return changed_in(
        stack,
        {
            "ingestion": {"networkAttached": True, "spark": {"encryptionKeyArn": KEY}},
            "livestream": {"agent": guarded},
            "meetings": {"models": guarded, "tableKmsKey": KEY, "processing": processing},
        },
    )


def beyond_the_boundary(stack: str, graph: Graph) -> set[tuple[str, str, str]]:
    boundary = deployed(stack).boundary
    # What a customer's own key has to carry.
    tagged = {"aws:resourcetag/project": "polyphony", "aws:resourcetag/environment": stack}
    refused = set()
    for role, statement in statements(graph):
        context = dict(tagged) if KEY in as_list(statement["Resource"]) else {}
        context |= {
            key.lower(): value if isinstance(value, str) else value[0]
            for operator, keys in (statement.get("Condition") or {}).items()
            if operator != "Null"
            for key, value in keys.items()
        }
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                # A variable stands for some name, a pattern for what it matches.
                concrete = resource.replace("${", "").replace("}", "")
                if not evaluate_policies([boundary], AccessRequest(action, concrete, context)).allowed:
                    refused.add((role, action, resource))
    return refused


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", "arn:aws:s3:::polyphony-dev-meetings-recordings-123456789012/raw/x"),
        ("s3:GetObject", "arn:aws:s3:::polyphony-bootstrap-prod-123456789012/.pulumi/stacks/polyphony/prod.json"),
        ("s3:GetObject", "arn:aws:s3:::somebody-elses/x"),
        ("s3:PutBucketPolicy", "arn:aws:s3:::polyphony-prod-meetings-recordings-123456789012"),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{HERE}:table/polyphony-dev-ingestion-files"),
        ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{HERE}:table/polyphony-prod-ingestion-files"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:another"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{HERE}:function:polyphony-prod-meetings-steps"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/Administrator"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/polyphony-bootstrap/deploy-prod"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/polyphony-bootstrap/deploy-prod"),
        ("iam:CreateRole", "arn:aws:iam::123456789012:role/polyphony-prod-x"),
        ("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/polyphony-prod-meetings-steps"),
        ("kms:Decrypt", KEY),
        ("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/another"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:x"),
    ],
)
def test_a_role_of_the_program_that_is_granted_everything_still_may_not(action: str, resource: str) -> None:
    assert not evaluate_policies([deployed("prod").boundary], AccessRequest(action, resource)).allowed


# What deploys


@pytest.mark.parametrize("stack", STACKS)
def test_the_deploying_role_can_make_change_and_remove_everything_of_a_stack(stack: str) -> None:
    one, graph = deployed(stack), documented_graph.graph(stack)
    documents = one.documents("DeployRole")
    asked = {
        (request.action, request.resource, tuple(request.context.items()))
        for resource in graph.customs()
        for request in requests(resource, graph, stack, one.boundary_arn)
    }
    assert len(asked) > 1000
    refused = {
        f"{action} on {resource}"
        for action, resource, context in asked
        if not evaluate_policies(documents, AccessRequest(action, resource, dict(context))).allowed
    }
    assert refused == set()


def test_every_type_that_the_program_can_make_says_what_it_needs() -> None:
    assert set(needs()) == set(ALL_DRIVERS)


TAGGING = re.compile(r":(Add|Create|Put|Update)?\w*Tag(s|ging|Resource|Role|Queue|sToResource)\b|/tags/")


def test_whatever_carries_tags_may_be_tagged() -> None:
    """The provider sends tags with what it makes, and asks for them afterwards: both are actions of their own."""
    silent = {type_ for type_, asked in needs().items() if carries_tags(type_) and not TAGGING.search(str(asked))}
    assert silent == set()


def carries_tags(type_: str) -> bool:
    _, module, name = type_.split(":")
    package = getattr(pulumi_aws, module.partition("/")[0].replace("lambda", "lambda_"))
    return "tags" in inspect.signature(getattr(package, name)._internal_init).parameters


def test_what_a_type_needs_is_granted_also_where_no_stack_has_one_now() -> None:
    """Optional settings make keys, firewalls, gateways: their actions are there, whatever they are called."""
    granted = [
        action
        for document in deployed("prod").documents("DeployRole")
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    ]
    missing = {
        one
        for one in actions()
        if not any(evaluate_policies([_all(had)], AccessRequest(one, "x")).allowed for had in granted)
    }
    assert missing == set()


def _all(action: str) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": [action], "Resource": ["*"]}]}


ROLE = "arn:aws:iam::123456789012:role/polyphony-prod-meetings-steps"
BOUND = "arn:aws:iam::123456789012:policy/polyphony-bootstrap/boundary-prod"


@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"])
def test_a_role_is_given_rights_only_within_the_boundary(action: str) -> None:
    assert allowed("prod", action, ROLE, iam__PermissionsBoundary=BOUND)
    assert not allowed("prod", action, ROLE)
    assert not allowed("prod", action, ROLE, iam__PermissionsBoundary=BOUND.replace("prod", "dev"))
    assert not allowed("prod", action, ROLE, iam__PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:DeleteRolePermissionsBoundary", ROLE),
        ("iam:AttachRolePolicy", ROLE),
        ("iam:CreatePolicyVersion", BOUND),
        ("iam:SetDefaultPolicyVersion", BOUND),
        ("iam:DeletePolicy", BOUND),
        ("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/polyphony-bootstrap/deploy-prod"),
        ("iam:UpdateAssumeRolePolicy", "arn:aws:iam::123456789012:role/polyphony-bootstrap/deploy-prod"),
        ("iam:AttachRolePolicy", "arn:aws:iam::123456789012:role/polyphony-bootstrap/deploy-prod"),
        (
            "iam:UpdateOpenIDConnectProviderThumbprint",
            "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com",
        ),
        ("iam:CreateUser", "arn:aws:iam::123456789012:user/x"),
        ("iam:CreateAccessKey", "arn:aws:iam::123456789012:user/x"),
        ("iam:CreateRole", "arn:aws:iam::123456789012:role/another"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/Administrator"),
        ("iam:CreateServiceLinkedRole", "arn:aws:iam::123456789012:role/aws-service-role/x"),
        ("sts:AssumeRole", ROLE),
        ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{HERE}:stack/polyphony-bootstrap-prod/1"),
        ("kms:PutKeyPolicy", KEY),
        ("kms:ScheduleKeyDeletion", KEY),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::polyphony-bootstrap-prod-123456789012/.pulumi/x"),
        ("s3:PutBucketPolicy", "arn:aws:s3:::polyphony-bootstrap-prod-123456789012"),
        ("s3:PutBucketVersioning", "arn:aws:s3:::polyphony-bootstrap-prod-123456789012"),
        ("s3:DeleteBucket", "arn:aws:s3:::polyphony-dev-ingestion-lake-123456789012"),
        ("s3:GetObject", "arn:aws:s3:::polyphony-prod-meetings-recordings-123456789012/raw/x"),
        ("s3:GetObject", "arn:aws:s3:::polyphony-prod-ingestion-lake-123456789012/data/x"),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::polyphony-prod-meetings-recordings-123456789012/raw/x"),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{HERE}:table/polyphony-prod-meetings-meetings"),
        ("dynamodb:Scan", f"arn:aws:dynamodb:{HERE}:table/polyphony-prod-meetings-meetings"),
        ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{HERE}:table/polyphony-dev-meetings-meetings"),
        ("backup:DeleteRecoveryPoint", f"arn:aws:backup:{HERE}:recovery-point:1"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:polyphony-prod-meetings-steps"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{HERE}:function:another"),
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{HERE}:polyphony-prod-meetings-uploads"),
        ("logs:GetLogEvents", f"arn:aws:logs:{HERE}:log-group:/aws/lambda/polyphony-prod-meetings-steps:log-stream:x"),
        ("ec2:RunInstances", f"arn:aws:ec2:{HERE}:instance/i-1"),
        ("ec2:DeleteVpc", f"arn:aws:ec2:{HERE}:vpc/vpc-1"),
        ("ec2:CreateTags", f"arn:aws:ec2:{HERE}:vpc/vpc-1"),
        ("organizations:LeaveOrganization", "*"),
    ],
)
def test_the_deploying_role_may_not(action: str, resource: str) -> None:
    assert not allowed("prod", action, resource)


def test_a_role_is_handed_to_the_services_that_the_program_uses_and_to_no_other() -> None:
    assert allowed("prod", "iam:PassRole", ROLE, iam__PassedToService="lambda.amazonaws.com")
    assert not allowed("prod", "iam:PassRole", ROLE, iam__PassedToService="ec2.amazonaws.com")
    assert not allowed("prod", "iam:PassRole", ROLE)


def test_whatever_is_attached_later_the_bounds_stay() -> None:
    admin = _all("*")
    for action, resource in (("iam:CreatePolicyVersion", BOUND), ("iam:DeleteRolePermissionsBoundary", ROLE)):
        found = evaluate_policies([admin, *deployed("prod").documents("DeployRole")], AccessRequest(action, resource))
        assert found.verdict is AccessVerdict.DENY


def test_only_dev_may_empty_its_buckets_and_its_vault() -> None:
    for stack in STACKS:
        bucket = f"arn:aws:s3:::polyphony-{stack}-meetings-recordings-123456789012/raw/x"
        assert allowed(stack, "s3:DeleteObjectVersion", bucket) == (stack == "dev")
        assert not allowed(stack, "s3:GetObject", bucket)
        copy = f"arn:aws:dynamodb:{HERE}:table/polyphony-{stack}-meetings-meetings/backup/1"
        assert allowed(stack, "dynamodb:DeleteBackup", copy) == (stack == "dev")


def test_another_stacks_network_is_not_changed() -> None:
    vpc = f"arn:aws:ec2:{HERE}:vpc/vpc-1"
    own = {"aws__ResourceTag_slash_Project": "polyphony", "aws__ResourceTag_slash_Environment": "prod"}
    assert allowed("prod", "ec2:DeleteVpc", vpc, **own)
    assert not allowed("prod", "ec2:DeleteVpc", vpc, **{**own, "aws__ResourceTag_slash_Environment": "dev"})
    assert not allowed("prod", "ec2:CreateTags", vpc, ec2__CreateAction="RunInstances")


def test_the_previewing_role_reads_the_state_and_nothing_else() -> None:
    state = "arn:aws:s3:::polyphony-bootstrap-prod-123456789012"
    assert allowed("prod", "s3:GetObject", f"{state}/.pulumi/stacks/polyphony/prod.json", "PreviewRole")
    assert allowed("prod", "s3:ListBucket", state, "PreviewRole")
    assert allowed("prod", "kms:Decrypt", KEY, "PreviewRole")
    for action, resource in (
        ("s3:PutObject", f"{state}/.pulumi/stacks/polyphony/prod.json"),
        ("s3:GetObject", "arn:aws:s3:::polyphony-prod-meetings-recordings-123456789012/raw/x"),
        ("kms:Encrypt", KEY),
        ("iam:CreateRole", ROLE),
        ("lambda:GetFunction", f"arn:aws:lambda:{HERE}:function:polyphony-prod-meetings-steps"),
    ):
        assert not allowed("prod", action, resource, "PreviewRole")


def test_the_stack_file_names_the_boundary_that_the_bootstrap_makes() -> None:
    for stack in STACKS:
        made = deployed(stack)
        [bounds] = {one.inputs["permissionsBoundary"] for one in documented_graph.graph(stack) if one.kind == "Role"}
        assert bounds == made.boundary_arn
        assert made.boundary_arn.endswith(f":policy/{made.outputs['Boundary']}")
