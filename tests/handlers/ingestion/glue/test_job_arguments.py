"""The command line that Glue gives."""

import pytest

from handlers.ingestion.glue.job_arguments import parse_arguments

GIVEN = ["--manifest_uri", "s3://lake/manifests/m.confirmed.json", "--lake_uri", "s3://lake"]


def test_glues_own_options_are_skipped_and_its_run_id_is_taken() -> None:
    arguments = parse_arguments([*GIVEN, "--JOB_NAME", "n", "--JOB_RUN_ID", "jr_1", "--enable-metrics", "true"])
    assert arguments.run_id == "jr_1"
    assert arguments.lake_uri == "s3://lake/"


def test_a_given_run_id_goes_before_glues() -> None:
    assert parse_arguments([*GIVEN, "--JOB_RUN_ID", "jr_1", "--run_id", "r2"]).run_id == "r2"


@pytest.mark.parametrize("schema", [["--schema_ddl", ""], ["--schema_ddl"], []])
def test_an_empty_schema_means_inferred(schema: list[str]) -> None:
    assert parse_arguments([*GIVEN, "--run_id", "r", *schema, "--target_file_mb", "64"]).schema_ddl == ""


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--run_id", "a/b"],
        ["--run_id", ".."],
        ["--run_id", "r", "--max_rejected_share", "5"],
        ["--run_id", "r", "--target_file_mb", "0"],
        ["--run_id", "r", "--lake_uri", "file:///lake"],
    ],
)
def test_wrong_arguments_end_the_run_before_it_begins(wrong: list[str]) -> None:
    with pytest.raises(ValueError, match="--"):
        parse_arguments([*GIVEN, *wrong])
