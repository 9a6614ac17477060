"""The lines for the stack file are ones that the settings accept, and change what was changed."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from components.settings.base import FunctionSettings, Settings, SubsystemSettings
from components.settings.ingestion import IngestionSettings
from components.settings.stack import StackSettings
from operations import to_commit
from operations.target import Target


class Thresholds(Settings):
    partial_results_enabled: bool = True


class Transcription(SubsystemSettings):
    audio_processor: FunctionSettings = FunctionSettings()
    session_opener: FunctionSettings = FunctionSettings()
    thresholds: Thresholds = Thresholds()


class Root(Settings):
    transcription: Transcription = Transcription()


class Bare(Settings):
    """Settings without the subsystem."""

    other: int = Field(default=1)


PROCESSOR = Target.parse("dev", "transcription/audio-processor")


def committed(lines: list[str]) -> object:
    """What the YAML among the lines says."""
    start = lines.index("config:")
    end = next((at for at in range(start + 1, len(lines)) if not lines[at].startswith(" ")), len(lines))
    return yaml.safe_load("\n".join(lines[start:end]))["config"]


def test_a_version_is_pinned_below_the_functions_own_name() -> None:
    lines = to_commit.live_version(PROCESSOR, "7")
    assert committed(lines) == {"polyphony:transcription": {"audioProcessor": {"liveVersion": "7"}}}
    assert "Pulumi.dev.yaml" in lines[0]


@pytest.mark.parametrize(
    ("function", "section"), [("manifest-builder", "builder"), ("sweeper", "sweeper"), ("steps", "steps")]
)
def test_a_pinned_version_is_one_that_the_settings_accept(function: str, section: str) -> None:
    lines = to_commit.live_version(Target.parse("prod", f"ingestion/{function}"), "7")
    given = committed(lines)
    assert isinstance(given, dict)
    settings = IngestionSettings.model_validate(given["polyphony:ingestion"])
    assert getattr(settings, section).live_version == "7"


@pytest.mark.parametrize("root", [Root, Bare])
def test_a_flags_setting_is_named_like_its_variable(root: type[Settings]) -> None:
    lines = to_commit.variable(PROCESSOR, "PARTIAL_RESULTS_ENABLED", "false", "7", root)
    here = {"partialResultsEnabled": False}
    expected = {"thresholds": here} if root is Root else here
    assert committed(lines) == {"polyphony:transcription": expected}
    assert lines[-1] == 'If `audioProcessor.liveVersion` is set there, set it to "7" or remove it.'


def test_of_settings_with_one_name_the_functions_own_counts() -> None:
    target = Target.parse("dev", "transcription/session-opener")
    lines = to_commit.variable(target, "MEMORY_MB", "512", "7", Root)
    assert committed(lines) == {"polyphony:transcription": {"sessionOpener": {"memoryMb": 512}}}


def test_what_no_function_is_told_and_what_several_have_in_name_is_no_setting_of_a_variable() -> None:
    summarize = Target.parse("dev", "meetings/bedrock-summarize")
    assert to_commit.refusal(summarize, "AT_ONCE", "-1") is None
    [line] = to_commit.variable(summarize, "AT_ONCE", "3", "7")
    assert "find the one" in line
    lines = to_commit.variable(Target.parse("dev", "voice-qa/websocket-handler"), "LECTURES_PER_DAY", "3", "7")
    assert not any("load" in line for line in lines), "that is what the cost is reckoned with"


def test_a_setting_of_many_values_gets_a_list_of_them() -> None:
    router = Target.parse("dev", "transcription/router")
    lines = to_commit.variable(router, "LANGUAGES", "en-US,de-DE", "7")
    given = committed(lines)
    assert given == {"polyphony:transcription": {"sessions": {"languages": ["en-US", "de-DE"]}}}
    assert to_commit.refusal(router, "LANGUAGES", "en-US,de-DE") is None
    assert to_commit.refusal(router, "LANGUAGES", "en-US,German")


def test_a_subsystems_setting_stands_at_its_top() -> None:
    target = Target.parse("dev", "ingestion/sweeper")
    lines = to_commit.variable(target, "LOG_LEVEL", "DEBUG", "7")
    assert committed(lines) == {"polyphony:ingestion": {"logLevel": "DEBUG"}}


def test_a_variable_without_a_setting_of_its_name_is_said_to_come_back() -> None:
    (line,) = to_commit.variable(Target.parse("dev", "ingestion/sweeper"), "FILES_TABLE_NAME", "x", "7")
    assert "filesTableName" in line
    assert "undoes the change" in line


@given(st.text(min_size=1) | st.from_regex(r"-?[0-9.]+|true|false|null|no|0x1f|1e3", fullmatch=True))
def test_any_value_is_read_back_as_the_text_or_number_it_is(value: str) -> None:
    lines = to_commit.variable(PROCESSOR, "GREETING", value, "7", Bare)
    found = yaml.safe_load("\n".join(lines[1:-1]))["config"]["polyphony:transcription"]["greeting"]
    if isinstance(found, bool):
        assert str(found).lower() == value
    elif isinstance(found, str):
        assert found == value
    else:
        assert float(value) == found


def test_every_subsystem_of_the_settings_is_found_by_its_name() -> None:
    for name in ("ingestion", "foundation"):
        assert name in StackSettings.model_fields
        target = Target.parse("dev", f"{name}/x")
        assert "logLevels" in to_commit.variable(target, "LOG_LEVELS", "1", "1")[0]
