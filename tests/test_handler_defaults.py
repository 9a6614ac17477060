"""Test that the default of each environment variable of a handler equals the value that production deploys."""

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
import pytest

from components.blocks import environment, function
from handlers.common.environment import HandlerEnvironment
from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from tests.whole_program import ONE_WORKER

pytestmark = ONE_WORKER
DIFFERENT_IN_PRODUCTION = {
    # Settings with a different value in production, and the reason.
    ("RouterEnvironment", "languages"): "a deployment lists all languages; the default is one language",
    ("EpisodesApiEnvironment", "origin"): "the stack file names the allowed origins",
    ("AuthEnvironment", "origin"): "the stack file names the allowed origins",
    ("StorageEnvironment", "count_seconds"): "it depends on the function's timeout in the settings",
}
SET_BY_STACK = "log_level"
"""Set by the stack file in every environment."""


def deployed_values(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield model, field, default and deployed value of each variable with a default in production's functions."""
    calls: list[tuple[type[HandlerEnvironment], Mapping[str, object]]] = []
    original = environment.environment_variables

    def record_values(model: type[HandlerEnvironment], values: Mapping[str, object]) -> Any:
        calls.append((model, values))
        return original(model, values)

    monkeypatch.setattr(function, "environment_variables", record_values)
    program_run.run_program(stack_files.read_stack("prod"), PreviewProvider(), preview=True)
    for model, values in calls:
        for name, value in values.items():
            default = model.model_fields[name].default
            has_default = not model.model_fields[name].is_required() and default not in (None, "")
            if has_default and name != SET_BY_STACK and not isinstance(value, pulumi.Output):
                yield model.__name__, name, default, value


def test_handler_defaults_equal_the_production_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that runs a handler outside Lambda, such as `compare_models`, uses the defaults."""
    deployed = list(deployed_values(monkeypatch))
    assert len(deployed) > 40
    differing = {(model, name): (default, value) for model, name, default, value in deployed if default != value}
    assert set(differing) == set(DIFFERENT_IN_PRODUCTION), differing
