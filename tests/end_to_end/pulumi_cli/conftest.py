"""Fixtures of the tests that run the Pulumi CLI. They are skipped on a machine without the CLI."""

import os
import shutil
from pathlib import Path

import pytest

REQUIRED = "REQUIRE_PULUMI_CLI"
"""Environment variable that continuous integration sets, so that a missing CLI fails the tests there."""


def find_pulumi_cli() -> Path:
    """Return the path of the Pulumi CLI. Without it, fail the test if it is required, and skip the test otherwise."""
    path = shutil.which("pulumi")
    if path is not None:
        return Path(path)
    reason = "the Pulumi CLI is not on the PATH"
    if os.environ.get(REQUIRED):
        pytest.fail(f"{reason}, but {REQUIRED} is set")
    pytest.skip(f"{reason}, so nothing is tested with the CLI")


@pytest.fixture(scope="session")
def pulumi_cli() -> Path:
    """Return the path of the Pulumi CLI."""
    return find_pulumi_cli()
