"""Lambda function with role, log group, alias, event sources, tracing, alarms, and a queue for failed asynchronous
calls.

All callers use the alias `live`. It points to the newest version, or to the version in the setting `liveVersion`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_aws import cloudwatch, lambda_

from components.blocks.block import Block
from components.blocks.compute.function_environment import environment_variables
from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.messaging.queue import DeadLetterQueue, Queue
from components.blocks.monitoring.alarm import AlarmGroup, Comparison, Metric, Severity
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.settings.settings_base import ClientFunctionSettings, FunctionSettings
from handlers.common.environment import HandlerEnvironment

LIVE = "live"
RUNTIME = "python3.13"
REPORT_PATTERN = '{ $.type = "platform.report" }'
"""CloudWatch filter pattern of the report line that Lambda logs after each invocation."""
USED_MEMORY_SELECTOR = "$.record.metrics.maxMemoryUsedMB"
"""Path of the used memory in the report line."""


@dataclass(frozen=True)
class QueueSource:
    """SQS queue that invokes the function with batches of messages. Only failed messages return to the queue."""

    queue: Queue
    batch_size: int
    """Maximum number of messages in one invocation."""
    max_concurrency: int
    """Maximum number of concurrent invocations for this queue."""


@dataclass(frozen=True)
class AsyncInvocation:
    """Retries of asynchronous calls, and the queue for calls that still fail."""

    on_failure: DeadLetterQueue | None
    """Queue for failed calls. None only if failed calls must not be stored; `discard_reason` then gives the reason."""
    retries: int = 2
    max_age_seconds: int = 21_600
    """Age from which Lambda no longer attempts a call, even if retries are left."""
    discard_reason: str | None = None
    """Reason why failed calls must not be stored. It becomes the function's tag `Reason`."""


@dataclass(frozen=True)
class NetworkAttachment:
    """Subnets and security groups of a function that is attached to a VPC."""

    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_ids: Sequence[pulumi.Input[str]]


