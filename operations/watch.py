"""What the alarms say about a roll-out, from two looks at them. Pure.

An alarm that rang and fell silent between two looks counts: it is seen by the time of its last change.
"""

from collections.abc import Sequence

from operations.gateway import Alarm

RINGING = "ALARM"
NO_DATA = "INSUFFICIENT_DATA"


def ringing(alarms: Sequence[Alarm]) -> list[str]:
    """The alarms that ring."""
    return [alarm.name for alarm in alarms if alarm.state == RINGING]


def without_data(alarms: Sequence[Alarm]) -> list[str]:
    """The alarms that cannot tell."""
    return [alarm.name for alarm in alarms if alarm.state == NO_DATA]


def rang(before: Sequence[Alarm], now: Sequence[Alarm]) -> list[str]:
    """The alarms that ring, or have rung since the look before."""
    known = {alarm.name: alarm for alarm in before}
    return [alarm.name for alarm in now if alarm.state == RINGING or _left_and_came_back(known.get(alarm.name), alarm)]


def _left_and_came_back(before: Alarm | None, now: Alarm) -> bool:
    """The same state, entered anew: in between was another, and nothing says that it was not the worst."""
    return before is not None and before.state == now.state and before.since != now.since
