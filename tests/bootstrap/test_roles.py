"""Tests of the bootstrap's roles and permissions boundary, with the IAM policy evaluator of the local platform.

The bootstrap is a CloudFormation template that is deployed once for each stack. GitHub's workflows assume its deploy role
and its preview role, and its boundary limits the roles of the program. Allowed: the right GitHub environment, everything
that each resource type of every stack needs, and every grant of the program's roles. Denied: other repositories,
environments and stacks, access to data, and every way to get more permissions.
"""

import inspect
import re
from functools import cache
from typing import Any

import pulumi_aws
import pytest

from local.emulation.iam.policy_conditions import as_list, lower_case_keys, operator_holds
from local.emulation.iam.policy_evaluator import AccessRequest, AccessVerdict, evaluate_policies
from local.generate import documented_resource_graph
from local.generate.documented_resource_graph import list_role_statements
from local.platform.resource_drivers import ALL_DRIVERS
from local.preview.botocore_input_checks import UNUSED_BY_DRIVER, find_invalid_inputs
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig
from tests.bootstrap.required_actions import is_read_only, list_requests, required_actions, required_actions_by_type
from tests.bootstrap.role_template import REPOSITORY, STATE_KEY_ARN, resolve_template, template
from tests.whole_program import ONE_WORKER_FOR_DOCUMENTS, change_sections

pytestmark = ONE_WORKER_FOR_DOCUMENTS

STACKS = ["dev", "staging", "prod"]
SUBJECT = "token.actions.githubusercontent.com:sub"
AUDIENCE = "token.actions.githubusercontent.com:aud"
REGION_AND_ACCOUNT = "us-east-1:123456789012"
VALID_CLAIMS = {SUBJECT: f"repo:{REPOSITORY}:environment:prod", AUDIENCE: "sts.amazonaws.com"}


def is_trusted(trust: dict[str, Any], claims: dict[str, str]) -> bool:
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    return all(
        operator_holds(operator, lower_case_keys(keys), lower_case_keys(claims))
        for operator, keys in trust["Condition"].items()
    )


def is_allowed(
    stack: str, action: str, resource: str, context: dict[str, str] | None = None, *, role: str = "DeployRole"
) -> bool:
    request = AccessRequest(action, resource, context or {})
    return evaluate_policies(resolve_template(stack).documents(role), request).allowed


# Trust policies


def test_the_repositorys_environment_may_assume_the_roles() -> None:
    assert is_trusted(resolve_template("prod").trust("DeployRole"), VALID_CLAIMS)
    assert is_trusted(
        resolve_template("prod").trust("PreviewRole"),
        {**VALID_CLAIMS, SUBJECT: f"repo:{REPOSITORY}:environment:prod-preview"},
    )


