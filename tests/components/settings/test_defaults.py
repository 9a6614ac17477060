"""Test of the defaults, which are the numbers of the product requirements."""

from typing import Any

import pytest

from components.settings import StackSettings
from tests.components.settings.stack_config import COMPLETE

DEFAULTS: dict[str, dict[str, Any]] = {
    "ingestion": {
        "load": {"filesPerDay": 8_000, "fileMegabytes": 3.5, "peakFilesPerHour": 1_000, "runMinutes": 4},
        "manifests": {"files": 200},
        "intake": {"corsOrigin": None},
        "environmentKeyArn": None,
        "logLevel": "INFO",
    },
    "transcription": {
        "captions": {
            "partialResultsEnabled": True,
            "minStabilityThreshold": 0.85,
            "maxBufferTimeout": 5.0,
            "pauseThreshold": 2.0,
            "orphanTimeout": 15.0,
            "maxRatePerSecond": 5,
            "dedupCacheTtl": 10,
        },
        "load": {"utterancesPerDay": 1_000, "utteranceSeconds": 5},
        "alarms": {
            "latencyMs": 5_000,
            "droppedPerMinute": 100,
            "orphans": 10,
            "fallbacks": 1,
            "errors": 5,
            "throttles": 10,
        },
        "audioProcessor": {"memoryMb": 512, "timeoutSeconds": 60, "reservedConcurrency": None},
        "logLevel": "INFO",
        "structuredLogging": True,
    },
    "voiceQa": {
        "sessions": {"days": 7, "urlSeconds": 3_600, "pingSeconds": 300},
        "audio": {"queryDays": 7, "responseDays": 7},
        "lectures": {"uploads": "off"},
        "websocketHandler": {"memoryMb": 512, "timeoutSeconds": 29, "provisionedConcurrency": 1},
        "queryWorker": {"memoryMb": 512, "timeoutSeconds": 900, "provisionedConcurrency": 0},
        "validateLecture": {"memoryMb": 512, "timeoutSeconds": 300},
        "alarms": {"answerSeconds": 10, "accountConcurrency": 1_000},
    },
    "livestream": {
        "uploads": {"objectDays": 7},
        "agent": {"memoryDays": 90},
        "video": {"chunkSeconds": 120},
        "episodes": {"memoryMb": 1_024, "timeoutSeconds": 25},
        "videoChunks": {"memoryMb": 1_024, "timeoutSeconds": 25},
    },
    "meetings": {
        "processing": {
            "engine": "batch-spot",
            "spot": {"vcpus": 1, "memoryMb": 2_048},
            "fargate": {"vcpus": 2, "memoryMb": 4_096},
        },
        "kept": {"rawDays": 7, "audioDays": 30},
        "tableKmsKey": None,
    },
}


def select(settings: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that have a name in another group of settings."""
    return {
        name: select(settings[name], inner) if isinstance(inner, dict) else settings[name]
        for name, inner in names.items()
    }


@pytest.mark.parametrize("section", DEFAULTS)
def test_the_defaults_are_the_numbers_of_the_requirements(section: str) -> None:
    required = {name: COMPLETE[name] for name in ("exceptions", "foundation")} | {"environment": "dev"}
    subsystems = {name: {"enabled": False} for name in DEFAULTS} | {section: {}}
    settings = StackSettings.model_validate(required | subsystems).model_dump(mode="json", by_alias=True)
    assert select(settings[section], DEFAULTS[section]) == DEFAULTS[section]
