"""Tests of the monthly usage of a whole stack."""

from components.platform import monthly_usage
from components.settings import load_settings
from tests.components.settings.stack_config import stack_config

SUBSYSTEMS = ("ingestion", "transcription", "voiceQa", "livestream", "meetings")


def test_a_stack_without_backends_uses_only_the_foundation() -> None:
    disabled: dict[str, object] = {f"{name}.enabled": False for name in SUBSYSTEMS}
    usage = monthly_usage(load_settings(stack_config(disabled), "dev"))
    assert usage.keys() == {"foundation", "foundation-audit-logs"}
    assert {amount for measures in usage.values() for amount in measures.values()} == {0}


def test_a_daily_copy_of_the_meetings_table_is_stored_for_the_days_of_retention() -> None:
    changes = {"foundation.backup": {"retentionDays": 9}}
    usage = monthly_usage(load_settings(stack_config(changes), "dev"))
    assert usage["foundation"]["backupGb"] == 9 * usage["meetings-meetings"]["storageGb"] > 0
