"""Growth of each user's storage per day, computed from two daily counts, and the CloudWatch metrics that show it."""

from collections.abc import Mapping
from datetime import date
from typing import Final, Literal

from handlers.common.json_models import Message
from handlers.meetings.metrics import STORAGE_GROWTH, MeetingMetric

OTHERS: Final = "others"
"""Name for the objects of no user, and in metrics for all users without a metric of their own. No user has it."""


class StorageTotals(Message):
    """One daily count, as an object below `work/storage/` contains it."""

    schema_version: Literal[1] = 1
    day: date
    bytes_of: Mapping[str, int]
    """Bytes by user."""


def daily_growth(earlier: StorageTotals, today: StorageTotals) -> dict[str, int]:
    """Return each user's growth in bytes per day. A user who is missing in one of the counts has zero bytes in it.

    If the earlier count is several days old, the growth since then is divided by the number of days.
    """
    days = max(1, (today.day - earlier.day).days)
    users = earlier.bytes_of.keys() | today.bytes_of.keys()
    return {user: (today.bytes_of.get(user, 0) - earlier.bytes_of.get(user, 0)) // days for user in users}


def growth_metrics(growth: Mapping[str, int], users_with_metric: int) -> list[MeetingMetric]:
    """Return the metric's values for the whole stack, for the users who grew most, and for all other users together."""
    top_users = sorted(growth.keys() - {OTHERS}, key=lambda user: (-growth[user], user))[:users_with_metric]
    by_user = {user: growth[user] for user in top_users}
    by_user[OTHERS] = sum(growth.values()) - sum(by_user.values())
    return [
        MeetingMetric(STORAGE_GROWTH, sum(growth.values()), "Bytes"),
        *(MeetingMetric(STORAGE_GROWTH, value, "Bytes", user) for user, value in by_user.items()),
    ]
