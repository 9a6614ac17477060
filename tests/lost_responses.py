"""Simulation of AWS calls whose response is lost, so that botocore repeats them."""

from collections.abc import Callable
from typing import Any

import pytest


def repeat_every_call(
    client: Any, method: str, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Let every later call of a method run twice, with `meanwhile` in between. The caller gets the second response."""
    original = getattr(client, method)

    def call_twice(**parameters: Any) -> Any:
        original(**parameters)
        with monkeypatch.context() as patched:
            patched.setattr(client, method, original)
            meanwhile()
        return original(**parameters)

    monkeypatch.setattr(client, method, call_twice)
