"""Tests of the stack output `frontend`, from which web pages and clients read the URLs and names of a stack.

It is validated against its model. In a preview, only the values that AWS generates are unknown.
"""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from components.blocks.queue import Queue
from components.frontend_output import build_frontend
from local.property_values import UNKNOWN
from tests.fake_engine import Engine, scope

INGESTION = {
    "bucket": "landing",
    "prefix": "incoming/",
    "table": "files",
    "suffixes": [".json"],
    "max_file_bytes": 5,
    "flush_minutes": 60,
}
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


def frontend_output(**subsystems: Mapping[str, Any]) -> dict[str, Any]:
    return build_frontend("dev", "us-east-1", subsystems)


def preview_output(engine: Engine, unknown_field: str) -> Any:
    """Return the output as a preview records it, if this field of transcription has an unknown value."""

    def program() -> None:
        url = Queue(scope(), "intake", display_name="Intake", consumer_timeout=1).url
        output = frontend_output(ingestion=INGESTION, transcription={**TRANSCRIPTION, unknown_field: url})
        pulumi.ComponentResource("polyphony:tests:Output", "output", {"frontend": output})

    (component,) = [resource for resource in engine.run(program).graph if resource.name == "output"]
    return component.inputs["frontend"]


def test_fields_have_camel_case_names_and_a_disabled_subsystem_is_absent() -> None:
    assert frontend_output(ingestion=INGESTION) == {
        "schemaVersion": 1,
        "environment": "dev",
        "region": "us-east-1",
        "ingestion": INGESTION_OUTPUT,
    }
    assert INGESTION_OUTPUT["maxFileBytes"] == 5


def test_one_unknown_value_leaves_all_other_values_known_at_preview(engine: Engine) -> None:
    preview = preview_output(engine, "url")
    assert preview["transcription"] == {**TRANSCRIPTION_OUTPUT, "url": UNKNOWN}
    assert preview["ingestion"] == INGESTION_OUTPUT


def test_several_unknown_values_are_not_mixed_up(engine: Engine) -> None:
    resolved: list[str] = []

    def program() -> None:
        url, protocol, bucket = (pulumi.Output.from_input(value) for value in ("wss://b", "q", "c"))
        output = frontend_output(
            transcription={**TRANSCRIPTION, "url": url, "protocol": protocol}, ingestion={**INGESTION, "bucket": bucket}
        )
        transcription = output["transcription"]
        outputs = (transcription["url"], transcription["protocol"], output["ingestion"]["bucket"])
        pulumi.Output.all(*outputs).apply(resolved.extend)

    engine.run(program)
    assert resolved == ["wss://b", "q", "c"]


def test_a_missing_field_stops_the_preview() -> None:
    with pytest.raises(ValidationError, match=r"transcription\.inFlight\n  Field required"):
        frontend_output(transcription={name: value for name, value in TRANSCRIPTION.items() if name != "in_flight"})


def test_an_unexpected_field_stops_the_preview_even_if_its_value_is_unknown(engine: Engine) -> None:
    with pytest.raises(ValidationError, match=r"transcription\.token\n  Extra inputs"):
        frontend_output(transcription={**TRANSCRIPTION, "token": "known"})
    with pytest.raises(ValidationError, match=r"transcription\.token\n  Extra inputs"):
        preview_output(engine, "token")


def test_a_value_of_the_wrong_type_stops_the_preview() -> None:
    with pytest.raises(ValidationError, match=r"transcription\.in_flight"):
        frontend_output(transcription={**TRANSCRIPTION, "in_flight": "many"})


def test_the_identity_provider_is_a_part_of_the_output() -> None:
    identity = {"auth": "oidc", "issuer": "https://login.example.com/", "audience": "polyphony"}
    assert frontend_output(identity=identity)["identity"] == identity
