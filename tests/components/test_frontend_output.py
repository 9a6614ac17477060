"""Tests of the stack output `frontend`: validated against its model, and complete except for unknown values."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from components.blocks.messaging.queue import Queue, QueueArgs
from components.frontend_output import build_frontend
from local.preview.property_value_conversion import UNKNOWN
from tests.fake_engine import Engine, scope

INGESTION = {"bucket": "landing", "prefix": "incoming/", "table": "files", "suffixes": [".json"], "max_file_bytes": 5}
TRANSCRIPTION: Mapping[str, pulumi.Input[object]] = {
    "url": "wss://a/live",
    "protocol": "p.v1",
    "ping_seconds": 300,
    "in_flight": 3,
    "session_hours": 4,
    "languages": ["en-US"],
    "routes": ["open"],
}
INGESTION_OUTPUT, TRANSCRIPTION_OUTPUT = (
    {to_camel(name): value for name, value in values.items()} for values in (INGESTION, TRANSCRIPTION)
)


def frontend_output(**subsystems: Mapping[str, Any] | None) -> dict[str, Any]:
    return build_frontend("dev", "us-east-1", subsystems)


def preview_output(engine: Engine, transcription: Mapping[str, Any], late: str) -> Any:
    """Return the output at preview, if the field `late` has an unknown value."""

    def program() -> None:
        url = Queue("intake", QueueArgs(scope(), "Intake", consumer_timeout_seconds=1)).url
        component = frontend_output(ingestion=INGESTION, transcription={**transcription, late: url})
        pulumi.ComponentResource("polyphony:tests:Shown", "shown", {"frontend": component})

    (component,) = [resource for resource in engine.run(program).graph if resource.name == "shown"]
    return component.inputs["frontend"]


def test_fields_have_camel_case_names_and_a_disabled_subsystem_is_absent() -> None:
    assert frontend_output(ingestion=INGESTION, transcription=None) == {
        "schemaVersion": 1,
        "environment": "dev",
        "region": "us-east-1",
        "ingestion": INGESTION_OUTPUT,
    }
    assert INGESTION_OUTPUT["maxFileBytes"] == 5


def test_only_the_url_is_unknown_at_preview(engine: Engine) -> None:
    preview = preview_output(engine, TRANSCRIPTION, late="url")
    assert preview["transcription"] == {**TRANSCRIPTION_OUTPUT, "url": UNKNOWN}
    assert preview["ingestion"] == INGESTION_OUTPUT


def test_several_unknown_values_are_not_mixed_up(engine: Engine) -> None:
    preview: list[str] = []

    def program() -> None:
        values = {
            **TRANSCRIPTION,
            "url": pulumi.Output.from_input("wss://b"),
            "protocol": pulumi.Output.from_input("q"),
        }
        component = frontend_output(
            transcription=values, ingestion={**INGESTION, "bucket": pulumi.Output.from_input("c")}
        )
        pulumi.Output.all(
            component["transcription"]["url"], component["transcription"]["protocol"], component["ingestion"]["bucket"]
        ).apply(preview.extend)

    engine.run(program)
    assert preview == ["wss://b", "q", "c"]


def test_a_missing_field_stops_the_preview() -> None:
    with pytest.raises(ValidationError, match=r"transcription\.inFlight\n  Field required"):
        frontend_output(transcription={name: value for name, value in TRANSCRIPTION.items() if name != "in_flight"})


def test_an_unexpected_field_stops_the_preview_even_if_its_value_is_unknown(engine: Engine) -> None:
    with pytest.raises(ValidationError, match=r"transcription\.token\n  Extra inputs"):
        frontend_output(transcription={**TRANSCRIPTION, "token": "known"})
    with pytest.raises(ValidationError, match=r"transcription\.token\n  Extra inputs"):
        preview_output(engine, TRANSCRIPTION, late="token")


def test_a_subsystem_with_fields_of_another_model_stops_the_preview() -> None:
    with pytest.raises(ValidationError, match="meetings"):
        frontend_output(meetings={"url": "https://a"})


def test_a_value_of_the_wrong_type_stops_the_preview() -> None:
    with pytest.raises(ValidationError, match=r"transcription\.in_flight"):
        frontend_output(transcription={**TRANSCRIPTION, "in_flight": "many"})


def test_the_identity_provider_is_a_part_of_the_output() -> None:
    identity = {"auth": "oidc", "issuer": "https://login.example.com/", "audience": "polyphony"}
    assert frontend_output(identity=identity)["identity"] == identity
    assert "identity" not in frontend_output(identity=None), "a stack without provider"
