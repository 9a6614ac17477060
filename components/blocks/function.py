"""Lambda function with role, log group, alias, event source, tracing, alarms, and a queue for failed asynchronous calls.

All callers use the alias `live`. It points to the newest version, or to the version in the setting `liveVersion`. With
the setting `rolloutInSteps`, `operations rollout` moves it to new versions, and a deployment leaves it where it is.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pulumi
from pulumi_aws import cloudwatch, lambda_

from components import handler_archive
from components.blocks.alarm import Comparison, Metric, Severity, create_alarm
from components.blocks.environment import environment_variables
from components.blocks.iam import Grant, Role, Service, grant
from components.blocks.queue import DeadLetterQueue, Queue
from components.core import Block, Kind, Scope
from components.settings.base import ClientFunctionSettings, FunctionSettings
from handlers.common.environment import HandlerEnvironment

FAILED_SHARE = 0.05
"""An alarm is raised if more than this share of a function's calls failed in fifteen minutes. It is for a function whose
caller retries failed calls. The time is at least as long as each timeout, because Lambda reports a call at its end, but
with the time of its start."""
LIVE = "live"
"""Name of the alias."""
RUNTIME = "python3.13"
REPORT_PATTERN = '{ $.type = "platform.report" }'
"""CloudWatch filter pattern of the report line that Lambda logs after each invocation."""
USED_MEMORY_SELECTOR = "$.record.metrics.maxMemoryUsedMB"
"""Path of the used memory in the report line."""


class QueueSource(NamedTuple):
    """SQS queue that invokes the function with batches of messages. Only failed messages return to the queue."""

    queue: Queue
    batch_size: int
    """Maximum number of messages in one invocation."""
    max_concurrency: int
    """Maximum number of concurrent invocations for this queue."""


class AsyncInvocation(NamedTuple):
    """Retries of asynchronous calls, and the queue for calls that still fail."""

    on_failure: DeadLetterQueue | None
    """Queue for failed calls. None only if failed calls must not be stored; `discard_reason` then gives the reason."""
    retries: int | None = None
    """Maximum number of retries. None uses Lambda's default: two."""
    max_age_seconds: int | None = None
    """Age from which Lambda no longer attempts a call, even if retries are left. None uses Lambda's default: six hours."""
    discard_reason: str | None = None
    """Reason why failed calls must not be stored. It becomes the function's tag `Reason`."""


