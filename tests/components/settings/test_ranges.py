"""Tests of every numeric setting: it accepts the limits of its range, and the error for other values has the range."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic.alias_generators import to_snake

from components.settings import StackSettings, load_settings
from components.settings.transcription import CaptionSettings
from components.settings.voice_qa import ConversationSettings
from components.settings.voice_qa_agent_connection import AnswerAgentSettings
from handlers.transcription.audio_processor.environment import ProcessorEnvironment
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.router.environment import RouterEnvironment
from handlers.voice_qa.query_worker.environment import WorkerEnvironment
from handlers.voice_qa.websocket_handler.environment import SocketEnvironment
from tests.components.settings.stack_config import COMPLETE, problems, stack_config

SCHEMA = StackSettings.model_json_schema()


class Range(NamedTuple):
    """The range of one numeric setting, from its JSON schema."""

    key: str
    lowest: float | None
    exclusive_lowest: float | None
    highest: float | None
    is_integer: bool
    is_optional: bool

    @property
    def error_text(self) -> str:
        """End of the error for a value outside of the range."""
        text = "allowed is an integer" if self.is_integer else "allowed is a number"
        if self.exclusive_lowest is not None:
            text += f" above {self.exclusive_lowest}" + (f", up to {self.highest}" if self.highest is not None else "")
        elif self.highest is not None:
            text += f" from {self.lowest} to {self.highest}"
        else:
            text += f" of at least {self.lowest}"
        return text + (" or nothing" if self.is_optional else "")

    @property
    def limits(self) -> list[float]:
        """Lowest and highest allowed value."""
        lowest = self.lowest if self.exclusive_lowest is None else self.exclusive_lowest + 0.1
        return [value for value in (lowest, self.highest) if value is not None]

    @property
    def values_outside(self) -> list[float]:
        """Values just outside of the range."""
        step = 1 if self.is_integer else 0.01
        below = self.exclusive_lowest if self.lowest is None else self.lowest - step
        above = None if self.highest is None else self.highest + step
        return [value for value in (below, above) if value is not None]


def find_ranges(schema: dict[str, Any], prefix: str = "") -> Iterator[Range]:
    """Yield the range of every number below a model's schema."""
    for name, field in schema.get("properties", {}).items():
        key = f"{prefix}{name}"
        options = field.get("anyOf", [field])
        for option in options:
            if "$ref" in option:
                yield from find_ranges(SCHEMA["$defs"][option["$ref"].rpartition("/")[2]], f"{key}.")
            elif option.get("type") in {"integer", "number"}:
                yield Range(
                    key,
                    option.get("minimum"),
                    option.get("exclusiveMinimum"),
                    option.get("maximum"),
                    option["type"] == "integer",
                    is_optional=len(options) > 1,
                )


RANGES = [setting for setting in find_ranges(SCHEMA) if setting.key != "foundation.logs.retentionDays"]
"""Ranges of all numeric settings but the retention of logs, for which CloudWatch allows only some numbers."""


def test_numbers_are_found_and_all_have_a_lower_bound() -> None:
    assert len(RANGES) > 100
    assert [setting.key for setting in RANGES if setting.lowest is None and setting.exclusive_lowest is None] == []


@pytest.mark.parametrize("setting", RANGES, ids=lambda setting: setting.key)
def test_the_limits_of_a_range_are_accepted_and_values_outside_are_refused(setting: Range) -> None:
    for limit in setting.limits:
        stack = stack_config({setting.key: limit})
        if conflicts := problems(stack):  # a rule across fields may refuse the value, but not the range
            assert not [conflict for conflict in conflicts if "allowed is" in conflict]
            continue
        value: Any = load_settings(stack, "dev")
        for part in setting.key.split("."):
            value = getattr(value, to_snake(part))
        assert value == limit
    for value in setting.values_outside:
        assert f"{setting.key} = {value}: {setting.error_text}" in problems(stack_config({setting.key: value}))


