"""Checks the permissions of calls for which the emulator, MiniStack, checks none, and records the decisions about roles.

- An AWS service acts with a role of the stack, for example Lambda when it writes logs. The role must trust the service
  and allow the call.
- An AWS service calls a function, queue or topic without a role. Then the resource's own policy must allow the call.
- A caller sends a request to a service that we emulate ourselves, for example MediaConvert.

| correction | service | ministack | AWS | needed for |
|---|---|---|---|---|
| `function_logs` | Lambda | writes the log of a function whose role does not allow it | writes it with the function's role | unused and missing grants are found |
| `failure_destination` | Lambda | sends a failed invocation to a queue that the function's role may not use | sends it with the function's role | unused and missing grants are found |
| `event_target` | EventBridge | calls the target of a rule or schedule without a permission | needs a role that trusts it and allows the call, or a permission in the target's own policy | unused and missing grants are found |
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import cloudwatch_logs, eventbridge, iam, lambda_svc, sns, sqs

from local.emulation import get_private, wrap_function
from local.emulation.iam.grant_usage import Decision, DecisionRecorder
from local.emulation.iam.policy_evaluator import AccessRequest, evaluate_policies, policy_admits

LOG_STREAM = "any"
"""Placeholder for the name of a log stream. The policies of this project do not name streams, so any name will do."""
EVENTS, SCHEDULER, API_GATEWAY = "events.amazonaws.com", "scheduler.amazonaws.com", "apigateway.amazonaws.com"
INVOKE = "lambda:InvokeFunction"
CALL_ACTIONS = {"lambda": INVOKE, "sqs": "sqs:SendMessage", "sns": "sns:Publish", "states": "states:StartExecution"}
"""IAM action for calling a target, by the service in the target's ARN."""
_log = logging.getLogger("targets")


