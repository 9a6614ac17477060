"""Parsing of the command line with which Glue starts the Spark job."""

import pytest

from handlers.ingestion.glue.job_arguments import parse_arguments

URIS = ["--manifest_uri", "s3://lake/manifests/m.confirmed.json", "--lake_uri", "s3://lake"]


def test_options_of_glue_are_ignored_and_its_run_id_is_used() -> None:
    arguments = parse_arguments([*URIS, "--JOB_NAME", "n", "--JOB_RUN_ID", "jr_1", "--enable-metrics", "true"])
    assert arguments.run_id == "jr_1"
    assert arguments.lake_uri == "s3://lake/"


def test_the_option_run_id_takes_precedence_over_glues_run_id() -> None:
    assert parse_arguments([*URIS, "--JOB_RUN_ID", "jr_1", "--run_id", "r2"]).run_id == "r2"


@pytest.mark.parametrize("schema", [["--schema_ddl", ""], ["--schema_ddl"], []])
def test_an_empty_schema_means_inferred_columns(schema: list[str]) -> None:
    assert parse_arguments([*URIS, "--run_id", "r", *schema, "--target_file_mb", "64"]).schema_ddl == ""


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--run_id", "a/b"],
        ["--run_id", ".."],
        ["--run_id", "r", "--max_rejected_share", "5"],
        ["--run_id", "r", "--target_file_mb", "0"],
        ["--run_id", "r", "--lake_uri", "file:///lake"],
    ],
)
def test_invalid_arguments_are_refused(options: list[str]) -> None:
    with pytest.raises(ValueError, match="--"):
        parse_arguments([*URIS, *options])
