"""Tests of `up` with a handler that cannot run, and of `down` with resources that cannot be deleted."""

from pathlib import Path

import pytest

from components.blocks.compute import handler_archive
from local.platform import emulator, lifecycle
from local.platform.emulator import Emulator
from local.preview import stack_files
from tests.broken_archive import BROKEN_FILE, write_broken_archive
from tests.whole_program import ingestion_alone

pytestmark = pytest.mark.unit
KEPT = "urn:pulumi:local::polyphony::aws:s3/bucket:Bucket::kept"


@pytest.mark.parametrize(("remains", "status"), [([KEPT], 1), ([], 0)])
def test_down_reports_undeleted_resources_and_stops_the_emulator(
    remains: list[str],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stopped: list[Path] = []

    monkeypatch.setattr(emulator, "find_running", lambda folder: Emulator(1, 2, folder, kept=True))
    monkeypatch.setattr(emulator, "stop", stopped.append)
    monkeypatch.setattr(lifecycle, "delete_all", lambda _emulator, _report: remains)
    assert lifecycle.down(tmp_path) == status
    assert stopped == [tmp_path]
    output = capsys.readouterr()
    assert (f"could not be deleted: {KEPT}" in output.out + output.err) is bool(remains)


def test_up_publishes_no_handler_that_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = write_broken_archive(tmp_path)
    monkeypatch.setattr(handler_archive, "write_archive", lambda _subsystem: archive)
    config = ingestion_alone("local")
    monkeypatch.setattr(stack_files, "read_stack", lambda _: config)
    assert lifecycle.up(folder=tmp_path / "platform") == 1
    output = capsys.readouterr()
    assert f"{BROKEN_FILE}:" in output.out + output.err
    assert "the name undefined is not defined" in output.out + output.err
    assert not emulator.find_running(tmp_path / "platform")
