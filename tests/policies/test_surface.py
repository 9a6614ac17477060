"""Tests of the tables in `policies/guardrails/surface/`, and of the policies that deny what is not in them."""

from collections.abc import Callable
from typing import Any

import pytest

from guardrails.surface.seen_stack import SeenStack
from guardrails.surface.tables import UNDECIDED, read_provider_defaults, read_types
from local.generate.surface_tables import find_stale_tables
from tests import whole_program
from tests.policies.program import UNKNOWN, Program, change, edit

pytestmark = whole_program.ONE_WORKER

FUNCTION = "aws:lambda/function:Function"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
PERMISSION = "aws:lambda/permission:Permission"
OTHER_ACCOUNT = "210987654321"
ROLE = "ingestion-steps-role"
GRANTS = "ingestion-steps-grants"


def allow(which: str, **statement: Any) -> Callable[[Program], str]:
    """Return a change that adds an Allow to a document."""

    def change(program: Program) -> str:
        key = "assumeRolePolicy" if which.endswith("-role") else "policy"
        added = {"Effect": "Allow", **statement}
        return program.edit(which, key, lambda document: document["Statement"].append(added))

    return change


def set_variable(name: str, value: str) -> Callable[[Program], str]:
    """Return a change of a function's environment."""
    return lambda program: program.edit(
        "ingestion-steps-function", "environment", lambda environment: environment["variables"].update({name: value})
    )


def environment_with(name: str) -> dict[str, Any]:
    """Return an entry of a job queue, for a Batch environment of meetings with this name."""
    arn = f"arn:aws:batch:us-east-1:123456789012:compute-environment/polyphony-prod-meetings-{name}"
    return {"order": 1, "computeEnvironment": arn}


