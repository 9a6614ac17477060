"""Tests of the lines for the stack file that a command prints, so that the next deployment does not undo its change.

The program's settings accept these lines, and they have the same effect as the command.
"""

import itertools
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.settings.ingestion import IngestionSettings
from operations import stack_file_advice
from operations.function_target import FunctionTarget

PROCESSOR = FunctionTarget.parse("dev", "transcription/audio-processor")


def parse_settings(lines: list[str]) -> Any:
    """Return the parsed YAML among the lines."""
    start = lines.index("config:")
    indented = itertools.takewhile(lambda line: line.startswith(" "), lines[start + 1 :])
    return yaml.safe_load("\n".join(["config:", *indented]))["config"]


def test_a_version_is_pinned_below_the_functions_own_name() -> None:
    lines = stack_file_advice.advise_live_version(PROCESSOR, "7")
    assert parse_settings(lines) == {"polyphony:transcription": {"audioProcessor": {"liveVersion": "7"}}}
    assert "Pulumi.dev.yaml" in lines[0]


@pytest.mark.parametrize(("function", "section"), [("manifest-builder", "builder"), ("sweeper", "sweeper")])
def test_the_settings_accept_a_pinned_version(function: str, section: str) -> None:
    lines = stack_file_advice.advise_live_version(FunctionTarget.parse("prod", f"ingestion/{function}"), "7")
    settings = IngestionSettings.model_validate(parse_settings(lines)["polyphony:ingestion"])
    assert getattr(settings, section).live_version == "7"


@pytest.mark.parametrize(
    ("function", "name", "value", "expected"),
    [
        (
            "transcription/audio-processor",
            "PARTIAL_RESULTS_ENABLED",
            "false",
            {"polyphony:transcription": {"captions": {"partialResultsEnabled": False}}},
        ),
        ("transcription/router", "MEMORY_MB", "512", {"polyphony:transcription": {"router": {"memoryMb": 512}}}),
        (
            "transcription/router",
            "LANGUAGES",
            "en-US,de-DE",
            {"polyphony:transcription": {"sessions": {"languages": ["en-US", "de-DE"]}}},
        ),
        ("ingestion/sweeper", "LOG_LEVEL", "DEBUG", {"polyphony:ingestion": {"logLevel": "DEBUG"}}),
    ],
)
def test_a_setting_is_found_by_its_name_in_the_function_before_the_subsystem(
    function: str, name: str, value: str, expected: object
) -> None:
    target = FunctionTarget.parse("dev", function)
    lines = stack_file_advice.advise_variable(target, name, value, "7")
    assert parse_settings(lines) == expected
    assert lines[-1].startswith("If `")
    assert lines[-1].endswith('.liveVersion` is set there, set it to "7" or remove it.')
    assert stack_file_advice.find_setting_problem(target, name, value) is None


def test_each_value_of_a_list_must_be_valid() -> None:
    assert stack_file_advice.find_setting_problem(
        FunctionTarget.parse("dev", "transcription/router"), "LANGUAGES", "en-US,German"
    )


@pytest.mark.parametrize(
    ("function", "name"),
    [
        pytest.param("meetings/bedrock-summarize", "AT_ONCE", id="several settings have the name"),
        pytest.param("ingestion/sweeper", "FILES_TABLE_NAME", id="no setting has the name"),
        pytest.param("no-such/function", "LOG_LEVEL", id="unknown subsystem"),
    ],
)
def test_a_variable_without_a_setting_gets_a_warning_about_the_next_deployment(function: str, name: str) -> None:
    target = FunctionTarget.parse("dev", function)
    assert stack_file_advice.find_setting_problem(target, name, "-1") is None
    (line,) = stack_file_advice.advise_variable(target, name, "3", "7")
    assert "Find the setting" in line
    assert "undoes the change" in line


def test_a_value_of_the_expected_load_is_no_setting_of_a_function() -> None:
    lines = stack_file_advice.advise_variable(
        FunctionTarget.parse("dev", "voice-qa/websocket-handler"), "LECTURES_PER_DAY", "3", "7"
    )
    assert not any("load" in line for line in lines)


@given(st.text(min_size=1) | st.from_regex(r"-?[0-9.]+|true|false|null|no|0x1f|1e3", fullmatch=True))
def test_yaml_reads_any_value_back_unchanged(value: str) -> None:
    lines = stack_file_advice.advise_variable(PROCESSOR, "LOG_LEVEL", value, "7")
    parsed_value = yaml.safe_load("\n".join(lines[1:-1]))["config"]["polyphony:transcription"]["logLevel"]
    if isinstance(parsed_value, bool):
        assert str(parsed_value).lower() == value
    elif isinstance(parsed_value, str):
        assert parsed_value == value
    else:
        assert float(value) == parsed_value
