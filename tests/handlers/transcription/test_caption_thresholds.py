"""Tests of caption thresholds, the limits that decide when captions are shown.

A deployment sets them, and a client can override them for its session.
"""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from handlers.transcription.environment import SessionSettings
from tests.handlers.transcription.caption_samples import DEFAULT_THRESHOLDS, thresholds

OVERRIDES = {
    "partialResultsEnabled": False,
    "minStabilityThreshold": 0.5,
    "maxBufferTimeout": 1.5,
    "pauseThreshold": 0.25,
    "orphanTimeout": 20,
    "maxRatePerSecond": 7,
    "dedupCacheTtl": 0,
}


def session_settings(**values: Any) -> SessionSettings:
    """Return the settings that a client sends, by their names in the API."""
    return SessionSettings.model_validate_json(json.dumps(values))


def test_a_session_can_override_every_threshold() -> None:
    changed = DEFAULT_THRESHOLDS.for_session(session_settings(**OVERRIDES))
    assert changed.model_dump(mode="json", include=set(SessionSettings.model_fields)) == {
        "partial_results_enabled": False,
        "min_stability_threshold": 0.5,
        "max_buffer_timeout": 1.5,
        "pause_threshold": 0.25,
        "orphan_timeout": 20.0,
        "max_rate_per_second": 7,
        "dedup_cache_ttl": 0,
    }
    assert (changed.max_buffer_ms, changed.pause_ms, changed.orphan_ms, changed.dedup_ms) == (1500, 250, 20_000, 0)


@pytest.mark.parametrize("session", [None, False, True])
@pytest.mark.parametrize("deployed", [False, True])
def test_partials_are_shown_only_if_deployment_and_session_enable_them(deployed: bool, session: bool | None) -> None:
    """A client cannot enable partials (captions that may still change) if the operator has disabled them."""
    changed = thresholds(partial_results_enabled=deployed).for_session(session_settings(partialResultsEnabled=session))
    assert changed.partial_results_enabled is (deployed and session is not False)


def test_a_session_without_overrides_has_the_deployments_thresholds() -> None:
    assert DEFAULT_THRESHOLDS.for_session(session_settings()) == DEFAULT_THRESHOLDS
    assert DEFAULT_THRESHOLDS.for_session(session_settings(pauseThreshold=None)) == DEFAULT_THRESHOLDS


@pytest.mark.parametrize("settings", [{"unknownName": 1}, {"pauseThreshold": "canary"}, {"maxRatePerSecond": 21}])
def test_the_error_for_an_invalid_setting_does_not_contain_the_value(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as error:
        session_settings(**settings)
    assert "canary" not in str(error.value)
