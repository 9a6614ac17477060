"""Tests of the field descriptions of JSON models, which only the generated documents need."""

import runpy

import pytest

from handlers.common import json_models


@pytest.mark.parametrize(("function", "description"), [(None, "Id of a thing."), ("function", None)])
def test_docstrings_below_fields_become_their_descriptions_except_in_lambda(
    function: str | None, description: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Lambda, reading the sources for descriptions would delay the cold start."""
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    if function is not None:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", function)
    base = runpy.run_path(str(json_models.__file__))["Message"]

    class Described(base):  # type: ignore[misc, valid-type]
        id: str
        """Id of a thing."""

    assert Described.model_fields["id"].description == description
