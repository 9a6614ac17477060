"""Pulumi type tokens of the resources that guardrail policies and price rules use."""

from typing import Final

COMPONENTS: Final = "polyphony:"
"""Beginning of the types of this program's components. They exist only in Pulumi, and their children are checked."""
PLATFORM: Final = "polyphony:platform:Platform"
"""Type of the component of a whole stack, from which policies read the account, environment, usage, budget and exceptions."""

API_GATEWAY_ACCOUNT: Final = "aws:apigateway/account:Account"
REST_API: Final = "aws:apigateway/restApi:RestApi"
REST_DEPLOYMENT: Final = "aws:apigateway/deployment:Deployment"
REST_INTEGRATION: Final = "aws:apigateway/integration:Integration"
REST_INTEGRATION_RESPONSE: Final = "aws:apigateway/integrationResponse:IntegrationResponse"
REST_METHOD: Final = "aws:apigateway/method:Method"
REST_METHOD_SETTINGS: Final = "aws:apigateway/methodSettings:MethodSettings"
REST_POLICY: Final = "aws:apigateway/restApiPolicy:RestApiPolicy"
REST_RESPONSE: Final = "aws:apigateway/response:Response"
REST_STAGE: Final = "aws:apigateway/stage:Stage"
API_V2: Final = "aws:apigatewayv2/api:Api"
API_V2_INTEGRATION: Final = "aws:apigatewayv2/integration:Integration"
API_V2_ROUTE: Final = "aws:apigatewayv2/route:Route"
API_V2_STAGE: Final = "aws:apigatewayv2/stage:Stage"

ATHENA_WORKGROUP: Final = "aws:athena/workgroup:Workgroup"
BACKUP_PLAN: Final = "aws:backup/plan:Plan"
BACKUP_SELECTION: Final = "aws:backup/selection:Selection"
BACKUP_VAULT: Final = "aws:backup/vault:Vault"
BACKUP_VAULT_POLICY: Final = "aws:backup/vaultPolicy:VaultPolicy"
BATCH_ENVIRONMENT: Final = "aws:batch/computeEnvironment:ComputeEnvironment"
BATCH_JOB: Final = "aws:batch/jobDefinition:JobDefinition"
BATCH_QUEUE: Final = "aws:batch/jobQueue:JobQueue"
AGENTCORE_POLICY: Final = "aws:bedrock/agentcoreResourcePolicy:AgentcoreResourcePolicy"
AGENT_MEMORY: Final = "aws:bedrock/agentcoreMemory:AgentcoreMemory"
BUDGET: Final = "aws:budgets/budget:Budget"
ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE_ALARM: Final = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
DASHBOARD: Final = "aws:cloudwatch/dashboard:Dashboard"
EVENT_ARCHIVE: Final = "aws:cloudwatch/eventArchive:EventArchive"
EVENT_BUS_POLICY: Final = "aws:cloudwatch/eventBusPolicy:EventBusPolicy"
EVENT_BUS_PERMISSION: Final = "aws:cloudwatch/eventPermission:EventPermission"
EVENT_API_DESTINATION: Final = "aws:cloudwatch/eventApiDestination:EventApiDestination"
EVENT_RULE: Final = "aws:cloudwatch/eventRule:EventRule"
EVENT_TARGET: Final = "aws:cloudwatch/eventTarget:EventTarget"
LOG_DESTINATION_POLICY: Final = "aws:cloudwatch/logDestinationPolicy:LogDestinationPolicy"
LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
LOG_RESOURCE_POLICY: Final = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"
METRIC_FILTER: Final = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
IDENTITY_POOL: Final = "aws:cognito/identityPool:IdentityPool"
IDENTITY_POOL_ROLES: Final = "aws:cognito/identityPoolRoleAttachment:IdentityPoolRoleAttachment"
ANOMALY_SUBSCRIPTION: Final = "aws:costexplorer/anomalySubscription:AnomalySubscription"
TABLE: Final = "aws:dynamodb/table:Table"
TABLE_POLICY: Final = "aws:dynamodb/resourcePolicy:ResourcePolicy"
IMAGE_REPOSITORY: Final = "aws:ecr/repository:Repository"
IMAGE_REPOSITORY_LIFECYCLE: Final = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
IMAGE_REPOSITORY_POLICY: Final = "aws:ecr/repositoryPolicy:RepositoryPolicy"
VPC_ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
VPC_ENDPOINT_POLICY: Final = "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy"
DEFAULT_SECURITY_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
PREFIX_LIST: Final = "aws:ec2/managedPrefixList:ManagedPrefixList"
PREFIX_LIST_ENTRY: Final = "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry"
SECURITY_GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
SECURITY_GROUP_RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
ECS_SERVICE: Final = "aws:ecs/service:Service"
TASK_DEFINITION: Final = "aws:ecs/taskDefinition:TaskDefinition"
GLUE_CATALOG_POLICY: Final = "aws:glue/resourcePolicy:ResourcePolicy"
GLUE_JOB: Final = "aws:glue/job:Job"
GLUE_SECURITY: Final = "aws:glue/securityConfiguration:SecurityConfiguration"

