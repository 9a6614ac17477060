"""Tests of the stack output `frontend`, from which web pages and clients read the URLs and names of a stack.

It is validated against its model. In a preview, only the values that AWS generates are unknown.
"""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from components.frontend_output import build_frontend
from tests.fake_engine import Engine

TRANSCRIPTION: Mapping[str, pulumi.Input[object]] = {
    "url": "wss://a/live",
    "protocol": "p.v1",
    "ping_seconds": 300,
    "in_flight": 3,
    "languages": ["en-US"],
    "routes": ["open"],
}


def frontend_output(**parts: Mapping[str, Any]) -> dict[str, Any]:
    return build_frontend("dev", "us-east-1", parts)


def test_several_late_values_are_not_mixed_up(engine: Engine) -> None:
    resolved: list[str] = []

    def program() -> None:
        url, protocol, issuer = (pulumi.Output.from_input(value) for value in ("wss://b", "q", "c"))
        output = frontend_output(
            transcription={**TRANSCRIPTION, "url": url, "protocol": protocol},
            identity={"auth": "oidc", "issuer": issuer, "audience": "a"},
        )
        transcription = output["transcription"]
        assert transcription["pingSeconds"] == 300, "all other values are known at preview"
        outputs = (transcription["url"], transcription["protocol"], output["identity"]["issuer"])
        pulumi.Output.all(*outputs).apply(resolved.extend)

    engine.run(program)
    assert resolved == ["wss://b", "q", "c"]


@pytest.mark.parametrize(
    ("changes", "without", "message"),
    [
        ({}, "in_flight", r"transcription\.inFlight\n  Field required"),
        ({"token": "known"}, "", r"transcription\.token\n  Extra inputs"),
        ({"in_flight": "many"}, "", r"transcription\.in_flight"),
    ],
)
def test_an_invalid_field_stops_the_preview(changes: dict[str, str], without: str, message: str) -> None:
    values = {name: value for name, value in {**TRANSCRIPTION, **changes}.items() if name != without}
    with pytest.raises(ValidationError, match=message):
        frontend_output(transcription=values)
