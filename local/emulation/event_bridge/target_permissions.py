"""Checks that EventBridge's rules and schedules may call their targets, because the emulator does not.

If a target names a role, the role must trust EventBridge and allow the call. The target of a rule can also name no
role. Then the target's own resource policy, for example the policy of a queue, must allow the call. Here, a call
without permission is logged and dropped.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import eventbridge, sns, sqs

from local.emulation import get_private, wrap_function
from local.emulation.iam.decision_log import BY_SCHEDULE, BY_SERVICE
from local.emulation.iam.policy_evaluator import AccessRequest, policy_admits
from local.emulation.iam.role_trust import role_trusts
from local.emulation.iam.service_call_permissions import ServiceCallPermissions
from local.emulation.lambda_.invoke_permissions import admits_service

EVENTS, SCHEDULER = "events.amazonaws.com", "scheduler.amazonaws.com"
CALL_ACTIONS = {
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "states": "states:StartExecution",
}
"""IAM action for calling a target, by the service in the target's ARN."""
_log = logging.getLogger("targets")


class TargetPermissions:
    def __init__(self, permissions: ServiceCallPermissions) -> None:
        self._permissions = permissions

    def install(self) -> None:
        """Replace `eventbridge._invoke_target`, which the emulator's scheduler also uses."""
        wrap_function(eventbridge, "_invoke_target", self._call_if_allowed)

    def _call_if_allowed(
        self, original: Any, target: Mapping[str, Any], event: Any, rule: Mapping[str, Any], *arguments: Any
    ) -> None:
        if self._is_allowed(target, rule):
            original(target, event, rule, *arguments)
        else:
            _log.warning("%s has no permission to call %s, so the call is dropped", rule["Arn"], target["Arn"])

    def _is_allowed(self, target: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
        arn, source = str(target["Arn"]), str(rule["Arn"])
        service = arn.split(":")[2]
        is_schedule = ":schedule/" in source  # for a schedule, the emulator passes the schedule as `rule`
        if is_schedule:
            # As on AWS, `aws:SourceArn` is the ARN of the schedule's group, not of the schedule.
            source = f"{source.partition(':schedule/')[0]}:schedule-group/{rule['GroupName']}"
        principal = SCHEDULER if is_schedule else EVENTS
        keys = {"aws:SourceArn": source, "aws:SourceAccount": get_account_id()}
        if role := target.get("RoleArn"):
            by = BY_SCHEDULE if is_schedule else BY_SERVICE
            return role_trusts(role, principal, keys) and self._permissions.is_allowed(
                role, CALL_ACTIONS[service], arn, by=by
            )
        if service == "lambda":
            return admits_service(arn.split(":")[6], arn, principal, keys)
        if service in {"sqs", "sns"}:
            request = AccessRequest(CALL_ACTIONS[service], arn, {**keys, "aws:SecureTransport": "true"})
            return policy_admits(_read_resource_policy(service, arn), principal, request)
        return False


def _read_resource_policy(service: str, arn: str) -> Mapping[str, Any]:
    """Return the resource policy of a queue or topic. It is empty if there is no policy or no such resource."""
    holder = (
        get_private(sqs, "_queue_by_arn")(arn) if service == "sqs" else get_private(sns, "_topic_by_arn_any_scope")(arn)
    )
    policy: Mapping[str, Any] = json.loads((holder or {"attributes": {}})["attributes"].get("Policy") or "{}")
    return policy
