"""Specs (the required behaviour of each policy) and further cases of guardrail policies about security groups, VPC
endpoints, containers, encryption of Glue, access control lists of S3, deliveries of SNS and EventBridge, targets of
APIs, and CORS. The specs of `network-not-open` and `api-asks-who-calls` are in `data_protection.py`.
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

NOT_OPEN, FOR_OWN_ACCOUNT = "network-not-open", "endpoint-for-own-account"
CONTAINER_ISOLATED, IMAGE_OF_STACK = "container-isolated", "image-of-stack"
GLUE_ENCRYPTED, ACL_OWNER_ONLY, DELIVERY_OVER_TLS = "glue-encryption-enabled", "acl-owner-only", "deliveries-over-tls"
INSIDE_AWS, ORIGIN_NAMED = "api-integration-inside-aws", "cors-origin-named"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
OUR_IMAGE = f"{REGISTRY}/polyphony-prod-media-images@sha256:{'0' * 64}"
OWN_PRINCIPAL_ACCOUNT = {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
PREFIX_LIST_KEY = "prefixListId"
INTEGRATION_KEY = "x-amazon-apigateway-integration"
"""Key of an operation's integration (its target) in an OpenAPI document."""


def security_group(**rule: Any) -> SampleResource:
    """Return a security group with one inbound rule."""
    return SampleResource(t.SECURITY_GROUP, {"ingress": [{"fromPort": 443, **rule}]})


def ingress_rules(kind: str, cidrs: Sequence[str], key: str = "cidrIpv4", **props: Any) -> list[SampleResource]:
    """Return separate rules of one security group, each with one IP range in the property `key`. The property `cidrBlocks`
    is a list, others are one range.
    """
    return [
        SampleResource(
            kind, {"securityGroupId": "sg-1", key: cidr if key.startswith("cidrIp") else [cidr], **props}, cidr
        )
        for cidr in cidrs
    ]


def open_network(message_part: str, *samples: SampleResource) -> PolicyCase:
    """Return a case of a network that large parts of the internet can reach."""
    return expect_finding(NOT_OPEN, message_part, *samples)


def ip_ranges(first: int, count: int, length: int = 16) -> list[str]:
    """Return IP ranges of the same prefix length: first.0.0.0, first.1.0.0, and so on."""
    return [f"{first}.{number}.0.0/{length}" for number in range(count)]


def vpc_endpoint(*statements: Mapping[str, Any], **props: Any) -> SampleResource:
    """Return a VPC endpoint with a policy."""
    return SampleResource(t.VPC_ENDPOINT, {"policy": document(*statements), **props})


def allow_everybody(resources: Any = "*", condition: Any = None, actions: Any = "*") -> Mapping[str, Any]:
    """Return a statement that allows actions to every principal."""
    return allow(actions, resources, condition, Principal="*")


def open_endpoint(*statements: Mapping[str, Any]) -> PolicyCase:
    """Return a case of a VPC endpoint that identities of foreign accounts can use."""
    return expect_finding(FOR_OWN_ACCOUNT, "to every identity", vpc_endpoint(*statements))


def closed_endpoint(*statements: Mapping[str, Any]) -> PolicyCase:
    """Return a case of a VPC endpoint that only identities of the own account can use, or only for harmless actions."""
    return expect_no_finding(FOR_OWN_ACCOUNT, vpc_endpoint(*statements))


def batch_job(**container: Any) -> SampleResource:
    """Return a Batch job with one container."""
    return SampleResource(t.BATCH_JOB, {"containerProperties": json.dumps({"image": OUR_IMAGE, **container})})


def ecs_task(props: Mapping[str, Any] | None = None, **container: Any) -> SampleResource:
    """Return an ECS task with one container."""
    definition = json.dumps([{"image": OUR_IMAGE, **container}])
    return SampleResource(t.TASK_DEFINITION, {"containerDefinitions": definition, **(props or {})})


def exposed_container(message_part: str, sample: SampleResource) -> PolicyCase:
    """Return a case of a container that is not isolated."""
    return expect_finding(CONTAINER_ISOLATED, message_part, sample)


def glue_security(s3_mode: str | None = "SSE-S3", bookmarks: str = "DISABLED") -> SampleResource:
    """Return a security configuration of Glue with encryption modes for S3 and for job bookmarks."""
    s3 = {"s3EncryptionMode": s3_mode} if s3_mode is not None else {}
    modes = {"s3Encryption": s3, "jobBookmarksEncryption": {"jobBookmarksEncryptionMode": bookmarks}}
    return SampleResource(t.GLUE_SECURITY, {"name": "s", "encryptionConfiguration": modes})


