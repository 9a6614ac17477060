"""Tests of a function's environment variables, which are built from its handler's model."""

import pulumi
import pytest
from pydantic import ValidationError

from components.blocks.environment import InvalidEnvironment, environment_variables
from handlers.common.environment import HandlerEnvironment
from tests.fake_engine import Engine


class SampleEnvironment(HandlerEnvironment):
    table_name: str
    enabled: bool = True
    threshold: float = 0.85


def test_unknown_and_missing_values_are_refused() -> None:
    with pytest.raises(
        InvalidEnvironment, match=r"no field tabel_name\. Its fields are enabled, log_level, table_name"
    ):
        environment_variables(SampleEnvironment, {"tabel_name": "t"})
    with pytest.raises(ValidationError, match="TABLE_NAME"):
        environment_variables(SampleEnvironment, {})


def test_only_the_variable_of_a_late_value_is_late(engine: Engine) -> None:
    known: list[str] = []

    def program() -> None:
        values = {"table_name": pulumi.Output.from_input("t"), "enabled": False}
        variables = environment_variables(SampleEnvironment, values)
        assert (variables["ENABLED"], variables["THRESHOLD"]) == ("false", "0.85")
        pulumi.Output.from_input(variables["TABLE_NAME"]).apply(known.append)

    engine.run(program)
    assert known == ["t"]


def test_a_late_value_is_validated_once_it_is_known(engine: Engine) -> None:
    def program() -> None:
        environment_variables(SampleEnvironment, {"table_name": pulumi.Output.from_input(None)})

    with pytest.raises(ValidationError, match="table_name"):
        engine.run(program)
