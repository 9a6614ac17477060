"""The benchmark of cold starts gives each function what it reads."""

import importlib

import pytest

from benchmarks.imports import ENVIRONMENT, FUNCTIONS
from handlers.common.environment import HandlerEnvironment

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_all_that_a_function_must_be_told_is_there(name: str) -> None:
    module = importlib.import_module(f"handlers.{name}")
    read = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, HandlerEnvironment)]
    assert read
    asked = {field.upper() for one in read for field, about in one.model_fields.items() if about.is_required()}
    assert asked <= ENVIRONMENT.keys()