@dataclass(frozen=True)
class FunctionArgs:
    scope: Scope
    display_name: str
    entry: str
    """Module and function: `handlers.ingestion.manifest_builder.handler.handler`."""
    settings: FunctionSettings
    environment: type[HandlerEnvironment]
    """Model with which the handler reads its environment variables."""
    values: Mapping[str, object] = field(default_factory=dict)
    """Values of the environment model by field name. The block adds `log_level`."""
    grants: Sequence[Grant] = ()
    """Permissions that the handler's own code needs. This block adds the permissions that Lambda needs to run the
    function."""
    queues: Sequence[QueueSource] = ()
    asynchronous: AsyncInvocation | None = None
    """Settings of asynchronous calls; None if nothing calls the function asynchronously."""
    attachment: NetworkAttachment | None = None
    """Network that the function is attached to; None leaves it outside any VPC."""
    environment_key_arn: str | None = None
    """Customer managed key that encrypts the environment at rest; None uses Lambda's key, which is free."""
    endpoints: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Endpoint variables of the AWS SDK: `AWS_ENDPOINT_URL_…` → URL."""
    memory_percent_above: int | None = None
    """An alarm is raised if an invocation uses more than this percentage of the memory; None registers no alarm."""
    errors_above: int = 0
    """An alarm is raised if more errors than this occur in five minutes."""
    throttles_above: int = 0
    """An alarm is raised if more calls than this are throttled in five minutes."""


class Function(Block):
    """Lambda function with its alias `live`, which is the only way to call it."""

    def __init__(self, short_name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Function", short_name, args.scope, opts)
        _check_args(short_name, args)
        scope = args.scope
        self.name = scope.name(Kind.FUNCTION, short_name)
        self.arn = scope.context.arn("lambda", f"function:{self.name}")
        self.live_arn = f"{self.arn}:{LIVE}"
        self.log_group = f"/aws/lambda/{self.name}"
        self.keeps_failed_calls = args.asynchronous is not None and args.asynchronous.on_failure is not None
        self._log_group = self.create_log_group("logs", self.log_group, args.display_name)
        self._role = Role(
            self.label,
            RoleArgs(
                scope=args.scope,
                short_name=short_name,
                display_name=args.display_name,
                trust=Service.LAMBDA,
                grants=[*args.grants, *self._runtime_grants(args)],
            ),
            self.part_options(),
        )
        self.function = self._create_function(args)
        self.live = lambda_.Alias(
            self.part_name("live"),
            name=LIVE,
            function_name=self.function.name,
            function_version=args.settings.live_version or self.function.version,
            # A gradual rollout changes the weights outside Pulumi, and a deployment must not revert it half-way.
            opts=self.part_options(ignore=["routingConfig"]),
        )
        self._add_event_sources(args)
        self._configure_asynchronous_calls(args)
        self._provision_concurrency(args.settings)
        self._register_alarms(args)
        self.register_outputs({"name": self.name, "arn": self.arn, "liveArn": self.live_arn})

    @property
    def role_arn(self) -> str:
        """ARN of the function's role, for policies that name the role as a principal."""
        return self._role.arn

    def metric(self, name: str, statistic: str = "Sum") -> Metric:
        """Return a Lambda metric of the calls through the alias. Without the dimension `Resource`, the metric would
        also count calls that do not use the alias.
        """
        return Metric("AWS/Lambda", name, {"FunctionName": self.name, "Resource": f"{self.name}:{LIVE}"}, statistic)

    def log_metric(
        self,
        short_name: str,
        pattern: str,
        opts: pulumi.ResourceOptions,
        *,
        value: str = "1",
        statistic: str = "Sum",
        period_seconds: int = 300,
        metric_name: str = "",
    ) -> Metric:
        """Register a metric filter on the function's log lines, and return its metric.

        Each line that matches `pattern` sends `value` to the metric: a number, or the path of a number in the line,
        such as `$.oldest_pending_seconds`. The metric's name is `metric_name`, or the short name if `metric_name` is
        empty. The filters of several functions may share a `metric_name`.
        """
        metric, label = metric_name or short_name, self.scope.context.stack_label
        namespace = f"{label}/{self.scope.subsystem}"
        cloudwatch.LogMetricFilter(
            f"{self.scope.subsystem}-{short_name}-filter",
            name=f"{label}-{self.scope.subsystem}-{short_name}",
            log_group_name=self.log_group,
            pattern=pattern,
            metric_transformation={"name": metric, "namespace": namespace, "value": value},
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[self._log_group])),
        )
        return Metric(namespace, metric, {}, statistic, period_seconds)

    def alarm_on_log_lines(
        self,
        short_name: str,
        pattern: str,
        problem: str,
        group: AlarmGroup,
        *,
        value: str = "1",
        threshold: float = 0,
        severity: Severity = Severity.WARNING,
        comparison: Comparison = Comparison.ABOVE,
    ) -> None:
        """Register an alarm on the five-minute sum of `value` over the matching log lines."""
        metric = self.log_metric(short_name, pattern, group.opts, value=value)
        group.register(short_name, metric, threshold, problem, severity=severity, comparison=comparison)

    def grant_invoke(self) -> Grant:
        """Grant invocation of the alias, not of the function itself."""
        return grant("lambda", ["InvokeFunction"], self.live_arn)

    def allow_api_gateway(self, label: str, source_arn: pulumi.Input[str]) -> lambda_.Permission:
        """Let one API of API Gateway call the alias.

        The permission checks `aws:SourceArn` only, like the example in API Gateway's guide. This ARN contains the
        account, so a check of the account is not needed.
        """
        return lambda_.Permission(
            self.part_name(f"{label}-permission"),
            statement_id=label,
            action="lambda:InvokeFunction",
            function=self.function.name,
            qualifier=LIVE,
            principal=Service.API_GATEWAY.value,
            source_arn=source_arn,
            opts=self.part_options(self.live),
        )

    def _register_alarms(self, args: FunctionArgs) -> None:
        opts, name = self.part_options(self._log_group), args.display_name
        alarms = AlarmGroup(args.scope, "functions", opts)
        alarms.register(
            f"{self.short_name}-errors",
            self.metric("Errors"),
            args.errors_above,
            f"{name} fails.",
            severity=Severity.CRITICAL,
        )
        alarms.register(
            f"{self.short_name}-throttles", self.metric("Throttles"), args.throttles_above, f"{name} is throttled."
        )
        if args.memory_percent_above is not None:
            alarm = f"{self.short_name}-memory"
            used = self.log_metric(alarm, REPORT_PATTERN, opts, value=USED_MEMORY_SELECTOR, statistic="Maximum")
            threshold = args.settings.memory_mb * args.memory_percent_above / 100
            alarms.register(alarm, used, threshold, f"{name} is short of memory.")

    def _runtime_grants(self, args: FunctionArgs) -> list[Grant]:
        """Return the grants that Lambda needs to run the function with these arguments."""
        context = args.scope.context
        grants = [
            grant("logs", ["CreateLogStream", "PutLogEvents"], context.arn("logs", f"log-group:{self.log_group}:*")),
            grant("xray", ["PutTraceSegments", "PutTelemetryRecords"], "*"),
        ]
        grants += [
            source.queue.grant("ReceiveMessage", "DeleteMessage", "GetQueueAttributes") for source in args.queues
        ]
        if args.asynchronous is not None and args.asynchronous.on_failure is not None:
            grants.append(args.asynchronous.on_failure.grant("SendMessage"))
        if args.environment_key_arn is not None:
            # Lambda itself lets the role use the key with a KMS grant. The grant ends if the role is deleted, and a new
            # role of the same name would not have it, so the role also gets the permission.
            grants.append(grant("kms", ["Decrypt"], args.environment_key_arn))
        if args.attachment is not None:
            # Lambda's guide requires DeleteNetworkInterface on all resource ids, written as `*/*`.
            grants += [
                grant("ec2", ["CreateNetworkInterface", "DeleteNetworkInterface"], context.arn("ec2", "*/*")),
                grant("ec2", ["DescribeNetworkInterfaces", "DescribeSubnets"], "*"),
            ]
        return grants

    def _create_function(self, args: FunctionArgs) -> lambda_.Function:
        scope, settings = args.scope, args.settings
        # Only the settings of functions that clients wait for contain concurrency and SnapStart. Other functions get
        # the defaults: no reserved concurrency and no SnapStart.
        concurrency = settings if isinstance(settings, ClientFunctionSettings) else ClientFunctionSettings()
        return lambda_.Function(
            self.part_name("function"),
            name=self.name,
            description=f"{args.display_name} of Polyphony's {scope.subsystem}",
            runtime=RUNTIME,
            architectures=["arm64"],
            handler=args.entry,
            code=scope.package,
            role=self._role.arn,
            memory_size=settings.memory_mb,
            timeout=settings.timeout_seconds,
            publish=True,
            layers=list(scope.layers),
            reserved_concurrent_executions=concurrency.reserved_concurrency,
            snap_start={"apply_on": "PublishedVersions"} if concurrency.snap_start else None,
            environment={
                "variables": environment_variables(
                    args.environment,
                    {"log_level": scope.log_level.value, **args.values},
                    {"POWERTOOLS_SERVICE_NAME": scope.subsystem.value, **args.endpoints},
                )
            },
            kms_key_arn=args.environment_key_arn,
            vpc_config=(
                {
                    "subnet_ids": list(args.attachment.subnet_ids),
                    "security_group_ids": list(args.attachment.security_group_ids),
                }
                if args.attachment
                else None
            ),
            tracing_config={"mode": "Active"},
            logging_config={
                "log_format": "JSON",
                "log_group": self.log_group,
                "application_log_level": "WARN" if scope.log_level == "WARNING" else scope.log_level.value,
                # The alarm on memory reads Lambda's report lines, which have the level INFO.
                "system_log_level": "WARN" if args.memory_percent_above is None else "INFO",
            },
            tags=scope.tags(
                args.display_name, {"Reason": args.asynchronous.discard_reason if args.asynchronous else None}
            ),
            opts=self.part_options(self._log_group, *self._role.parts),
        )

    def _add_event_sources(self, args: FunctionArgs) -> None:
        for source in args.queues:
            lambda_.EventSourceMapping(
                f"{source.queue.label}-source",
                function_name=self.live_arn,
                event_source_arn=source.queue.arn,
                batch_size=source.batch_size,
                maximum_batching_window_in_seconds=source.queue.batching_window_seconds,
                function_response_types=["ReportBatchItemFailures"],
                scaling_config={"maximum_concurrency": source.max_concurrency},
                tags=args.scope.tags(args.display_name),
                opts=self.part_options(self.live, source.queue, *self._role.parts),
            )

    def _provision_concurrency(self, settings: FunctionSettings) -> None:
        if isinstance(settings, ClientFunctionSettings) and settings.provisioned_concurrency:
            lambda_.ProvisionedConcurrencyConfig(
                self.part_name("provisioned"),
                function_name=self.function.name,
                qualifier=LIVE,
                provisioned_concurrent_executions=settings.provisioned_concurrency,
                opts=self.part_options(self.live),
            )

    def _configure_asynchronous_calls(self, args: FunctionArgs) -> None:
        asynchronous = args.asynchronous
        if asynchronous is None:
            return
        failure_queue = asynchronous.on_failure
        lambda_.FunctionEventInvokeConfig(
            self.part_name("asynchronous"),
            function_name=self.function.name,
            qualifier=LIVE,
            maximum_retry_attempts=asynchronous.retries,
            maximum_event_age_in_seconds=asynchronous.max_age_seconds,
            destination_config={"on_failure": {"destination": failure_queue.arn}} if failure_queue else None,
            opts=self.part_options(self.live, *([failure_queue] if failure_queue else []), *self._role.parts),
        )


def _check_args(short_name: str, args: FunctionArgs) -> None:
    """Raise ValueError if the arguments contradict each other."""
    if args.asynchronous and (args.asynchronous.on_failure is None) != (args.asynchronous.discard_reason is not None):
        raise ValueError(
            f"{short_name}: set either on_failure, the queue for failed calls, or discard_reason, the reason why they must not be kept"
        )
    for source in args.queues:
        if source.batch_size > 10 and source.queue.batching_window_seconds < 1:
            raise ValueError(
                f"{short_name}: a batch size above 10 needs a queue with a batching window (batching_window_seconds) of at least 1 second"
            )
