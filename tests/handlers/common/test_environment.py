"""Test of the environment variables of a function, which the deployment sets and the function reads."""

import pytest

from handlers.common.environment import HandlerEnvironment


class SampleEnvironment(HandlerEnvironment):
    table_name: str
    is_enabled: bool = True
    share: float = 0.5
    issuer: str | None = None


def test_a_function_reads_the_variables_that_the_deployment_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = SampleEnvironment(table_name="t", is_enabled=False)
    variables = environment.variables()
    assert variables == {"LOG_LEVEL": "INFO", "TABLE_NAME": "t", "IS_ENABLED": "false", "SHARE": "0.5"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert SampleEnvironment.read() == environment
