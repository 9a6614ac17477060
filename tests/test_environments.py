"""What a handler takes for granted where nothing is said, against what a deployment says: one number, in two places."""

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
import pytest

from components.blocks.compute import function, function_environment
from handlers.common.environment import HandlerEnvironment
from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from tests.whole_program import ONE_WORKER

pytestmark = ONE_WORKER
APART = {
    # Where a deployment says something else, and why.
    ("RouterEnvironment", "languages"): "a deployment names all that it serves; by itself the handler knows one",
    ("ApiEnvironment", "origin"): "whose pages may ask is the stack file's to say",
    ("AuthEnvironment", "origin"): "whose pages may ask is the stack file's to say",
    ("SweepEnvironment", "sweep_seconds"): "what is left of the function's time, which the settings say",
    ("StorageEnvironment", "count_seconds"): "what is left of the function's time, which the settings say",
}
GIVEN_BY_ALL = "log_level"
"""The stack file's, in every environment."""


def given(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str, Any, Any]]:
    """Of production's functions each variable that has a default: model, field, default, and what is deployed."""
    seen: list[tuple[type[HandlerEnvironment], Mapping[str, object]]] = []
    real = function_environment.environment_variables

    def recorded(model: type[HandlerEnvironment], values: Mapping[str, object], added: Any) -> Any:
        seen.append((model, values))
        return real(model, values, added)

    monkeypatch.setattr(function, "variables", recorded)
    program_run.run(stack_files.read("prod"), PreviewProvider(), preview=True)
    for model, values in seen:
        for name, value in values.items():
            default = model.model_fields[name].default
            says = not model.model_fields[name].is_required() and default not in (None, "")
            if says and name != GIVEN_BY_ALL and not isinstance(value, pulumi.Output):
                yield model.__name__, name, default, value


def test_a_handlers_defaults_are_what_production_runs_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs a handler's code by itself, as `compare_models` does, goes by its defaults."""
    found = list(given(monkeypatch))
    assert len(found) > 50
    differing = {(model, name): (default, value) for model, name, default, value in found if default != value}
    assert set(differing) == set(APART), differing
