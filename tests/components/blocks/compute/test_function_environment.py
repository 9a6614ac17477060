"""A function's environment is built from the model that its handler reads."""

import pulumi
import pytest
from pydantic import ValidationError

from components.blocks.compute.function_environment import (
    RESERVED,
    InvalidEnvironment,
    check_limits,
    environment_variables,
)
from handlers.common.environment import HandlerEnvironment
from tests.fake_engine import Engine


class Sample(HandlerEnvironment):
    table_name: str
    enabled: bool = True
    threshold: float = 0.85


def test_values_are_written_as_the_handler_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    made = environment_variables(Sample, {"table_name": "t", "enabled": False}, {})
    assert made == {"LOG_LEVEL": "INFO", "TABLE_NAME": "t", "ENABLED": "false", "THRESHOLD": "0.85"}
    for name, value in made.items():
        assert isinstance(value, str)
        monkeypatch.setenv(name, value)
    assert Sample.read() == Sample(table_name="t", enabled=False)


def test_a_value_that_the_handler_does_not_know_or_misses_is_refused() -> None:
    with pytest.raises(InvalidEnvironment, match="Sample has no tabel_name; it has enabled, log_level, table_name"):
        environment_variables(Sample, {"tabel_name": "t"}, {})
    with pytest.raises(ValidationError, match="TABLE_NAME"):
        environment_variables(Sample, {}, {})


def test_a_value_that_only_aws_knows_is_checked_as_soon_as_it_is_known(engine: Engine) -> None:
    found: dict[str, object] = {}

    def program() -> None:
        made = environment_variables(
            Sample, {"table_name": pulumi.Output.from_input("t")}, {"POWERTOOLS_SERVICE_NAME": "x"}
        )
        assert isinstance(made, dict)
        assert made["POWERTOOLS_SERVICE_NAME"] == "x", "the others are known at preview"
        table = made["TABLE_NAME"]
        assert isinstance(table, pulumi.Output)
        table.apply(lambda name: found.update(TABLE_NAME=name))

    engine.run(program)
    assert found == {"TABLE_NAME": "t"}


def test_an_added_name_that_lambda_sets_itself_is_refused_however_late_its_value(engine: Engine) -> None:
    def program() -> None:
        for late in ("us-east-1", pulumi.Output.from_input("us-east-1")):
            with pytest.raises(InvalidEnvironment, match="AWS_REGION: Lambda sets this itself"):
                environment_variables(Sample, {"table_name": "t"}, {"AWS_REGION": late})

    engine.run(program)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_name_that_lambda_sets_itself_is_refused(name: str) -> None:
    with pytest.raises(InvalidEnvironment, match="Lambda sets this itself"):
        check_limits({name: "x"})


def test_an_environment_above_four_kilobytes_is_refused() -> None:
    assert check_limits({"A": "x" * 4095})
    with pytest.raises(InvalidEnvironment, match="has 4097 bytes, Lambda takes 4096"):
        check_limits({"A": "x" * 4096})
