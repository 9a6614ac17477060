"""What later subsystems will register passes as a whole, and what no spec's single fault shows."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from guardrails import types as t
from guardrails.record import Level
from tests.policies import exemplary
from tests.policies.harness import UNKNOWN, Thing, ask, of_things, policies, surroundings
from tests.policies.specs.documents import ACCOUNT, REGION, ROLE_ARN, TABLE_ARN, allow, document, service, source, trust

TRUSTING_ROOT_OF_ANOTHER = trust({"AWS": "arn:aws:iam::999999999999:root"})
STACK_WIDE = {"cost-estimate", "budget-exists", "anomaly-detection-exists"}
"""About what stands once in a stack, in its foundation."""


def test_right_resources_of_services_to_come_pass_every_policy_and_leave_none_undecided() -> None:
    where = surroundings("prod")
    asked = [one for one in policies(where).values() if one.levels.of("prod") is not Level.DISABLED]
    found = ask([one for one in asked if one.name not in STACK_WIDE], of_things(exemplary.ALL), where)
    undecided = {(one.policy, one.name) for one in found if one.undecided}
    assert [(one.policy, one.name, one.message) for one in found if not one.undecided] == []
    assert {name for _, name in undecided} == {"guest"}, "the trust of guests names the pool, whose id AWS invents"


TLS_ONLY = document(
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
)
FAULTS: list[tuple[str, str, Mapping[str, Any], str]] = [
    ("iam-no-wildcard-action", t.ROLE_POLICY, {"policy": document(allow("*", "*"))}, "It allows *."),
    ("iam-no-negation", t.ROLE, {"assumeRolePolicy": document({"Effect": "Allow", "NotPrincipal": {"AWS": "x"}})}, "NotPrincipal"),
    ("iam-no-negation", t.QUEUE_POLICY, {"policy": document({"Effect": "Deny", "NotResource": "x"})}, "NotResource"),
    ("iam-resource-is-named", t.ROLE_POLICY, {"policy": document(allow("s3:GetObject", "arn:aws:s3:::*/*"))}, "s3:::*/*"),
    ("iam-resource-is-named", t.ROLE_POLICY, {"policy": document(allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:*"))}, "everything of that kind"),
    ("iam-resource-fits-action", t.ROLE_POLICY, {"policy": document(allow("s3:ListBucket", "arn:aws:s3:::b/key", None), allow("sqs:SendMessage", TABLE_ARN))}, "sqs:SendMessage"),
    ("iam-pass-role-to-service", t.ROLE_POLICY, {"policy": document(allow("iam:PassRole", ROLE_ARN, {"StringLike": {"iam:PassedToService": "*.amazonaws.com"}}))}, "no single service"),
    ("iam-pass-role-exact", t.ROLE_POLICY, {"policy": document(allow("iam:*", "*"))}, "It may pass *"),
    ("iam-trust-names-source", t.ROLE, {"assumeRolePolicy": service("quicksight.amazonaws.com")}, "nobody has looked up"),
    ("iam-trust-names-source", t.ROLE, {"assumeRolePolicy": service("states.amazonaws.com", {"StringEquals": {"aws:SourceAccount": ACCOUNT}})}, "aws:SourceArn is not compared"),
    ("iam-trust-names-source", t.ROLE, {"assumeRolePolicy": service("states.amazonaws.com", source("*"))}, "aws:SourceArn is not compared"),
    ("iam-trust-usable", t.ROLE, {"assumeRolePolicy": service("scheduler.amazonaws.com", source(f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/nightly"))}, "schedule-group"),
    ("iam-trust-usable", t.ROLE, {"assumeRolePolicy": service("backup.amazonaws.com", {"StringEquals": {"aws:SourceAccount": ACCOUNT}})}, "could never take on"),
    ("iam-trust-federated-conditioned", t.ROLE, {"assumeRolePolicy": trust({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com"}, {"StringEquals": {"token.example.com:aud": "x"}})}, "token.example.com:sub"),
    ("iam-trust-exact-principal", t.ROLE, {"assumeRolePolicy": trust("*")}, "It trusts *"),
    ("iam-trust-exact-principal", t.ROLE, {"assumeRolePolicy": TRUSTING_ROOT_OF_ANOTHER}, "999999999999:root"),
    ("iam-session-tags-conditioned", t.ROLE_POLICY, {"policy": document(allow(["sts:AssumeRole", "sts:TagSession"], ROLE_ARN))}, "any tag"),
    ("resource-policy-not-public", t.QUEUE, {"name": "q", "policy": document(allow("sqs:SendMessage", Principal={"AWS": "*"}))}, "everybody"),
    ("resource-policy-not-public", t.TOPIC_POLICY, {"policy": document(allow("sns:Publish", Principal="*", condition={"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}))}, "everybody"),
    ("resource-policy-not-public", t.LOG_POLICY, {"policyDocument": document(allow("logs:PutLogEvents", Principal="*"))}, "everybody"),
    ("resource-policy-not-public", t.LOG_DESTINATION_POLICY, {"accessPolicy": document(allow("logs:PutSubscriptionFilter", Principal="*"))}, "everybody"),
    ("resource-policy-source-account", t.LOG_POLICY, {"policyDocument": document(allow("logs:PutLogEvents", Principal={"Service": "delivery.logs.amazonaws.com"}))}, "whichever account"),
    ("resource-policy-no-wildcard-action", t.LOG_POLICY, {"policyDocument": document(allow("logs:*", Principal={"AWS": ACCOUNT}))}, "logs:*"),
    ("iam-no-negation", t.LOG_POLICY, {"policyDocument": document({"Effect": "Allow", "NotPrincipal": {"AWS": "x"}})}, "NotPrincipal"),
    ("resource-policy-not-public", t.KEY, {"policy": document(allow("kms:Decrypt", "*", {"StringLike": {"aws:PrincipalArn": "*"}}, Principal="*"))}, "everybody"),
    ("resource-policy-not-public", t.QUEUE_POLICY, {"policy": document(allow("sqs:SendMessage", condition={"ForAllValues:StringEquals": {"aws:SourceAccount": ACCOUNT}}, Principal="*"))}, "everybody"),
    ("resource-policy-not-public", t.QUEUE_POLICY, {"policy": document(allow("sqs:SendMessage", condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}, Principal="*"))}, "everybody"),
    ("resource-policy-not-public", t.QUEUE_POLICY, {"policy": document(allow("sqs:SendMessage", condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}, Principal="*"))}, "everybody"),
    *(("resource-policy-not-public", kind, {"policy": document(allow("x:Get", "*", Principal="*"))}, "everybody") for kind in (t.ACCESS_POINT, t.BUCKET, t.BUCKET_V2, t.CATALOG_POLICY, t.KEY_EXTERNAL, t.KEY_REPLICA, t.SECRET)),
    *(("resource-policy-not-public", t.QUEUE_POLICY, {"policy": document(allow("sqs:SendMessage", condition=condition, Principal="*"))}, "everybody") for condition in (
        {"StringLike": {"aws:PrincipalOrgID": "o-*"}},
        {"StringLike": {"aws:SourceVpc": "vpc-*"}},
        {"StringLike": {"aws:SourceAccount": "1*"}},
        {"NumericGreaterThan": {"aws:SourceAccount": "1"}},
    )),
    ("resource-policy-not-public", t.LAYER_PERMISSION, {"principal": "*", "action": "lambda:GetLayerVersion"}, "everybody lambda:GetLayerVersion"),
    ("resource-policy-not-public", t.EVENT_BUS_PERMISSION, {"principal": "*", "statementId": "x"}, "everybody events:PutEvents"),
    ("resource-policy-not-public", t.QUEUE_POLICY, {"policy": document(allow("sqs:SendMessage", Principal=["*"]))}, "cannot be read"),
    ("resource-policy-not-public", t.QUEUE_POLICY, {"policy": "{"}, "cannot be read"),
    ("queue-tls-only", t.QUEUE, {"name": "q", "policy": "[]"}, "cannot be read"),
    ("queue-tls-only", t.QUEUE, {"name": "q", "policy": document(allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"))}, "does not refuse"),
    ("resource-policy-source-account", t.TOPIC_POLICY, {"policy": document(allow("sns:Publish", condition={"StringLike": {"aws:SourceAccount": "1*"}}, Principal={"Service": "s3.amazonaws.com"}))}, "whichever account"),
    ("iam-trust-names-source", t.ROLE, {"assumeRolePolicy": service("states.amazonaws.com", {"StringLike": {"aws:SourceAccount": "*2"}, "ArnLike": {"aws:SourceArn": "arn:aws:states:*"}})}, "aws:SourceAccount is not compared"),
    ("key-keeps-its-account", t.KEY_REPLICA, {"policy": document(allow("kms:Decrypt", "*", Principal={"AWS": ROLE_ARN}))}, "account's root"),
    ("resource-policy-source-account", t.TOPIC_POLICY, {"policy": document(allow("sns:Publish", condition={"ForAllValues:StringEquals": {"aws:SourceAccount": ACCOUNT}}, Principal={"Service": "s3.amazonaws.com"}))}, "whichever account"),
    ("resource-policy-source-account", t.TOPIC_POLICY, {"policy": document(allow("sns:Publish", condition={"ArnNotLike": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/x"}}, Principal={"Service": "events.amazonaws.com"}))}, "whichever account"),
    ("iam-trust-federated-conditioned", t.ROLE, {"assumeRolePolicy": trust({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com"}, {"StringEquals": {"token.example.com:aud": "x"}, "StringLike": {"token.example.com:sub": "repo:*"}})}, "whoever's that is"),
    ("function-permission-source", t.FUNCTION_PERMISSION, {"principal": "*"}, "everybody call"),
    ("function-permission-source", t.FUNCTION_PERMISSION, {"principal": "sns.amazonaws.com", "sourceAccount": ACCOUNT}, "sourceArn is missing"),
    ("function-permission-source", t.FUNCTION_PERMISSION, {"principal": "apigateway.amazonaws.com"}, "sourceArn is missing"),
    ("function-permission-source", t.FUNCTION_PERMISSION, {"principal": "apigateway.amazonaws.com", "sourceArn": f"arn:aws:execute-api:{REGION}:*:abc/live/*"}, "from any account"),
    ("no-secret-in-environment", t.BATCH_JOB, {"containerProperties": json.dumps({"environment": [{"name": "DB_PASSWORD", "value": "x1"}]})}, "DB_PASSWORD"),
    ("no-secret-in-environment", t.GLUE_JOB, {"defaultArguments": {"--api-token": "abc"}}, "--api-token"),
    ("no-secret-in-environment", t.TASK_DEFINITION, {"containerDefinitions": json.dumps([{"environment": [{"name": "URL", "value": "postgres://u:p@h/d"}]}])}, "a URL with a password"),
    ("api-asks-who-calls", t.REST_METHOD, {"httpMethod": "POST", "authorization": "NONE"}, "POST asks for no authorization"),
    ("cors-origin-named", t.FUNCTION, {"name": "f", "environment": {"variables": {"ORIGIN": "*"}}}, "origin *"),
    *(("cors-origin-named", kind, {"corsRules": [{"allowedOrigins": ["*"]}]}, "origin *") for kind in (t.BUCKET, t.BUCKET_V2)),
    ("bucket-public-access-blocked", t.BUCKET_V2, {"bucket": "b"}, "blockPublicAcls"),
    ("bucket-never-emptied", t.BUCKET_V2, {"bucket": "b", "forceDestroy": True}, "forceDestroy"),
    *(("no-always-on-service", kind, {}, "used or not") for kind in ("aws:alb/loadBalancer:LoadBalancer", "aws:elb/loadBalancer:LoadBalancer", "aws:ec2/spotInstanceRequest:SpotInstanceRequest")),
    ("network-not-open", t.DEFAULT_SECURITY_GROUP, {"ingress": [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 22}]}, "port 22"),
    ("cors-origin-named", t.SOCKET_API, {"corsConfiguration": {"allowOrigins": ["https://*"]}}, "https://*"),
    ("api-traces-no-bodies", t.SOCKET_STAGE, {"defaultRouteSettings": {"dataTraceEnabled": True}}, "dataTraceEnabled"),
    ("network-not-open", t.INGRESS_RULE, {"cidrIpv6": "::/0"}, "::/0"),
    ("network-not-open", t.INGRESS_RULE, {"cidrIpv6": "2000::/3"}, "2000::/3"),
    *(("network-not-open", t.INGRESS_RULE, {"cidrIpv4": half}, half) for half in ("0.0.0.0/1", "128.0.0.0/1", "64.0.0.0/7")),
    ("network-not-open", t.SECURITY_GROUP_RULE, {"type": "ingress", "cidrBlocks": ["0.0.0.0/0"], "fromPort": 443}, "port 443"),
    ("api-logs-owned", t.SOCKET_STAGE, {"apiId": "a", "name": "live"}, "/aws/apigateway/"),
    ("queue-has-dead-letters", t.QUEUE, {"name": "q", "redrivePolicy": json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"})}, "is itself"),
    ("batch-retries-reclaims", t.BATCH_JOB, {"retryStrategy": {"attempts": 1}}, "tried once"),
    ("glue-worker-ceiling", t.GLUE_JOB, {"command": {"name": "glueetl"}, "workerType": "G.8X", "numberOfWorkers": 2}, "G.8X"),
    ("runtime-supported", t.FUNCTION, {"name": "f", "runtime": "ruby3.2"}, "ruby3.2 nobody has looked up"),
    ("workflow-tasks-retried", t.WORKFLOW, {"definition": json.dumps({"States": {"P": {"Type": "Parallel", "Branches": [{"States": {"In": {"Type": "Task"}}}]}}})}, "task In"),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "kind", "props", "says"), FAULTS, ids=[f"{one[0]}-{one[3]}" for one in FAULTS])
def test_every_way_to_be_wrong_is_found(policy: str, kind: str, props: Mapping[str, Any], says: str) -> None:
    where = surroundings("prod")
    found = ask([policies(where)[policy]], of_things([Thing(kind, props)]), where)
    assert any(says in one.message for one in found), [one.message for one in found]


RIGHT: list[tuple[str, str, Mapping[str, Any]]] = [
    ("queue-tls-only", t.QUEUE, {"name": "q", "policy": TLS_ONLY}),
    ("resource-policy-not-public", t.LAYER_PERMISSION, {"principal": "*", "action": "lambda:GetLayerVersion", "organizationId": "o-1"}),
    ("resource-policy-not-public", t.LAYER_PERMISSION, {"principal": ACCOUNT, "action": "lambda:GetLayerVersion"}),
    ("resource-policy-not-public", t.EVENT_BUS_PERMISSION, {"principal": "*", "condition": {"type": "StringEquals", "key": "aws:PrincipalOrgID", "value": "o-1"}}),
    ("no-secret-in-environment", t.FUNCTION, {"name": "f", "environment": {"variables": {"TOKEN_AUDIENCE": "polyphony", "MAX_TOKENS": "900", "API_KEY": "arn:aws:ssm:x"}}}),
    ("iam-resource-is-named", t.ROLE_POLICY, {"policy": document(allow("dynamodb:Query", f"{TABLE_ARN}/index/*"), allow("glue:GetTable", f"arn:aws:glue:{REGION}:{ACCOUNT}:catalog"))}),
    ("resource-policy-source-account", t.LOG_POLICY, {"policyDocument": document(allow("logs:PutLogEvents", "*", {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, Principal={"Service": "delivery.logs.amazonaws.com"}))}),
    ("iam-trust-names-source", t.ROLE, {"assumeRolePolicy": service("ecs-tasks.amazonaws.com", source(f"arn:aws:ecs:{REGION}:{ACCOUNT}:*"))}),
    ("resource-policy-source-account", t.KEY, {"policy": document(allow("kms:Decrypt", "*", {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:x"}}, Principal={"Service": "logs.us-east-1.amazonaws.com"}))}),
    ("resource-policy-source-account", t.TOPIC_POLICY, {"policy": document(allow("sns:Publish", "*", {"ArnLike": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/x"}}, Principal={"Service": "events.amazonaws.com"}))}),
    ("resource-policy-not-public", t.QUEUE_POLICY, {"policy": document(allow("sqs:SendMessage", condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"}}, Principal="*"))}),
    ("iam-trust-federated-conditioned", t.ROLE, {"assumeRolePolicy": trust({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com"}, {"StringEquals": {"token.example.com:aud": "x"}, "StringLike": {"token.example.com:sub": "repo:owner/*"}})}),
    ("function-permission-source", t.FUNCTION_PERMISSION, {"principal": "events.amazonaws.com", "sourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/x"}),
    ("function-permission-source", t.FUNCTION_PERMISSION, {"principal": "apigateway.amazonaws.com", "sourceArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abc/live/*"}),
    ("api-asks-who-calls", t.REST_METHOD, {"httpMethod": "OPTIONS", "authorization": "NONE"}),
    ("api-asks-who-calls", t.REST_METHOD, {"httpMethod": "GET", "authorization": "NONE", "apiKeyRequired": True}),
    ("glue-no-quarter-worker", t.GLUE_JOB, {"command": {"name": "gluestreaming"}, "workerType": "G.025X"}),
    ("runtime-supported", t.FUNCTION, {"name": "f", "packageType": "Image"}),
    ("key-keeps-its-account", t.KEY, {"description": "KMS lets the account in by itself"}),
    ("queue-source-bounded", t.FUNCTION_SOURCE, {"eventSourceArn": "arn:aws:dynamodb:r:1:table/t/stream/s"}),
    ("network-not-open", t.SECURITY_GROUP_RULE, {"type": "egress", "cidrBlocks": ["0.0.0.0/0"]}),
    ("network-not-open", t.SECURITY_GROUP, {"ingress": [{"cidrBlocks": ["10.0.0.0/8", "17.0.0.0/8"], "ipv6CidrBlocks": ["fc00::/7", "2001:db8::/32"]}]}),
    ("network-not-open", t.INGRESS_RULE, {"cidrIpv4": "no range", "prefixListId": "pl-1"}),
    ("function-timeout-ceiling", t.FUNCTION, {"name": "f"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "kind", "props"), RIGHT, ids=[f"{one[0]}-{index}" for index, one in enumerate(RIGHT)]
)
def test_what_only_looks_wrong_passes(policy: str, kind: str, props: Mapping[str, Any]) -> None:
    where = surroundings("prod")
    assert ask([policies(where)[policy]], of_things([Thing(kind, props)]), where) == []


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({}, 1),
        ({"CallersCheckedBy": "somebody"}, 1),
        ({"CallersCheckedBy": "its function verifies the token"}, 0),
        ({"Reason": "its function verifies the token"}, 1),
    ],
)
def test_an_api_that_lets_everybody_connect_says_what_checks_callers(tags: dict[str, str], found: int) -> None:
    where = surroundings("prod")
    api = Thing(t.SOCKET_API, {"name": "ws", "protocolType": "WEBSOCKET", "tags": tags}, "ws")
    props = {"apiId": UNKNOWN, "routeKey": "$connect", "authorizationType": "NONE"}
    route = Thing(t.SOCKET_ROUTE, props, "route", refers={"apiId": ["ws"]})
    said = ask([policies(where)["api-asks-who-calls"]], of_things([api, route]), where)
    assert ["Everybody may $connect" in one.message for one in said] == [True] * found


@pytest.mark.parametrize(("kind", "undecided"), [(t.SOCKET_API, False), (t.REST_API, False), (t.BUCKET, True)])
def test_an_api_of_this_stack_is_of_this_account_before_its_id_is_known(kind: str, undecided: bool) -> None:
    where = surroundings("prod")
    props = {"principal": "apigateway.amazonaws.com", "sourceArn": UNKNOWN}
    permission = Thing(t.FUNCTION_PERMISSION, props, "permission", refers={"sourceArn": ["source"]})
    found = ask(
        [policies(where)["function-permission-source"]], of_things([Thing(kind, {}, "source"), permission]), where
    )
    assert [one.undecided for one in found] == [True] * undecided


def test_the_packs_configuration_sets_limits() -> None:
    where = surroundings("prod")
    asked = [policies(where)["function-memory-ceiling"], policies(where)["dashboard-ceiling"]]
    stack = of_things([Thing(t.FUNCTION, {"name": "f", "memorySize": 3008}), Thing(t.DASHBOARD, {}, "d")])
    assert [one.policy for one in ask(asked, stack, where)] == ["function-memory-ceiling"]
    stricter = {"function-memory-ceiling": {"megabytes": 3008}, "dashboard-ceiling": {"dashboards": 0}}
    assert [one.policy for one in ask(asked, stack, where, stricter)] == ["dashboard-ceiling"]


def test_what_one_resource_does_not_know_yet_hides_no_fault_of_another() -> None:
    where = surroundings("prod")
    stack = of_things([Thing(t.QUEUE, {"name": UNKNOWN}, "late"), Thing(t.QUEUE, {"name": "bare"}, "bare")])
    found = ask([policies(where)["queue-has-dead-letters"]], stack, where)
    assert {(one.name, one.undecided) for one in found} == {("", True)}, "the names of dead-letter queues are needed"

    stack = of_things([Thing(t.FUNCTION, {"name": UNKNOWN}, "late"), Thing(t.FUNCTION, {"name": "bare"}, "bare")])
    found = ask([policies(where)["function-errors-watched"]], stack, where)
    assert {(one.name, one.undecided) for one in found} == {("bare", False), ("", True)}


def named(arn: str) -> bool:
    where = surroundings("prod")
    thing = Thing(t.ROLE_POLICY, {"policy": document(allow("s3:GetObject", arn))})
    return ask([policies(where)["iam-resource-is-named"]], of_things([thing]), where) == []


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:s3:::*/queries/*",
        f"arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/*/object/queries/*",
        "arn:aws:dynamodb:*:*:table/*/index/*",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:*-??????",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:*:live",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*:log-stream:*",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/*",
        f"arn:aws:execute-api:{REGION}:{ACCOUNT}:*/*/POST/@connections/*",
        f"arn:aws:states:{REGION}:{ACCOUNT}:execution:*:x*",
        f"arn:aws:apigateway:{REGION}::/restapis/*/stages/live",
        f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/*/*",
        f"arn:aws:sns:{REGION}:{ACCOUNT}:*:subscription",
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:",
    ],
)
def test_a_literal_word_that_is_no_name_does_not_name_a_resource(arn: str) -> None:
    assert not named(arn)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:s3:::b/*",
        f"arn:aws:s3:{REGION}:{ACCOUNT}:accesspoint/b/object/*",
        "arn:aws:dynamodb:*:*:table/t/index/*",
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:s-??????",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:*-prod-?:live",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/x:*",
        f"arn:aws:execute-api:{REGION}:{ACCOUNT}:a1/*/POST/@connections/*",
        f"arn:aws:states:{REGION}:{ACCOUNT}:execution:m:*",
        f"arn:aws:apigateway:{REGION}::/restapis/a1/stages/*",
        f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/w/*",
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/g",
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
    ],
)
def test_a_name_where_names_are_is_one_whatever_follows(arn: str) -> None:
    assert named(arn)


def test_a_queue_whose_policy_is_not_known_yet_waits_only_if_one_was_given() -> None:
    where = surroundings("prod")
    role, given = (
        Thing(t.ROLE, {}, "role"),
        Thing(t.QUEUE, {"name": "q", "policy": UNKNOWN}, "given", {"policy": ["role"]}),
    )
    answered = Thing(t.QUEUE, {"name": "q", "policy": UNKNOWN}, "answered")
    found = ask([policies(where)["queue-tls-only"]], of_things([role, given, answered]), where)
    assert [(one.name, one.undecided) for one in found] == [("answered", False), ("", True)]


def test_what_cannot_be_read_is_found_where_it_stands_and_hides_nothing_else() -> None:
    where = surroundings("prod")
    broken = Thing(t.QUEUE_POLICY, {"policy": document({"Effect": "Allow", "Principal": ["*"]})}, "broken")
    public = Thing(t.QUEUE_POLICY, {"policy": document(allow("sqs:SendMessage", Principal="*"))}, "public")
    found = ask([policies(where)["resource-policy-not-public"]], of_things([broken, public]), where)
    assert [one.name for one in found] == ["broken", "public"]


def test_an_estimate_that_cannot_be_made_is_said_of_the_stack() -> None:
    where = surroundings("prod")
    stack = [
        Thing(t.PLATFORM, {"usage": {}, "budget": 1}, "platform"),
        Thing(t.BATCH_JOB, {"containerProperties": "{"}),
    ]
    [found] = ask([policies(where)["cost-estimate"]], of_things(stack), where)
    assert "cannot be read" in found.message
