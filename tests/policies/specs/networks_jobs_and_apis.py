"""Specs of policies that have no module of specs of their own, with bad and harmless variations by family. The policies
are about networks, VPC endpoints, containers, Glue, access control lists, deliveries, APIs and CORS.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNDECIDED,
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    change_resource,
    edit_json_property,
    expect_finding,
    expect_no_finding,
    property_spec,
    resource_spec,
)
from tests.policies.specs.data_protection import open_api_case, protected_api_case
from tests.policies.specs.sample_iam_documents import ACCOUNT, REGION, ROLE_ARN, allow, document

OPEN, ENDPOINT, ISOLATED, IMAGE = (
    "network-not-open",
    "endpoint-for-own-account",
    "container-isolated",
    "image-of-stack",
)
ENCRYPTED, ACL, DELIVERY = "glue-encryption-enabled", "acl-owner-only", "deliveries-over-tls"
INTEGRATION, ORIGIN = "api-integration-inside-aws", "cors-origin-named"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
OUR_IMAGE = f"{REGISTRY}/polyphony-prod-media-images@sha256:{'0' * 64}"
OWN_ACCOUNT = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
PREFIX_LIST = "prefixListId"
INTEGRATION_KEY = "x-amazon-apigateway-integration"
"""Key of a method's integration in an OpenAPI document."""


def group(**rule: Any) -> SampleResource:
    """Return a security group with one inbound rule."""
    return SampleResource(t.SECURITY_GROUP, {"ingress": [{"fromPort": 443, **rule}]})


def rules(kind: str, cidrs: Sequence[str], key: str = "cidrIpv4", **more: Any) -> list[SampleResource]:
    """Return separate rules of one security group, each with one range. A property such as `cidrIpv4` is one range, and
    `cidrBlocks` is a list of ranges.
    """
    return [
        SampleResource(
            kind, {"securityGroupId": "sg-1", key: cidr if key.startswith("cidrIp") else [cidr], **more}, cidr
        )
        for cidr in cidrs
    ]


def opened(message_part: str, *samples: SampleResource) -> PolicyCase:
    """Return a case of a network that lets large parts of the internet in."""
    return expect_finding(OPEN, message_part, *samples)


def split(first: int, count: int, length: int = 16) -> list[str]:
    """Return consecutive ranges whose addresses start with `first`, all with the same prefix length."""
    return [f"{first}.{number}.0.0/{length}" for number in range(count)]


def endpoint(*statements: Mapping[str, Any], **props: Any) -> SampleResource:
    """Return a VPC endpoint with a policy."""
    return SampleResource(t.VPC_ENDPOINT, {"policy": document(*statements), **props})


def everybody(resources: Any = "*", condition: Any = None, actions: Any = "*") -> Mapping[str, Any]:
    """Return a statement for every principal."""
    return allow(actions, resources, condition, Principal="*")


def job(**container: Any) -> SampleResource:
    """Return a Batch job with one container."""
    return SampleResource(t.BATCH_JOB, {"containerProperties": json.dumps({"image": OUR_IMAGE, **container})})


def task(props: Mapping[str, Any] | None = None, **container: Any) -> SampleResource:
    """Return an ECS task with one container."""
    definition = json.dumps([{"image": OUR_IMAGE, **container}])
    return SampleResource(t.TASK_DEFINITION, {"containerDefinitions": definition, **(props or {})})


def exposed(message_part: str, sample: SampleResource) -> PolicyCase:
    """Return a case of a container that is not isolated."""
    return expect_finding(ISOLATED, message_part, sample)


def security(s3_mode: str | None = "SSE-S3", bookmarks: str = "DISABLED") -> SampleResource:
    """Return a security configuration of Glue."""
    s3 = {"s3EncryptionMode": s3_mode} if s3_mode is not None else {}
    modes = {"s3Encryption": s3, "jobBookmarksEncryption": {"jobBookmarksEncryptionMode": bookmarks}}
    return SampleResource(t.GLUE_SECURITY, {"name": "s", "encryptionConfiguration": modes})


def glue_job(option: str, security_name: object = "s", **references: list[str]) -> SampleResource:
    """Return a Glue job with a setting for bookmarks."""
    props = {"securityConfiguration": security_name, "defaultArguments": {"--job-bookmark-option": option}}
    return SampleResource(t.GLUE_JOB, props, "job", references=references)


