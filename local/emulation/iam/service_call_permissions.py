"""Checks the IAM permissions of two kinds of calls for which the emulator checks none, and records the decisions.

- An AWS service acts with a role of the stack. For example, Lambda writes logs with the function's role. This module
  checks the calls of Lambda for logs and failure destinations. Other modules call `is_allowed` for other calls.
- A caller sends a request to a service that we emulate ourselves, for example MediaConvert. The service calls
  `is_denied`.
"""

import json
from collections.abc import Mapping
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import cloudwatch_logs, iam, lambda_svc

from local.emulation import get_private
from local.emulation.iam.decision_log import BY_SERVICE, Decision, DecisionRecorder
from local.emulation.iam.policy_evaluator import AccessRequest, evaluate_policies

LOG_STREAM = "any"
"""Placeholder for the name of a log stream. The policies of this project do not name streams, so any name will do."""


class ServiceCallPermissions:
    def __init__(self, recorder: DecisionRecorder) -> None:
        self._recorder = recorder

    def install(self) -> None:
        emit = get_private(lambda_svc, "_emit_lambda_logs")
        route = get_private(lambda_svc, "_route_async_failure")

        def emit_if_allowed(function: Any, request_id: str, *arguments: Any, **keywords: Any) -> None:
            config = function.get("config") or function
            group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
            stream = f"{log_group_arn(group)}:log-stream:{LOG_STREAM}"
            if all(
                self.is_allowed(config["Role"], action, stream)
                for action in ("logs:CreateLogStream", "logs:PutLogEvents")
            ):
                emit(function, request_id, *arguments, **keywords)

        def route_if_allowed(target: str, name: str, *arguments: Any) -> None:
            actions = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}
            role = get_private(lambda_svc, "_functions")[name]["config"]["Role"]
            if self.is_allowed(role, actions[target.split(":")[2]], target):
                route(target, name, *arguments)

        lambda_svc._emit_lambda_logs = emit_if_allowed  # noqa: SLF001
        lambda_svc._route_async_failure = route_if_allowed  # noqa: SLF001

    def is_allowed(
        self, role_arn: str, action: str, resource: str, context: Mapping[str, Any] | None = None, by: str = BY_SERVICE
    ) -> bool:
        """Return True if the role's policies allow an action. Record the decision, with `by` as its origin."""
        role = role_arn.rpartition("/")[2]
        verdict = evaluate_policies(inline_policies(role), AccessRequest(action, resource, context or {}))
        self._recorder.record(Decision(role, action, resource, verdict, by))
        return verdict.allowed

    def is_denied(self, access_key: str, action: str, resource: str, context: Mapping[str, Any]) -> bool:
        """Return True if the owner of an access key may not perform an action. The root user may do everything.

        Any other caller that is no role is denied. The decision about a role is recorded.
        """
        caller = get_private(iam_evaluator, "resolve_caller_identity")(access_key)
        if caller is None or ":assumed-role/" not in caller["userArn"]:
            return caller is None or not caller["userArn"].endswith(":root")
        return not self.is_allowed(caller["userArn"].split("/")[1], action, resource, context)


def inline_policies(role: str) -> list[dict[str, Any]]:
    """Return the inline policies of a role. This project uses no managed policies."""
    record = get_private(iam, "_roles").get_scoped(get_account_id(), None, role) or {}
    texts = (record.get("InlinePolicies") or {}).values()
    return [json.loads(text) if isinstance(text, str) else text for text in texts]


def log_group_arn(group: str) -> str:
    arn: str = get_private(cloudwatch_logs, "_make_group_arn")(group)
    return arn.removesuffix(":*")