class Function(Block):
    """Lambda function with its alias `live`, which is the only way to call it.

    Its short name, with underscores, is also the name of its folder in `handlers/<subsystem>/`, which has the code. The
    names on AWS of the function, its log group and its alarms contain the short name.
    """

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        settings: FunctionSettings,
        environment: type[HandlerEnvironment],
        uses: Sequence[Grant] = (),
        values: Mapping[str, object] | None = None,
        source: QueueSource | None = None,
        asynchronous: AsyncInvocation | None = None,
        attachment: lambda_.FunctionVpcConfigArgsDict | None = None,
        environment_key_arn: str | None = None,
        endpoints: Mapping[str, pulumi.Input[str]] | None = None,
        errors_severity: Severity | None = Severity.WARNING,
        errors_above: int | None = None,
        throttles_above: int | None = None,
        memory_percent_above: int | None = None,
        display_name: str | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Create the function.

        - `environment` is the model with which the handler reads its environment variables. `uses` gives the handler
          its permissions. A grant with a `variable` also sets that field of the model, for example the name of a table.
          `values` has the values of all other fields, except `log_level`. This block adds the permissions that Lambda
          needs to run the function.
        - `source` is the queue whose messages the function processes.
        - `asynchronous` is None if nothing calls the function asynchronously.
        - `attachment` has the subnets and security groups of a function that is attached to a VPC.
        - `environment_key_arn` is a customer managed key that encrypts the environment at rest; None uses Lambda's key,
          which is free.
        - `endpoints` are variables of the AWS SDK: `AWS_ENDPOINT_URL_…` → URL.
        - An alarm of `errors_severity` is raised if more calls than `errors_above` fail in five minutes; None counts their
          share (`FAILED_SHARE`), for callers that retry. The severity is CRITICAL if a client waits for the function, and
          None, for no alarm, if a REST API calls it. The API's alarm on server errors then reports its errors.
        - Alarms are raised if more calls than `throttles_above` are throttled in five minutes, and if an invocation uses
          more than `memory_percent_above` of the memory. None creates no such alarm. The foundation has an alarm on the
          throttled calls of all functions.
        - `display_name` is the name in the requirements, if it differs from the short name.
        - `after` are resources that must exist before the function and its role.
        """
        super().__init__("Function", scope, short_name, display_name or short_name)
        self._subsystem_scope = scope
        self.name = scope.name(Kind.FUNCTION, short_name)
        self.arn = scope.context.arn("lambda", f"function:{self.name}")
        self.live_arn = f"{self.arn}:{LIVE}"
        self._log_group = self.create_log_group("logs", f"/aws/lambda/{self.name}")
        runtime_grants = self._runtime_grants(source, asynchronous, attachment, environment_key_arn)
        self._role = Role(
            self.scope,
            short_name,
            display_name=self.display_name,
            trust=Service.LAMBDA,
            grants=[*uses, *runtime_grants],
            after=after,
        )
        # Only the settings of functions that clients wait for contain concurrency and SnapStart. Other functions get
        # the defaults: no reserved concurrency and no SnapStart.
        concurrency = settings if isinstance(settings, ClientFunctionSettings) else ClientFunctionSettings()
        field_values = {
            "log_level": scope.log_level.value,
            **dict(used.variable for used in uses if used.variable),
            **(values or {}),
        }
        self.function = lambda_.Function(
            self.part_name("function"),
            name=self.name,
            description=self.description,
            runtime=RUNTIME,
            architectures=["arm64"],
            handler=f"{self.module}.handler",
            code=pulumi.FileArchive(handler_archive.write_archive(self.module).as_posix()),
            role=self._role.arn,
            memory_size=settings.memory_mb,
            timeout=settings.timeout_seconds,
            publish=True,
            layers=list(scope.layers),
            reserved_concurrent_executions=concurrency.reserved_concurrency,
            snap_start={"apply_on": "PublishedVersions"} if concurrency.snap_start else None,
            environment={
                "variables": {
                    **environment_variables(environment, field_values),
                    "POWERTOOLS_SERVICE_NAME": scope.subsystem.value,
                    **(endpoints or {}),
                }
            },
            kms_key_arn=environment_key_arn,
            vpc_config=attachment,
            tracing_config={"mode": "Active"},
            logging_config={
                "log_format": "JSON",
                "log_group": f"/aws/lambda/{self.name}",
                "application_log_level": "WARN" if scope.log_level == "WARNING" else scope.log_level.value,
                # The alarm on memory reads Lambda's report lines, which have the level INFO.
                "system_log_level": "WARN" if memory_percent_above is None else "INFO",
            },
            tags=scope.tags(self.display_name, {"Reason": asynchronous.discard_reason if asynchronous else None}),
            opts=self.scope.options(after=[self._log_group, *self._role.role_and_policies, *after]),
        )
        # A rollout changes the alias outside Pulumi, and a deployment must not revert it half-way.
        moved_by_rollouts = self.scope.foundation.rollout_in_steps and settings.live_version is None
        self.live = lambda_.Alias(
            self.part_name("live"),
            name=LIVE,
            function_name=self.function.name,
            function_version=settings.live_version or self.function.version,
            opts=self.scope.options(
                ignore=["routingConfig", "functionVersion"] if moved_by_rollouts else ["routingConfig"]
            ),
        )
        if source is not None:
            self._add_event_source(source)
        if asynchronous is not None:
            self._configure_asynchronous_calls(asynchronous)
        if concurrency.provisioned_concurrency:
            lambda_.ProvisionedConcurrencyConfig(
                self.part_name("provisioned"),
                function_name=self.function.name,
                qualifier=LIVE,
                provisioned_concurrent_executions=concurrency.provisioned_concurrency,
                opts=self.scope.options(after=[self.live]),
            )
        if errors_severity is not None and errors_above is not None:
            self._create_alarm("errors", self.metric("Errors"), errors_above, "fails", errors_severity)
        elif errors_severity is not None:
            # Lambda reports 0 or 1 for each call, so the average is the share of failed calls (Lambda developer guide,
            # "Types of metrics for Lambda functions").
            failed_share = self.metric("Errors", "Average")._replace(period_seconds=900)
            self._create_alarm("errors", failed_share, FAILED_SHARE, "fails often", errors_severity)
        if throttles_above is not None:
            self._create_alarm("throttles", self.metric("Throttles"), throttles_above, "is throttled")
        if memory_percent_above is not None:
            used = self.log_metric(
                f"{short_name}-memory", REPORT_PATTERN, value=USED_MEMORY_SELECTOR, statistic="Maximum"
            )
            self._create_alarm("memory", used, settings.memory_mb * memory_percent_above / 100, "is short of memory")
        self.register_outputs({"name": self.name, "arn": self.arn, "liveArn": self.live_arn})

    @property
    def module(self) -> str:
        """Module with the handler: `handlers.ingestion.manifest_builder.handler`."""
        return f"handlers.{self.scope.subsystem.package}.{self.short_name.replace('-', '_')}.handler"

    @property
    def role_arn(self) -> str:
        """ARN of the function's role, for policies that name the role as a principal."""
        return self._role.arn

    def grant_invoke(self, variable: str | None = None) -> Grant:
        """Grant invocation of the alias, not of the function. `variable` is the field of the caller's environment model
        that gets the alias's ARN.
        """
        return grant("lambda", ["InvokeFunction"], self.live_arn).with_variable(variable, self.live_arn)

    def allow_api_gateway(self, label: str, source_arn: pulumi.Input[str]) -> lambda_.Permission:
        """Let one API of API Gateway call the alias. `label` identifies the permission, and `source_arn` the API.

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
            opts=self.scope.options(after=[self.live]),
        )

    def metric(self, name: str, statistic: str = "Sum") -> Metric:
        """Return a Lambda metric of the calls through the alias. Without the dimension `Resource`, the metric would
        also count calls that do not use the alias.
        """
        return Metric("AWS/Lambda", name, {"FunctionName": self.name, "Resource": f"{self.name}:{LIVE}"}, statistic)

    def log_metric(
        self,
        short_name: str,
        pattern: str,
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
            log_group_name=f"/aws/lambda/{self.name}",
            pattern=pattern,
            metric_transformation={"name": metric, "namespace": namespace, "value": value},
            # A child of the subsystem, because the filters of several functions may share a metric.
            opts=self._subsystem_scope.options(after=[self._log_group]),
        )
        return Metric(namespace, metric, {}, statistic, period_seconds)

    def alarm_on_log_lines(
        self,
        short_name: str,
        pattern: str,
        problem: str,
        *,
        runbook: str,
        value: str = "1",
        threshold: float = 0,
        severity: Severity = Severity.WARNING,
        comparison: Comparison = Comparison.ABOVE,
    ) -> None:
        """Create an alarm on the five-minute sum of `value` over the matching log lines."""
        total = self.log_metric(short_name, pattern, value=value)
        create_alarm(
            self.scope, short_name, total, threshold, problem, runbook=runbook, severity=severity, comparison=comparison
        )

    def _create_alarm(
        self, kind: str, metric: Metric, threshold: float, predicate: str, severity: Severity = Severity.WARNING
    ) -> None:
        name, problem = f"{self.short_name}-{kind}", f"The function {self.label} {predicate}."
        create_alarm(self.scope, name, metric, threshold, problem, runbook="functions", severity=severity)

    def _runtime_grants(
        self,
        source: QueueSource | None,
        asynchronous: AsyncInvocation | None,
        attachment: lambda_.FunctionVpcConfigArgsDict | None,
        environment_key_arn: str | None,
    ) -> list[Grant]:
        """Return the grants that Lambda needs to run the function with these arguments."""
        context = self.scope.context
        log_group = context.arn("logs", f"log-group:/aws/lambda/{self.name}:*")
        grants = [
            grant("logs", ["CreateLogStream", "PutLogEvents"], log_group),
            grant("xray", ["PutTraceSegments", "PutTelemetryRecords"], "*"),
        ]
        if source is not None:
            grants.append(source.queue.grant("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"))
        if asynchronous is not None and asynchronous.on_failure is not None:
            grants.append(asynchronous.on_failure.grant("SendMessage"))
        if environment_key_arn is not None:
            # Lambda itself lets the role use the key with a KMS grant. The grant ends if the role is deleted, and a new
            # role of the same name would not have it, so the role also gets the permission.
            grants.append(grant("kms", ["Decrypt"], environment_key_arn))
        if attachment is not None:
            # Lambda's guide requires DeleteNetworkInterface on all resource ids, written as `*/*`.
            grants += [
                grant("ec2", ["CreateNetworkInterface", "DeleteNetworkInterface"], context.arn("ec2", "*/*")),
                grant("ec2", ["DescribeNetworkInterfaces", "DescribeSubnets"], "*"),
            ]
        return grants

    def _add_event_source(self, source: QueueSource) -> None:
        lambda_.EventSourceMapping(
            f"{source.queue.label}-source",
            function_name=self.live_arn,
            event_source_arn=source.queue.arn,
            batch_size=source.batch_size,
            maximum_batching_window_in_seconds=source.queue.batching_window,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config={"maximum_concurrency": source.max_concurrency},
            tags=self.tags,
            opts=self.scope.options(after=[self.live, source.queue, *self._role.role_and_policies]),
        )

    def _configure_asynchronous_calls(self, asynchronous: AsyncInvocation) -> None:
        failed = asynchronous.on_failure
        lambda_.FunctionEventInvokeConfig(
            self.part_name("asynchronous"),
            function_name=self.function.name,
            qualifier=LIVE,
            maximum_retry_attempts=asynchronous.retries,
            maximum_event_age_in_seconds=asynchronous.max_age_seconds,
            destination_config={"on_failure": {"destination": failed.arn}} if failed else None,
            opts=self.scope.options(after=[self.live, *([failed] if failed else []), *self._role.role_and_policies]),
        )
