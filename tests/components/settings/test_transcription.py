"""Transcription's settings: the document's numbers by default, and ranges that hold at their edges."""

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from components.settings import SettingsError, TranscriptionSettings, load
from components.settings.transcription import CaptionSettings
from handlers.transcription.environment import ProcessorEnvironment, RouterEnvironment
from handlers.transcription.thresholds import SessionSettings
from tests.components.settings.ranges import AboveNothing, Ranges, Section, numbers
from tests.components.settings.test_loader import config, problems

RANGES: Ranges = {
    "load.utterancesPerDay": (1, None, "an integer of at least 1"),
    "captions.minStabilityThreshold": (0, 1, "a number from 0 to 1"),
    "captions.maxBufferTimeout": (0.5, 10, "a number from 0.5 to 10"),
    "captions.pauseThreshold": (0.2, 5, "a number from 0.2 to 5"),
    "captions.orphanTimeout": (5, 60, "a number from 5 to 60"),
    "captions.maxRatePerSecond": (1, 20, "an integer from 1 to 20"),
    "captions.dedupCacheTtl": (0, 60, "an integer from 0 to 60"),
    "sessions.inFlight": (1, 8, "an integer from 1 to 8"),
    "sessions.perUser": (1, 100, "an integer from 1 to 100"),
    "sessions.directSeconds": (1, 300, "an integer from 1 to 300"),
    "sessions.pingSeconds": (30, 540, "an integer from 30 to 540"),
    "socket.requestsPerSecond": (1, 10_000, "an integer from 1 to 10000"),
    "socket.burst": (1, 5_000, "an integer from 1 to 5000"),
    "socket.clientErrorsAbove": (0, None, "an integer of at least 0"),
    "socket.refusedConnectionsAbove": (0, None, "an integer of at least 0"),
    "sessions.hours": (0.1, 6, "a number from 0.1 to 6"),
    "router.timeoutSeconds": (1, 29, "an integer from 1 to 29"),
    "alarms.latencyMs": (100, None, "an integer of at least 100"),
    "alarms.droppedPerMinute": (1, None, "an integer of at least 1"),
    "alarms.orphans": (1, None, "an integer of at least 1"),
    "alarms.fallbacks": (1, None, "an integer of at least 1"),
    "alarms.givenUp": (1, None, "an integer of at least 1"),
    "alarms.errors": (0, None, "an integer of at least 0"),
    "alarms.throttles": (0, None, "an integer of at least 0"),
    "alarms.memoryPercent": (10, 100, "an integer from 10 to 100"),
    "audioProcessor.memoryMb": (128, 10_240, "an integer from 128 to 10240"),
    "audioProcessor.reservedConcurrency": (1, 1_000, "an integer from 1 to 1000 or nothing"),
    "audioProcessor.provisionedConcurrency": (0, 100, "an integer from 0 to 100"),
    "router.memoryMb": (128, 10_240, "an integer from 128 to 10240"),
    "router.reservedConcurrency": (1, 1_000, "an integer from 1 to 1000 or nothing"),
    "router.provisionedConcurrency": (0, 100, "an integer from 0 to 100"),
}
ABOVE_NOTHING: AboveNothing = {
    "load.utteranceSeconds": (5, "a number above 0, up to 5"),
    "load.captionsPerUtterance": (None, "a number above 0"),
    "load.sessionMinutes": (None, "a number above 0"),
}
RULED = {
    "sessions.streamQuota",  # one user must not hold all streams
    "audioProcessor.timeoutSeconds",  # an utterance has to fit
}
"""What depends on something else: each has a test below."""


def at(key: str, value: object) -> dict[str, str]:
    """A stack whose transcription has one setting changed."""
    section, _, name = key.rpartition(".")
    # What one user may hold depends on three of them: here the quota is wide enough for any.
    others = {"streamQuota": 10_000} if section == "sessions" and name != "streamQuota" else {}
    return config(transcription={section: {**others, name: value}} if section else {name: value})


SECTION = Section("transcription", "transcription", at)


@pytest.mark.parametrize("key", RANGES)
def test_a_range_holds_at_its_edges(key: str) -> None:
    SECTION.holds_at_its_edges(key, *RANGES[key])


@pytest.mark.parametrize("key", ABOVE_NOTHING)
def test_what_must_be_more_than_nothing_may_be_little(key: str) -> None:
    SECTION.may_be_little(key, *ABOVE_NOTHING[key])


def test_every_number_has_its_range_listed_here() -> None:
    assert set(numbers(TranscriptionSettings)) == {*RANGES, *ABOVE_NOTHING, *RULED}


