"""What watching and protecting costs: kept apart, because the documents' tables have none of it.

A comparison like for like leaves these lines out; the price of what was added is then said by itself.
"""

from typing import Final

GUARDRAILS: Final = frozenset(
    {
        "alarm",
        "alarm_composite",
        "alarm_high_resolution",
        "backup_restore",
        "backup_storage",
        "dashboard",
        "dynamodb_point_in_time_recovery",
        "events_archive_storage",
        "events_archived",
        "sns_email",
        "sns_publish",
        "trace",
        "waf_acl",
        "waf_request",
        "waf_rule",
    }
)
