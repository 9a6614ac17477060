"""Tests of the field descriptions of JSON models, which only the generated documents need."""

import importlib.util
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from handlers.common import json_models


def reload_models() -> ModuleType:
    """Return a new instance of the module, like in another process."""
    assert json_models.__file__ is not None
    spec = importlib.util.spec_from_file_location("json_models_anew", json_models.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def define_model(module: ModuleType) -> type[BaseModel]:
    base: Any = module.Message

    class Described(base):  # type: ignore[misc]
        id: str
        """Id of a thing."""

    return Described


def test_the_docstring_below_a_field_describes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    assert define_model(reload_models()).model_fields["id"].description == "Id of a thing."


def test_a_lambda_function_does_not_read_its_sources_for_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "function")
    model = define_model(reload_models())
    assert model.model_fields["id"].description is None
    assert model.model_validate({"id": "a", "more": 1}).model_dump() == {"id": "a"}
