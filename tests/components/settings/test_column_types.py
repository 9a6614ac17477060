"""A schema's columns in the catalogue's words and in those of Athena's views."""

import pytest

from components.settings.column_types import HIVE, RESERVED_COLUMNS, InvalidDdl, parse_columns, parse_data_columns
from handlers.ingestion.glue.parquet_columns import RESERVED_NAMES, SUPPORTED_TYPES


@pytest.mark.parametrize(
    ("kind", "hive", "presto"),
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
def test_a_type_is_written_as_each_of_the_two_reads_it(kind: str, hive: str, presto: str) -> None:
    (column,) = parse_columns(f"c {kind}")
    assert (column.type.hive, column.type.presto) == (hive, presto)


@pytest.mark.parametrize(
    ("ddl", "names"),
    [
        ("id BIGINT, name STRING", ["id", "name"]),
        ("`Odd one` DECIMAL(10,2),long LONG", ["odd one", "long"]),
        ("id: BIGINT, b ARRAY<INT> NOT NULL COMMENT 'a, b', c STRING", ["id", "b", "c"]),
        ('not INT not null, comment STRING comment "it\'s", null DATE', ["not", "comment", "null"]),
    ],
)
def test_columns_stand_between_the_commas_outside_of_types_and_comments(ddl: str, names: list[str]) -> None:
    assert [column.name for column in parse_columns(ddl)] == names


@pytest.mark.parametrize(
    "ddl",
    [
        "",
        "id",
        "id,",
        "id BIGINT,",
        ", id BIGINT",
        "id BIGINT price DOUBLE",
        "id BIGINT NOT",
        "id BIGINT COMMENT",
        "id BIGINT COMMENT late",
        "id ARRAY<INT",
        "id ARRAY INT",
        "id MAP<STRING>",
        "id INT>",
        "id `INT`",
        "d DECIMAL(1",
        "d DECIMAL()",
        "d DECIMAL(39)",
        "d DECIMAL(0)",
        "d DECIMAL(2,3)",
        "d DECIMAL(1,2,3)",
        "d DECIMAL(5,-2)",
        "s STRING(3)",
        "1st INT",
        "a.b INT",
        "a-b INT",
        "`` INT",
        "`a INT",
        "`a,b` INT",
        "'a' INT",
        "größe INT",
    ],
)
def test_what_names_no_columns_is_refused(ddl: str) -> None:
    with pytest.raises(InvalidDdl):
        parse_columns(ddl)


@pytest.mark.parametrize("kind", ["FLOAT", "REAL", "BINARY", "TIMESTAMP_NTZ", "VARCHAR(20)", "CHAR(2)", "VOID", "JSON"])
@pytest.mark.parametrize("column", ["c {}", "c ARRAY<{}>", "c STRUCT<a: {}>", "c MAP<STRING, {}>"])
def test_a_type_that_the_job_has_no_value_for_is_refused(column: str, kind: str) -> None:
    with pytest.raises(InvalidDdl):
        parse_columns(column.format(kind))


def test_a_map_has_keys_as_json_has_them() -> None:
    with pytest.raises(InvalidDdl, match="keys"):
        parse_columns("c MAP<INT, STRING>")


@pytest.mark.parametrize("ddl", ["id INT, ID STRING", "o STRUCT<a: INT, `A`: INT>"])
def test_a_name_stands_for_one_column_whatever_its_case(ddl: str) -> None:
    with pytest.raises(InvalidDdl, match="differ only in case"):
        parse_columns(ddl)


def test_the_jobs_types_and_names_are_those_that_are_known_here() -> None:
    assert {HIVE[item] for item in SUPPORTED_TYPES} == set(HIVE.values())
    assert RESERVED_COLUMNS == RESERVED_NAMES


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_column_of_every_row_is_none_of_the_datas(name: str) -> None:
    with pytest.raises(InvalidDdl, match=name):
        parse_data_columns(f"id INT, {name.upper()} STRING")
    assert parse_data_columns(f"o STRUCT<{name}: STRING>"), "within a struct it is another's"


def test_no_schema_names_no_columns() -> None:
    assert parse_data_columns(" \n") == []