@pytest.mark.parametrize("role", ["DeployRole", "PreviewRole"])
@pytest.mark.parametrize(
    "claims",
    [
        {SUBJECT: "repo:octo-org@123456/another@456789:environment:prod"},
        {SUBJECT: "repo:octo-org/octo-repo:environment:prod"},  # without the ids of owner and repository
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
def test_other_subjects_and_audiences_are_refused(role: str, claims: dict[str, str]) -> None:
    assert not is_trusted(resolve_template("prod").trust(role), {**VALID_CLAIMS, **claims})


@pytest.mark.parametrize("missing", [SUBJECT, AUDIENCE])
def test_a_token_without_a_required_claim_is_refused(missing: str) -> None:
    assert not is_trusted(
        resolve_template("prod").trust("DeployRole"),
        {key: value for key, value in VALID_CLAIMS.items() if key != missing},
    )


@pytest.mark.parametrize("stack", STACKS)
def test_a_role_trusts_only_githubs_provider_and_compares_claims_exactly(stack: str) -> None:
    for role in ("DeployRole", "PreviewRole"):
        trust = resolve_template(stack).trust(role)
        assert trust["Principal"] == {
            "Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
        }
        assert set(trust["Condition"]) == {"StringEquals"}
        assert set(trust["Condition"]["StringEquals"]) == {SUBJECT, AUDIENCE}


@pytest.mark.parametrize(
    "value", ["octo-org/*", "*", "octo-org/octo-repo:*", "octo-org", "octo?org/repo", "a/b/c", "a/b "]
)
def test_a_pattern_is_not_accepted_as_a_repository(value: str) -> None:
    assert re.fullmatch(template()["Parameters"]["Repository"]["AllowedPattern"], value) is None


# The permissions boundary of the program's roles


@pytest.mark.parametrize("stack", STACKS)
def test_every_grant_of_every_role_is_within_the_boundary(stack: str) -> None:
    assert grants_beyond_the_boundary(stack, documented_resource_graph.build_stack_graph(stack)) == set()


def test_every_grant_of_an_optional_setting_is_within_the_boundary() -> None:
    graph = graph_with_all_options()
    granted = {action for _, statement in list_role_statements(graph) for action in as_list(statement["Action"])}
    assert granted >= {"glue:GetConnection", "kms:ReEncryptTo"}
    assert grants_beyond_the_boundary("prod", graph) == set()


def test_the_local_platform_supports_every_optional_setting() -> None:
    """A resource driver of the local platform reports an input that it would ignore."""
    graph = graph_with_all_options()
    assert {resource.inputs.get("kmsKeyId") for resource in graph.customs() if resource.type.endswith(":LogGroup")} == {
        None,
        STATE_KEY_ARN,
    }, "the options must add a key to some log groups, or their driver's input would not be checked"
    assert [
        str(invalid_input) for invalid_input in find_invalid_inputs(graph) if invalid_input.rule == UNUSED_BY_DRIVER
    ] == []


@cache
def graph_with_all_options() -> Graph:
    return documented_resource_graph.build_graph(with_all_options("prod"))


def with_all_options(stack: str) -> StackConfig:
    """Return a stack file with every setting that grants something which no committed stack file grants."""
    processing = {"engine": "fargate", "imageDigest": f"sha256:{'0' * 64}"}
    return change_sections(
        stack,
        {
            "ingestion": {
                "networkAttached": True,
                "environmentKeyArn": STATE_KEY_ARN,
                "spark": {"encryptionKeyArn": STATE_KEY_ARN},
            },
            "meetings": {"tableKmsKey": STATE_KEY_ARN, "processing": processing},
        },
    )


def grants_beyond_the_boundary(stack: str, graph: Graph) -> set[tuple[str, str, str]]:
    """Return role, action and resource of each grant in the program's roles that the boundary does not allow."""
    boundary = resolve_template(stack).boundary
    # The program tags the memory of livestream's agent. A customer managed key must have the same tags.
    stack_tags = {"aws:resourcetag/project": "polyphony", "aws:resourcetag/environment": stack}
    grants = set()
    for role, statement in list_role_statements(graph):
        is_tagged = any(arn == STATE_KEY_ARN or ":memory/" in arn for arn in as_list(statement["Resource"]))
        context = dict(stack_tags) if is_tagged else {}
        context |= {
            key.lower(): value if isinstance(value, str) else value[0]
            for operator, keys in (statement.get("Condition") or {}).items()
            if operator != "Null"
            for key, value in keys.items()
        }
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                # Treat a policy variable as one name, and a pattern as a name that it matches.
                concrete = resource.replace("${", "").replace("}", "")
                if not evaluate_policies([boundary], AccessRequest(action, concrete, context)).allowed:
                    grants.add((role, action, resource))
    return grants


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", "arn:aws:s3:::polyphony-dev-meetings-recordings-123456789012/raw/x"),
        ("s3:GetObject", "arn:aws:s3:::polyphony-bootstrap-prod-123456789012/.pulumi/stacks/polyphony/prod.json"),
        ("s3:GetObject", "arn:aws:s3:::somebody-elses/x"),
        ("s3:PutBucketPolicy", "arn:aws:s3:::polyphony-prod-meetings-recordings-123456789012"),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table/polyphony-dev-ingestion-files"),
        ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table/polyphony-prod-ingestion-files"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:another"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:polyphony-prod-meetings-steps"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/Administrator"),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/polyphony-bootstrap/deploy-prod"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/polyphony-bootstrap/deploy-prod"),
        ("iam:CreateRole", "arn:aws:iam::123456789012:role/polyphony-prod-x"),
        ("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/polyphony-prod-meetings-steps"),
        ("kms:Decrypt", STATE_KEY_ARN),
        ("ssm:GetParameter", f"arn:aws:ssm:{REGION_AND_ACCOUNT}:parameter/another"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION_AND_ACCOUNT}:secret:x"),
    ],
)
def test_the_boundary_limits_a_role_that_is_granted_everything(action: str, resource: str) -> None:
    assert not evaluate_policies([resolve_template("prod").boundary], AccessRequest(action, resource)).allowed


