"""Foundation: the resources that all subsystems share.

- two SNS topics with their e-mail subscriptions: `alerts-critical` and `alerts-warning`. The second also receives the
  budget and anomaly alerts
- alarm on throttled calls of functions, for the whole account
- Lambda layer of all functions: the handlers' libraries, built for arm64 and Python 3.13
- audit bucket, which receives the S3 access logs of all other buckets
- IAM role with which API Gateway writes the logs of APIs
- monthly budget and cost anomaly alerts; daily backup of tables (`components/backup.py`)

`Platform` creates the foundation first, and asks it for the scope of each subsystem. From the scope, the subsystem's
components take their names, tags, settings and shared resources.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pulumi
from pulumi_aws import apigateway, budgets, costexplorer, lambda_, sns

from components.backup import create_backup
from components.blocks.alarm import Metric, create_alarm
from components.blocks.bucket import ACCESS_LOG_PREFIX, Bucket, lifecycle_rule
from components.blocks.function import RUNTIME
from components.blocks.iam import Role, Service, grant, json_document, refuse_without_tls
from components.core import Context, Kind, Scope, Subsystem
from components.handler_archive import LAYER_LOCK, ROOT
from components.settings import Environment, FoundationSettings, LogLevel

ALARM_SERVICE = "cloudwatch.amazonaws.com"
COST_ALERT_SERVICES = ("budgets.amazonaws.com", "costalerts.amazonaws.com")
"""AWS Budgets and cost anomaly detection. The guides of these services and of CloudWatch show a topic policy with a
condition on the account, so the topics' policies can exclude other accounts."""
LAYERS = Path("build/layers")
"""Folder of the layer's archive (`layer_archive`), relative to the repository's root."""
API_LOG_GROUPS = ("API-Gateway-Execution-Logs_*", "/aws/apigateway/*")
"""Patterns of the log groups: the first for execution logs of REST APIs, the second for execution logs of WebSocket
APIs and for the access logs of both."""
API_LOG_ACTIONS = (
    "CreateLogGroup",
    "CreateLogStream",
    "DescribeLogStreams",
    "FilterLogEvents",
    "GetLogEvents",
    "PutLogEvents",
)
"""Actions on log groups that API Gateway requires of this role. They are those of AWS' managed policy for the role
(AmazonAPIGatewayPushToCloudWatchLogs). Its only other action, DescribeLogGroups, has a grant of its own, because it
cannot be limited to log groups."""
COST_TAG = "CostCenter"
"""Tag of all resources whose value identifies the stack to AWS Budgets and to the anomaly monitor."""
BUDGET_ALERTS = (("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""Kind of cost (actual or forecast), and percentage of the budget. If this cost exceeds the percentage, AWS Budgets
sends an alert."""
MIN_ANOMALY_DOLLARS = "10"
"""Minimum total impact, in US dollars, of a cost anomaly that is reported."""
AUDIT_BUCKET = "audit-logs"
"""Short name of the bucket for access logs."""


class Foundation(pulumi.ComponentResource):
    """Resources that all subsystems share."""

    def __init__(
        self,
        context: Context,
        settings: FoundationSettings,
        opts: pulumi.ResourceOptions | None = None,
        *,
        table_key_arn: str | None = None,
    ) -> None:
        """Create the resources. `table_key_arn` is the customer managed key of the table that is backed up, if any."""
        super().__init__("polyphony:foundation:Foundation", "foundation", None, opts)
        alerts = settings.alerts
        warning_emails = alerts.emails if alerts.warning_emails is None else alerts.warning_emails
        topic_policies = [
            self._create_topic(context, "alerts-critical", [ALARM_SERVICE], alerts.emails),
            self._create_topic(context, "alerts-warning", [ALARM_SERVICE, *COST_ALERT_SERVICES], warning_emails),
        ]
        self._scope = Scope(
            context=context,
            subsystem=Subsystem.FOUNDATION,
            foundation=settings,
            log_level=LogLevel.INFO,
            critical_topic=context.arn("sns", context.name(Kind.TOPIC, Subsystem.FOUNDATION, "alerts-critical")),
            warning_topic=context.arn("sns", context.name(Kind.TOPIC, Subsystem.FOUNDATION, "alerts-warning")),
            access_log_bucket=context.name(Kind.BUCKET, Subsystem.FOUNDATION, AUDIT_BUCKET),
            layers=[self._create_layer(context)],
            prerequisites=topic_policies,  # the subsystems also wait for resources that this scope creates below
            parent=self,
        )
        audit_policy = create_audit_bucket(self._scope).policy
        self._subsystem_prerequisites: list[pulumi.Resource] = [*topic_policies, audit_policy]
        if settings.logs.api_gateway_role_owned:
            # API Gateway refuses a stage with logs while the region has no role for them.
            self._subsystem_prerequisites.append(create_api_log_role(self._scope))
        create_throttles_alarm(self._scope)
        create_cost_alerts(self._scope)
        create_backup(self._scope, table_key_arn)
        self.register_outputs(
            {"criticalTopicArn": self._scope.critical_topic, "warningTopicArn": self._scope.warning_topic}
        )

    def scope(self, subsystem: Subsystem, log_level: LogLevel) -> Scope:
        """Return the scope of another subsystem. Its components set the parent of their resources themselves."""
        return replace(
            self._scope,
            subsystem=subsystem,
            log_level=log_level,
            prerequisites=self._subsystem_prerequisites,
            parent=None,
        )

    def _create_topic(
        self, context: Context, short_name: str, publishers: Sequence[str], emails: Sequence[str]
    ) -> sns.TopicPolicy:
        """Create a topic for alerts. Only the given services may publish to it, and only for this account.

        The topic has no KMS key, only SNS' default encryption at rest. With SNS' AWS managed key, CloudWatch could not
        publish, and no alarm would arrive.
        """
        child = pulumi.ResourceOptions(parent=self)
        name = context.name(Kind.TOPIC, Subsystem.FOUNDATION, short_name)
        topic_arn = context.arn("sns", name)
        topic = sns.Topic(
            f"foundation-{short_name}-topic", name=name, tags=context.tags(Subsystem.FOUNDATION, short_name), opts=child
        )
        for email in emails:
            sns.TopicSubscription(
                f"foundation-{short_name}-{email}", topic=topic.arn, protocol="email", endpoint=email, opts=child
            )
        admit_services = {
            "Sid": "ServicesOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": list(publishers)},
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": context.account}},
        }
        policy = json_document([refuse_without_tls("sns:Publish", topic_arn), admit_services])
        return sns.TopicPolicy(f"foundation-{short_name}-policy", arn=topic.arn, policy=policy, opts=child)

    def _create_layer(self, context: Context) -> pulumi.Output[str]:
        """Create the layer and return its ARN. Its names contain the hash of the lock file, so a changed lock file creates
        another layer.
        """
        content_hash = lock_hash()
        layer = lambda_.LayerVersion(
            f"foundation-layer-{content_hash}",
            layer_name=context.name(Kind.LAYER, Subsystem.FOUNDATION, f"handlers-{content_hash}"),
            description="Libraries of Polyphony's handlers",
            compatible_runtimes=[RUNTIME],
            compatible_architectures=["arm64"],
            code=_layer_code(context),
            source_code_hash=content_hash,
            # Archives of one lock file may differ in bytes, and this is no reason for a new layer. For another lock file,
            # Pulumi creates the layer under another name, so it does not use the ignored archive of the old layer.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["code"]),
        )
        return layer.arn


def lock_hash() -> str:
    """Return the beginning of the lock file's hash. The lock file determines the layer's content."""
    return hashlib.sha256(LAYER_LOCK.read_bytes()).hexdigest()[:12]


def layer_archive() -> Path:
    """Return the path of the layer's archive, relative to the repository's root.

    It contains the hash of the lock file, so an archive of another lock file is never deployed. `make layers` builds the
    archive. A preview does not need it; a deployment without it fails with an error that names this command.
    """
    return LAYERS / f"handlers-{lock_hash()}.zip"


def _layer_code(context: Context) -> pulumi.Archive:
    """Return the archive, or a placeholder if the deployment does not read it."""
    archive = layer_archive()
    if (ROOT / archive).exists():
        return pulumi.FileArchive(archive.as_posix())
    if pulumi.runtime.is_dry_run() or context.environment is Environment.LOCAL:
        # A preview does not read the archive. The local platform has the same locked packages installed instead.
        return pulumi.AssetArchive({"python/README": pulumi.StringAsset("built by `make layers`\n")})
    raise pulumi.RunError(
        f"the archive of the Lambda layer, {archive}, does not exist: run `make layers`, then deploy again"
    )


def create_audit_bucket(scope: Scope) -> Bucket:
    """Create the bucket with the access logs of each other bucket below the prefix `logs/s3-access/<bucket>/`.

    The logs expire after the days in the setting `foundation.logs.retentionDays`. Access to this bucket is not logged,
    because each delivery of a log would cause another log.
    """
    return Bucket(
        scope,
        AUDIT_BUCKET,
        display_name="AuditLogs",
        access_logged=False,
        lifecycle=[lifecycle_rule("expire-access-logs", ACCESS_LOG_PREFIX, scope.foundation.logs.retention_days)],
        statements=[
            {
                "Sid": "AccessLogsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": "logging.s3.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": f"{scope.context.bucket_arn(scope.access_log_bucket)}/{ACCESS_LOG_PREFIX}/*",
                "Condition": {"StringEquals": {"aws:SourceAccount": scope.context.account}},
            }
        ],
    )


def create_api_log_role(scope: Scope) -> apigateway.Account:
    """Create the role for logs, and the account setting of API Gateway that names it. Return the account setting.

    A region of an account has only one such role, so only the stack with `foundation.logs.apiGatewayRoleOwned` creates
    it. API Gateway refuses a stage with logs while the role is missing. So in this stack, all resources of the
    subsystems are created after the account setting.
    """
    groups = [scope.context.arn("logs", f"log-group:{group}") for group in API_LOG_GROUPS]
    grants = [grant("logs", API_LOG_ACTIONS, groups), grant("logs", ["DescribeLogGroups"], "*")]
    role = Role(scope, "api-logs", trust=Service.API_GATEWAY, grants=grants)
    return apigateway.Account(
        "foundation-api-logs-account", cloudwatch_role_arn=role.arn, opts=scope.options(after=role.role_and_policies)
    )


def create_throttles_alarm(scope: Scope) -> None:
    """Create the alarm on throttled calls of all functions. Without a dimension, the metric counts all functions of the
    account in the region, also those of other stacks. Metric math over the stack's functions alone would need more than
    the ten metrics that an alarm may have.
    """
    create_alarm(
        scope,
        "throttles",
        Metric("AWS/Lambda", "Throttles", {}),
        threshold=0,
        problem="Lambda throttles calls of a function of this account, possibly of another stack.",
        runbook="functions",
    )


def create_cost_alerts(scope: Scope) -> None:
    """Create the monthly budget, and alerts of a cost anomaly monitor.

    The settings (`foundation.spend`) can name an existing monitor, let this stack create one, or choose no monitor.

    The budget, and a monitor that this stack creates, count the cost of all resources with the stack's tag `CostCenter`.
    So the tag's value must be unique to this stack. An existing monitor keeps its own filter. AWS counts a tag only after
    it has been activated for cost allocation in the billing console, once per account. In an organisation, the management
    account must activate it, and only that account can create a monitor for a tag.
    """
    spend = scope.foundation.spend
    budget_name = scope.name(Kind.BUDGET, "monthly")
    budgets.Budget(
        "foundation-spend-budget",
        name=budget_name,
        budget_type="COST",
        limit_amount=f"{spend.monthly_budget:.2f}",
        limit_unit="USD",
        time_unit="MONTHLY",
        # AWS writes a tag that a user defined as `user:<key>$<value>`.
        cost_filters=[{"name": "TagKeyValue", "values": [f"user:{COST_TAG}${scope.context.cost_center}"]}],
        notifications=[
            {
                "notification_type": kind,
                "comparison_operator": "GREATER_THAN",
                "threshold": percent,
                "threshold_type": "PERCENTAGE",
                "subscriber_sns_topic_arns": [scope.warning_topic],
            }
            for kind, percent in BUDGET_ALERTS
        ],
        tags=scope.tags(budget_name),
        opts=scope.options(),
    )
    name = scope.name(Kind.ANOMALY_MONITOR, "anomalies")
    monitor_arn: pulumi.Input[str]
    if spend.anomaly_monitor_arn is not None:
        monitor_arn = spend.anomaly_monitor_arn
    elif spend.anomaly_monitor_owned:
        monitor_arn = costexplorer.AnomalyMonitor(
            "foundation-spend-anomaly-monitor",
            name=name,
            monitor_type="CUSTOM",
            # Without the empty fields, which the provider reads back, each deployment would replace the monitor.
            monitor_specification=json.dumps(
                {
                    **dict.fromkeys(("And", "CostCategories", "Dimensions", "Not", "Or")),
                    "Tags": {"Key": COST_TAG, "MatchOptions": None, "Values": [scope.context.cost_center]},
                }
            ),
            tags=scope.tags(name),
            opts=scope.options(),
        ).arn
    else:
        return
    costexplorer.AnomalySubscription(
        "foundation-spend-anomaly-subscription",
        name=name,
        frequency="IMMEDIATE",  # the only frequency for an SNS topic
        monitor_arn_lists=[monitor_arn],
        subscribers=[{"type": "SNS", "address": scope.warning_topic}],
        threshold_expression={
            "dimension": {
                "key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                "match_options": ["GREATER_THAN_OR_EQUAL"],
                "values": [MIN_ANOMALY_DOLLARS],
            }
        },
        tags=scope.tags(name),
        opts=scope.options(),
    )
