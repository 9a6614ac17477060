"""What AWS services do with a role of ours, judged and recorded.

On AWS, Lambda polls a queue, writes a function's logs and parks its failures with the function's own role. The
emulator does these things without asking. Here each is judged from the role's policies, and refused as AWS would.
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

STREAM = "any"
"""Every invocation has a stream of its own; to a policy they are all alike."""


class ServiceRoles:
    """Asks for services."""

    def __init__(self, recorder: DecisionRecorder) -> None:
        self._recorder = recorder

    def install(self) -> None:
        """Replaces `lambda_svc._emit_lambda_logs` and `lambda_svc._route_async_failure`."""
        emit = get_private(lambda_svc, "_emit_lambda_logs")
        route = get_private(lambda_svc, "_route_async_failure")

        def emit_if_allowed(function: Any, request_id: str, *rest: Any, **named: Any) -> None:
            config = function.get("config") or function
            group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
            stream = f"{log_group_arn(group)}:log-stream:{STREAM}"
            if all(
                self.is_allowed(config["Role"], action, stream)
                for action in ("logs:CreateLogStream", "logs:PutLogEvents")
            ):
                emit(function, request_id, *rest, **named)

        def route_if_allowed(target: str, name: str, *rest: Any) -> None:
            action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}
            role = lambda_svc._functions[name]["config"]["Role"]  # noqa: SLF001
            if self.is_allowed(role, action[target.split(":")[2]], target):
                route(target, name, *rest)

        lambda_svc._emit_lambda_logs = emit_if_allowed  # noqa: SLF001
        lambda_svc._route_async_failure = route_if_allowed  # noqa: SLF001

    def is_allowed(
        self, role_arn: str, action: str, resource: str, context: Mapping[str, Any] | None = None, by: str = BY_SERVICE
    ) -> bool:
        """Whether a service may do something in a role's name."""
        role = role_arn.rpartition("/")[2]
        verdict = evaluate_policies(inline_policies(role), AccessRequest(action, resource, context or {})).verdict
        self._recorder.record(Decision(role, action, resource, verdict, by))
        return verdict.value == "allow"

    def is_denied(self, access_key: str, action: str, resource: str, context: Mapping[str, Any]) -> bool:
        """Whether the caller of a service of ours may not do something; the account's owner may."""
        caller = get_private(iam_evaluator, "resolve_caller_identity")(access_key)
        if caller is None or ":assumed-role/" not in caller["userArn"]:
            return caller is None or not caller["userArn"].endswith(":root")
        return not self.is_allowed(caller["userArn"].split("/")[1], action, resource, context)


def inline_policies(role: str) -> list[dict[str, Any]]:
    """The role's own policies. Managed ones are not used in this project."""
    known = get_private(iam, "_roles").get_scoped(get_account_id(), None, role) or {}
    texts = (known.get("InlinePolicies") or {}).values()
    return [json.loads(text) if isinstance(text, str) else text for text in texts]


def log_group_arn(group: str) -> str:
    """The ARN of a log group by name."""
    arn: str = get_private(cloudwatch_logs, "_make_group_arn")(group)
    return arn.removesuffix(":*")
