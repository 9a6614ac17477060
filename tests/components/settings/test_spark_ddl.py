"""Tests of the DDL parser: the names of types in the catalogue and in Athena's views, and refused columns."""

import pytest

from components.settings.spark_ddl import HIVE, RESERVED_COLUMNS, InvalidDdl, parse_columns, parse_data_columns
from handlers.ingestion.glue.json_to_parquet_columns import RESERVED_NAMES, SUPPORTED_TYPES


@pytest.mark.parametrize(
    ("ddl", "hive_type", "presto_type"),
    [
        ("STRING", "string", "varchar"),
        ("LONG", "bigint", "bigint"),
        ("int", "int", "integer"),
        ("SHORT", "smallint", "smallint"),
        ("DECIMAL( 10, 2 )", "decimal(10,2)", "decimal(10,2)"),
        ("NUMERIC(38)", "decimal(38,0)", "decimal(38,0)"),
        ("DEC", "decimal(10,0)", "decimal(10,0)"),
        ("ARRAY<STRING>", "array<string>", "array(varchar)"),
        ("MAP<STRING, INT>", "map<string,int>", "map(varchar, integer)"),
        ("STRUCT<a: STRING>", "struct<a:string>", 'row("a" varchar)'),
        ("STRUCT<a STRING, b DECIMAL(3,1)>", "struct<a:string,b:decimal(3,1)>", 'row("a" varchar, "b" decimal(3,1))'),
        (
            "STRUCT<lat: DOUBLE, long: DOUBLE, short_name: STRING, map: INT>",
            "struct<lat:double,long:double,short_name:string,map:int>",
            'row("lat" double, "long" double, "short_name" varchar, "map" integer)',
        ),
        (
            "ARRAY<STRUCT<`Odd`: MAP<STRING, ARRAY<LONG>>, at: TIMESTAMP COMMENT 'when, or <never>'>>",
            "array<struct<odd:map<string,array<bigint>>,at:timestamp>>",
            'array(row("odd" map(varchar, array(bigint)), "at" timestamp))',
        ),
    ],
)
def test_a_type_has_a_hive_name_and_a_presto_name(ddl: str, hive_type: str, presto_type: str) -> None:
    (column,) = parse_columns(f"c {ddl}")
    assert (column.type.hive, column.type.presto) == (hive_type, presto_type)


@pytest.mark.parametrize(
    ("ddl", "names"),
    [
        ("id BIGINT, name STRING", ["id", "name"]),
        ("`Odd one` DECIMAL(10,2),long LONG", ["odd one", "long"]),
        ("id: BIGINT, b ARRAY<INT> NOT NULL COMMENT 'a, b', c STRING", ["id", "b", "c"]),
        ('not INT not null, comment STRING comment "it\'s", null DATE', ["not", "comment", "null"]),
    ],
)
def test_columns_are_separated_by_commas_outside_types_and_comments(ddl: str, names: list[str]) -> None:
    assert [column.name for column in parse_columns(ddl)] == names


@pytest.mark.parametrize(
    "ddl",
    [
        *("", "id", "id,", "id BIGINT,", ", id BIGINT", "id BIGINT price DOUBLE"),
        *("id BIGINT NOT", "id BIGINT COMMENT", "id BIGINT COMMENT late"),
        *("id ARRAY<INT", "id ARRAY INT", "id MAP<STRING>", "id INT>", "id `INT`", "s STRING(3)"),
        *("d DECIMAL(1", "d DECIMAL()", "d DECIMAL(39)", "d DECIMAL(0)", "d DECIMAL(2,3)", "d DECIMAL(1,2,3)"),
        "d DECIMAL(5,-2)",
        *("1st INT", "a.b INT", "a-b INT", "`` INT", "`a INT", "`a,b` INT", "'a' INT", "größe INT"),
    ],
)
def test_invalid_ddl_is_refused(ddl: str) -> None:
    with pytest.raises(InvalidDdl):
        parse_columns(ddl)


@pytest.mark.parametrize(
    "type_name", ["FLOAT", "REAL", "BINARY", "TIMESTAMP_NTZ", "VARCHAR(20)", "CHAR(2)", "VOID", "JSON"]
)
@pytest.mark.parametrize("column", ["c {}", "c ARRAY<{}>", "c STRUCT<a: {}>", "c MAP<STRING, {}>"])
def test_a_type_that_the_job_does_not_support_is_refused(column: str, type_name: str) -> None:
    with pytest.raises(InvalidDdl):
        parse_columns(column.format(type_name))


def test_the_keys_of_a_map_must_be_strings() -> None:
    with pytest.raises(InvalidDdl, match="keys"):
        parse_columns("c MAP<INT, STRING>")


@pytest.mark.parametrize("ddl", ["id INT, ID STRING", "o STRUCT<a: INT, `A`: INT>"])
def test_two_names_that_differ_only_in_case_are_refused(ddl: str) -> None:
    with pytest.raises(InvalidDdl, match="differ only in case"):
        parse_columns(ddl)


def test_the_settings_and_the_job_support_the_same_types_and_names() -> None:
    assert {HIVE[item] for item in SUPPORTED_TYPES} == set(HIVE.values())
    assert RESERVED_COLUMNS == RESERVED_NAMES


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_name_of_a_column_that_the_job_adds_is_refused(name: str) -> None:
    with pytest.raises(InvalidDdl, match=name):
        parse_data_columns(f"id INT, {name.upper()} STRING")
    assert parse_data_columns(f"o STRUCT<{name}: STRING>"), "a field of a struct may have the name"


def test_an_empty_schema_has_no_columns() -> None:
    assert parse_data_columns(" \n") == []
