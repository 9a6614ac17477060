"""Ingestion's settings: who may drop files from a browser, and what a manifest asks of the functions that make it."""

from typing import Any

import pytest

from components.settings import load
from tests.components.settings.test_loader import config, problems
from tests.engine import FOUNDATION

PAGE = "https://app.example.com"


def stack(origin: str | None, environment: str = "dev") -> dict[str, str]:
    identity: dict[str, Any] = {"auth": "oidc", "issuer": "https://login.example.com/", "audience": "polyphony"}
    foundation = {**FOUNDATION, "identity": identity}
    return config(foundation, environment=environment, ingestion={"intake": {"corsOrigin": origin}})


def test_in_prod_the_page_is_named_or_there_is_none() -> None:
    assert problems(stack("*", "prod")) == [
        'ingestion.intake.corsOrigin = "*": the page that may drop files, by name, in prod; or nothing'
    ]
    for origin in (PAGE, None):
        assert load(stack(origin, "prod"), "prod").ingestion.intake.cors_origin == origin
    assert load(stack("*"), "dev").ingestion.intake.cors_origin == "*"


def test_no_page_is_the_default() -> None:
    assert load(config(), "dev").ingestion.intake.cors_origin is None


@pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/", "https://*.example.com", "null"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    [problem] = problems(stack(origin))
    assert problem.startswith("ingestion.intake.corsOrigin = ")


@pytest.mark.parametrize("name", ["builder", "sweeper", "steps"])
@pytest.mark.parametrize(
    ("files", "megabytes", "seconds"),
    [(200, 512, 2), (10_000, 128, 391), (10_000, 512, 98), (10_000, 1769, 29), (10_000, 10_240, 29)],
)
def test_a_function_has_time_for_a_whole_manifest(name: str, files: int, megabytes: int, seconds: int) -> None:
    def stack_of(timeout: int) -> dict[str, str]:
        enough = {one: {"timeoutSeconds": 899} for one in ("builder", "sweeper", "steps")}
        own = {"timeoutSeconds": timeout, "memoryMb": megabytes}
        return config(ingestion={"manifests": {"files": files}, **enough, name: own})

    [problem] = problems(stack_of(seconds - 1))
    assert problem.startswith(f"ingestion.{name}.timeoutSeconds = {seconds - 1}: at least {seconds} ")
    assert load(stack_of(seconds), "dev").ingestion.manifests.files == files


@pytest.mark.parametrize(("reconciled", "kept"), [(2, 16), (30, 44)])
def test_a_file_is_known_for_longer_than_the_bucket_is_compared(reconciled: int, kept: int) -> None:
    def stack_of(days: int) -> dict[str, str]:
        return config(ingestion={"intake": {"tableRecordDays": days}, "manifests": {"reconcileDays": reconciled}})

    [problem] = problems(stack_of(kept - 1))
    assert problem.startswith(f"ingestion.intake.tableRecordDays = {kept - 1}: at least {kept}, ")
    assert load(stack_of(kept), "dev").ingestion.intake.table_record_days == kept


@pytest.mark.parametrize(
    ("ddl", "says"),
    [
        ("id BIGINT,", "the text ends too early"),
        ("id BIGINT price DOUBLE", "price is not expected after a column"),
        ("id BIGINT, price FLOAT", "float is no type that a value of JSON can have: array, "),
        ("id BIGINT, dt STRING", "every row has columns of its own named dt"),
    ],
)
def test_a_schema_that_no_run_could_follow_is_refused(ddl: str, says: str) -> None:
    [problem] = problems(config(ingestion={"spark": {"schemaDdl": ddl}}))
    assert problem.startswith(f'ingestion.spark.schemaDdl = "{ddl}": {says}')


@pytest.mark.parametrize("ddl", ["", "id BIGINT, price DECIMAL(10,2), tags ARRAY<STRING>"])
def test_a_schema_or_none_is_kept_as_it_was_written(ddl: str) -> None:
    assert load(config(ingestion={"spark": {"schemaDdl": ddl}}), "dev").ingestion.spark.schema_ddl == ddl
