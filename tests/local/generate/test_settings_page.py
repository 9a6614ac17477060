"""Tests of the settings page: it has every key of a stack file, with default, allowed values and description."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from local.generate import settings_page
from local.generate.generated_files import stack_schema

PAGE = settings_page.render_page()
ROWS = {
    match[1]: [cell.strip() for cell in re.split(r"(?<!\\)\|", match[2])]
    for match in re.finditer(r"^\| `([\w.]+)` \|(.*)\|$", PAGE, re.MULTILINE)
}
"""Default, allowed values and description by key."""
QUANTITY = re.compile(
    r"\b(amount of data|budget|delay|duration|interval|length|memory|retention|size|(?<!same )time)\b", re.IGNORECASE
)
UNIT = re.compile(
    r"bytes|characters|days|dollars|hours?\b|\bms\b|\bmb\b|milliseconds|minutes|seconds|tokens", re.IGNORECASE
)


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
    # The keys that each function has are on the page once more, without a section.
    function_keys = {key for key in ROWS if "." not in key} - {"environment"}
    assert set(ROWS) - function_keys == keys
    assert all(all(row) and len(row) == 3 for row in ROWS.values())


def test_the_page_has_the_default_that_a_stack_gets_and_the_range() -> None:
    expected = {
        "livestream.episodes.memoryMb": ["`1024`", "integer, at least 128, at most 10240"],
        "foundation.spend.monthlyBudget": ["**required**", "number, more than 0, at most 1000000"],
        "livestream.encryptionKey": ["`null`", "secret, minimum length 32, maximum length 4096 or null"],
        # This key has no default in its own model, but its section has one.
        "meetings.processing.fargate.memoryMb": ["`4096`", "integer, at least 2048, at most 16384"],
    }
    assert {key: ROWS[key][:2] for key in expected} == expected


def test_the_name_or_the_purpose_of_each_number_that_measures_something_has_the_unit() -> None:
    numbers = {key: row[2] for key, row in ROWS.items() if re.match(r"integer|number|`\d", row[1])}
    measuring = {key: text for key, text in numbers.items() if QUANTITY.search(text.partition(". ")[0])}
    assert len(measuring) > 40, "the search must find the settings"
    names = {key: re.sub(r"([A-Z])", r" \1", key.rpartition(".")[2]) for key in measuring}
    assert [key for key, text in measuring.items() if not UNIT.search(f"{names[key]}: {text}")] == []
