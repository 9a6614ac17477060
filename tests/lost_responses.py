"""Calls of AWS whose answer is lost: they were made, and botocore makes them again."""

from collections.abc import Callable
from typing import Any

import pytest


def repeated(
    client: Any, call: str, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """What was done is asked for again, after what happens meanwhile; whoever called has the second answer."""
    once = getattr(client, call)

    def twice(**asked: Any) -> Any:
        once(**asked)
        with monkeypatch.context() as others:
            others.setattr(client, call, once)
            meanwhile()
        return once(**asked)

    monkeypatch.setattr(client, call, twice)
