"""Tests of the lock files: every supported Python can install them, and Dependabot updates each of them."""

from importlib.metadata import distributions

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
