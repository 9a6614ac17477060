"""Workflow steps of a manifest, a list of files: `confirm` before its Spark run, and `finish` or `fail` after it.

`confirm` leaves out files that belong to another manifest. A repeated step changes nothing, and a step may run before or
after the builder's own writes. A redrive is a new execution for a failed manifest.
"""

from typing import Any

import pytest

from handlers.common.ids import ulid
from handlers.ingestion.files import FileResult
from handlers.ingestion.manifest_s3_keys import confirmed_list_key, result_key
from handlers.ingestion.manifests import Manifest, ResultMissing, RunResult
from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.ingestion_harness import IngestionHarness, announce, manifest_id_of


def start_manifest(harness: IngestionHarness) -> str:
    """Let a builder create a manifest of three files. Return the name of its execution."""
    harness.builder().handle(announce("a", "b", "c"))
    return harness.waiting_executions.pop()


def write_result(harness: IngestionHarness, name: str, *statuses: Any) -> None:
    """Write the result of a run that gives the first confirmed files these statuses."""
    manifest_id = manifest_id_of(name)
    confirmed_list = Manifest.model_validate_json(harness.cloud.objects[confirmed_list_key(manifest_id)])
    files = tuple(
        FileResult(file_key=file.file_key, date_prefix=file.date_prefix, status=status, reason="WHY", rows=2)
        for file, status in zip(confirmed_list.files, statuses, strict=False)
    )
    harness.cloud.objects[result_key(manifest_id)] = RunResult(files=files).model_dump_json(by_alias=True).encode()


def run_manifest(harness: IngestionHarness, *statuses: str) -> str:
    """Start and confirm a manifest, and write the result of its run. Return the name of its execution."""
    name = start_manifest(harness)
    harness.step("confirm", name)
    write_result(harness, name, *statuses)
    return name


def reasons(harness: IngestionHarness) -> list[str]:
    return sorted(item["reason"] for item in harness.cloud.files().values())


def test_a_manifest_whose_files_all_belong_to_another_manifest_ends_without_a_run(
    harness: IngestionHarness,
) -> None:
    """The builder does not know that the first execution has started, so another manifest gets the files."""
    harness.cloud.next_starts.append("response lost")
    harness.builder().handle(announce("a", "b", "c"))
    harness.sweeper().sweep()
    first_execution, _ = harness.waiting_executions
    assert harness.step("confirm", first_execution)["files"] == 0
    record = harness.manifests().get(manifest_id_of(first_execution))
    assert record is not None
    assert record.status == "processed"
    assert confirmed_list_key(manifest_id_of(first_execution)) not in harness.cloud.objects


def test_each_file_gets_the_status_and_reason_of_the_runs_result(harness: IngestionHarness) -> None:
    name = run_manifest(harness, "processed", "rejected", "superseded")
    harness.step("finish", name)
    assert harness.statuses() == ["processed", "rejected", "superseded"]
    assert reasons(harness) == ["WHY"] * 3
    assert {(item["rows"], item["rejected_rows"]) for item in harness.cloud.files().values()} == {(2, 0)}
    assert harness.manifest()["status"] == "processed"


def start_redrive(harness: IngestionHarness, name: str) -> str:
    """Redrive the manifest of an execution. Return the name of the new execution."""
    harness.redrive(manifest_id_of(name))
    assert harness.waiting_executions == [f"{name}-r1"]
    return harness.waiting_executions.pop()


def test_a_redrive_of_a_finished_run_marks_its_files_without_a_new_run(harness: IngestionHarness) -> None:
    name = run_manifest(harness, "processed", "rejected", "superseded")
    harness.step("fail", name, cause="States.Timeout")
    assert harness.statuses() == ["failed"] * 3
    confirmation = harness.step("confirm", start_redrive(harness, name))
    assert confirmation["files"] == 0, "a new run would remove the rows of versions that were deleted meanwhile"
    assert harness.statuses() == ["processed", "rejected", "superseded"]
    assert harness.manifest()["status"] == "processed"


def test_a_redrive_repeats_all_files_in_a_new_run_if_a_file_has_no_result(harness: IngestionHarness) -> None:
    """The new run replaces all rows and rejected lines of the earlier run."""
    name = run_manifest(harness, "processed", "rejected")
    harness.step("fail", name, cause="States.TaskFailed")
    confirmation = harness.step("confirm", start_redrive(harness, name))
    assert confirmation["files"] == 3
    confirmed_list = harness.cloud.objects[confirmation["manifestUri"].removeprefix("s3://lake/")]
    assert len(Manifest.model_validate_json(confirmed_list).files) == 3
    assert harness.statuses() == ["manifested"] * 3


@pytest.mark.parametrize("end", ["processed", "failed", "redriven"])
def test_a_step_of_an_execution_that_has_ended_changes_nothing(harness: IngestionHarness, end: str) -> None:
    name = run_manifest(harness, *(["processed"] * 3 if end == "processed" else []))
    harness.step("finish" if end == "processed" else "fail", name)
    if end == "redriven":
        harness.step("confirm", start_redrive(harness, name))
    before = dict(harness.cloud.items)
    assert harness.step("confirm", name)["files"] == 0
    harness.step("finish", name)
    harness.step("fail", name)
    assert harness.cloud.items == before


def test_a_run_must_report_a_result_for_each_file(harness: IngestionHarness) -> None:
    name = start_manifest(harness)
    harness.step("confirm", name)
    with pytest.raises(ResultMissing):
        harness.step("finish", name)
    write_result(harness, name, "processed", "processed")
    with pytest.raises(ResultMissing):
        harness.step("finish", name)
    assert harness.statuses() == ["manifested"] * 3


def test_a_late_builder_changes_nothing_after_a_failed_execution(harness: IngestionHarness) -> None:
    """The execution fails before it has taken its files, while the builder is between its last two steps."""

    def fail(point: str) -> None:
        if point == "after UpdateItem" and "pending" in harness.statuses():
            harness.step("fail", harness.waiting_executions[0], cause="States.Timeout")

    harness.builder(fail).handle(announce("a", "b", "c"))
    assert harness.statuses() == ["failed"] * 3, "so that all files can be redriven"
    assert harness.manifest()["status"] == "failed"


@pytest.mark.parametrize("cause", ["States.TaskFailed", "read incoming/canary", '{"error": "canary"}', "c" * 81, ""])
def test_a_failed_run_marks_its_files_with_its_cause_unless_it_could_quote_data(
    harness: IngestionHarness, cause: str
) -> None:
    name = start_manifest(harness)
    harness.step("confirm", name)
    harness.step("fail", name, cause=cause)
    stored = "States.TaskFailed" if cause == "States.TaskFailed" else "UNNAMED_CAUSE"
    assert (harness.statuses(), reasons(harness)) == (["failed"] * 3, [stored] * 3)
    assert (harness.manifest()["status"], harness.manifest()["cause"]) == ("failed", stored)


@pytest.mark.parametrize("name", [f"{ulid(NOW, 9)}-r0", f"{ulid(NOW, 9)}-1", f"x{ulid(NOW, 9)}"])
def test_a_step_of_an_execution_without_a_manifest_is_refused(harness: IngestionHarness, name: str) -> None:
    with pytest.raises(ValueError, match="not that of an execution for a manifest"):
        harness.step("fail", name)
