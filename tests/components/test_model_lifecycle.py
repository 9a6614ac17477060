"""Tests of the warnings about models whose life may end soon. No test depends on today's date."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from pydantic import BaseModel

from components.model_lifecycle import EARLIEST_ENDS, list_models, warn_of_model_ends
from components.settings import StackSettings, load_settings
from components.settings.error_messages import SettingsError
from handlers.common.identifier_types import ModelId
from tests.components.settings.stack_config import complete

OLD_MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET_SETTINGS = ["meetings.models.summary", "meetings.models.actionItems"]
SONNET = "anthropic.claude-sonnet-5-5"
SONNET_END = date(2027, 9, 28)


def settings(**changes: object) -> StackSettings:
    return load_settings(complete({key.replace("__", "."): value for key, value in changes.items()}), "dev")


def warned_settings(today: date, **changes: object) -> list[str]:
    """Return the settings that are warned about on a day."""
    return [warning.partition(":")[0] for warning in warn_of_model_ends(settings(**changes), today)]


def test_the_default_models_are_far_from_their_end() -> None:
    """On the day when these defaults were chosen, the former defaults could already end at any time."""
    day = date(2026, 11, 23)
    assert warned_settings(day) == []
    assert warned_settings(day, livestream__agent__modelId=f"us.{OLD_MODEL}") == ["livestream.agent.modelId"]


def test_a_warning_starts_ninety_days_before_a_model_may_end() -> None:
    assert warned_settings(SONNET_END - timedelta(days=91)) == []
    assert warned_settings(SONNET_END - timedelta(days=90)) == SONNET_SETTINGS


@pytest.mark.parametrize(
    ("today", "end"), [(SONNET_END - timedelta(days=1), "from 2027-09-28"), (SONNET_END, "at any time")]
)
def test_a_warning_says_when_the_model_may_end(today: date, end: str) -> None:
    warnings = list(warn_of_model_ends(settings(), today))
    for setting in SONNET_SETTINGS:
        assert any(text.startswith(f"{setting}: AWS may end {SONNET} {end}.") for text in warnings)


def test_a_model_without_a_date_gives_a_warning() -> None:
    [warning] = warn_of_model_ends(settings(livestream__agent__modelId="eu.amazon.nova-pro-v1:0"), date(2026, 11, 23))
    assert warning.startswith("livestream.agent.modelId: the end of life of amazon.nova-pro-v1:0 is not known here.")


def test_a_disabled_subsystem_uses_no_model() -> None:
    assert [model.setting for model in list_models(settings(meetings__enabled=False))] == ["livestream.agent.modelId"]
    assert list_models(settings(meetings__enabled=False, livestream__enabled=False)) == ()


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
    model = {"livestream__agent__modelId": f"us.{SONNET}"}
    with pytest.raises(SettingsError, match="answerSeconds must be at least 131 for this modelId"):
        settings(**model)
    settings(**model, livestream__agent__answerSeconds=131, livestream__agentWorker__timeoutSeconds=282)