BUCKET = "arn:aws:s3:::polyphony-prod-ingestion-lake-123456789012"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:polyphony-prod-ingestion-intake"
S3 = {"Service": "s3.amazonaws.com"}
ATTACKS: tuple[tuple[str, Callable[[Program], str]], ...] = (
    ("type-allowed", lambda program: program.add("aws:iam/user:User", "admin", {"name": "admin"})),
    ("type-allowed", lambda program: program.add("random:index:Thing", "thing", {})),
    ("property-allowed", change(FUNCTION, fileSystemConfig={"arn": UNKNOWN})),
    ("property-allowed", change(ROLE, managedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"])),
    ("property-allowed", set_variable("AWS_LAMBDA_EXEC_WRAPPER", "/opt/wrapper")),
    ("property-allowed", set_variable("https_proxy", "proxy")),
    ("property-allowed", change(FUNCTION, ItemProcessor="x")),
    ("property-allowed", edit("ingestion-spark-job", "defaultArguments", lambda a: a.update({"--extra-jars": "x"}))),
    ("value-allowed", change("aws:cognito/identityPool:IdentityPool", allowClassicFlow=True)),
    ("value-allowed", change("aws:cognito/identityPool:IdentityPool", allowClassicFlow="True")),
    ("value-allowed", change("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", cidrIpv4="192.0.2.0/24")),
    ("value-allowed", change("aws:apigatewayv2/route:Route", authorizationType="CUSTOM")),
    ("value-allowed", change(PERMISSION, qualifier="$LATEST")),
    ("value-allowed", change(MAPPING, functionName="polyphony-prod-ingestion-steps")),
    ("value-allowed", change("aws:costexplorer/anomalySubscription:AnomalySubscription", frequency="DAILY")),
    ("value-allowed", edit("livestream-api-api", "tags", lambda tags: tags.update(CallersCheckedBy="nobody here"))),
    ("value-allowed", change(FUNCTION, role=f"arn:aws:iam::{OTHER_ACCOUNT}:role/polyphony-prod-ingestion-steps")),
    ("value-allowed", change(FUNCTION, layers=[f"arn:aws:lambda:us-east-1:{OTHER_ACCOUNT}:layer:tools:1"])),
    ("value-allowed", set_variable("TARGET", "https://collect.example.net/")),
    ("value-allowed", set_variable("TARGET", "http://127.0.0.1:80/_aws/execute-api/0a1b2c3d.example.net/live")),
    ("value-allowed", change(PERMISSION, sourceArn=f"arn:aws:events:us-east-1:{OTHER_ACCOUNT}:rule/a")),
    ("value-allowed", change("ingestion-landing-logging", targetBucket="another-bucket")),
    ("value-allowed", change("foundation-alerts-critical-platform@example.com", endpoint="me@example.net")),
    (
        "value-allowed",
        edit(
            "meetings-media-definition", "containerProperties", lambda c: c.update({"image": c["image"].split("@")[0]})
        ),
    ),
    (
        "value-allowed",
        edit(
            "ingestion-workflow-machine",
            "definition",
            lambda d: d["States"]["Run"].update({"Resource": "arn:aws:states:::aws-sdk:iam:createUser"}),
        ),
    ),
    ("grant-allowed", allow(GRANTS, Action="s3:DeleteObject", Resource=f"{BUCKET}/manifests/*")),
    ("grant-allowed", allow(GRANTS, Action=["S3:GETOBJECT"], Resource=[f"{BUCKET}/*"])),
    ("grant-allowed", allow(GRANTS, Action="dynamodb:GetItem", Resource="*")),
    (
        "grant-allowed",
        allow(
            GRANTS,
            Action="s3:GetObject",
            Resource=f"{BUCKET.replace('ingestion-lake', 'meetings-recordings')}/manifests/*",
        ),
    ),
    ("grant-allowed", allow("voice-qa-guests-guest-grants", Action="dynamodb:Query", Resource="*")),
    ("grant-allowed", allow("ingestion-intake-policy", Principal="*", Action="sqs:SendMessage", Resource=QUEUE)),
    ("grant-allowed", allow("ingestion-intake-policy", Principal=S3, Action="sqs:SendMessage", Resource=QUEUE)),
    ("grant-allowed", allow(ROLE, Principal={"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}, Action="sts:AssumeRole")),
    (
        "grant-allowed",
        edit("ingestion-workflow-role", "assumeRolePolicy", lambda d: d["Statement"][0].pop("Condition")),
    ),
    (
        "grant-allowed",
        edit(
            "livestream-api-api",
            "body",
            lambda b: b.update(
                {
                    "x-amazon-apigateway-policy": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}
                        ],
                    }
                }
            ),
        ),
    ),
    ("grant-exact", allow(GRANTS, Action="s3:Get*", Resource=BUCKET)),
    ("grant-exact", allow(GRANTS, NotAction="iam:*", Resource="*")),
    ("grant-exact", allow("ingestion-intake-policy", Principal={"AWS": "*"}, Action="sqs:SendMessage", Resource=QUEUE)),
    ("grant-allowed", change(GRANTS, policy=UNKNOWN)),
    ("names-of-stack", change(GRANTS, policy=UNKNOWN, name=UNKNOWN)),
    ("names-of-stack", change(FUNCTION, role="arn:aws:iam::123456789012:role/polyphony-prod-ingestion-intake")),
    (
        "names-of-stack",
        change(
            "aws:athena/workgroup:Workgroup",
            configuration={"resultConfiguration": {"outputLocation": "s3://polyphony-prod-ingestion-lake-9/q/"}},
        ),
    ),
    ("names-of-stack", change("meetings-media-spot-queue", computeEnvironmentOrders=[environment_with("media-2026")])),
    (
        "provider-not-redirected",
        lambda program: program.add("pulumi:providers:aws", "other", {"assumeRole": {"roleArn": "x"}}),
    ),
)
HARMLESS: tuple[Callable[[Program], str], ...] = (
    change("meetings-media-spot-queue", computeEnvironmentOrders=[environment_with("media-spot-2026112518")]),
    set_variable("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", "http://127.0.0.1:4566/_aws/execute-api/0a1b2c3d/live"),
    change(FUNCTION, memorySize=2048, timeout=30, description="see https://example.net"),
    change("aws:cloudwatch/logGroup:LogGroup", retentionInDays=30, tags={"Reason": "asked by the team"}),
    change("aws:scheduler/schedule:Schedule", scheduleExpression="rate(7 minutes)"),
    change("aws:glue/job:Job", workerType="G.2X"),
    set_variable("RETRIES", "4"),
    set_variable("MANIFEST_BYTES", "107374182400"),
    set_variable("DEDUP_CACHE_TTL", "60"),
    allow(
        GRANTS,
        Action="dynamodb:PutItem",
        Resource="arn:aws:dynamodb:us-east-1:123456789012:table/polyphony-prod-ingestion-files",
    ),
    edit(
        "ingestion-intake-policy",
        "policy",
        lambda d: d["Statement"].append(
            {"Effect": "Deny", "Principal": "*", "NotAction": "sqs:SendMessage", "Resource": QUEUE}
        ),
    ),
    edit("ingestion-workflow-machine", "definition", lambda d: d["States"].update({"Again": d["States"]["Confirm"]})),
    edit("livestream-api-api", "body", lambda b: b["paths"].update({"/speakers": b["paths"]["/episodes"]})),
)
SURFACE = ("type-allowed", "property-allowed", "value-allowed", "grant-allowed", "grant-exact", "names-of-stack")


def test_the_tables_are_those_that_make_surface_writes() -> None:
    assert find_stale_tables() == [], "run `make surface`, and let a reviewer read the difference"


def test_every_type_is_free_or_has_a_price() -> None:
    assert [kind for kind, words in read_types().items() if UNDECIDED in words] == []


@pytest.mark.parametrize(("policy", "attack"), ATTACKS)
def test_what_no_table_has_is_refused(policy: str, attack: Callable[[Program], str]) -> None:
    program = Program()
    assert attack(program) in program.find(policy)


@pytest.mark.parametrize("ordinary", HARMLESS)
def test_an_ordinary_change_needs_no_line(ordinary: Callable[[Program], str]) -> None:
    program = Program()
    ordinary(program)
    assert program.find_all(*SURFACE) == {}


def test_a_message_contains_no_secret() -> None:
    program = Program()
    name = set_variable("TARGET", "https://user:a-password@collect.example.net/")(program)
    message = program.find("value-allowed")[name]
    assert message == "New value of aws:lambda/function:Function environment."


def test_what_the_provider_inserts_is_no_fact() -> None:
    """The engine sends a resource after the AWS provider has inserted its defaults and the region."""
    program = Program()
    inserted = [line.split(" ", 2) for line in sorted(read_provider_defaults()) if "." not in line.split(" ")[1]]
    for name, resource in list(program.resources.items()):
        if resource.type.startswith("aws:"):
            values = {key: value for kind, key, value in inserted if kind == resource.type}
            program.change(name, **{"region": "us-east-1", **values, **resource.props})
    assert program.find_all(*SURFACE) == {}
    name = program.change(FUNCTION, region="eu-west-1")
    assert name in program.find("property-allowed")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arn:aws:sqs:eu-west-1:123456789012:polyphony-prod-ingestion-intake", "arn:aws:sqs:{region}:{account}:{own}"),
        ("polyphony_prod_ingestion", "{own}"),
        ("polyphony-prod-meetings-x", "{stack}-meetings-x"),
        ("polyphony-prod-ingestion-x*", "{stack}-ingestion-x*"),
        ("polyphony-production-x", "polyphony-production-x"),
        ("my-polyphony-prod-ingestion-x", "my-{own}"),
        (f"arn:aws:s3:::{OTHER_ACCOUNT}", f"arn:aws:s3:::{OTHER_ACCOUNT}"),
        ("https://app.example.com", "{setting}"),
        ("abc@de.fg", "{setting}"),
        ("ab@cd.ef", "ab@cd.ef"),
        ("arn:aws:iam::999999999999:role/x", "arn:aws:iam::999999999999:role/x"),
        (
            "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/live/*",
            "arn:aws:execute-api:{region}:{account}:{api}/live/*",
        ),
    ],
)
def test_names_accounts_and_ids_become_placeholders(text: str, expected: str) -> None:
    settings = frozenset(
        {"https://app.example.com", "arn:aws:iam::999999999999:role/x", "123", "*", "abc@de.fg", "ab@cd.ef"}
    )
    assert SeenStack("polyphony-prod-", "123456789012", settings=settings).normalise(text, "ingestion") == expected
