"""Calls of AWS whose answer is lost: they were made, and botocore makes them again."""

from typing import Any

import pytest


def repeated(client: Any, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is asked for again; whoever called has the second answer."""
    once = getattr(client, call)

    def twice(**asked: Any) -> Any:
        once(**asked)
        return once(**asked)

    monkeypatch.setattr(client, call, twice)
