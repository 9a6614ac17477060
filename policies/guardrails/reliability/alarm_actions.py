"""An alarm says something to somebody: an action, what missing data means, and the page to open."""

from collections.abc import Iterator

from guardrails.model.resource_types import ALARM, COMPOSITE_ALARM
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    REMEDIATED_EVERYWHERE,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
    Props,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

ANY_ALARM = frozenset({ALARM, COMPOSITE_ALARM})
NOT_BREACHING = "notBreaching"


@POLICIES.resource(
    "alarm-has-action",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every alarm tells somebody.",
    remedy="Give it the alerts topic as alarmActions.",
    frameworks=("AWS Security Hub CloudWatch.15", "AWS Security Hub CloudWatch.17"),
    types=ANY_ALARM,
)
def _check_alarm_has_action(alarm: CheckedResource) -> Iterator[str]:
    if not alarm.props.get("alarmActions"):
        yield "It tells nobody when it rings."
    elif alarm.props.get("actionsEnabled") is False:
        yield "Its actions are switched off (actionsEnabled)."


def _decided(alarm: CheckedResource) -> Props:
    return {} if alarm.props.get("treatMissingData") else {"treatMissingData": NOT_BREACHING}


@POLICIES.resource(
    "alarm-decides-missing-data",
    severity=PolicySeverity.MEDIUM,
    levels=REMEDIATED_EVERYWHERE,
    description="Every alarm says what missing data means.",
    remedy="Set treatMissingData: breaching where silence is the fault, else notBreaching.",
    types={ALARM},
    remediate=_decided,
)
def _check_alarm_decides_missing_data(alarm: CheckedResource) -> Iterator[str]:
    if not alarm.props.get("treatMissingData"):
        yield "It does not say what missing data means, and then keeps the state it had."


@POLICIES.resource(
    "alarm-names-runbook",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every alarm's description names the page that says what to do.",
    remedy="End it in `Runbook: docs/runbooks/<page>.md` (the alarm block does).",
    frameworks=("AWS Well-Architected OPS08-BP04",),
    types=ANY_ALARM,
)
def _check_alarm_names_runbook(alarm: CheckedResource) -> Iterator[str]:
    if "Runbook: " not in str(alarm.props.get("alarmDescription", "")):
        yield f"Its description names no runbook: {alarm.props.get('alarmDescription', 'it has none')!r}."
