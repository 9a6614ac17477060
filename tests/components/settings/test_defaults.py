"""Test of the defaults that are numbers of the product requirements.

Defaults that reach a resource are tested there, for example the memory of a function.
"""

from typing import Any

import pytest

from components.settings import IngestionSettings, TranscriptionSettings, VoiceQaSettings
from components.settings.base import SubsystemSettings

DEFAULTS: list[tuple[type[SubsystemSettings], str, dict[str, Any]]] = [
    (IngestionSettings, "load", {"filesPerDay": 8_000, "peakFilesPerHour": 1_000}),
    (IngestionSettings, "load", {"fileMegabytes": 3.5, "runMinutes": 4}),
    (IngestionSettings, "manifests", {"files": 200}),
    (TranscriptionSettings, "load", {"utterancesPerDay": 1_000, "utteranceSeconds": 5}),
    (VoiceQaSettings, "sessions", {"days": 7, "urlSeconds": 3_600, "pingSeconds": 300}),
    (VoiceQaSettings, "lectures", {"uploads": "off"}),
]


@pytest.mark.parametrize(("model", "group", "numbers"), DEFAULTS)
def test_the_defaults_are_the_numbers_of_the_requirements(
    model: type[SubsystemSettings], group: str, numbers: dict[str, Any]
) -> None:
    settings = model().model_dump(mode="json", by_alias=True)[group]
    assert {name: settings[name] for name in numbers} == numbers
