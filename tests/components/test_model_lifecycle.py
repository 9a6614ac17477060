"""Tests of the warnings about models that AWS may end soon. No test depends on today's date."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from pydantic import BaseModel

from components.model_lifecycle import EARLIEST_ENDS, list_models, warn_of_model_ends
from components.settings import StackSettings, load_settings
from components.settings.error_messages import SettingsError
from handlers.common.identifier_types import ModelId
from tests.components.settings.stack_config import stack_config

OLD_MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET_SETTINGS = ["meetings.models.summary", "meetings.models.actionItems"]
SONNET = "anthropic.claude-sonnet-5-5"
SONNET_END = date(2027, 9, 28)


def settings(changes: dict[str, object] | None = None) -> StackSettings:
    return load_settings(stack_config(changes), "dev")


def settings_with_warning(today: date, changes: dict[str, object] | None = None) -> list[str]:
    """Return the settings of models that have a warning on a day."""
    return [warning.partition(":")[0] for warning in warn_of_model_ends(settings(changes), today)]


def test_the_default_models_are_far_from_their_end() -> None:
    """On the day when these defaults were chosen, the former defaults could already end at any time."""
    day = date(2026, 11, 23)
    assert settings_with_warning(day) == []
    assert settings_with_warning(day, {"livestream.agent.modelId": f"us.{OLD_MODEL}"}) == ["livestream.agent.modelId"]


def test_a_warning_starts_ninety_days_before_a_model_may_end() -> None:
    assert settings_with_warning(SONNET_END - timedelta(days=91)) == []
    assert settings_with_warning(SONNET_END - timedelta(days=90)) == SONNET_SETTINGS


@pytest.mark.parametrize(
    ("today", "end"), [(SONNET_END - timedelta(days=1), "from 2027-09-28"), (SONNET_END, "at any time")]
)
def test_a_warning_says_when_the_model_may_end(today: date, end: str) -> None:
    warnings = list(warn_of_model_ends(settings(), today))
    for setting in SONNET_SETTINGS:
        assert any(text.startswith(f"{setting}: AWS may end {SONNET} {end}.") for text in warnings)


def test_a_model_whose_end_is_not_known_gives_a_warning() -> None:
    [warning] = warn_of_model_ends(
        settings({"livestream.agent.modelId": "eu.amazon.nova-pro-v1:0"}), date(2026, 11, 23)
    )
    assert warning.startswith("livestream.agent.modelId: the end of life of amazon.nova-pro-v1:0 is not known here.")


def test_a_disabled_subsystem_uses_no_model() -> None:
    changes: dict[str, object] = {"meetings.enabled": False}
    assert [model.setting for model in list_models(settings(changes))] == ["livestream.agent.modelId"]
    assert list_models(settings({**changes, "livestream.enabled": False})) == ()


def test_every_setting_of_a_model_is_listed() -> None:
    assert {model.setting for model in list_models(settings())} == set(model_settings(StackSettings))
    assert {model.model_id for model in list_models(settings())} <= EARLIEST_ENDS.keys()


def model_settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the path of every setting whose type is ModelId."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from model_settings(field.annotation, f"{path}.")
        elif list(ModelId.__metadata__) == field.metadata:  # type: ignore[attr-defined]
            yield path


def test_a_model_that_thinks_longer_requires_a_longer_timeout_for_its_answer() -> None:
    changes: dict[str, object] = {"livestream.agent.modelId": f"us.{SONNET}"}
    with pytest.raises(SettingsError, match="answerSeconds must be at least 131 for this modelId"):
        settings(changes)
    settings({**changes, "livestream.agent.answerSeconds": 131, "livestream.agentWorker.timeoutSeconds": 282})