@pytest.mark.parametrize(
    ("key", "lowest", "highest"),
    [
        # An invocation must end before its claims are released.
        ("ingestion.builder.timeoutSeconds", 1, 899),
        ("ingestion.sweeper.timeoutSeconds", 1, 899),
        # The landing bucket keeps a file for at least one day, and its old versions for seven days. A message can wait 14
        # days in the dead-letter queue.
        ("ingestion.intake.tableRecordDays", 22, 3_653),
        # A model writes 3,900 tokens in 65 seconds.
        ("livestream.agent.answerSeconds", 65, 440),
        # Windows overlap by at most half.
        ("livestream.agent.windowCharacters", 1_200, 50_000),
        # API Gateway waits 29 seconds for an answer.
        ("transcription.router.timeoutSeconds", 10, 29),
        ("voiceQa.socketHandler.timeoutSeconds", 10, 29),
    ],
)
def test_a_limit_that_follows_from_another_number_has_that_value(key: str, lowest: float, highest: float) -> None:
    (setting,) = [setting for setting in RANGES if setting.key == key]
    assert (setting.lowest, setting.highest) == (lowest, highest)


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("ingestion.manifests.files", "an integer from 1"),
        ("voiceQa.queryWorker.reservedConcurrency", "an integer"),
        ("ingestion.load.fileMegabytes", "a number"),
    ],
)
def test_true_is_not_accepted_as_a_number(key: str, allowed: str) -> None:
    [problem] = problems(stack_config({key: True}))
    assert problem.startswith(f"{key} = true: allowed is {allowed}")


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
        "socketHandler": {"memoryMb": 512, "timeoutSeconds": 29, "provisionedConcurrency": 1},
        "queryWorker": {"memoryMb": 512, "timeoutSeconds": 900, "provisionedConcurrency": 0},
        "validator": {"memoryMb": 512, "timeoutSeconds": 300},
        "alarms": {"answerSeconds": 10, "accountConcurrency": 1_000},
    },
    "livestream": {
        "uploads": {"objectDays": 7},
        "agent": {"memoryDays": 90},
        "video": {"chunkSeconds": 120},
        "episodes": {"memoryMb": 1_024, "timeoutSeconds": 25},
        "videos": {"memoryMb": 1_024, "timeoutSeconds": 25},
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


def field_schemas(model: type[BaseModel], *names: str) -> list[dict[str, Any]]:
    """Return the schemas of a model's fields, without null."""
    schemas = [TypeAdapter(model.model_fields[name].rebuild_annotation()).json_schema() for name in names]
    return [option for schema in schemas for option in schema.get("anyOf", [schema]) if option["type"] != "null"]


@pytest.mark.parametrize(
    ("settings", "reader", "fields"),
    [
        (CaptionSettings, ProcessorEnvironment, {field: field for field in CaptionSettings.model_fields}),
        (CaptionSettings, SessionSettings, {field: field for field in CaptionSettings.model_fields}),
        (AnswerAgentSettings, WorkerEnvironment, {"answer_seconds": "answer_seconds"}),
        (
            ConversationSettings,
            SocketEnvironment,
            {
                "days": "session_days",
                "url_seconds": "url_seconds",
                "queries_at_once": "queries_at_once",
                "queries_per_hour": "queries_per_hour",
            },
        ),
    ],
)
def test_a_setting_and_the_model_that_reads_it_have_the_same_limits(
    settings: type[BaseModel], reader: type[BaseModel], fields: dict[str, str]
) -> None:
    assert field_schemas(settings, *fields) == field_schemas(reader, *fields.values())


@pytest.mark.parametrize("hours", [0.1, 6])
def test_the_router_accepts_the_shortest_and_the_longest_session(hours: float) -> None:
    settings = load_settings(stack_config({"transcription.sessions.hours": hours}), "dev").transcription.sessions
    annotation = RouterEnvironment.model_fields["session_seconds"].rebuild_annotation()
    TypeAdapter(annotation).validate_python(int(settings.hours * 3600))