ACCESS_KEY: Final = "aws:iam/accessKey:AccessKey"
GROUP_POLICY: Final = "aws:iam/groupPolicy:GroupPolicy"
GROUP_POLICY_ATTACHMENT: Final = "aws:iam/groupPolicyAttachment:GroupPolicyAttachment"
GROUP_POLICY_ATTACHMENTS: Final = "aws:iam/groupPolicyAttachmentsExclusive:GroupPolicyAttachmentsExclusive"
USER_LOGIN_PROFILE: Final = "aws:iam/userLoginProfile:UserLoginProfile"
MANAGED_POLICY: Final = "aws:iam/policy:Policy"
POLICY_ATTACHMENT: Final = "aws:iam/policyAttachment:PolicyAttachment"
ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
ROLE_POLICY_ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
ROLE_POLICY_ATTACHMENTS: Final = "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive"
USER: Final = "aws:iam/user:User"
USER_POLICY: Final = "aws:iam/userPolicy:UserPolicy"
USER_POLICY_ATTACHMENT: Final = "aws:iam/userPolicyAttachment:UserPolicyAttachment"
USER_POLICY_ATTACHMENTS: Final = "aws:iam/userPolicyAttachmentsExclusive:UserPolicyAttachmentsExclusive"

KMS_KEY: Final = "aws:kms/key:Key"
KMS_EXTERNAL_KEY: Final = "aws:kms/externalKey:ExternalKey"
KMS_KEY_POLICY: Final = "aws:kms/keyPolicy:KeyPolicy"
KMS_REPLICA_KEY: Final = "aws:kms/replicaKey:ReplicaKey"
FUNCTION: Final = "aws:lambda/function:Function"
FUNCTION_ALIAS: Final = "aws:lambda/alias:Alias"
FUNCTION_ASYNC_CONFIG: Final = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
FUNCTION_PERMISSION: Final = "aws:lambda/permission:Permission"
PROVISIONED_CONCURRENCY: Final = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
EVENT_SOURCE_MAPPING: Final = "aws:lambda/eventSourceMapping:EventSourceMapping"
FUNCTION_URL: Final = "aws:lambda/functionUrl:FunctionUrl"
LAYER_PERMISSION: Final = "aws:lambda/layerVersionPermission:LayerVersionPermission"
MEDIACONVERT_QUEUE: Final = "aws:mediaconvert/queue:Queue"
ACCESS_POINT: Final = "aws:s3/accessPoint:AccessPoint"
BUCKET: Final = "aws:s3/bucket:Bucket"
BUCKET_ACL: Final = "aws:s3/bucketAcl:BucketAcl"
BUCKET_CORS: Final = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
BUCKET_ENCRYPTION: Final = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
BUCKET_LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
BUCKET_LOGGING: Final = "aws:s3/bucketLogging:BucketLogging"
BUCKET_NOTIFICATION: Final = "aws:s3/bucketNotification:BucketNotification"
BUCKET_OBJECT: Final = "aws:s3/bucketObject:BucketObject"
BUCKET_OBJECT_V2: Final = "aws:s3/bucketObjectv2:BucketObjectv2"
BUCKET_OWNERSHIP: Final = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
BUCKET_POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"
BUCKET_PUBLIC_ACCESS: Final = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BUCKET_VERSIONING: Final = "aws:s3/bucketVersioning:BucketVersioning"
BUCKET_V2: Final = "aws:s3/bucketV2:BucketV2"
OBJECT_COPY: Final = "aws:s3/objectCopy:ObjectCopy"
SCHEDULE: Final = "aws:scheduler/schedule:Schedule"
SECRET: Final = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type token, not a secret
SECRET_POLICY: Final = "aws:secretsmanager/secretPolicy:SecretPolicy"  # noqa: S105 - a type token, not a secret
SECRET_VERSION: Final = "aws:secretsmanager/secretVersion:SecretVersion"  # noqa: S105 - a type token, not a secret
WORKFLOW: Final = "aws:sfn/stateMachine:StateMachine"
TOPIC: Final = "aws:sns/topic:Topic"
TOPIC_POLICY: Final = "aws:sns/topicPolicy:TopicPolicy"
TOPIC_SUBSCRIPTION: Final = "aws:sns/topicSubscription:TopicSubscription"
QUEUE: Final = "aws:sqs/queue:Queue"
QUEUE_POLICY: Final = "aws:sqs/queuePolicy:QueuePolicy"
SSM_PARAMETER: Final = "aws:ssm/parameter:Parameter"

BUCKETS: Final = frozenset({BUCKET, BUCKET_V2})
"""The type of S3 buckets, and its deprecated alias."""
IDENTITY_POLICIES: Final = frozenset({GROUP_POLICY, MANAGED_POLICY, ROLE, ROLE_POLICY, USER_POLICY})
"""Types of resources with IAM policy documents that grant permissions to an IAM identity. A role has such documents as
inline policies."""
RESOURCE_POLICIES: Final = frozenset(
    {
        ACCESS_POINT,
        AGENTCORE_POLICY,
        BACKUP_VAULT_POLICY,
        *BUCKETS,
        BUCKET_POLICY,
        GLUE_CATALOG_POLICY,
        EVENT_BUS_PERMISSION,
        EVENT_BUS_POLICY,
        KMS_KEY,
        KMS_EXTERNAL_KEY,
        KMS_KEY_POLICY,
        KMS_REPLICA_KEY,
        LAYER_PERMISSION,
        LOG_DESTINATION_POLICY,
        LOG_RESOURCE_POLICY,
        QUEUE,
        QUEUE_POLICY,
        IMAGE_REPOSITORY_POLICY,
        REST_API,
        REST_POLICY,
        SECRET,
        SECRET_POLICY,
        TABLE_POLICY,
        TOPIC,
        TOPIC_POLICY,
    }
)
"""Types of resources that can grant access to other principals: policies and permissions, and the resources that can
contain such a policy themselves, for example queues. FUNCTION_PERMISSION is not among them, because
`resource_policies.py` checks permissions of functions separately.
"""
POLICY_DOCUMENT_PROPERTIES: Final = {LOG_DESTINATION_POLICY: "accessPolicy", LOG_RESOURCE_POLICY: "policyDocument"}
"""The property with the IAM policy document, for those resource policies whose property is not `policy`."""