def subscription(protocol: str, address: str) -> SampleResource:
    """Return a subscription of a topic."""
    return SampleResource(t.TOPIC_SUBSCRIPTION, {"protocol": protocol, "endpoint": address})


def api(security_requirement: Any, schemes: Mapping[str, Any], key: str = "components") -> SampleResource:
    """Return a REST API with one operation and security schemes."""
    defined = {"components": {"securitySchemes": schemes}} if key == "components" else {key: schemes}
    body = {"paths": {"/x": {"get": {"security": security_requirement}}}, **defined}
    return SampleResource(t.REST_API, {"body": json.dumps(body)})


def rest_integration(**integration: Any) -> SampleResource:
    """Return a REST API with one integration in its document."""
    body = {"paths": {"/x": {"get": {INTEGRATION_KEY: integration}}}}
    # With the tag, `api-asks-who-calls` does not require an authorizer.
    return SampleResource(t.REST_API, {"body": json.dumps(body), "tags": {"CallersCheckedBy": "the token in the body"}})


def forwarding(message_part: str, sample: SampleResource) -> PolicyCase:
    """Return a case of an API that forwards requests to another server."""
    return expect_finding(INTEGRATION, message_part, sample)


def cors(origin: str) -> list[SampleResource]:
    """Return all resources that can allow an origin, each with this origin."""
    header = {"gatewayresponse.header.Access-Control-Allow-Origin": f"'{origin}'"}
    method_header = {"method.response.header.Access-Control-Allow-Origin": f"'{origin}'"}
    responses = {"x-amazon-apigateway-gateway-responses": {"DEFAULT_4XX": {"responseParameters": header}}}
    return [
        SampleResource(t.BUCKET_CORS, {"corsRules": [{"allowedOrigins": ["https://a.example.com", origin]}]}),
        SampleResource(t.BUCKET, {"corsRules": [{"allowedOrigins": [origin]}]}),
        SampleResource(t.BUCKET_V2, {"corsRules": [{"allowedOrigins": [origin]}]}),
        SampleResource(t.API_V2, {"corsConfiguration": {"allowOrigins": [origin]}}),
        SampleResource(t.FUNCTION_URL, {"cors": {"allowOrigins": [origin]}}),
        SampleResource(t.FUNCTION, {"environment": {"variables": {"ORIGIN": origin}}}),
        SampleResource(t.REST_API, {"body": json.dumps(responses)}),
        SampleResource(t.REST_RESPONSE, {"responseParameters": header}),
        SampleResource(t.REST_INTEGRATION_RESPONSE, {"responseParameters": method_header}),
    ]