def glue_job(option: str, security_name: object = "s", **references: list[str]) -> SampleResource:
    """Return a Glue job with an option for job bookmarks, and the name of its security configuration."""
    props = {"securityConfiguration": security_name, "defaultArguments": {"--job-bookmark-option": option}}
    return SampleResource(t.GLUE_JOB, props, "job", references=references)


def subscription(protocol: str, address: str) -> SampleResource:
    """Return a subscription of a topic."""
    return SampleResource(t.TOPIC_SUBSCRIPTION, {"protocol": protocol, "endpoint": address})


def rest_api(security_requirement: Any, schemes: Mapping[str, Any], key: str = "components") -> SampleResource:
    """Return a REST API whose only operation has a security requirement. `key` is the part of the document with the security
    schemes: `components` in OpenAPI 3, `securityDefinitions` in OpenAPI 2.
    """
    defined = {"components": {"securitySchemes": schemes}} if key == "components" else {key: schemes}
    body = {"paths": {"/x": {"get": {"security": security_requirement}}}, **defined}
    return SampleResource(t.REST_API, {"body": json.dumps(body)})


def rest_integration(**integration: Any) -> SampleResource:
    """Return a REST API with one integration in its document."""
    body = {"paths": {"/x": {"get": {INTEGRATION_KEY: integration}}}}
    # With the tag, `api-asks-who-calls` does not require an authorizer.
    return SampleResource(t.REST_API, {"body": json.dumps(body), "tags": {"CallersCheckedBy": "the token in the body"}})


def forwarding_api(message_part: str, sample: SampleResource) -> PolicyCase:
    """Return a case of an API that forwards requests to another server."""
    return expect_finding(INSIDE_AWS, message_part, sample)


