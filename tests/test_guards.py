"""Guards of the test suite: no internet, no mistyped paths, and no silently skipped tests of the Pulumi CLI."""

import socket
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.conftest import pytest_configure
from tests.end_to_end.pulumi_cli.conftest import CLI_REQUIRED_VARIABLE, find_pulumi_cli


def test_a_test_that_connects_to_the_internet_fails() -> None:
    with pytest.raises(AssertionError, match="loopback only"), socket.socket() as connection:
        connection.connect(("192.0.2.1", 80))


def test_a_path_that_does_not_exist_is_named(pytestconfig: pytest.Config) -> None:
    config = Mock(args=["tests/test_guards.py::test", "tests/typo"], invocation_params=pytestconfig.invocation_params)
    with pytest.raises(pytest.UsageError, match="tests/typo does not exist"):
        pytest_configure(config)


def test_a_missing_pulumi_cli_skips_its_tests_unless_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(CLI_REQUIRED_VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="not on the PATH"):
        find_pulumi_cli()
    monkeypatch.setenv(CLI_REQUIRED_VARIABLE, "1")
    with pytest.raises(pytest.fail.Exception, match=f"{CLI_REQUIRED_VARIABLE} is set"):
        find_pulumi_cli()
    (tmp_path / "pulumi").touch(mode=0o700)
    assert find_pulumi_cli() == tmp_path / "pulumi"
