"""A schema's columns in the catalogue's words and in those of Athena's views."""

import pytest

from components.ingestion.ddl import NotDdl, parsed


@pytest.mark.parametrize(
    ("kind", "hive", "presto"),
    [
        ("STRING", "string", "varchar"),
        ("LONG", "bigint", "bigint"),
        ("int", "int", "integer"),
        ("SHORT", "smallint", "smallint"),
        ("DECIMAL( 10, 2 )", "decimal(10,2)", "decimal(10,2)"),
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
    (column,) = parsed(f"c {kind}")
    assert (column.kind.hive, column.kind.presto) == (hive, presto)


@pytest.mark.parametrize(
    ("ddl", "names"),
    [
        ("id BIGINT, name STRING", ["id", "name"]),
        ("`Odd one` DECIMAL(10,2),long LONG", ["odd one", "long"]),
        ("id: BIGINT, b ARRAY<INT> NOT NULL COMMENT 'a, b', c STRING", ["id", "b", "c"]),
    ],
)
def test_columns_stand_between_the_commas_outside_of_types_and_comments(ddl: str, names: list[str]) -> None:
    assert [column.name for column in parsed(ddl)] == names


@pytest.mark.parametrize("ddl", ["", "id", "id ARRAY<INT", "id ARRAY INT", "id MAP<STRING>", "id INT>", "d DECIMAL(1"])
def test_what_names_no_columns_is_refused(ddl: str) -> None:
    with pytest.raises(NotDdl):
        parsed(ddl)
