"""Tests of caption thresholds: a deployment sets them, and a client can override them for its session."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from handlers.transcription.environment import CaptionThresholds, SessionSettings

THRESHOLDS = CaptionThresholds()


def session_settings(**values: Any) -> SessionSettings:
    """Return the settings that a client sends, by their names in the API."""
    return SessionSettings.model_validate_json(json.dumps(values))


def test_a_session_can_override_every_threshold() -> None:
    overrides = {
        "partialResultsEnabled": False,
        "minStabilityThreshold": 0.5,
        "maxBufferTimeout": 1.5,
        "pauseThreshold": 0.25,
        "orphanTimeout": 20,
        "maxRatePerSecond": 7,
        "dedupCacheTtl": 0,
    }
    changed = THRESHOLDS.for_session(session_settings(**overrides))
    applied = SessionSettings(**changed.model_dump(include=set(SessionSettings.model_fields)))
    assert applied.model_dump(mode="json", by_alias=True) == overrides
    assert (changed.max_buffer_ms, changed.pause_ms, changed.orphan_ms, changed.dedup_ms) == (1500, 250, 20_000, 0)
    assert THRESHOLDS.for_session(session_settings(pauseThreshold=None)) == THRESHOLDS


@pytest.mark.parametrize("session", [None, False, True])
@pytest.mark.parametrize("deployed", [False, True])
def test_partials_are_shown_only_if_deployment_and_session_enable_them(deployed: bool, session: bool | None) -> None:
    """A client cannot enable partials (captions that may still change) if the operator has disabled them."""
    deployment = THRESHOLDS.model_copy(update={"partial_results_enabled": deployed})
    changed = deployment.for_session(session_settings(partialResultsEnabled=session))
    assert changed.partial_results_enabled is (deployed and session is not False)


@pytest.mark.parametrize("settings", [{"unknownName": 1}, {"pauseThreshold": "canary"}, {"maxRatePerSecond": 21}])
def test_the_error_for_an_invalid_setting_does_not_contain_the_value(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as error:
        session_settings(**settings)
    assert "canary" not in str(error.value)
