"""Tests of the tag that identifies the content of the media job's image."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.meetings import media_image
from local import ROOT

CODE = ("components/__init__.py", "components/handler_archive.py", "components/meetings/__init__.py")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy of the files from which the workflow computes the tag."""
    folder = tmp_path_factory.mktemp("checkout")
    for path in (*CODE, "components/meetings/media_image.py", "requirements/media.txt"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    shutil.copytree(ROOT / "handlers", folder / "handlers", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def print_tag(checkout: Path) -> str:
    """Return the tag as the workflow reads it, in Python without installed packages."""
    command = [sys.executable, "-S", "-B", "-m", "components.meetings.media_image"]
    return subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def test_the_workflow_pushes_with_the_tag_that_the_program_looks_for(checkout: Path) -> None:
    assert print_tag(checkout) == media_image.get_tag()


@pytest.mark.parametrize(
    ("path", "is_other_image"),
    [
        ("handlers/meetings/media_job/Dockerfile", True),
        ("handlers/meetings/media_job/ffmpeg.py", True),
        ("handlers/common/logging.py", True),
        ("requirements/media.txt", True),
        ("handlers/meetings/start/handler.py", False),
    ],
)
def test_only_files_that_the_job_uses_make_another_image(path: str, is_other_image: bool, checkout: Path) -> None:
    content = (checkout / path).read_text()
    (checkout / path).write_text(f"{content}# changed\n")
    assert (print_tag(checkout) != media_image.get_tag()) == is_other_image
    (checkout / path).write_text(content)