def schemas(model: type[BaseModel]) -> dict[str, Any]:
    """What each field takes, besides nothing."""
    found = {}
    for name, field in model.model_fields.items():
        schema = TypeAdapter(field.rebuild_annotation()).json_schema()
        (found[name],) = [one for one in schema.get("anyOf", [schema]) if one["type"] != "null"]
    return found


def test_a_session_may_ask_for_what_a_deployment_may_say_and_a_handler_takes() -> None:
    asked, said, read = (schemas(one) for one in (SessionSettings, CaptionSettings, ProcessorEnvironment))
    assert asked == said
    assert {name: read[name] for name in said} == said


def test_one_user_holds_fewer_streams_than_the_account_may_have() -> None:
    fits = {"sessions": {"inFlight": 4, "perUser": 2, "streamQuota": 9}}
    assert load(config(transcription=fits), "dev").transcription.sessions.in_flight == 4
    [problem] = problems(config(transcription={"sessions": {"inFlight": 4, "perUser": 2, "streamQuota": 8}}))
    assert problem.startswith(
        "transcription.sessions.inFlight = 4: less than streamQuota (8) through perUser (2): each"
    )


def test_log_lines_that_alarms_read_are_written_as_they_read_them() -> None:
    plain = {"transcription": {"structuredLogging": False}}
    assert load(config(**plain), "dev").transcription.structured_logging is False
    with pytest.raises(SettingsError, match="an alarm reads JSON lines"):
        load(config(environment="prod", **plain), "prod")
    [problem] = problems(config(ingestion={"logLevel": "WARNING"}))
    assert "an alarm reads lines of level INFO" in problem


@pytest.mark.parametrize("languages", [[], ["english"], ["en"], "en-US"])
def test_languages_are_named_as_transcribe_names_them(languages: object) -> None:
    assert problems(at("sessions.languages", languages))


@pytest.mark.parametrize("value", [0, 10_001])
def test_the_quota_is_one_that_an_account_can_have(value: int) -> None:
    assert problems(at("sessions.streamQuota", value)) == [
        f"transcription.sessions.streamQuota = {value}: allowed is an integer from 1 to 10000"
    ]


def test_an_utterance_fits_into_the_processors_time() -> None:
    assert SECTION.accepted("audioProcessor.timeoutSeconds", 15) == 15
    assert SECTION.accepted("audioProcessor.timeoutSeconds", 900) == 900
    assert problems(at("audioProcessor.timeoutSeconds", 14)) == [
        "transcription.audioProcessor.timeoutSeconds = 14: at least 15: an utterance takes its own length, and the answer some time"
    ]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("caption", "transcription.caption: is not a setting; did you mean captions?"),
        (
            "captions.maxRatePerSec",
            "transcription.captions.maxRatePerSec: is not a setting; did you mean maxRatePerSecond?",
        ),
        (
            "audio_processor.memoryMb",
            "transcription.audio_processor: is not a setting; did you mean audioProcessor?",
        ),
        ("sessions.inflight", "transcription.sessions.inflight: is not a setting; did you mean inFlight?"),
    ],
)
def test_an_unknown_key_is_an_error_with_a_suggestion(key: str, says: str) -> None:
    assert problems(at(key, 1)) == [says]


def test_the_documents_numbers_are_what_runs_unless_somebody_says_otherwise() -> None:
    settings = load(config(), "dev").transcription
    assert settings.captions.model_dump(by_alias=True) == {
        "partialResultsEnabled": True,
        "minStabilityThreshold": 0.85,
        "maxBufferTimeout": 5.0,
        "pauseThreshold": 2.0,
        "orphanTimeout": 15.0,
        "maxRatePerSecond": 5,
        "dedupCacheTtl": 10,
    }
    processor = settings.audio_processor
    assert (processor.memory_mb, processor.timeout_seconds, processor.reserved_concurrency) == (512, 60, None)
    assert (settings.log_level, settings.structured_logging) == ("INFO", True)


def test_one_setting_of_the_router_leaves_its_others_as_they_were() -> None:
    assert load(config(transcription={"router": {"memoryMb": 1024}}), "dev").transcription.router.timeout_seconds == 20


@pytest.mark.parametrize("hours", [0.1, 6])
def test_how_long_a_session_lasts_is_what_the_router_takes(hours: float) -> None:
    limits = RouterEnvironment.model_fields["session_seconds"].rebuild_annotation()
    seconds = load(at("sessions.hours", hours), "dev").transcription.sessions.hours * 3600
    TypeAdapter(limits).validate_python(int(seconds))
