"""Tests of the image as far as its Dockerfile shows it: its contents, its user and its entry point."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from handlers.meetings.media_job.environment import MediaDeployment
from local import ROOT
from local.emulation.batch.job_processes import IMAGES

FOLDER = ROOT / "handlers" / "meetings" / "media_job"
TEXT = (FOLDER / "Dockerfile").read_text()
LINES = re.sub(r"\\\n\s*", "", TEXT).splitlines()
LOCK = (ROOT / "requirements" / "media.txt").read_text()
COPIED = [line.split()[1:3] for line in LINES if line.startswith("COPY")]
OPTIONAL = {"certifi", "setuptools"}
"""botocore uses certifi if it is installed, and its own certificates otherwise. setuptools hooks itself into every
interpreter start.
"""
LOADED = """
import sys
sys.path.insert(0, sys.argv[1])
import handlers.meetings.media_job.__main__
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""


def instruction(name: str) -> str:
    """Return the arguments of the last instruction of a kind."""
    return [line.removeprefix(f"{name} ") for line in LINES if line.startswith(f"{name} ")][-1]


def test_the_image_is_pinned_runs_without_a_shell_and_not_as_root() -> None:
    assert re.fullmatch(r"python:3\.13\.\d+-slim-[a-z]+", instruction("FROM"))
    assert json.loads(instruction("ENTRYPOINT")) == ["python", "-m", "handlers.meetings.media_job"]
    assert not [line for line in LINES if line.startswith("CMD")]
    assert int(instruction("USER")) >= 1000


def test_packages_are_installed_from_the_lock_file() -> None:
    assert "--require-hashes --requirement /tmp/media.txt" in TEXT
    assert "--only-binary :all:" in TEXT, "packages must not be compiled from unreviewed sources"


def test_the_image_contains_no_other_files_of_the_project() -> None:
    allowed = {"requirements/media.txt", "handlers/__init__.py", "handlers/common", "handlers/meetings"}
    assert {source for source, _ in COPIED} == allowed
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {pattern.removeprefix("!") for pattern in ignored if pattern.startswith("!")} == allowed


def test_the_local_platform_runs_the_modules_of_the_image() -> None:
    image = IMAGES["meetings-media-images"]
    assert json.loads(instruction("ENTRYPOINT")) == ["python", "-m", image.module]
    assert {source for source, _ in COPIED if source.startswith("handlers")} == set(image.packages)
    assert dict(assignment.split("=") for assignment in instruction("ENV").split()) == image.variables
    places = {name.upper(): field.default for name, field in MediaDeployment.model_fields.items()}
    assert set(image.paths) == {"FFMPEG", "SCRATCH_FOLDER"}
    assert f"--mode 0700 {places['SCRATCH_FOLDER']}" in TEXT, "the image creates the scratch folder"
    assert places["FFMPEG"] == "/usr/bin/ffmpeg", "the path in Debian"


def test_the_image_contains_everything_that_the_job_imports(tmp_path: Path) -> None:
    for source, target in COPIED:
        if source.startswith("handlers"):
            place = tmp_path / Path(target).relative_to("/app")
            place.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, place)
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-B", "-c", LOADED, str(tmp_path)], check=True, capture_output=True, text=True
    )
    locked = set(re.findall(r"^([a-z0-9_.-]+)==", LOCK, re.MULTILINE))
    known = packages_distributions()
    found = {name for module in done.stdout.split() for name in known.get(module, ())}
    assert {package.lower().replace("_", "-") for package in found} - OPTIONAL <= locked
    assert "boto3" in found