class ServiceCallPermissions:
    """Checks of service calls. Our emulated services and corrections call `is_allowed` and `is_denied`."""

    def __init__(self, recorder: DecisionRecorder) -> None:
        self._recorder = recorder

    def install(self) -> None:
        """Replace functions of the emulator by methods below, which get the original. `extended_emulator.py` calls this."""
        wrap_function(lambda_svc, "_emit_lambda_logs", self._write_log_if_allowed)
        wrap_function(lambda_svc, "_route_async_failure", self._send_failure_if_allowed)
        # The emulator's scheduler uses this function, too.
        wrap_function(eventbridge, "_invoke_target", self._call_target_if_allowed)

    def is_allowed(
        self,
        role_arn: str,
        action: str,
        resource: str,
        context: Mapping[str, Any] | None = None,
        *,
        by_schedule: bool = False,
    ) -> bool:
        """Return True if the role's policies allow an action. Record the decision."""
        role = role_arn.rpartition("/")[2]
        verdict = evaluate_policies(_inline_policies(role), AccessRequest(action, resource, context or {}))
        self._recorder.record(Decision(role, action, resource, verdict, by_schedule))
        return verdict.allowed

    def is_denied(self, access_key: str, action: str, resource: str, context: Mapping[str, Any]) -> bool:
        """Return True if the owner of an access key may not perform an action. The root user may do everything.

        Any other caller that is no role is denied. The decision about a role is recorded.
        """
        caller = get_private(iam_evaluator, "resolve_caller_identity")(access_key)
        if caller is None:
            return True
        if ":assumed-role/" not in caller["userArn"]:
            return not caller["userArn"].endswith(":root")
        return not self.is_allowed(caller["userArn"].split("/")[1], action, resource, context)

    def _write_log_if_allowed(self, original: Any, function: Any, *arguments: Any, **keywords: Any) -> None:
        config = function.get("config") or function  # the emulator passes a function's record or its configuration
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        arn = get_private(cloudwatch_logs, "_make_group_arn")(group).removesuffix(":*")
        actions = ("logs:CreateLogStream", "logs:PutLogEvents")
        if all(self.is_allowed(config["Role"], action, f"{arn}:log-stream:{LOG_STREAM}") for action in actions):
            original(function, *arguments, **keywords)

    def _send_failure_if_allowed(self, original: Any, target: str, name: str, *arguments: Any) -> None:
        """Send the failed invocation of the function `name` to `target`, the ARN of its failure destination."""
        role = get_private(lambda_svc, "_functions")[name]["config"]["Role"]
        if self.is_allowed(role, CALL_ACTIONS[target.split(":")[2]], target):
            original(target, name, *arguments)

    def _call_target_if_allowed(
        self, original: Any, target: Mapping[str, Any], event: Any, rule: Mapping[str, Any], *arguments: Any
    ) -> None:
        if self._may_call_target(target, rule):
            original(target, event, rule, *arguments)
        else:
            _log.warning("%s has no permission to call %s, so the call is dropped", rule["Arn"], target["Arn"])

    def _may_call_target(self, target: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
        """Return True if the target's role, or else the target's own policy, allows the rule to call the target."""
        arn, source = str(target["Arn"]), str(rule["Arn"])
        service = arn.split(":")[2]
        is_schedule = ":schedule/" in source  # for a schedule, the emulator passes the schedule as `rule`
        if is_schedule:
            # As on AWS, `aws:SourceArn` is the ARN of the schedule's group, not of the schedule.
            source = f"{source.partition(':schedule/')[0]}:schedule-group/{rule['GroupName']}"
        principal = SCHEDULER if is_schedule else EVENTS
        keys = {"aws:SourceArn": source, "aws:SourceAccount": get_account_id()}
        if role := target.get("RoleArn"):
            return role_trusts(role, principal, keys) and self.is_allowed(
                role, CALL_ACTIONS[service], arn, by_schedule=is_schedule
            )
        if service == "lambda":
            return function_admits(arn.split(":")[6], arn, principal, keys)
        if service in {"sqs", "sns"}:
            request = AccessRequest(CALL_ACTIONS[service], arn, {**keys, "aws:SecureTransport": "true"})
            return policy_admits(_read_resource_policy(service, arn), principal, request)
        return False


def role_trusts(role_arn: str, principal: str, keys: Mapping[str, Any], action: str = "sts:AssumeRole") -> bool:
    """Return True if the role exists and its trust policy allows a service, or Cognito's users, to assume it.

    `keys` are the condition keys of the request with their values, for example `aws:SourceArn`.
    """
    role = _find_role(role_arn.rpartition("/")[2])
    if role is None or role["Arn"] != role_arn:
        return False
    return policy_admits(
        _parse(role.get("AssumeRolePolicyDocument") or {}), principal, AccessRequest(action, "*", keys)
    )


def function_admits(name: str, function: str, service: str, keys: Mapping[str, str]) -> bool:
    """Return True if the policy of a function allows a service to call it with these condition keys.

    `name` is the function's name, and `function` the ARN that the service calls.
    """
    record = get_private(lambda_svc, "_functions").get(name) or {"policy": {}}
    return policy_admits(record["policy"], service, AccessRequest(INVOKE, function, keys))


def _inline_policies(role: str) -> list[Mapping[str, Any]]:
    """Return the inline policies of a role. This project uses no managed policies."""
    return [_parse(document) for document in ((_find_role(role) or {}).get("InlinePolicies") or {}).values()]


def _find_role(name: str) -> Mapping[str, Any] | None:
    role: Mapping[str, Any] | None = get_private(iam, "_roles").get_scoped(get_account_id(), None, name)
    return role


def _read_resource_policy(service: str, arn: str) -> Mapping[str, Any]:
    """Return the resource policy of a queue or topic. It is empty if there is no policy or no such resource."""
    holder = (
        get_private(sqs, "_queue_by_arn")(arn) if service == "sqs" else get_private(sns, "_topic_by_arn_any_scope")(arn)
    )
    return _parse((holder or {"attributes": {}})["attributes"].get("Policy") or {})


def _parse(document: str | Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(json.loads(document)) if isinstance(document, str) else document