# Permissions of the deploy role


@pytest.mark.parametrize("stack", STACKS)
def test_the_deploy_role_can_create_change_and_delete_every_resource_of_a_stack(stack: str) -> None:
    template_of_stack, graph = resolve_template(stack), documented_resource_graph.build_stack_graph(stack)
    documents = template_of_stack.documents("DeployRole")
    iam_requests = {
        repr(request): request
        for resource in graph.customs()
        for request in list_requests(resource, graph, stack, template_of_stack.boundary_arn)
    }
    assert len(iam_requests) > 1000
    refused = {
        f"{request.action} on {request.resource}"
        for request in iam_requests.values()
        if not evaluate_policies(documents, request).allowed
    }
    assert refused == set()


def test_every_resource_type_lists_its_required_actions() -> None:
    assert set(required_actions_by_type()) == set(ALL_DRIVERS)


@pytest.mark.parametrize("stack", STACKS)
def test_every_resource_that_a_grant_selects_by_tags_has_the_tags_of_its_stack(stack: str) -> None:
    """Without the tags, the deploy role could not change the resource after its creation."""
    types_selected_by_tags = {
        type_
        for type_, requests in required_actions_by_type().items()
        if re.search(r"\?(request|resource)-tags", str(requests))
    }
    assert types_selected_by_tags >= {
        "aws:apigateway/restApi:RestApi",
        "aws:cognito/identityPool:IdentityPool",
        "aws:ec2/vpc:Vpc",
    }
    resources = [
        resource
        for resource in documented_resource_graph.build_stack_graph(stack).customs()
        if resource.type in types_selected_by_tags and is_taggable(resource.type)
    ]
    expected_tags = {"Project": "polyphony", "Environment": stack}
    assert resources
    assert [item.name for item in resources if not expected_tags.items() <= dict(item.inputs["tags"]).items()] == []


TAG_ACTION = re.compile(r":(Add|Create|Put|Update)?\w*Tag(s|ging|Resource|Role|Queue|sToResource)\b|/tags/")


def test_every_taggable_resource_type_may_be_tagged() -> None:
    """The provider sends tags when it creates a resource and reads them afterwards. Both need actions of their own."""
    types_without_tag_actions = {
        type_
        for type_, iam_requests in required_actions_by_type().items()
        if is_taggable(type_) and not TAG_ACTION.search(str(iam_requests))
    }
    assert types_without_tag_actions == set()


def is_taggable(type_: str) -> bool:
    _, module, name = type_.split(":")
    package = getattr(pulumi_aws, module.partition("/")[0].replace("lambda", "lambda_"))
    return "tags" in inspect.signature(getattr(package, name)._internal_init).parameters


def test_the_deploy_role_covers_resource_types_that_no_stack_has_yet() -> None:
    """Optional settings create networks, so the role needs their actions in any case."""
    allowed_patterns = [
        pattern
        for document in resolve_template("prod").documents("DeployRole")
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for pattern in as_list(statement["Action"])
    ]
    allow_patterns_everywhere = {"Statement": [{"Effect": "Allow", "Action": allowed_patterns, "Resource": ["*"]}]}
    missing = {
        action
        for action in required_actions()
        if not evaluate_policies([allow_patterns_everywhere], AccessRequest(action, "x")).allowed
    }
    assert missing == set()


PROGRAM_ROLE = "arn:aws:iam::123456789012:role/polyphony-prod-meetings-steps"
BOUNDARY_ARN = "arn:aws:iam::123456789012:policy/polyphony-bootstrap/boundary-prod"


