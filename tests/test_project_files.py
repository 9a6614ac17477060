"""Tests of the lock files: every supported Python can install them, the program needs only its own, and Dependabot
updates each of them.
"""

import re
import subprocess
import sys
from importlib.metadata import distributions, packages_distributions

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from local import ROOT

LOCKS = sorted(
    path.relative_to(ROOT) for path in [*ROOT.glob("requirements/*.txt"), ROOT / "policies/requirements.txt"]
)
DOCKERFILES = sorted(path.relative_to(ROOT) for path in ROOT.glob("handlers/**/Dockerfile"))


@pytest.mark.parametrize("environment", [".venv", ".venv-emulator", ".venv-spark", "policies/.venv"])
def test_every_locked_package_supports_every_supported_python(environment: str) -> None:
    """A lock is generated with one Python, but distributions such as Debian 12 have older patch releases."""
    (packages,) = ROOT.glob(f"{environment}/lib/python*/site-packages")
    found = list(distributions(path=[str(packages)]))
    assert len(found) > 3
    for distribution in found:
        requirement = SpecifierSet(str(distribution.metadata.json.get("requires_python") or ""))
        assert all(python in requirement for python in ("3.11.0", "3.12.0", "3.13.0")), distribution.name


def test_the_program_imports_only_packages_of_its_lock_file() -> None:
    """`pulumi install` installs only them, although `.venv` also has the tools."""
    lock = (ROOT / "requirements/program.txt").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9.-]+)==", lock, re.MULTILINE))
    command = [sys.executable, "-c", "import components.platform, sys; print(*sys.modules)"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S603
    sources = packages_distributions()
    # Python loads setuptools' hook before any program.
    modules = {name.partition(".")[0] for name in output.split()} - {"_distutils_hack"}
    needed = {re.sub("[-_.]+", "-", sources[name][0]).lower() for name in modules if len(sources.get(name, ())) == 1}
    assert "boto3" in needed
    assert needed <= locked


def test_dependabot_updates_every_lock_and_base_image() -> None:
    configuration = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())
    folders = {
        (update["package-ecosystem"], folder.strip("/"))
        for update in configuration["updates"]
        for folder in update.get("directories") or [update["directory"]]
    }
    locks = {("pip", lock.parent.as_posix()) for lock in LOCKS}
    images = {("docker", dockerfile.parent.as_posix()) for dockerfile in DOCKERFILES}
    assert locks
    assert images
    assert locks | images <= folders
