"""The output `frontend`: complete at preview but for what only AWS knows, and held against its model at once."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from components.blocks.messaging.queue import Queue, QueueArgs
from components.frontend_output import build_frontend
from local.preview.property_values import UNKNOWN
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
FILES = {"bucket": "landing", "prefix": "incoming/", "table": "files", "suffixes": [".json"], "maxFileBytes": 5}
SHOWN = {
    "url": "wss://a/live",
    "protocol": "p.v1",
    "pingSeconds": 300,
    "inFlight": 3,
    "sessionHours": 4,
    "languages": ["en-US"],
    "routes": ["open"],
}


def made(**subsystems: Mapping[str, Any] | None) -> dict[str, Any]:
    return build_frontend("dev", "us-east-1", subsystems)


def exported(engine: Engine, transcription: Mapping[str, Any], late: str) -> dict[str, Any]:
    """What a preview shows where one field is something that only a deployment knows."""

    def program() -> None:
        url = Queue("intake", QueueArgs(scope(), "Intake", consumer_timeout_seconds=1)).url
        shown = made(ingestion=INGESTION, transcription={**transcription, late: url})
        pulumi.ComponentResource("polyphony:tests:Shown", "shown", {"frontend": shown})

    (shown,) = [one for one in engine.run(program).graph if one.name == "shown"]
    found: dict[str, Any] = shown.inputs["frontend"]
    return found


def test_fields_are_written_as_a_frontend_reads_them() -> None:
    assert made(ingestion=INGESTION, transcription=TRANSCRIPTION) == {
        "schemaVersion": 1,
        "environment": "dev",
        "region": "us-east-1",
        "ingestion": FILES,
        "transcription": SHOWN,
    }


def test_a_subsystem_that_is_off_is_absent() -> None:
    found = made(ingestion=INGESTION, transcription=None)
    assert set(found) == {"schemaVersion", "environment", "region", "ingestion"}


def test_at_preview_the_address_is_unknown_and_all_else_is_known(engine: Engine) -> None:
    found = exported(engine, TRANSCRIPTION, late="url")
    assert found["transcription"] == {**SHOWN, "url": UNKNOWN}
    assert found["ingestion"] == FILES


def test_two_values_that_come_late_are_not_taken_for_each_other(engine: Engine) -> None:
    found: list[str] = []

    def program() -> None:
        given = {**TRANSCRIPTION, "url": pulumi.Output.from_input("wss://b"), "protocol": pulumi.Output.from_input("q")}
        shown = made(transcription=given, ingestion={**INGESTION, "bucket": pulumi.Output.from_input("c")})
        pulumi.Output.all(
            shown["transcription"]["url"], shown["transcription"]["protocol"], shown["ingestion"]["bucket"]
        ).apply(found.extend)

    engine.run(program)
    assert found == ["wss://b", "q", "c"]


def test_a_missing_field_stops_the_preview() -> None:
    with pytest.raises(ValidationError, match=r"transcription\.inFlight\n  Field required"):
        made(transcription={name: value for name, value in TRANSCRIPTION.items() if name != "in_flight"})


def test_a_superfluous_field_stops_the_preview_also_where_its_value_is_not_known_yet(engine: Engine) -> None:
    with pytest.raises(ValidationError, match=r"transcription\.token\n  Extra inputs"):
        made(transcription={**TRANSCRIPTION, "token": "known"})
    with pytest.raises(ValidationError, match=r"transcription\.token\n  Extra inputs"):
        exported(engine, TRANSCRIPTION, late="token")


def test_a_subsystem_that_nobody_described_stops_the_preview() -> None:
    with pytest.raises(ValidationError, match="meetings"):
        made(meetings={"url": "https://a"})


def test_a_value_of_the_wrong_kind_stops_the_preview() -> None:
    with pytest.raises(ValidationError, match=r"transcription\.in_flight"):
        made(transcription={**TRANSCRIPTION, "in_flight": "many"})
