"""Tests of the field descriptions of messages, which only the generated documents need."""

import importlib.util
import sys
from types import ModuleType

import pytest
from pydantic import BaseModel

from handlers.common.websocket import messages


def reload_messages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a new instance of the module, like in another process."""
    assert messages.__file__ is not None
    spec = importlib.util.spec_from_file_location("messages_anew", messages.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # pydantic finds the sources by the module's name
    spec.loader.exec_module(module)
    return module


def id_description(module: ModuleType) -> str | None:
    request: type[BaseModel] = module.ClientMessage
    return request.model_fields["id"].description


def test_the_docstring_below_a_field_describes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    assert (
        id_description(reload_messages(monkeypatch))
        == "Id that the client chooses for this message. The answer repeats it."
    )


def test_a_lambda_function_does_not_read_its_sources_for_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "function")
    module = reload_messages(monkeypatch)
    assert id_description(module) is None
    assert module.ClientMessage.model_validate({"id": "a", "more": 1}).id == "a"
