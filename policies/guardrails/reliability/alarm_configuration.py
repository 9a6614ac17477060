"""Guardrail policies about CloudWatch alarms: each has an action and names a runbook (a page for operators), and each
metric alarm decides about missing data.
"""

from collections.abc import Iterator

from guardrails.model.resource_types import ALARM, COMPOSITE_ALARM
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

ANY_ALARM = frozenset({ALARM, COMPOSITE_ALARM})


@POLICIES.resource(
    "alarm-has-action",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every alarm has an action.",
    remedy="Set alarmActions to the ARN of the alerts topic.",
    frameworks=("AWS Security Hub CloudWatch.15", "AWS Security Hub CloudWatch.17"),
    types=ANY_ALARM,
)
def _check_alarm_has_action(alarm: CheckedResource) -> Iterator[str]:
    if not alarm.props.get("alarmActions"):
        yield "alarmActions is empty, so the alarm notifies no operator."
    elif alarm.props.get("actionsEnabled") is False:
        yield "actionsEnabled is false, so the alarm notifies no operator."


@POLICIES.resource(
    "alarm-decides-missing-data",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every metric alarm decides whether missing data breaches its threshold.",
    remedy="Set treatMissingData to breaching if missing data is a fault, otherwise to notBreaching.",
    types={ALARM},
)
def _check_alarm_decides_missing_data(alarm: CheckedResource) -> Iterator[str]:
    if not alarm.props.get("treatMissingData"):
        yield "treatMissingData is not set, so the alarm keeps its previous state while data is missing."


@POLICIES.resource(
    "alarm-names-runbook",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every alarm's description names its runbook.",
    remedy=(
        "End alarmDescription with `Runbook: docs/runbooks/<page>.md`. The alarm block "
        "(components/blocks/monitoring/alarm.py) does so."
    ),
    frameworks=("AWS Well-Architected OPS08-BP04",),
    types=ANY_ALARM,
)
def _check_alarm_names_runbook(alarm: CheckedResource) -> Iterator[str]:
    if "Runbook: " not in str(alarm.props.get("alarmDescription", "")):
        yield f"alarmDescription names no runbook: {alarm.props.get('alarmDescription', 'not set')!r}."
