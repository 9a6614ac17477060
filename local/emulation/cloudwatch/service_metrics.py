"""Publishes metrics of the emulated Lambda, Step Functions, API Gateway and SQS, so that alarms can be evaluated.

`PUBLISHED_AWS_METRICS` in `available_metrics.py` lists the metrics. This module also publishes the metrics that metric
filters derive from logs, because the emulator stores metric filters but does not apply them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ministack.services import apigateway, apigateway_v1, cloudwatch, cloudwatch_logs, lambda_svc, sqs, stepfunctions

from local.emulation import get_private, wrap_function
from local.emulation.cloudwatch.log_metric_patterns import metric_value, parse_log_event, parse_pattern

BAD_REQUEST, SERVER_ERROR = 400, 500
SAMPLE_SECONDS = 60
"""Time after which the metrics of an unchanged queue are published again. SQS publishes them every minute."""
UNANSWERED = {500, 502}
"""Statuses of a WebSocket route whose function could not be called, failed, or returned no valid answer."""


class ServiceMetrics:
    def __init__(self, on_publish: Callable[[], None], clock: Callable[[], float] = time.time) -> None:
        """`on_publish` is called after each published metric, but not by `sample_queues`, whose caller evaluates the
        alarms anyway.
        """
        self._on_publish = on_publish
        self._clock = clock
        self._samples: dict[str, tuple[int, float]] = {}
        """Last published number of visible messages, and the time of its publication, by queue name."""

    def install(self) -> None:
        """Replace seven functions of the emulator.

        Corrections of the same functions must be installed before, so that the metrics count the corrected results.
        """
        wrap_function(lambda_svc, "_acquire_execution_slot", self._count_invocation)
        wrap_function(lambda_svc, "_execute_function_dispatch", self._measure_invocation)
        wrap_function(stepfunctions, "_fail_execution", self._count_failed_execution)
        wrap_function(apigateway_v1, "handle_execute", self._measure_rest_request)
        wrap_function(apigateway, "_invoke_ws_lambda", self._count_route_call)
        wrap_function(apigateway, "_authorize_ws_iam", self._count_refused_handshake)
        wrap_function(cloudwatch_logs, "_fanout_to_subscription_filters", self._apply_metric_filters)

    def sample_queues(self) -> None:
        """Publish the number of visible messages and the age of the oldest message of each queue.

        Skip a queue if its number of visible messages has not changed and was published less than a minute ago.
        """
        now = self._clock()
        with get_private(sqs, "_queues_lock"):
            queues = [
                (queue["attributes"]["QueueArn"].rpartition(":")[2], list(queue["messages"]))
                for queue in get_private(sqs, "_queues").values()
            ]
        for name, messages in queues:
            visible = sum(message.get("visible_at", 0) <= now for message in messages)
            last_visible, sampled_at = self._samples.get(name, (-1, 0))
            if visible == last_visible and now - sampled_at < SAMPLE_SECONDS:
                continue
            self._samples[name] = visible, now
            oldest = min((message.get("sent_at", now) for message in messages), default=now)
            self._record("AWS/SQS", "ApproximateNumberOfMessagesVisible", visible, QueueName=name)
            self._record("AWS/SQS", "ApproximateAgeOfOldestMessage", now - oldest, QueueName=name)

    def _publish(self, namespace: str, name: str, value: float, **dimensions: str) -> None:
        self._record(namespace, name, value, **dimensions)
        self._on_publish()

    def _record(self, namespace: str, name: str, value: float, **dimensions: str) -> None:
        get_private(cloudwatch, "record_metric")(namespace, name, value, dimensions=dimensions)

    def _count_invocation(self, original: Any, function: Any, config: Mapping[str, Any]) -> Any:
        slot, limit = original(function, config)
        self._publish("AWS/Lambda", "ConcurrentExecutions", get_private(lambda_svc, "executions_in_flight")()[0])
        for alias in _alias_dimensions(config):
            self._publish("AWS/Lambda", "Throttles", int(slot is None), **alias)
        return slot, limit

    def _measure_invocation(self, original: Any, function: Any, config: Mapping[str, Any], *arguments: Any) -> Any:
        started = self._clock()
        result = original(function, config, *arguments)
        for alias in _alias_dimensions(config):
            if result.get("throttle"):
                self._publish("AWS/Lambda", "Throttles", 1, **alias)
                continue
            self._publish("AWS/Lambda", "Errors", int(bool(result.get("error"))), **alias)
            self._publish("AWS/Lambda", "Duration", (self._clock() - started) * 1000, **alias)
        return result

    def _count_failed_execution(self, original: Any, execution: Mapping[str, Any], *arguments: Any) -> None:
        original(execution, *arguments)
        self._publish("AWS/States", "ExecutionsFailed", 1, StateMachineArn=execution["stateMachineArn"])

    async def _measure_rest_request(self, original: Any, api_id: str, stage: str, *arguments: Any) -> Any:
        started = self._clock()
        response = await original(api_id, stage, *arguments)
        api = get_private(apigateway_v1, "_rest_apis").get(api_id)
        if api is not None:
            dimensions, status = {"ApiName": api["name"], "Stage": stage}, response[0]
            self._publish("AWS/ApiGateway", "4XXError", int(BAD_REQUEST <= status < SERVER_ERROR), **dimensions)
            self._publish("AWS/ApiGateway", "5XXError", int(status >= SERVER_ERROR), **dimensions)
            self._publish("AWS/ApiGateway", "Latency", (self._clock() - started) * 1000, **dimensions)
        return response

    async def _count_route_call(
        self,
        original: Any,
        api_id: str,
        account: str,
        region: str,
        route: Any,
        stage: str,
        *arguments: Any,
        **more: Any,
    ) -> Any:
        answer = await original(api_id, account, region, route, stage, *arguments, **more)
        status = int((answer or {}).get("statusCode", 200))
        dimensions = {"ApiId": api_id, "Stage": stage}
        if route["routeKey"] == "$connect":
            self._publish("AWS/ApiGateway", "ConnectCount", 1, **dimensions)
        self._publish("AWS/ApiGateway", "IntegrationError", int(status >= BAD_REQUEST), **dimensions)
        self._publish("AWS/ApiGateway", "ExecutionError", int(status in UNANSWERED), **dimensions)
        return answer

    def _count_refused_handshake(self, original: Any, scope: Any, route_arn: str, *arguments: Any) -> Any:
        refusal = original(scope, route_arn, *arguments)
        api_id, stage, _ = route_arn.split(":")[5].split("/", 2)
        self._publish("AWS/ApiGateway", "ClientError", int(refusal is not None), ApiId=api_id, Stage=stage)
        return refusal

    def _apply_metric_filters(
        self, original: Any, group: str, stream: str, log_events: Sequence[Mapping[str, Any]]
    ) -> None:
        original(group, stream, log_events)
        filters = [
            (parse_pattern(stored["filterPattern"]), transformation)
            for stored in list(get_private(cloudwatch_logs, "_metric_filters").values())
            if stored["logGroupName"] == group
            for transformation in stored["metricTransformations"]
        ]
        if not filters:
            return
        for log_event in log_events:
            event = parse_log_event(log_event["message"])
            for matches, metric in filters:
                if event is not None and matches(event):
                    value = metric_value(metric["metricValue"], event)
                    if value is not None:
                        self._publish(metric["metricNamespace"], metric["metricName"], value)


def _alias_dimensions(config: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the dimensions of a call's metrics for each alias that points to the called version.

    The emulator does not show if a call used an alias. In this project, all callers use one.
    """
    name = config["FunctionName"]
    function = get_private(lambda_svc, "_functions").get(name) or {}
    return [
        {"FunctionName": name, "Resource": f"{name}:{alias}"}
        for alias, target in list(function.get("aliases", {}).items())
        if target["FunctionVersion"] == config.get("Version")
    ]
