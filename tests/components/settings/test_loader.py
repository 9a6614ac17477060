"""Tests of the loader, which returns the settings of a configuration, or one error with all problems."""

from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from components.settings import Environment, FunctionSettings, SettingsError, StackSettings, load_settings
from components.settings.settings_base import SubsystemSettings
from tests.components.settings.stack_config import COMPLETE, problems, stack_config

FUNCTIONS = [
    pytest.param(section, name, id=f"{section}-{name}")
    for section, subsystem in StackSettings.model_fields.items()
    if isinstance(subsystem.default, SubsystemSettings)
    for name, field in type(subsystem.default).model_fields.items()
    if isinstance(field.default, FunctionSettings)
]


@pytest.mark.parametrize(("section", "function"), FUNCTIONS)
def test_a_partly_configured_function_keeps_its_other_defaults(section: str, function: str) -> None:
    default: SubsystemSettings = StackSettings.model_fields[section].default
    changed = type(default).model_validate({to_camel(function): {"liveVersion": "7"}})
    assert getattr(changed, function) == getattr(default, function).model_copy(update={"live_version": "7"})
    assert changed.model_copy(update={function: getattr(default, function)}) == default


def test_a_value_that_is_the_default_of_other_functions_applies() -> None:
    settings = load_settings(stack_config({"ingestion.sweeper.timeoutSeconds": 60}), "dev")
    assert settings.ingestion.sweeper.timeout_seconds == 60


def test_one_error_lists_all_problems_of_a_configuration() -> None:
    invalid = {
        "foundation.logs.retentionDays": 8,
        "foundation.alerts.emails": ["nobody"],
        "ingestion.builder.memoryMb": 64,
        "ingestion.intak": {},
    }
    with pytest.raises(SettingsError) as error:
        load_settings(stack_config(invalid, "production"), "dev")
    lines = str(error.value).splitlines()
    assert lines[0] == "stack dev has 5 problems in its configuration:"
    assert [line.split()[0].rstrip(":") for line in lines[1:]] == [
        "environment",
        "foundation.alerts.emails[0]",
        "foundation.logs.retentionDays",
        "ingestion.builder.memoryMb",
        "ingestion.intak",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"environment": "prd"}, 'environment = "prd": allowed is one of local, dev, staging, prod'),
        ({"environment": "p" * 80}, f'environment = "{"p" * 76}…: allowed is one of local, dev, staging, prod'),
        ({"ingestoin": {}}, "ingestoin: is not a setting; did you mean ingestion?"),
        ({"ingestion.log_level": "INFO"}, "ingestion.log_level: is not a setting; did you mean logLevel?"),
        ({"voiceQa.agentcore.endPoint": 1}, "voiceQa.agentcore.endPoint: is not a setting; did you mean endpoint?"),
        ({"voiceQa.socket_handler": {}}, "voiceQa.socket_handler: is not a setting; did you mean socketHandler?"),
        (
            {"foundation.logs.zzz": 1},
            "foundation.logs.zzz: is not a setting; settings at this level: apiGatewayRoleOwned, methodMetrics, retentionDays",
        ),
        ({"ingestion": "yes"}, 'ingestion = "yes": allowed is a group of settings'),
        ({"ingestion": "{not json"}, "ingestion: is not valid JSON (line 1, column 2)"),
        (
            {"foundation": {key: item for key, item in COMPLETE["foundation"].items() if key != "spend"}},
            "foundation.spend: is required: a group of settings",
        ),
    ],
)
def test_an_invalid_key_or_value_is_named_with_the_allowed_values(changes: dict[str, Any], message: str) -> None:
    assert problems(stack_config(changes)) == [message]


def test_the_value_of_an_unknown_key_is_never_shown() -> None:
    assert "canary" not in "".join(problems(stack_config({"ingestion.encryptionKy": "canary-secret"})))


def test_conflicts_between_sections_are_found_despite_invalid_fields() -> None:
    changes = {"ingestion.builder.memoryMb": 64, "meetings.exchange.corsOrigin": "*"}
    lines = problems(stack_config(changes, "prod"))
    assert [line.split(" ")[0] for line in lines] == ["ingestion.builder.memoryMb", "meetings.exchange.corsOrigin"]


TOO_SMALL = {"engine": "fargate", "maxVcpus": 1, "timeoutMinutes": 60}


@pytest.mark.parametrize(
    ("processing", "messages"),
    [
        (TOO_SMALL, ["processing: maxVcpus must be at least", "processing: timeoutMinutes must be at least"]),
        (
            {**TOO_SMALL, "alarmMinutes": "x"},
            [
                "processing: maxVcpus must be at least",
                "processing: timeoutMinutes must be at least",
                "processing.alarmMinutes",
            ],
        ),
        ({"timeoutMinutes": "x", "maxHours": 24}, ["processing.timeoutMinutes"]),
    ],
)
def test_all_rules_of_a_section_are_checked_despite_invalid_fields(
    processing: dict[str, Any], messages: list[str]
) -> None:
    """If a field is invalid, its default replaces it, and no rule is reported for the default."""
    lines = problems(stack_config({f"meetings.processing.{key}": value for key, value in processing.items()}))
    texts = [line.removeprefix("meetings.").replace("processing = {…}", "processing") for line in lines]
    assert len(texts) == len(messages), texts
    assert all(any(text.startswith(message) for text in texts) for message in messages)


def test_keys_of_other_namespaces_are_ignored() -> None:
    settings = load_settings({**stack_config(), "aws:region": "us-east-1", "aws:profile": "work"}, "dev")
    assert settings.environment is Environment.DEV


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("eu-centrall-1", "aws:region = eu-centrall-1: is not a region of AWS; did you mean eu-central-1?"),
        ("", "aws:region = : is not a region of AWS; the AWS provider knows af-south-1, "),
    ],
)
def test_a_mistyped_region_is_refused_with_a_suggestion(region: str, message: str) -> None:
    [problem] = problems({**stack_config(), "aws:region": region})
    assert problem.startswith(message)


def test_numbers_and_switches_may_be_written_as_the_cli_stores_them() -> None:
    settings = load_settings(stack_config({"ingestion.enabled": "false", "ingestion.load.filesPerDay": "12"}), "dev")
    assert (settings.ingestion.enabled, settings.ingestion.load.files_per_day) == (False, 12)


def test_loaded_settings_are_immutable() -> None:
    settings = load_settings(stack_config(), "dev")
    with pytest.raises(Exception, match="frozen"):
        settings.environment = Environment.PROD  # type: ignore[misc]