@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"])
def test_the_deploy_role_can_only_manage_roles_with_the_boundary(action: str) -> None:
    assert is_allowed("prod", action, PROGRAM_ROLE, {"iam:PermissionsBoundary": BOUNDARY_ARN})
    assert not is_allowed("prod", action, PROGRAM_ROLE)
    for boundary in (BOUNDARY_ARN.replace("prod", "dev"), "arn:aws:iam::aws:policy/AdministratorAccess"):
        assert not is_allowed("prod", action, PROGRAM_ROLE, {"iam:PermissionsBoundary": boundary})


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:DeleteRolePermissionsBoundary", PROGRAM_ROLE),
        ("iam:AttachRolePolicy", PROGRAM_ROLE),
        ("iam:CreatePolicyVersion", BOUNDARY_ARN),
        ("iam:SetDefaultPolicyVersion", BOUNDARY_ARN),
        ("iam:DeletePolicy", BOUNDARY_ARN),
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
        ("sts:AssumeRole", PROGRAM_ROLE),
        ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{REGION_AND_ACCOUNT}:stack/polyphony-bootstrap-prod/1"),
        ("kms:PutKeyPolicy", STATE_KEY_ARN),
        ("kms:ScheduleKeyDeletion", STATE_KEY_ARN),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::polyphony-bootstrap-prod-123456789012/.pulumi/x"),
        ("s3:PutBucketPolicy", "arn:aws:s3:::polyphony-bootstrap-prod-123456789012"),
        ("s3:PutBucketVersioning", "arn:aws:s3:::polyphony-bootstrap-prod-123456789012"),
        ("s3:DeleteBucket", "arn:aws:s3:::polyphony-dev-ingestion-lake-123456789012"),
        ("s3:GetObject", "arn:aws:s3:::polyphony-prod-meetings-recordings-123456789012/raw/x"),
        ("s3:GetObject", "arn:aws:s3:::polyphony-prod-ingestion-lake-123456789012/data/x"),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::polyphony-prod-meetings-recordings-123456789012/raw/x"),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table/polyphony-prod-meetings-meetings"),
        ("dynamodb:Scan", f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table/polyphony-prod-meetings-meetings"),
        ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table/polyphony-dev-meetings-meetings"),
        ("backup:DeleteRecoveryPoint", f"arn:aws:backup:{REGION_AND_ACCOUNT}:recovery-point:1"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:polyphony-prod-meetings-steps"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:another"),
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{REGION_AND_ACCOUNT}:polyphony-prod-meetings-uploads"),
        (
            "logs:GetLogEvents",
            f"arn:aws:logs:{REGION_AND_ACCOUNT}:log-group:/aws/lambda/polyphony-prod-meetings-steps:log-stream:x",
        ),
        ("ec2:RunInstances", f"arn:aws:ec2:{REGION_AND_ACCOUNT}:instance/i-1"),
        ("ec2:DeleteVpc", f"arn:aws:ec2:{REGION_AND_ACCOUNT}:vpc/vpc-1"),
        ("ec2:CreateTags", f"arn:aws:ec2:{REGION_AND_ACCOUNT}:vpc/vpc-1"),
        ("organizations:LeaveOrganization", "*"),
    ],
)
def test_the_deploy_role_may_not_read_data_change_other_stacks_or_get_more_permissions(
    action: str, resource: str
) -> None:
    assert not is_allowed("prod", action, resource)


def test_a_role_may_be_passed_only_to_services_that_the_program_uses() -> None:
    assert is_allowed("prod", "iam:PassRole", PROGRAM_ROLE, {"iam:PassedToService": "lambda.amazonaws.com"})
    assert not is_allowed("prod", "iam:PassRole", PROGRAM_ROLE, {"iam:PassedToService": "ec2.amazonaws.com"})
    assert not is_allowed("prod", "iam:PassRole", PROGRAM_ROLE)


