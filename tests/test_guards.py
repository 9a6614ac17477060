"""Guards of the test suite: no internet, and no silently skipped tests of the Pulumi CLI."""

import socket
from pathlib import Path

import pytest

from tests.end_to_end.pulumi_cli.conftest import CLI_REQUIRED_VARIABLE, find_pulumi_cli


def test_a_test_that_connects_to_the_internet_fails() -> None:
    with pytest.raises(AssertionError, match="loopback only"), socket.socket() as connection:
        connection.connect(("192.0.2.1", 80))


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