def resources_with_origin(origin: str) -> list[SampleResource]:
    """Return one resource of each type that can allow an origin of web pages (CORS), each with this origin."""
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
IAM_AUTHORIZER = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
CASES = (
    # Security groups and prefix lists.
    *(open_network(cidr, security_group(cidrBlocks=[cidr])) for cidr in ("0.0.0.0/0", "3.0.0.0/15")),
    open_network("0.0.0.0/0", security_group(cidrBlocks=["10.1.2.3/0"])),
    *(open_network(cidr, security_group(ipv6CidrBlocks=[cidr])) for cidr in ("::/0", "2a05:d000::/28")),
    open_network(
        "fromPort 22",
        SampleResource(t.DEFAULT_SECURITY_GROUP, {"ingress": [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 22}]}),
    ),
    # Each of these ranges is small enough, but together they contain too many addresses.
    open_network(
        "together", SampleResource(t.SECURITY_GROUP, {"ingress": [{"cidrBlocks": [cidr]} for cidr in ip_ranges(18, 3)]})
    ),
    open_network("together", security_group(ipv6CidrBlocks=["2600:1f18::/32", "2600:1f19::/32"])),
    open_network("together", *ingress_rules(t.INGRESS_RULE, ip_ranges(52, 2))),
    open_network("together", *ingress_rules(t.INGRESS_RULE, ["2600:1f18::/32", "2600:1f19::/32"], "cidrIpv6")),
    open_network(
        "together",
        *ingress_rules(
            t.SECURITY_GROUP_RULE, ip_ranges(52, 5, 17) + ip_ranges(53, 5, 17), "cidrBlocks", type="ingress"
        ),
    ),
    open_network("prefix list", security_group(prefixListIds=["pl-1"])),
    open_network("prefix list", SampleResource(t.INGRESS_RULE, {"prefixListId": "pl-1"})),
    open_network("prefix list", SampleResource(t.SECURITY_GROUP_RULE, {"type": "ingress", "prefixListIds": ["pl-1"]})),
    open_network("together", SampleResource(t.PREFIX_LIST, {"entries": [{"cidr": cidr} for cidr in ip_ranges(52, 4)]})),
    open_network("128.0.0.0/1", SampleResource(t.PREFIX_LIST_ENTRY, {"prefixListId": "pl-1", "cidr": "128.0.0.0/1"})),
    expect_no_finding(NOT_OPEN, security_group(cidrBlocks=["10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"])),
    expect_no_finding(NOT_OPEN, security_group(cidrBlocks=["17.1.0.0/16"])),
    expect_no_finding(NOT_OPEN, security_group(ipv6CidrBlocks=["2600:1f18:1::/48", "fc00::/7"])),
    expect_no_finding(NOT_OPEN, *ingress_rules(t.INGRESS_RULE, ip_ranges(52, 4, 24))),
    expect_no_finding(NOT_OPEN, *ingress_rules(t.INGRESS_RULE, ["no range"])),
    expect_no_finding(NOT_OPEN, SampleResource(t.SECURITY_GROUP_RULE, {"type": "egress", "prefixListIds": ["pl-1"]})),
    expect_no_finding(NOT_OPEN, SampleResource(t.SECURITY_GROUP, {"egress": [{"cidrBlocks": ["0.0.0.0/0"]}]})),
    expect_no_finding(
        NOT_OPEN,
        SampleResource(t.PREFIX_LIST, {"entries": [{"cidr": "198.51.100.0/24"}]}, "list"),
        SampleResource(t.INGRESS_RULE, {PREFIX_LIST_KEY: UNKNOWN}, references={PREFIX_LIST_KEY: ["list"]}),
    ),
    # VPC endpoints.
    expect_finding(
        FOR_OWN_ACCOUNT, "has no policy", SampleResource(t.VPC_ENDPOINT, {"serviceName": "com.amazonaws.r.s3"})
    ),
    open_endpoint(allow_everybody()),
    open_endpoint(allow_everybody("arn:aws:s3:::*")),
    open_endpoint(allow_everybody(["arn:aws:s3:::polyphony-prod-x", "*"])),
    open_endpoint(allow("*", "*", Principal={"AWS": "*"})),
    open_endpoint(allow_everybody(condition={"StringLike": {"aws:PrincipalAccount": "*"}})),
    open_endpoint(allow_everybody(condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/x"}})),
    open_endpoint(allow_everybody(condition={"ArnLike": {"aws:PrincipalArn": [ROLE_ARN, "*:role/x"]}})),
    open_endpoint(allow_everybody(condition={"Bool": {"aws:SecureTransport": "true"}})),
    open_endpoint({"Effect": "Allow", "Principal": "*", "NotAction": "iam:*", "Resource": "*"}),
    open_endpoint({"Effect": "Allow", "Principal": "*", "Action": "*", "NotResource": "arn:aws:s3:::x"}),
    open_endpoint(allow_everybody(condition=OWN_PRINCIPAL_ACCOUNT), allow_everybody()),
    expect_finding(
        FOR_OWN_ACCOUNT,
        "to every identity",
        SampleResource(t.VPC_ENDPOINT, {"serviceName": "s3"}, "endpoint"),
        SampleResource(
            t.VPC_ENDPOINT_POLICY,
            {"policy": document(allow_everybody()), "vpcEndpointId": UNKNOWN},
            references={"vpcEndpointId": ["endpoint"]},
        ),
    ),
    closed_endpoint(allow_everybody(condition=OWN_PRINCIPAL_ACCOUNT)),
    closed_endpoint(allow_everybody(condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/x-*"}})),
    closed_endpoint(allow_everybody(condition={"StringEquals": {"aws:ResourceAccount": ACCOUNT}})),
    # ECR keeps the layers of images in this bucket.
    closed_endpoint(allow_everybody("arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*", None, "s3:GetObject")),
    closed_endpoint(allow("*", "*", Principal={"AWS": ROLE_ARN})),
    closed_endpoint(allow_everybody(condition=OWN_PRINCIPAL_ACCOUNT), {**allow_everybody(), "Effect": "Deny"}),
    # Containers and their images.
    exposed_container("all permissions of its host", batch_job(privileged=True)),
    exposed_container("all permissions of its host", ecs_task(privileged=True)),
    exposed_container(
        "all permissions of its host",
        SampleResource(
            t.BATCH_JOB, {"nodeProperties": json.dumps({"nodeRangeProperties": [{"container": {"privileged": True}}]})}
        ),
    ),
    *(exposed_container("runs as root", batch_job(user=user)) for user in ("root", "0", "0:0", "root:root", "ROOT", 0)),
    exposed_container(
        "runs as root",
        SampleResource(
            t.BATCH_JOB, {"eksProperties": {"podProperties": {"containers": [{"securityContext": {"runAsUser": 0}}]}}}
        ),
    ),
    exposed_container("a folder of its host", batch_job(volumes=[{"name": "v", "host": {"sourcePath": "/var/run"}}])),
    exposed_container("a folder of its host", ecs_task({"volumes": [{"name": "v", "hostPath": "/"}]})),
    exposed_container(
        "a folder of its host",
        SampleResource(t.BATCH_JOB, {"eksProperties": {"podProperties": {"volumes": [{"hostPath": {"path": "/"}}]}}}),
    ),
    exposed_container("the network of its host", ecs_task({"networkMode": "host"})),
    exposed_container("the processes of its host", ecs_task({"pidMode": "host"})),
    exposed_container("the memory of its host", ecs_task({"ipcMode": "host"})),
    exposed_container("capabilities or devices", ecs_task(linuxParameters={"capabilities": {"add": ["SYS_ADMIN"]}})),
    exposed_container("capabilities or devices", batch_job(linuxParameters={"devices": [{"hostPath": "/dev/fuse"}]})),
    exposed_container("run commands", SampleResource(t.ECS_SERVICE, {"enableExecuteCommand": True})),
    *(
        expect_finding(IMAGE_OF_STACK, "not an image of this stack", sample)
        for sample in (
            batch_job(image="public.ecr.aws/lambda/python:3.13"),
            batch_job(image=f"{REGISTRY}/other-images@sha256:{'0' * 64}"),
            batch_job(image=f"{REGISTRY}/polyphony-staging-media-images:latest"),
            batch_job(image=f"{REGISTRY}.evil.example.com/polyphony-prod-media-images"),
            batch_job(image=f"evil.example.com/{REGISTRY}/polyphony-prod-media-images"),
            ecs_task(image="quay.io/somebody/tool"),
            SampleResource(t.FUNCTION, {"imageUri": f"{REGISTRY}/other:1"}),
        )
    ),
    *(
        expect_no_finding(CONTAINER_ISOLATED, sample)
        for sample in (
            batch_job(),
            batch_job(privileged=False, readonlyRootFilesystem=True),
            batch_job(user="1000"),
            batch_job(environment=[{"name": "USER", "value": "root"}]),
            batch_job(volumes=[{"name": "scratch", "host": {}}]),
            batch_job(linuxParameters={"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}),
            ecs_task({"networkMode": "awsvpc"}, user="app"),
            SampleResource(t.ECS_SERVICE, {"enableExecuteCommand": False}),
        )
    ),
    *(
        expect_no_finding(IMAGE_OF_STACK, sample)
        for sample in (
            batch_job(),
            ecs_task(),
            SampleResource(t.FUNCTION, {"imageUri": OUR_IMAGE}),
            SampleResource(t.FUNCTION, {"environment": {"variables": {"image": "alpine"}}}),
        )
    ),
    # Encryption of Glue, access control lists of S3, and deliveries.
    expect_finding(GLUE_ENCRYPTED, "s3EncryptionMode is DISABLED", glue_security("DISABLED")),
    expect_finding(GLUE_ENCRYPTED, "s3EncryptionMode is not set", glue_security(None)),
    expect_finding(GLUE_ENCRYPTED, "s3EncryptionMode is not set", glue_security("")),
    expect_finding(GLUE_ENCRYPTED, "writes bookmarks", glue_security(), glue_job("job-bookmark-enable")),
    expect_finding(
        GLUE_ENCRYPTED,
        "writes bookmarks",
        glue_security(),
        glue_job("job-bookmark-enable", UNKNOWN, securityConfiguration=["sample"]),
    ),
    expect_finding("glue-encrypts", "is not set", SampleResource(t.GLUE_JOB, {"securityConfiguration": ""})),
    *(
        expect_finding(ACL_OWNER_ONLY, f"acl is {acl}", SampleResource(kind, {"acl": acl}))
        for kind, acl in (
            (t.BUCKET_OBJECT, "public-read"),
            (t.OBJECT_COPY, "public-read"),
            (t.BUCKET_ACL, "log-delivery-write"),
            (t.BUCKET, "public-read"),
            (t.BUCKET_V2, "authenticated-read"),
        )
    ),
    *(
        expect_finding(ACL_OWNER_ONLY, "access to others than the owner", sample)
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
    expect_finding(DELIVERY_OVER_TLS, "starts with http", subscription("https", " HTTP://a.example.com")),
    expect_finding(
        DELIVERY_OVER_TLS,
        "invocationEndpoint",
        SampleResource(t.EVENT_API_DESTINATION, {"invocationEndpoint": "http://a.example.com/*"}),
    ),
    expect_no_finding(GLUE_ENCRYPTED, glue_security()),
    expect_no_finding(GLUE_ENCRYPTED, glue_security("SSE-KMS", "CSE-KMS"), glue_job("job-bookmark-enable")),
    expect_no_finding(GLUE_ENCRYPTED, glue_security(), glue_job("job-bookmark-disable")),
    # The name of the job's configuration is unknown, but the reference shows that it is another one.
    expect_no_finding(
        GLUE_ENCRYPTED,
        glue_security(),
        replace(glue_security("SSE-KMS", "CSE-KMS"), name="other"),
        glue_job("job-bookmark-enable", UNKNOWN, securityConfiguration=["other"]),
    ),
    *(
        expect_no_finding(ACL_OWNER_ONLY, SampleResource(t.BUCKET_OBJECT_V2, props))
        for props in ({}, {"acl": "private"}, {"acl": "bucket-owner-full-control"})
    ),
    expect_no_finding(DELIVERY_OVER_TLS, subscription("email", "a@example.com")),
    expect_no_finding(DELIVERY_OVER_TLS, subscription("sqs", "arn:aws:sqs:r:1:q")),
    # Authorization and targets of APIs.
    open_api_case(
        "An API key identifies no caller", SampleResource(t.REST_METHOD, {"httpMethod": "ANY", "apiKeyRequired": True})
    ),
    open_api_case("no authorizer", rest_api([{"key": []}], {"key": API_KEY}, "securityDefinitions")),
    open_api_case("no authorizer", rest_api([{"jwt": []}, {"key": []}], {"jwt": LAMBDA_AUTHORIZER, "key": API_KEY})),
    open_api_case(
        "no authorizer", rest_api([{"jwt": []}], {"jwt": {**API_KEY, "x-amazon-apigateway-authtype": "custom"}})
    ),
    open_api_case("does not define the security scheme jwt", rest_api([{"jwt": []}], {"JWT": LAMBDA_AUTHORIZER})),
    open_api_case(
        "does not define the security scheme typo", rest_api([{"jwt": [], "typo": []}], {"jwt": LAMBDA_AUTHORIZER})
    ),
    open_api_case("no security requirement", rest_api([{"jwt": []}, {}], {"jwt": LAMBDA_AUTHORIZER})),
    forwarding_api(
        "type is HTTP_PROXY",
        rest_integration(type="HTTP_PROXY", uri="https://other.example.com", connectionType="INTERNET"),
    ),
    forwarding_api(
        "starts with http://", rest_integration(type="http_proxy", uri="http://a.internal", connectionType="VPC_LINK")
    ),
    forwarding_api(
        "type is HTTP_PROXY",
        SampleResource(t.REST_INTEGRATION, {"type": "HTTP_PROXY", "uri": "http://other.example.com"}),
    ),
    forwarding_api(
        "integrationType is HTTP",
        SampleResource(t.API_V2_INTEGRATION, {"integrationType": "HTTP", "integrationUri": "http://other.example.com"}),
    ),
    forwarding_api(
        "target starts with http://",
        SampleResource(t.API_V2, {"protocolType": "HTTP", "target": "http://other.example.com"}),
    ),
    *(
        forwarding_api("target is a URL", SampleResource(t.API_V2, {"protocolType": "HTTP", "target": target}))
        for target in ("http://other.example.com", " HTTPS://other.example.com")
    ),
    protected_api_case(rest_api([{"jwt": []}], {"jwt": LAMBDA_AUTHORIZER}, "securityDefinitions")),
    protected_api_case(rest_api([{"jwt": [], "key": []}], {"jwt": LAMBDA_AUTHORIZER, "key": API_KEY})),
    protected_api_case(rest_api([{"signed": []}], {"signed": IAM_AUTHORIZER})),
    protected_api_case(
        SampleResource(t.REST_METHOD, {"httpMethod": "GET", "authorization": "AWS_IAM", "apiKeyRequired": True})
    ),
    expect_no_finding(
        INSIDE_AWS, rest_integration(type="http_proxy", uri="https://a.internal", connectionType="VPC_LINK")
    ),
    expect_no_finding(
        INSIDE_AWS, SampleResource(t.API_V2, {"protocolType": "HTTP", "target": "arn:aws:lambda:r:a:function:f"})
    ),
    expect_no_finding(
        INSIDE_AWS,
        SampleResource(t.REST_API, {"body": json.dumps({"components": {"securitySchemes": {"b": {"type": "http"}}}})}),
    ),
    # Origins of web pages that may call an API or read a bucket (CORS).
    *(expect_finding(ORIGIN_NAMED, "origin is *", sample) for sample in resources_with_origin("*")),
    *(
        expect_finding(ORIGIN_NAMED, f"origin is {origin}", resources_with_origin(origin)[0])
        for origin in (
            "null",
            "http://app.example.com",
            "HTTP://app.example.com",
            "https://*",
            "https://*.example.com",
            "file://",
        )
    ),
    expect_finding(
        ORIGIN_NAMED,
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
    *(expect_no_finding(ORIGIN_NAMED, sample) for sample in resources_with_origin("https://app.example.com")),
    # Unknown values.
    expect_finding(
        GLUE_ENCRYPTED,
        UNDECIDED,
        glue_security(),
        SampleResource(t.GLUE_JOB, {"securityConfiguration": UNKNOWN}, "job"),
    ),
)
SPECS = (
    PolicySpec(
        FOR_OWN_ACCOUNT,
        good=[vpc_endpoint(allow_everybody(condition=OWN_PRINCIPAL_ACCOUNT))],
        bad=[vpc_endpoint(allow_everybody())],
        message_part="allows * on every resource",
        unknown=[vpc_endpoint(policy=UNKNOWN)],
        break_program=change_resource("meetings-jobs-s3", {"policy": document(allow_everybody())}),
    ),
    PolicySpec(
        CONTAINER_ISOLATED,
        good=[batch_job()],
        bad=[batch_job(privileged=True)],
        message_part="containerProperties.privileged is True",
        unknown=[ecs_task({"pidMode": UNKNOWN}, privileged=True)],
        break_program=edit_json_property(
            "meetings-media-definition",
            "containerProperties",
            lambda container: container.update(privileged=True, user="root"),
        ),
        undecided=False,
    ),
    PolicySpec(
        IMAGE_OF_STACK,
        good=[batch_job()],
        bad=[batch_job(image="alpine")],
        message_part="containerProperties.image is alpine",
        unknown=[SampleResource(t.FUNCTION, {"imageUri": "alpine", "role": UNKNOWN})],
        break_program=edit_json_property(
            "meetings-media-definition", "containerProperties", lambda container: container.update(image="alpine")
        ),
        undecided=False,
    ),
    property_spec(
        GLUE_ENCRYPTED,
        t.GLUE_SECURITY,
        "encryptionConfiguration.s3Encryption.s3EncryptionMode",
        "SSE-S3",
        "DISABLED",
        "s3EncryptionMode is DISABLED",
    ),
    resource_spec(ACL_OWNER_ONLY, t.BUCKET_OBJECT_V2, {"key": "k"}, {"acl": "public-read"}, "acl is public-read"),
    resource_spec(
        DELIVERY_OVER_TLS,
        t.TOPIC_SUBSCRIPTION,
        {"protocol": "https", "endpoint": "https://a.example.com"},
        {"protocol": "http"},
        "protocol is http",
    ),
    PolicySpec(
        INSIDE_AWS,
        good=[SampleResource(t.API_V2_INTEGRATION, {"integrationType": "AWS_PROXY"})],
        bad=[SampleResource(t.API_V2_INTEGRATION, {"integrationType": "HTTP_PROXY"})],
        message_part="integrationType is HTTP_PROXY",
        unknown=[SampleResource(t.API_V2_INTEGRATION, {"integrationType": "HTTP_PROXY", "integrationUri": UNKNOWN})],
        break_program=change_resource(t.API_V2_INTEGRATION, {"integrationType": "HTTP_PROXY"}),
        undecided=False,
    ),
    PolicySpec(
        ORIGIN_NAMED,
        good=resources_with_origin("https://console.example.com")[:1],
        bad=resources_with_origin("*")[:1],
        message_part="without a wildcard in polyphony:sample",
        unknown=[SampleResource(t.FUNCTION, {"environment": {"variables": {"CORS_ORIGIN": UNKNOWN, "ORIGIN": "*"}}})],
        break_program=change_resource(t.BUCKET_CORS, {"corsRules": [{"allowedOrigins": ["null"]}]}),
        undecided=False,
    ),
)
