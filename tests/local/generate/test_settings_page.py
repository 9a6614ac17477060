"""Tests of the settings page: it has every key of a stack file, with default, unit, allowed values and description."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import Field

from components.settings.settings_base import UNIT, SettingsModel
from components.settings.stack import StackSettings
from local import ROOT
from local.generate import settings_page
from local.generate.generated_files import stack_schema
from local.generate.settings_page import DescribedSetting, list_settings

PAGE = (ROOT / "docs" / "reference" / "settings.md").read_text()
ROWS = {
    match[1]: [cell.strip() for cell in re.split(r"(?<!\\)\|", match[2])]
    for match in re.finditer(r"^\| `([\w.]+)` \|(.*)\|$", PAGE, re.MULTILINE)
}
"""Default, unit, allowed values and description by key."""


def schema_keys(definition: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the path of every key in the JSON Schema of a stack file, which is generated without the page's code."""
    for name, field in definition.get("properties", {}).items():
        referenced = [definitions[reference] for reference in re.findall(r"#/\$defs/(\w+)", str(field))]
        sections = [section for section in referenced if section.get("type") == "object"]
        for section in sections:
            yield from schema_keys(section, definitions, f"{path}{name}.")
        if not sections:
            yield f"{path}{name}"


def test_the_page_has_every_key_of_a_stack_file_and_no_other() -> None:
    schema = stack_schema()
    sections = {name.partition(":")[2]: field for name, field in schema["properties"]["config"]["properties"].items()}
    keys = set(schema_keys({"properties": sections}, schema["$defs"], ""))
    assert len(keys) > 150
    # The keys that each function has are on the page once, without a section.
    function_keys = {key for key in ROWS if "." not in key} - {"environment"}
    assert set(ROWS) - function_keys == keys
    assert function_keys == {
        *("memoryMb", "timeoutSeconds", "liveVersion"),
        *("reservedConcurrency", "provisionedConcurrency", "snapStart"),
    }


@pytest.mark.parametrize("key", ROWS)
def test_every_key_has_a_default_a_range_and_a_description(key: str) -> None:
    default, unit, allowed, description = ROWS[key]
    assert default
    assert allowed
    assert re.fullmatch(r"[A-Z`].{15,}\.|as for \[every function\]\(#every-function\)", description), description
    if default.replace(",", "").replace(".", "").isdigit():
        assert unit, "a number must have a unit"
    if unit == settings_page.COUNT:
        assert not re.search(r"(?i)^(seconds|minutes|hours|days|share) |dollars", description), (
            "the description names a unit, so the setting is not a count"
        )


EXPECTED_ROWS = {
    "livestream.episodes.memoryMb": ("1,024", "MB"),
    "ingestion.builder.memoryMb": ("512", "MB"),
    "voiceQa.validator.timeoutSeconds": ("300", "seconds"),
    "foundation.spend.monthlyBudget": ("**required**", "US dollars"),
    "livestream.uploads.maxVideoGigabytes": ("20", "GB"),
    "livestream.agent.atOnce": ("5", "count"),
    "meetings.load.hoursEach": ("1", "hours"),
    "voiceQa.load.questionsPerDay": ("200", "per day"),
    "meetings.tableKmsKey": ("`null`", ""),
    # These keys have no default in their own model, but the section has one.
    "meetings.processing.spot.vcpus": ("1", "vCPUs"),
    "meetings.processing.fargate.memoryMb": ("4,096", "MB"),
    # These keys are in the entries of a list or in an optional section.
    "exceptions.policy": ("**required if the section is given**", ""),
    "voiceQa.agentcore.network.vpcId": ("**required if the section is given**", ""),
}
"""Default and unit by key. The unit comes from the name or from the definition of a setting."""


def test_the_page_has_the_default_that_a_stack_gets_and_the_unit() -> None:
    assert {key: tuple(ROWS[key][:2]) for key in EXPECTED_ROWS} == EXPECTED_ROWS


def describe(section: type[SettingsModel], instance: SettingsModel | None = None) -> dict[str, DescribedSetting]:
    return {setting.key: setting for setting in list_settings(section, "", instance)}


class SampleSettings(SettingsModel):
    """Settings with each kind of field."""

    wait_seconds: int | None = Field(default=None, ge=1)
    """Time to wait."""
    pace: float = Field(default=2.0, gt=0, lt=9, json_schema_extra={UNIT: "steps"})
    names: tuple[str, ...] = Field(default=(), min_length=1)
    mode: str = Field(default="a|b", pattern="^a|b$", max_length=3)


def test_ranges_defaults_and_units_are_written_in_words() -> None:
    settings = describe(SampleSettings, SampleSettings.model_construct(pace=3.5, names=("x",)))
    shown = {key: (setting.default_text, setting.unit, setting.allowed) for key, setting in settings.items()}
    assert shown == {
        "waitSeconds": ("`null`", "seconds", "at least 1 or `null`"),
        "pace": ("3.5", "steps", "more than 0, less than 9"),
        "names": ("`x`", "", "list of text, at least 1"),
        "mode": ("`a|b`", "", "text of the form `^a|b$`, at most 3 characters"),
    }
    assert [setting.description for setting in settings.values()] == ["Time to wait.", "", "", ""]


def test_a_vertical_bar_in_a_cell_is_escaped() -> None:
    [*_, row] = settings_page._render_table(list(describe(SampleSettings).values()), "")
    assert len(re.split(r"(?<!\\)\|", row)) == 7, "five cells, and an empty text on both sides of the row"


def test_every_top_level_section_has_a_chapter() -> None:
    for name, field in StackSettings.model_fields.items():
        if settings_page.find_section(field) is not None:
            assert re.search(rf"^## {field.alias or name}\b", PAGE, re.MULTILINE)
