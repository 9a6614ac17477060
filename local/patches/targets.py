"""Targets of rules and schedules, called as AWS calls them: only where they let the service in, and what cannot be
delivered goes to the target's dead-letter queue, with the reason.

A rule's target lets EventBridge in by its own policy, or by the target's role; a schedule's by the schedule's role. The
emulator asks neither, and drops what it cannot deliver. A missing permission or resource is not tried again, on AWS
too: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import eventbridge, lambda_svc, scheduler, sns, sqs, stepfunctions

from local.iam.decisions import CLOCK, SERVICE
from local.iam.evaluator import Request
from local.iam.resource_policies import service_may
from local.patches import reached
from local.patches.function_permission import lets_in
from local.patches.service_roles import ServiceRoles
from local.patches.trust import trusts

EVENTS, SCHEDULER = "events.amazonaws.com", "scheduler.amazonaws.com"
ACTIONS = {
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "states": "states:StartExecution",
}
"""What is done with a target of each service; others are the emulator's business."""
LOOK_SECONDS = 1
"""How often it is looked which schedules are due; the emulator does every ten seconds."""
NO_PERMISSIONS, NO_RESOURCE = "NO_PERMISSIONS", "NO_RESOURCE"
_log = logging.getLogger("targets")


@dataclass(frozen=True)
class Failure:
    """Why something cannot be delivered."""

    code: str
    message: str


@dataclass(frozen=True)
class Source:
    """Who delivers."""

    service: str
    arn: str
    """A rule's, or a schedule's."""
    keys: Mapping[str, str]
    """What the service sends."""

    @property
    def scheduled(self) -> bool:
        """Whether this is a schedule."""
        return self.service == SCHEDULER


class Targets:
    """Stands between the emulator's bus and its targets."""

    def __init__(self, roles: ServiceRoles) -> None:
        self._roles = roles

    def install(self) -> None:
        """Replaces `eventbridge._invoke_target`, which the emulator's scheduler uses too."""
        invoke = reached(eventbridge, "_invoke_target")
        view_of = reached(eventbridge, "_pattern_event_view")

        def invoked(
            target: Mapping[str, Any], event: Mapping[str, Any], rule: Mapping[str, Any], view: Any = None
        ) -> None:
            source = _source(rule)
            failure = self._failure(source, target)
            if failure is None:
                invoke(target, event, rule, view)
                return
            _log.warning("%s: %s: %s", source.arn, failure.code, failure.message)
            body = (
                target.get("Input", "")
                if source.scheduled
                else json.dumps((view or view_of(event)).event_with_detail())
            )
            self._park(source, target, failure, body or "{}")

        eventbridge._invoke_target = invoked  # noqa: SLF001
        reached(scheduler, "_SCHEDULE_TICK_INTERVAL")
        scheduler._SCHEDULE_TICK_INTERVAL = LOOK_SECONDS  # noqa: SLF001
        reached(eventbridge, "_SCHEDULER_TICK_INTERVAL")
        eventbridge._SCHEDULER_TICK_INTERVAL = LOOK_SECONDS  # noqa: SLF001

    def _failure(self, source: Source, target: Mapping[str, Any]) -> Failure | None:
        arn = str(target["Arn"])
        service = arn.split(":")[2]
        if service not in ACTIONS:
            return None
        if not _exists(service, arn):
            return Failure(NO_RESOURCE, f"{arn} does not exist")
        if self._may(source, target.get("RoleArn"), service, arn):
            return None
        return Failure(NO_PERMISSIONS, f"{source.service} is not authorized to perform {ACTIONS[service]} on {arn}")

    def _may(self, source: Source, role: str | None, service: str, arn: str) -> bool:
        if role is not None:
            return trusts(role, source.service, source.keys) and self._roles.may(
                role, ACTIONS[service], arn, by=CLOCK if source.scheduled else SERVICE
            )
        if source.scheduled or service == "states":
            return False
        if service == "lambda":
            name = arn.split(":")[6]
            return lets_in(name, arn, source.service, source.keys)
        keys = {**source.keys, "aws:SecureTransport": "true"}
        return service_may(_policy(service, arn), source.service, Request(ACTIONS[service], arn, keys))

    def _park(self, source: Source, target: Mapping[str, Any], failure: Failure, body: str) -> None:
        arn = str((target.get("DeadLetterConfig") or {}).get("Arn", ""))
        queue = reached(sqs, "_queue_by_arn")(arn)
        # A rule's queue lets the service in by its policy, a schedule's by the schedule's role.
        role = target.get("RoleArn") if source.scheduled else None
        if queue is None or not self._may(source, role, "sqs", arn):
            _log.error("%s: lost, because nothing takes what could not be delivered: %s", source.arn, arn)
            return
        said = {
            "SCHEDULE_ARN" if source.scheduled else "RULE_ARN": source.arn,
            "TARGET_ARN": str(target["Arn"]),
            "ERROR_CODE": failure.code,
            "ERROR_MESSAGE": failure.message,
        }
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in said.items()}
        reached(sqs, "_act_send_message")({"MessageBody": body, "MessageAttributes": attributes}, queue["url"])


def _source(rule: Mapping[str, Any]) -> Source:
    """A rule as it is, or a schedule: that sends its group's ARN, never its own."""
    arn, account = str(rule["Arn"]), get_account_id()
    if ":schedule/" not in arn:
        return Source(EVENTS, arn, {"aws:SourceArn": arn, "aws:SourceAccount": account})
    group = f"{arn.partition(':schedule/')[0]}:schedule-group/{rule['GroupName']}"
    return Source(SCHEDULER, arn, {"aws:SourceArn": group, "aws:SourceAccount": account})


def _exists(service: str, arn: str) -> bool:
    match service:
        case "lambda":
            return reached(lambda_svc, "_get_func_record_for_ref")(arn)[1] is not None
        case "sqs":
            return reached(sqs, "_queue_by_arn")(arn) is not None
        case "sns":
            return reached(sns, "_topic_by_arn_any_scope")(arn) is not None
        case _:
            return reached(stepfunctions, "_resolve_state_machine_arn")(arn) is not None


def _policy(service: str, arn: str) -> Mapping[str, Any]:
    holder = reached(sqs, "_queue_by_arn")(arn) if service == "sqs" else reached(sns, "_topic_by_arn_any_scope")(arn)
    found: Mapping[str, Any] = json.loads(holder["attributes"].get("Policy") or "{}")
    return found
