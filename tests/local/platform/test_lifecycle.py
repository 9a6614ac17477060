"""Tests of `down` with resources that cannot be deleted."""

from pathlib import Path

import pytest

from local.platform import emulator, lifecycle
from local.platform.emulator import Emulator

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

    monkeypatch.setattr(emulator, "find_running", lambda folder: Emulator(1, 2, folder))
    monkeypatch.setattr(emulator, "stop", stopped.append)
    monkeypatch.setattr(lifecycle, "delete_all", lambda _emulator, _report: remains)
    assert lifecycle.down(tmp_path) == status
    assert stopped == [tmp_path]
    output = capsys.readouterr()
    assert (f"could not be deleted: {KEPT}" in output.out + output.err) is bool(remains)