def test_the_boundary_cannot_be_changed_even_if_an_admin_policy_is_attached_later() -> None:
    admin = {"Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]}
    for action, resource in (
        ("iam:CreatePolicyVersion", BOUNDARY_ARN),
        ("iam:DeleteRolePermissionsBoundary", PROGRAM_ROLE),
    ):
        decision = evaluate_policies(
            [admin, *resolve_template("prod").documents("DeployRole")], AccessRequest(action, resource)
        )
        assert decision is AccessVerdict.DENY


def test_only_dev_may_delete_object_versions_and_backups() -> None:
    for stack in STACKS:
        recording = f"arn:aws:s3:::polyphony-{stack}-meetings-recordings-123456789012/raw/x"
        assert is_allowed(stack, "s3:DeleteObjectVersion", recording) == (stack == "dev")
        assert not is_allowed(stack, "s3:GetObject", recording)
        backup = f"arn:aws:dynamodb:{REGION_AND_ACCOUNT}:table/polyphony-{stack}-meetings-meetings/backup/1"
        assert is_allowed(stack, "dynamodb:DeleteBackup", backup) == (stack == "dev")


def test_the_deploy_role_cannot_change_another_stacks_network() -> None:
    vpc = f"arn:aws:ec2:{REGION_AND_ACCOUNT}:vpc/vpc-1"
    own_tags = {"aws:ResourceTag/Project": "polyphony", "aws:ResourceTag/Environment": "prod"}
    assert is_allowed("prod", "ec2:DeleteVpc", vpc, own_tags)
    assert not is_allowed("prod", "ec2:DeleteVpc", vpc, {**own_tags, "aws:ResourceTag/Environment": "dev"})
    assert not is_allowed("prod", "ec2:CreateTags", vpc, {"ec2:CreateAction": "RunInstances"})


CONTENT_ACTIONS = {
    # The provider uses these actions when it refreshes or creates resources, not when it plans. They return content:
    # objects, images, code and secrets.
    *("s3:GetObject", "s3:GetObjectTagging", "s3:ListBucket", "ssm:GetParameter", "lambda:GetFunction"),
    *("lambda:GetLayerVersion", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"),
    # A service describes its key when a resource is created.
    "kms:DescribeKey",
}


@pytest.mark.parametrize("stack", STACKS)
def test_the_preview_role_may_read_the_configuration_of_every_resource_and_change_none(stack: str) -> None:
    template_of_stack, graph = resolve_template(stack), documented_resource_graph.build_stack_graph(stack)
    documents = template_of_stack.documents("PreviewRole")
    readable_actions, wrong_verdicts = set(), set()
    for resource in graph.customs():
        for request in list_requests(resource, graph, stack, template_of_stack.boundary_arn):
            action = request.action
            reads_configuration = is_read_only(action) and action not in CONTENT_ACTIONS
            if reads_configuration:
                readable_actions.add(action)
            if evaluate_policies(documents, request).allowed != reads_configuration:
                wrong_verdicts.add(f"{action} on {request.resource}")
    assert wrong_verdicts == set()
    assert "dynamodb:DescribeTable" in readable_actions
    assert len(readable_actions) > 80


def test_the_preview_role_may_read_the_state_and_no_content() -> None:
    state = "arn:aws:s3:::polyphony-bootstrap-prod-123456789012"
    assert is_allowed("prod", "s3:GetObject", f"{state}/.pulumi/stacks/polyphony/prod.json", role="PreviewRole")
    assert is_allowed("prod", "s3:ListBucket", state, role="PreviewRole")
    assert is_allowed("prod", "kms:Decrypt", STATE_KEY_ARN, role="PreviewRole")
    for action, resource in (
        ("s3:PutObject", f"{state}/.pulumi/stacks/polyphony/prod.json"),
        ("s3:GetObject", "arn:aws:s3:::polyphony-prod-meetings-recordings-123456789012/raw/x"),
        # Earlier states contain earlier secrets.
        ("s3:GetObject", f"{state}/.pulumi/history/polyphony/prod/prod-1.checkpoint.json"),
        ("s3:GetObject", f"{state}/.pulumi/backups/polyphony/prod/prod.1.json"),
        ("kms:Encrypt", STATE_KEY_ARN),
        ("iam:CreateRole", PROGRAM_ROLE),
        ("lambda:GetFunction", f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:polyphony-prod-meetings-steps"),
    ):
        assert not is_allowed("prod", action, resource, role="PreviewRole")


def test_the_stack_file_names_the_boundary_that_the_bootstrap_creates() -> None:
    for stack in STACKS:
        template_of_stack = resolve_template(stack)
        [boundary_arn] = {
            resource.inputs["permissionsBoundary"]
            for resource in documented_resource_graph.build_stack_graph(stack)
            if resource.kind == "Role"
        }
        assert boundary_arn == template_of_stack.boundary_arn
        assert template_of_stack.boundary_arn.endswith(f":policy/{template_of_stack.outputs['Boundary']}")
