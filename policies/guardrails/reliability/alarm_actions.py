"""An alarm says something to somebody: an action, what missing data means, and the page to open."""

from collections.abc import Iterator

from guardrails.model.resource_types import ALARM, COMPOSITE_ALARM
from guardrails.pack.policy_kinds import ALWAYS, NOT_IN_DEV, REMEDIED, Group, Judged, PolicySet, Props, Severity

POLICIES = PolicySet(Group.RELIABILITY)

ANY_ALARM = frozenset({ALARM, COMPOSITE_ALARM})
NOT_BREACHING = "notBreaching"


@POLICIES.resource(
    "alarm-has-action",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="Every alarm tells somebody.",
    remedy="Give it the alerts topic as alarmActions.",
    frameworks=("AWS Security Hub CloudWatch.15", "AWS Security Hub CloudWatch.17"),
    types=ANY_ALARM,
)
def _silent(one: Judged) -> Iterator[str]:
    if not one.props.get("alarmActions"):
        yield "It tells nobody when it rings."
    elif one.props.get("actionsEnabled") is False:
        yield "Its actions are switched off (actionsEnabled)."


def _decided(one: Judged) -> Props:
    return {} if one.props.get("treatMissingData") else {"treatMissingData": NOT_BREACHING}


@POLICIES.resource(
    "alarm-decides-missing-data",
    severity=Severity.MEDIUM,
    levels=REMEDIED,
    description="Every alarm says what missing data means.",
    remedy="Set treatMissingData: breaching where silence is the fault, else notBreaching.",
    types={ALARM},
    remediate=_decided,
)
def _undecided(one: Judged) -> Iterator[str]:
    if not one.props.get("treatMissingData"):
        yield "It does not say what missing data means, and then keeps the state it had."


@POLICIES.resource(
    "alarm-names-runbook",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="Every alarm's description names the page that says what to do.",
    remedy="End it in `Runbook: docs/runbooks/<page>.md` (the alarm block does).",
    frameworks=("AWS Well-Architected OPS08-BP04",),
    types=ANY_ALARM,
)
def _no_runbook(one: Judged) -> Iterator[str]:
    if "Runbook: " not in str(one.props.get("alarmDescription", "")):
        yield f"Its description names no runbook: {one.props.get('alarmDescription', 'it has none')!r}."
