"""Fixture for tests of `make push` and `make watch`."""

from pathlib import Path

import pytest

from tests.handler_tree import use_handler_tree
from tests.local.platform.fake_platform_lambda import FakePlatformLambda, use_fake_platform


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePlatformLambda:
    """Return a fake platform with the functions of a small tree of handlers, which are in the test's folder."""
    use_handler_tree(monkeypatch, tmp_path)
    return use_fake_platform(monkeypatch, tmp_path)
