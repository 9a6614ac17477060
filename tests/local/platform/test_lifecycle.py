"""Tests of `down` with resources that cannot be deleted."""

from pathlib import Path

import pytest

from local.platform import emulator, lifecycle
from local.platform.emulator import Emulator
from local.platform.progress import Progress

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

    def deleted(_there: Emulator, _report: Progress) -> list[str]:
        return remains

    def stop(folder: Path) -> bool:
        stopped.append(folder)
        return True

    monkeypatch.setattr(emulator, "find_running", lambda folder: Emulator(1, 2, folder))
    monkeypatch.setattr(emulator, "stop", stop)
    monkeypatch.setattr(lifecycle, "delete_all", deleted)
    assert lifecycle.down(tmp_path) == status
    assert stopped == [tmp_path]
    output = capsys.readouterr()
    assert (f"could not be deleted: {KEPT}" in output.out + output.err) is bool(remains)
