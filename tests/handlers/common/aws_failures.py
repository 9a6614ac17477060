"""Failures of AWS calls as botocore raises them, and a helper that makes calls of a DynamoDB client fail with them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError


def client_error(code: str, status: int = 400) -> ClientError:
    """Return an error answer of a service."""
    return ClientError(
        {"Error": {"Code": code, "Message": "canary"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "GetItem",
    )


@dataclass
class DynamoDbFailures:
    """Failures that a test injects into calls of a DynamoDB client."""

    client: Any
    monkeypatch: pytest.MonkeyPatch

    def fail(self, error: Exception, *calls: str, times: int = 1_000) -> None:
        """Let the next calls of these operations fail."""
        for name in calls:
            self.monkeypatch.setattr(self.client, name, self._failing(getattr(self.client, name), error, times))

    @staticmethod
    def _failing(original: Callable[..., Any], error: Exception, times: int) -> Callable[..., Any]:
        failures = iter([error] * times)

        def call(**request: Any) -> Any:
            if (failure := next(failures, None)) is not None:
                raise failure
            return original(**request)

        return call
