"""Tests of the tag that identifies the content of the media job's image."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.meetings import media_image
from local import ROOT

CODE = ("components/__init__.py", "components/handler_archive.py", "components/meetings/__init__.py")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy of the files from which the workflow computes the tag."""
    for path in (*CODE, "components/meetings/media_image.py", "requirements/media.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    shutil.copytree(ROOT / "handlers", tmp_path / "handlers", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def print_tag(checkout: Path) -> str:
    """Return the tag as the workflow reads it, in Python without installed packages."""
    command = [sys.executable, "-S", "-B", "-m", "components.meetings.media_image"]
    return subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def test_the_tag_changes_only_with_files_that_the_job_uses(checkout: Path) -> None:
    assert print_tag(checkout) == media_image.get_tag()
    for path, is_other_image in {
        "handlers/meetings/media_job/Dockerfile": True,
        "handlers/meetings/media_job/ffmpeg.py": True,
        "handlers/common/logging.py": True,
        "requirements/media.txt": True,
        "handlers/meetings/start/handler.py": False,
    }.items():
        content = (checkout / path).read_text()
        (checkout / path).write_text(f"{content}# changed\n")
        assert (print_tag(checkout) != media_image.get_tag()) == is_other_image, path
        (checkout / path).write_text(content)
