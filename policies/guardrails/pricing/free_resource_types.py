"""Resource types that AWS does not bill, unless they have a feature without a price (`PRICED_VALUES`). An event rule is
free, for example. The function that it starts is billed, and has a price rule.
"""

from typing import Final

NAMES_BY_MODULE: Final = {
    "apigateway": "Account Deployment Stage",
    "apigatewayv2": "Deployment Integration Route RouteResponse Stage",
    "backup": "Plan RegionSettings Selection",
    "batch": "ComputeEnvironment JobQueue",
    "bedrock": "AgentcoreMemoryStrategy",
    "budgets": "Budget",
    "cloudwatch": "EventRule EventTarget",
    "cognito": "IdentityPool IdentityPoolRoleAttachment",
    "costexplorer": "AnomalyMonitor AnomalySubscription",
    "ec2": "InternetGateway Route RouteTable RouteTableAssociation SecurityGroup Subnet Vpc",
    "ecr": "LifecyclePolicy",
    "glue": "CatalogDatabase CatalogTable Connection SecurityConfiguration",
    "iam": "Role RolePolicy",
    "lambda": "Alias FunctionEventInvokeConfig LayerVersion Permission",
    "s3": (
        "BucketAccelerateConfiguration BucketCorsConfiguration BucketLifecycleConfiguration BucketLogging "
        "BucketNotification BucketObjectv2 BucketOwnershipControls BucketPolicy BucketPublicAccessBlock "
        "BucketServerSideEncryptionConfiguration BucketVersioning"
    ),
    "sns": "TopicPolicy TopicSubscription",
    "sqs": "QueuePolicy",
    "ssm": "Parameter",
    "vpc": "SecurityGroupEgressRule SecurityGroupIngressRule",
}
"""Classes of the AWS provider, by its module."""
FREE_TYPES: Final = frozenset(
    f"aws:{module}/{name[0].lower()}{name[1:]}:{name}"
    for module, names in NAMES_BY_MODULE.items()
    for name in names.split()
)
