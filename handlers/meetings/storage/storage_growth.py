"""Growth of each user's storage per day, computed from two daily counts, and its CloudWatch metrics."""

from collections.abc import Mapping
from datetime import date
from typing import Final, Literal

from handlers.common.json_models import Message
from handlers.meetings.metrics import STORAGE_GROWTH, MeetingMetric

OTHERS: Final = "others"
"""Key for users without their own metric, and for objects of no user. No user has such a name."""


class StorageTotals(Message):
    """One daily count, as the object below `work/storage/` contains it."""

    schema_version: Literal[1] = 1
    day: date
    bytes_of: Mapping[str, int]
    """Bytes by user."""


def daily_growth(earlier: StorageTotals, today: StorageTotals) -> dict[str, int]:
    """Return each user's growth per day. A user who is missing in a count has zero bytes.

    If the earlier count is several days old, the growth is divided by this number of days.
    """
    days = max(1, (today.day - earlier.day).days)
    users = earlier.bytes_of.keys() | today.bytes_of.keys()
    return {user: (today.bytes_of.get(user, 0) - earlier.bytes_of.get(user, 0)) // days for user in users}


def growth_metrics(growth: Mapping[str, int], max_users: int) -> list[MeetingMetric]:
    """Return the metric values: those users who grew most, all other users together, and the stack."""
    top_users = sorted(growth.keys() - {OTHERS}, key=lambda user: (-growth[user], user))[:max_users]
    by_user = {user: growth[user] for user in top_users}
    by_user[OTHERS] = sum(growth.values()) - sum(by_user.values())
    return [
        MeetingMetric(STORAGE_GROWTH, sum(growth.values()), "Bytes"),
        *(MeetingMetric(STORAGE_GROWTH, value, "Bytes", user) for user, value in by_user.items()),
    ]
