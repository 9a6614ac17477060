"""Tests of the monthly usage of a whole stack, and of its identity provider in the frontend output."""

from typing import Any

import pytest

from components.platform import Platform, monthly_usage
from components.settings import load_settings
from tests.components.settings.stack_config import IDENTITY, stack_config
from tests.fake_engine import Engine, context

DISABLED: dict[str, Any] = {
    f"{name}.enabled": False for name in ("ingestion", "transcription", "voiceQa", "livestream", "meetings")
}


@pytest.mark.parametrize("missing", [None, "issuer", "audience"])
def test_pages_learn_the_identity_provider_only_if_issuer_and_audience_are_known(
    engine: Engine, missing: str | None
) -> None:
    identity = {name: value for name, value in {**IDENTITY, "auth": "none"}.items() if name != missing}
    settings = load_settings(stack_config({**DISABLED, "foundation.identity": identity}), "dev")
    outputs: list[dict[str, object]] = []
    engine.run(lambda: outputs.append(Platform("platform", context(), settings).frontend))
    assert outputs[0].get("identity") == (None if missing else identity)


def test_a_stack_without_backends_uses_only_the_foundation() -> None:
    usage = monthly_usage(load_settings(stack_config(DISABLED), "dev"))
    assert usage.keys() == {"foundation", "foundation-audit-logs"}
    assert {amount for measures in usage.values() for amount in measures.values()} == {0}


def test_a_daily_copy_of_the_meetings_table_is_stored_for_the_days_of_retention() -> None:
    changes = {"foundation.backup": {"retentionDays": 9}}
    usage = monthly_usage(load_settings(stack_config(changes), "dev"))
    assert usage["foundation"]["backupGb"] == 9 * usage["meetings-meetings"]["storageGb"] > 0
