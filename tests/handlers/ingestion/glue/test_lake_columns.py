"""Columns of the data if the settings declare none, from the fields that Spark inferred."""

from typing import Any

from handlers.ingestion.glue.lake_columns import choose_columns


def inferred(kinds: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of a schema in the form of Spark, by name and type."""
    return [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in kinds.items()]


def test_each_name_becomes_one_column_unless_the_job_uses_it_and_objects_become_texts() -> None:
    nested = {"object": {"type": "struct", "fields": []}, "array": {"type": "array", "elementType": "long"}}
    fields = inferred(
        {"ID": "string", "id": "long", "Big": "decimal(20,0)", "dt": "long", "_Record": "long", "": "long", **nested}
    )
    expected = inferred({"array": "string", "id": "long", "object": "string", "Big": "decimal(20,0)"})
    assert choose_columns(fields) == expected


def test_records_with_very_many_names_have_a_thousand_columns() -> None:
    names = [f"k{number:04}" for number in range(1010)]
    assert [column["name"] for column in choose_columns(inferred(dict.fromkeys(names, "long")))] == names[:1000]
