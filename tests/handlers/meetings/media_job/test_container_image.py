"""Tests of the media job's container image: its contents, user and entry point, as its Dockerfile describes them."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from handlers.meetings.environment import MediaDeployment
from local import ROOT
from local.emulation.batch.job_processes import IMAGES

FOLDER = ROOT / "handlers" / "meetings" / "media_job"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
INSTRUCTIONS = re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
LOCK_FILE = (ROOT / "requirements" / "media.txt").read_text()
COPIED_PATHS = [line.split()[1:3] for line in INSTRUCTIONS if line.startswith("COPY")]
"""Source and target of each path that is copied into the image."""
OPTIONAL_PACKAGES = {"certifi", "setuptools"}
"""Packages that are loaded if they are installed, but that the job does not need. botocore has certificates of its own
in place of certifi, and setuptools loads itself whenever Python starts.
"""
PRINT_IMPORTED_PACKAGES = """
import sys
sys.path.insert(0, sys.argv[1])
import handlers.meetings.media_job.__main__
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""


def instruction(name: str) -> str:
    """Return the arguments of the last instruction of a kind."""
    return [line.removeprefix(f"{name} ") for line in INSTRUCTIONS if line.startswith(f"{name} ")][-1]


def test_the_base_image_is_pinned_and_the_job_runs_without_a_shell_and_not_as_root() -> None:
    assert re.fullmatch(r"python:3\.13\.\d+-slim-[a-z]+", instruction("FROM"))
    assert not [line for line in INSTRUCTIONS if line.startswith("CMD")]
    assert int(instruction("USER")) >= 1000


def test_packages_are_installed_from_the_lock_file() -> None:
    assert "--require-hashes --requirement /tmp/media.txt" in DOCKERFILE
    assert "--only-binary :all:" in DOCKERFILE, "packages must not be compiled from unreviewed sources"


def test_the_image_contains_no_other_files_of_the_project() -> None:
    allowed = {"requirements/media.txt", "handlers/__init__.py", "handlers/common", "handlers/meetings"}
    assert {source for source, _ in COPIED_PATHS} == allowed
    ignore_patterns = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignore_patterns
    assert {pattern.removeprefix("!") for pattern in ignore_patterns if pattern.startswith("!")} == allowed


def test_the_local_platform_runs_the_job_with_the_modules_and_variables_of_the_image() -> None:
    image = IMAGES["meetings-media-images"]
    assert json.loads(instruction("ENTRYPOINT")) == ["python", "-m", image.module]
    assert {source for source, _ in COPIED_PATHS if source.startswith("handlers")} == set(image.packages)
    assert dict(assignment.split("=") for assignment in instruction("ENV").split()) == image.variables
    default_values = {name.upper(): field.default for name, field in MediaDeployment.model_fields.items()}
    assert set(image.paths) == {"FFMPEG", "SCRATCH_FOLDER"}, "only these variables have other values than in the image"
    assert f"--mode 0700 {default_values['SCRATCH_FOLDER']}" in DOCKERFILE, "the image must create the scratch folder"
    assert default_values["FFMPEG"] == "/usr/bin/ffmpeg", "Debian installs ffmpeg at this path"


def test_the_image_contains_everything_that_the_job_imports(tmp_path: Path) -> None:
    for source, target in COPIED_PATHS:
        if source.startswith("handlers"):
            path = tmp_path / Path(target).relative_to("/app")
            path.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, path)
    command = [sys.executable, "-I", "-B", "-c", PRINT_IMPORTED_PACKAGES, str(tmp_path)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    locked_packages = set(re.findall(r"^([a-z0-9_.-]+)==", LOCK_FILE, re.MULTILINE))
    packages_by_module = packages_distributions()
    imported_packages = {name for module in process.stdout.split() for name in packages_by_module.get(module, ())}
    assert {package.lower().replace("_", "-") for package in imported_packages} - OPTIONAL_PACKAGES <= locked_packages
    assert "boto3" in imported_packages
