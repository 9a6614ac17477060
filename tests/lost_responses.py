"""AWS calls whose response is lost. botocore repeats such a call."""

from collections.abc import Callable
from typing import Any

import pytest


def repeat_next_call(
    client: Any, call: str, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Execute the next call twice, with `meanwhile` in between. The caller gets the second response."""
    original = getattr(client, call)

    def call_twice(**parameters: Any) -> Any:
        original(**parameters)
        with monkeypatch.context() as patched:
            patched.setattr(client, call, original)
            meanwhile()
        return original(**parameters)

    monkeypatch.setattr(client, call, call_twice)
