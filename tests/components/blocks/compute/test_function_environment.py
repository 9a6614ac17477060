"""Tests of a function's environment variables, which are built from its handler's model."""

import pulumi
import pytest
from pydantic import ValidationError

from components.blocks.compute.function_environment import InvalidEnvironment, check_limits, environment_variables
from handlers.common.environment import HandlerEnvironment
from tests.fake_engine import Engine


class SampleEnvironment(HandlerEnvironment):
    table_name: str
    enabled: bool = True
    threshold: float = 0.85


def test_values_are_written_as_the_handler_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = environment_variables(SampleEnvironment, {"table_name": "t", "enabled": False}, {})
    assert variables == {"LOG_LEVEL": "INFO", "TABLE_NAME": "t", "ENABLED": "false", "THRESHOLD": "0.85"}
    for name, value in variables.items():
        assert isinstance(value, str)
        monkeypatch.setenv(name, value)
    assert SampleEnvironment.read() == SampleEnvironment(table_name="t", enabled=False)


def test_unknown_and_missing_values_are_refused() -> None:
    with pytest.raises(
        InvalidEnvironment,
        match=r"SampleEnvironment has no field tabel_name\. Its fields are enabled, log_level, table_name",
    ):
        environment_variables(SampleEnvironment, {"tabel_name": "t"}, {})
    with pytest.raises(ValidationError, match="TABLE_NAME"):
        environment_variables(SampleEnvironment, {}, {})


def test_an_unknown_value_is_validated_once_it_is_known(engine: Engine) -> None:
    known_variables: dict[str, object] = {}

    def program() -> None:
        variables = environment_variables(
            SampleEnvironment, {"table_name": pulumi.Output.from_input("t")}, {"POWERTOOLS_SERVICE_NAME": "x"}
        )
        assert isinstance(variables, dict)
        assert variables["POWERTOOLS_SERVICE_NAME"] == "x", "the other variables are known at preview"
        table = variables["TABLE_NAME"]
        assert isinstance(table, pulumi.Output)
        table.apply(lambda name: known_variables.update(TABLE_NAME=name))

    engine.run(program)
    assert known_variables == {"TABLE_NAME": "t"}


def test_an_added_variable_that_lambda_sets_itself_is_refused_even_if_its_value_is_unknown(engine: Engine) -> None:
    def program() -> None:
        for region in ("us-east-1", pulumi.Output.from_input("us-east-1")):
            with pytest.raises(InvalidEnvironment, match="AWS_REGION: Lambda sets this variable itself"):
                environment_variables(SampleEnvironment, {"table_name": "t"}, {"AWS_REGION": region})

    engine.run(program)


def test_an_environment_above_four_kilobytes_is_refused() -> None:
    assert check_limits({"A": "x" * 4095})
    with pytest.raises(InvalidEnvironment, match="has 4097 bytes, but Lambda allows 4096"):
        check_limits({"A": "x" * 4096})