LAMBDA_AUTHORIZER = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "x-amazon-apigateway-authtype": "custom",
    "x-amazon-apigateway-authorizer": {"type": "token"},
}
API_KEY = {"type": "apiKey", "name": "x-api-key", "in": "header"}
SIGNED = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
NETWORKS = (
    *(opened(cidr, group(cidrBlocks=[cidr])) for cidr in ("0.0.0.0/0", "3.0.0.0/15")),
    opened("0.0.0.0/0", group(cidrBlocks=["10.1.2.3/0"])),
    *(opened(cidr, group(ipv6CidrBlocks=[cidr])) for cidr in ("::/0", "2a05:d000::/28")),
    opened(
        "fromPort 22",
        SampleResource(t.DEFAULT_SECURITY_GROUP, {"ingress": [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 22}]}),
    ),
    # Each of these ranges may stand alone, but together they contain too many addresses.
    opened(
        "together", SampleResource(t.SECURITY_GROUP, {"ingress": [{"cidrBlocks": [cidr]} for cidr in split(18, 3)]})
    ),
    opened("together", group(ipv6CidrBlocks=["2600:1f18::/32", "2600:1f19::/32"])),
    opened("together", *rules(t.INGRESS_RULE, split(52, 2))),
    opened("together", *rules(t.INGRESS_RULE, ["2600:1f18::/32", "2600:1f19::/32"], "cidrIpv6")),
    opened(
        "together", *rules(t.SECURITY_GROUP_RULE, split(52, 5, 17) + split(53, 5, 17), "cidrBlocks", type="ingress")
    ),
    opened("prefix list", group(prefixListIds=["pl-1"])),
    opened("prefix list", SampleResource(t.INGRESS_RULE, {"prefixListId": "pl-1"})),
    opened("prefix list", SampleResource(t.SECURITY_GROUP_RULE, {"type": "ingress", "prefixListIds": ["pl-1"]})),
    opened("together", SampleResource(t.PREFIX_LIST, {"entries": [{"cidr": cidr} for cidr in split(52, 4)]})),
    opened("128.0.0.0/1", SampleResource(t.PREFIX_LIST_ENTRY, {"prefixListId": "pl-1", "cidr": "128.0.0.0/1"})),
    expect_no_finding(OPEN, group(cidrBlocks=["10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"])),
    expect_no_finding(OPEN, group(cidrBlocks=["17.1.0.0/16"])),
    expect_no_finding(OPEN, group(ipv6CidrBlocks=["2600:1f18:1::/48", "fc00::/7"])),
    expect_no_finding(OPEN, *rules(t.INGRESS_RULE, split(52, 4, 24))),
    expect_no_finding(OPEN, *rules(t.INGRESS_RULE, ["no range"])),
    expect_no_finding(OPEN, SampleResource(t.SECURITY_GROUP_RULE, {"type": "egress", "prefixListIds": ["pl-1"]})),
    expect_no_finding(OPEN, SampleResource(t.SECURITY_GROUP, {"egress": [{"cidrBlocks": ["0.0.0.0/0"]}]})),
    expect_no_finding(
        OPEN,
        SampleResource(t.PREFIX_LIST, {"entries": [{"cidr": "198.51.100.0/24"}]}, "list"),
        SampleResource(t.INGRESS_RULE, {PREFIX_LIST: UNKNOWN}, references={PREFIX_LIST: ["list"]}),
    ),
)
ENDPOINTS = (
    expect_finding(ENDPOINT, "has no policy", SampleResource(t.VPC_ENDPOINT, {"serviceName": "com.amazonaws.r.s3"})),
    *(
        expect_finding(ENDPOINT, "to every identity", endpoint(statement))
        for statement in (
            everybody(),
            everybody("arn:aws:s3:::*"),
            everybody(["arn:aws:s3:::polyphony-prod-x", "*"]),
            allow("*", "*", Principal={"AWS": "*"}),
            everybody(condition={"StringLike": {"aws:PrincipalAccount": "*"}}),
            everybody(condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/x"}}),
            everybody(condition={"ArnLike": {"aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/x", "*:role/x"]}}),
            everybody(condition={"Bool": {"aws:SecureTransport": "true"}}),
            {"Effect": "Allow", "Principal": "*", "NotAction": "iam:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": "*", "Action": "*", "NotResource": "arn:aws:s3:::x"},
        )
    ),
    expect_finding(ENDPOINT, "to every identity", endpoint(everybody(condition=OWN_ACCOUNT), everybody())),
    expect_finding(
        ENDPOINT,
        "to every identity",
        SampleResource(t.VPC_ENDPOINT, {"serviceName": "s3"}, "endpoint"),
        SampleResource(
            t.VPC_ENDPOINT_POLICY,
            {"policy": document(everybody()), "vpcEndpointId": UNKNOWN},
            references={"vpcEndpointId": ["endpoint"]},
        ),
    ),
    expect_no_finding(ENDPOINT, endpoint(everybody(condition=OWN_ACCOUNT))),
    expect_no_finding(
        ENDPOINT, endpoint(everybody(condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/x-*"}}))
    ),
    expect_no_finding(ENDPOINT, endpoint(everybody(condition={"StringEquals": {"aws:ResourceAccount": ACCOUNT}}))),
    expect_no_finding(
        ENDPOINT, endpoint(everybody("arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*", None, "s3:GetObject"))
    ),
    expect_no_finding(ENDPOINT, endpoint(allow("*", "*", Principal={"AWS": ROLE_ARN}))),
    expect_no_finding(ENDPOINT, endpoint(everybody(condition=OWN_ACCOUNT), {**everybody(), "Effect": "Deny"})),
)
CONTAINERS = (
    exposed("all permissions of its host", job(privileged=True)),
    exposed("all permissions of its host", task(privileged=True)),
    exposed(
        "all permissions of its host",
        SampleResource(
            t.BATCH_JOB, {"nodeProperties": json.dumps({"nodeRangeProperties": [{"container": {"privileged": True}}]})}
        ),
    ),
    *(exposed("runs as root", job(user=user)) for user in ("root", "0", "0:0", "root:root", "ROOT", 0)),
    exposed(
        "runs as root",
        SampleResource(
            t.BATCH_JOB, {"eksProperties": {"podProperties": {"containers": [{"securityContext": {"runAsUser": 0}}]}}}
        ),
    ),
    exposed("a folder of its host", job(volumes=[{"name": "v", "host": {"sourcePath": "/var/run"}}])),
    exposed("a folder of its host", task({"volumes": [{"name": "v", "hostPath": "/"}]})),
    exposed(
        "a folder of its host",
        SampleResource(t.BATCH_JOB, {"eksProperties": {"podProperties": {"volumes": [{"hostPath": {"path": "/"}}]}}}),
    ),
    exposed("the network of its host", task({"networkMode": "host"})),
    exposed("the processes of its host", task({"pidMode": "host"})),
    exposed("the memory of its host", task({"ipcMode": "host"})),
    exposed("capabilities or devices", task(linuxParameters={"capabilities": {"add": ["SYS_ADMIN"]}})),
    exposed("capabilities or devices", job(linuxParameters={"devices": [{"hostPath": "/dev/fuse"}]})),
    exposed("run commands", SampleResource(t.ECS_SERVICE, {"enableExecuteCommand": True})),
    *(
        expect_finding(IMAGE, "not an image of this stack", sample)
        for sample in (
            job(image="public.ecr.aws/lambda/python:3.13"),
            job(image=f"{REGISTRY}/other-images@sha256:{'0' * 64}"),
            job(image=f"{REGISTRY}/polyphony-staging-media-images:latest"),
            job(image=f"{REGISTRY}.evil.example.com/polyphony-prod-media-images"),
            job(image=f"evil.example.com/{REGISTRY}/polyphony-prod-media-images"),
            task(image="quay.io/somebody/tool"),
            SampleResource(t.FUNCTION, {"imageUri": f"{REGISTRY}/other:1"}),
        )
    ),
    *(
        expect_no_finding(ISOLATED, sample)
        for sample in (
            job(),
            job(privileged=False, readonlyRootFilesystem=True),
            job(user="1000"),
            job(environment=[{"name": "USER", "value": "root"}]),
            job(volumes=[{"name": "scratch", "host": {}}]),
            job(linuxParameters={"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}),
            task({"networkMode": "awsvpc"}, user="app"),
            SampleResource(t.ECS_SERVICE, {"enableExecuteCommand": False}),
        )
    ),
    *(
        expect_no_finding(IMAGE, sample)
        for sample in (
            job(),
            task(),
            SampleResource(t.FUNCTION, {"imageUri": OUR_IMAGE}),
            SampleResource(t.FUNCTION, {"environment": {"variables": {"image": "alpine"}}}),
        )
    ),
)
GLUE_AND_STORAGE = (
    expect_finding(ENCRYPTED, "s3EncryptionMode is DISABLED", security("DISABLED")),
    expect_finding(ENCRYPTED, "s3EncryptionMode is not set", security(None)),
    expect_finding(ENCRYPTED, "s3EncryptionMode is not set", security("")),
    expect_finding(ENCRYPTED, "writes bookmarks", security(), glue_job("job-bookmark-enable")),
    expect_finding(
        ENCRYPTED,
        "writes bookmarks",
        security(),
        glue_job("job-bookmark-enable", UNKNOWN, securityConfiguration=["sample"]),
    ),
    expect_finding("glue-encrypts", "is not set", SampleResource(t.GLUE_JOB, {"securityConfiguration": ""})),
    *(
        expect_finding(ACL, f"acl is {acl}", SampleResource(kind, {"acl": acl}))
        for kind, acl in (
            (t.BUCKET_OBJECT, "public-read"),
            (t.OBJECT_COPY, "public-read"),
            (t.BUCKET_ACL, "log-delivery-write"),
            (t.BUCKET, "public-read"),
            (t.BUCKET_V2, "authenticated-read"),
        )
    ),
    *(
        expect_finding(ACL, "access to others than the owner", sample)
        for sample in (
            SampleResource(
                t.BUCKET, {"grants": [{"type": "Group", "uri": "http://acs.amazonaws.com/groups/global/AllUsers"}]}
            ),
            SampleResource(
                t.BUCKET_ACL, {"accessControlPolicy": {"grants": [{"grantee": {"type": "CanonicalUser", "id": "a1"}}]}}
            ),
            SampleResource(t.OBJECT_COPY, {"grants": [{"type": "CanonicalUser", "id": "a1", "permissions": ["READ"]}]}),
        )
    ),
    expect_finding(DELIVERY, "starts with http", subscription("https", " HTTP://a.example.com")),
    expect_finding(
        DELIVERY,
        "invocationEndpoint",
        SampleResource(t.EVENT_API_DESTINATION, {"invocationEndpoint": "http://a.example.com/*"}),
    ),
    expect_no_finding(ENCRYPTED, security()),
    expect_no_finding(ENCRYPTED, security("SSE-KMS", "CSE-KMS"), glue_job("job-bookmark-enable")),
    expect_no_finding(ENCRYPTED, security(), glue_job("job-bookmark-disable")),
    # The name of the job's configuration is unknown, but the reference shows that it is another one.
    expect_no_finding(
        ENCRYPTED,
        security(),
        replace(security("SSE-KMS", "CSE-KMS"), name="other"),
        glue_job("job-bookmark-enable", UNKNOWN, securityConfiguration=["other"]),
    ),
    *(
        expect_no_finding(ACL, SampleResource(t.BUCKET_OBJECT_V2, props))
        for props in ({}, {"acl": "private"}, {"acl": "bucket-owner-full-control"})
    ),
    expect_no_finding(DELIVERY, subscription("email", "a@example.com")),
    expect_no_finding(DELIVERY, subscription("sqs", "arn:aws:sqs:r:1:q")),
)
APIS = (
    open_api_case(
        "An API key identifies no caller", SampleResource(t.REST_METHOD, {"httpMethod": "ANY", "apiKeyRequired": True})
    ),
    open_api_case("no authorizer", api([{"key": []}], {"key": API_KEY}, "securityDefinitions")),
    open_api_case("no authorizer", api([{"jwt": []}, {"key": []}], {"jwt": LAMBDA_AUTHORIZER, "key": API_KEY})),
    open_api_case("no authorizer", api([{"jwt": []}], {"jwt": {**API_KEY, "x-amazon-apigateway-authtype": "custom"}})),
    open_api_case("does not define the security scheme jwt", api([{"jwt": []}], {"JWT": LAMBDA_AUTHORIZER})),
    open_api_case(
        "does not define the security scheme typo", api([{"jwt": [], "typo": []}], {"jwt": LAMBDA_AUTHORIZER})
    ),
    open_api_case("no security requirement", api([{"jwt": []}, {}], {"jwt": LAMBDA_AUTHORIZER})),
    forwarding(
        "type is HTTP_PROXY",
        rest_integration(type="HTTP_PROXY", uri="https://other.example.com", connectionType="INTERNET"),
    ),
    forwarding(
        "starts with http://", rest_integration(type="http_proxy", uri="http://a.internal", connectionType="VPC_LINK")
    ),
    forwarding(
        "type is HTTP_PROXY",
        SampleResource(t.REST_INTEGRATION, {"type": "HTTP_PROXY", "uri": "http://other.example.com"}),
    ),
    forwarding(
        "integrationType is HTTP",
        SampleResource(t.API_V2_INTEGRATION, {"integrationType": "HTTP", "integrationUri": "http://other.example.com"}),
    ),
    forwarding(
        "target starts with http://",
        SampleResource(t.API_V2, {"protocolType": "HTTP", "target": "http://other.example.com"}),
    ),
    *(
        forwarding("target is a URL", SampleResource(t.API_V2, {"protocolType": "HTTP", "target": target}))
        for target in ("http://other.example.com", " HTTPS://other.example.com")
    ),
    protected_api_case(api([{"jwt": []}], {"jwt": LAMBDA_AUTHORIZER}, "securityDefinitions")),
    protected_api_case(api([{"jwt": [], "key": []}], {"jwt": LAMBDA_AUTHORIZER, "key": API_KEY})),
    protected_api_case(api([{"signed": []}], {"signed": SIGNED})),
    protected_api_case(
        SampleResource(t.REST_METHOD, {"httpMethod": "GET", "authorization": "AWS_IAM", "apiKeyRequired": True})
    ),
    expect_no_finding(
        INTEGRATION, rest_integration(type="http_proxy", uri="https://a.internal", connectionType="VPC_LINK")
    ),
    expect_no_finding(
        INTEGRATION, SampleResource(t.API_V2, {"protocolType": "HTTP", "target": "arn:aws:lambda:r:a:function:f"})
    ),
    expect_no_finding(
        INTEGRATION,
        SampleResource(t.REST_API, {"body": json.dumps({"components": {"securitySchemes": {"b": {"type": "http"}}}})}),
    ),
)
ORIGINS = (
    *(
        expect_finding(ORIGIN, f"origin is {origin}", sample)
        for origin in ("*", "null", "http://app.example.com")
        for sample in cors(origin)
    ),
    *(
        expect_finding(
            ORIGIN, "origin is", SampleResource(t.BUCKET_CORS, {"corsRules": [{"allowedOrigins": [origin]}]})
        )
        for origin in ("https://*", "https://*.example.com", "file://", "HTTP://app.example.com")
    ),
    expect_finding(
        ORIGIN,
        "origin is method.request.header.Origin",
        SampleResource(
            t.REST_RESPONSE,
            {
                "responseParameters": {
                    "gatewayresponse.header.Access-Control-Allow-Origin": "method.request.header.Origin"
                }
            },
        ),
    ),
    *(expect_no_finding(ORIGIN, sample) for sample in cors("https://app.example.com")),
)
SPECS = (
    PolicySpec(
        ENDPOINT,
        good=[endpoint(everybody(condition=OWN_ACCOUNT))],
        bad=[endpoint(everybody())],
        message_part="allows * on every resource",
        unknown=[endpoint(policy=UNKNOWN)],
        break_program=change_resource("meetings-jobs-s3", {"policy": document(everybody())}),
    ),
    PolicySpec(
        ISOLATED,
        good=[job()],
        bad=[job(privileged=True)],
        message_part="containerProperties.privileged is True",
        unknown=[task({"pidMode": UNKNOWN}, privileged=True)],
        break_program=edit_json_property(
            "meetings-media-definition", "containerProperties", lambda found: found.update(privileged=True, user="root")
        ),
        undecided=False,
    ),
    PolicySpec(
        IMAGE,
        good=[job()],
        bad=[job(image="alpine")],
        message_part="containerProperties.image is alpine",
        unknown=[SampleResource(t.FUNCTION, {"imageUri": "alpine", "role": UNKNOWN})],
        break_program=edit_json_property(
            "meetings-media-definition", "containerProperties", lambda found: found.update(image="alpine")
        ),
        undecided=False,
    ),
    property_spec(
        ENCRYPTED,
        t.GLUE_SECURITY,
        "encryptionConfiguration.s3Encryption.s3EncryptionMode",
        "SSE-S3",
        "DISABLED",
        "s3EncryptionMode is DISABLED",
    ),
    resource_spec(ACL, t.BUCKET_OBJECT_V2, {"key": "k"}, {"acl": "public-read"}, "acl is public-read"),
    resource_spec(
        DELIVERY,
        t.TOPIC_SUBSCRIPTION,
        {"protocol": "https", "endpoint": "https://a.example.com"},
        {"protocol": "http"},
        "protocol is http",
    ),
    PolicySpec(
        INTEGRATION,
        good=[SampleResource(t.API_V2_INTEGRATION, {"integrationType": "AWS_PROXY"})],
        bad=[SampleResource(t.API_V2_INTEGRATION, {"integrationType": "HTTP_PROXY"})],
        message_part="integrationType is HTTP_PROXY",
        unknown=[SampleResource(t.API_V2_INTEGRATION, {"integrationType": "HTTP_PROXY", "integrationUri": UNKNOWN})],
        break_program=change_resource(t.API_V2_INTEGRATION, {"integrationType": "HTTP_PROXY"}),
        undecided=False,
    ),
    PolicySpec(
        ORIGIN,
        good=cors("https://console.example.com")[:1],
        bad=cors("*")[:1],
        message_part="without a wildcard in polyphony:sample",
        unknown=[SampleResource(t.FUNCTION, {"environment": {"variables": {"CORS_ORIGIN": UNKNOWN, "ORIGIN": "*"}}})],
        break_program=change_resource(t.BUCKET_CORS, {"corsRules": [{"allowedOrigins": ["null"]}]}),
        undecided=False,
    ),
)
FAMILIES = {
    "networks": NETWORKS,
    "endpoints": ENDPOINTS,
    "containers": CONTAINERS,
    "glue, lists and deliveries": GLUE_AND_STORAGE,
    "apis": APIS,
    "origins": ORIGINS,
}
CASES = (
    *(case for cases in FAMILIES.values() for case in cases),
    expect_finding(
        ENCRYPTED, UNDECIDED, security(), SampleResource(t.GLUE_JOB, {"securityConfiguration": UNKNOWN}, "job")
    ),
)
