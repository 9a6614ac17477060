"""Tests of the instructions that `make up` prints."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from local.emulation.glue import spark_process
from local.emulation.speech.languages import ENGLISH_ONLY
from local.platform import emulator, lifecycle
from local.platform.emulator import Emulator
from local.platform.frontend_file import FrontendUnavailable, read_frontend
from local.platform.progress import ProgressReporter

pytestmark = pytest.mark.unit


def instructions(running: Emulator) -> str:
    """Return what `up` prints after a deployment to this emulator."""
    out = io.StringIO()
    lifecycle._print_instructions(
        running, {"frontend": {"region": "us-east-1"}}, ProgressReporter(Console(file=out, width=200))
    )
    return out.getvalue()


def test_up_prints_that_it_chose_another_port_and_how_to_use_another_folder_and_to_install_spark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_process, "is_installed", lambda: False)
    text = instructions(Emulator(1, 31_461, tmp_path))
    assert text.startswith("outputs\n  frontend\n    region  us-east-1\nAWS endpoint  http://127.0.0.1:31461  ")
    assert f"another program uses port {emulator.PORT}, so the platform chose 31461" in text
    for command in ("console", "down"):
        assert f"`.venv/bin/python -m local {command} --folder {tmp_path}`" in text
    assert "`make .venv-spark/.locked` installs it" in text
    assert ENGLISH_ONLY in text


def test_up_prints_the_make_targets_for_its_usual_folder_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_process, "is_installed", lambda: True)
    text = instructions(Emulator(1, emulator.PORT, emulator.FOLDER))
    assert "`make console` serves" in text
    assert "another program" not in text
    assert "Spark" not in text


def test_a_command_that_needs_the_platform_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(FrontendUnavailable, match="make up"):
        read_frontend(tmp_path)
