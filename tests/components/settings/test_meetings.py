"""Settings of the meetings backend: the document's numbers, ranges at their edges, and what an environment does not allow."""

from typing import Any

import pytest

from components.settings import load
from components.settings.meetings import MeetingsSettings
from components.settings.meetings_media import Engine
from tests.components.settings.ranges import AboveNothing, Ranges, Section, numbers
from tests.components.settings.test_loader import config, problems
from tests.engine import FOUNDATION

PAGE = "https://app.example.com"
DIGEST = f"sha256:{'0a' * 32}"
IDENTITY = {"issuer": "https://login.example.com/", "audience": "us"}
OIDC = {**FOUNDATION, "identity": IDENTITY}
DAYS = (1, 3650, "an integer from 1 to 3650")
RANGES: Ranges = {
    "load.meetingsPerMonth": (1, None, "an integer of at least 1"),
    "load.encodedShare": (0, 1, "a number from 0 to 1"),
    "exchange.requestsPerSecond": (1, 1_000, "an integer from 1 to 1000"),
    "exchange.burst": (1, 1_000, "an integer from 1 to 1000"),
    "exchange.wafRequests": (10, 2_000_000_000, "an integer from 10 to 2000000000 or nothing"),
    "processing.attempts": (2, 10, "an integer from 2 to 10"),
    "processing.capacityMinutes": (1, 720, "an integer from 1 to 720"),
    "processing.diskGigabytes": (21, 200, "an integer from 21 to 200"),
    "processing.maxVcpus": (1, 16, "an integer from 1 to 16"),
    "processing.pieceSeconds": (1, 3_600, "an integer from 1 to 3600"),
    "speech.maxSpeakers": (2, 30, "an integer from 2 to 30"),
    "processing.pollSeconds": (5, 600, "an integer from 5 to 600"),
    "speech.pollSeconds": (5, 600, "an integer from 5 to 600"),
    "speech.maxMinutes": (5, 1_440, "an integer from 5 to 1440"),
    "speech.atOnce": (1, 40, "an integer from 1 to 40"),
    "models.maxOutputTokens": (256, 32_000, "an integer from 256 to 32000"),
    "models.atOnce": (1, 10, "an integer from 1 to 10"),
    "kept.audioDays": DAYS,
    "kept.oldVersionDays": DAYS,
    "care.sweepMinutes": (2, 60, "an integer from 2 to 60"),
    "care.processingMinutes": (15, 1_440, "an integer from 15 to 1440"),
    "care.storageHourUtc": (0, 23, "an integer from 0 to 23"),
    "care.storageUsers": (0, 500, "an integer from 0 to 500"),
    "alarms.clientErrorsAbove": (0, None, "an integer of at least 0"),
    "alarms.serverErrorsAbove": (0, None, "an integer of at least 0"),
    "alarms.latencyMs": (1, None, "an integer of at least 1"),
    "alarms.failedMeetingsAbove": (0, None, "an integer of at least 0"),
    "alarms.processingMinutes": (1, None, "an integer of at least 1"),
    "alarms.interruptionsAbove": (0, None, "an integer of at least 0"),
    "alarms.queueMinutes": (1, None, "an integer of at least 1"),
    "alarms.throttlesAbove": (0, None, "an integer of at least 0"),
    **{
        f"{function}.{name}": allowed
        for function in ("authExchange", "start", "steps", "bedrockSummarize", "sweep", "storage")
        for name, allowed in {
            "memoryMb": (128, 10_240, "an integer from 128 to 10240"),
            "timeoutSeconds": (1, 900, "an integer from 1 to 900"),
            "reservedConcurrency": (1, 1_000, "an integer from 1 to 1000 or nothing"),
            "provisionedConcurrency": (0, 100, "an integer from 0 to 100"),
        }.items()
        if (function, name) != ("bedrockSummarize", "timeoutSeconds")
    },
}
ABOVE_NOTHING: AboveNothing = {
    "load.hoursEach": (None, "a number above 0"),
    "load.gigabytesPerHour": (None, "a number above 0"),
}
RULED: dict[str, tuple[str, int, str]] = {
    "exchange.credentialSeconds": ("exchange", 899, "an integer from 900 to 3600"),
    "exchange.renewBeforeSeconds": ("exchange", 59, "an integer from 60 to 1800"),
    "processing.timeoutMinutes": ("processing", 1_441, "an integer from 5 to 1440"),
    "processing.maxHours": ("processing", 25, "an integer from 1 to 24"),
    "models.answerSeconds": ("models", 9, "an integer from 10 to 600"),
    "models.partCharacters": ("models", 400_001, "an integer from 1000 to 400000"),
    "models.overlapCharacters": ("models", 20_001, "an integer from 0 to 20000"),
    "speech.partSeconds": ("speech", 59, "an integer from 60 to 14340"),
    "kept.rawDays": ("kept", 0, "an integer from 1 to 3650"),
    "kept.workDays": ("kept", 0, "an integer from 1 to 3650"),
    "care.giveUpMinutes": ("care", 59, "an integer from 60 to 20160"),
    "bedrockSummarize.timeoutSeconds": ("bedrockSummarize", 901, "an integer from 1 to 900"),
}
"""What depends on something else has a test below; one value that is never allowed, and what is."""
SIZES = {f"processing.{engine}.{name}" for engine in ("spot", "fargate") for name in ("vcpus", "memoryMb")}
"""What Fargate decides."""


def stack(changes: dict[str, Any] | None = None, environment: str = "dev", **foundation: Any) -> dict[str, str]:
    """With an image and a page by name, unless the changes say otherwise."""
    given: dict[str, Any] = {"media": {"imageDigest": DIGEST}, **(changes or {})}
    given["exchange"] = {"corsOrigin": PAGE, **given.get("exchange", {})}
    return config({**OIDC, **foundation}, environment=environment, meetings=given)


def at(key: str, value: object) -> dict[str, str]:
    section, _, name = key.rpartition(".")
    return stack({section: {name: value}})


SECTION = Section("meetings", "meetings", at)


@pytest.mark.parametrize("key", RANGES)
def test_a_range_holds_at_its_edges(key: str) -> None:
    SECTION.holds_at_its_edges(key, *RANGES[key])


@pytest.mark.parametrize("key", ABOVE_NOTHING)
def test_what_may_be_little_may_not_be_nothing(key: str) -> None:
    SECTION.may_be_little(key, *ABOVE_NOTHING[key])


@pytest.mark.parametrize("key", RULED)
def test_what_depends_on_something_else_has_a_range_too(key: str) -> None:
    _, value, allowed = RULED[key]
    assert f"meetings.{key} = {value}: allowed is {allowed}" in problems(at(key, value))


def test_every_number_is_held_to_a_range() -> None:
    assert set(numbers(MeetingsSettings)) == {*RANGES, *ABOVE_NOTHING, *RULED, *SIZES}


def test_the_documents_numbers_are_what_runs_unless_somebody_says_otherwise() -> None:
    settings = load(stack(), "dev").meetings
    assert settings.processing.engine is Engine.BATCH_SPOT
    assert (settings.processing.spot.vcpus, settings.processing.spot.memory_mb) == (1, 2048)
    assert (settings.processing.fargate.vcpus, settings.processing.fargate.memory_mb) == (2, 4096)
    assert (settings.kept.raw_days, settings.kept.audio_days) == (7, 30)
    assert settings.exchange.credential_seconds == 3600
    assert settings.table.kms_key is None


@pytest.mark.parametrize(
    ("vcpus", "megabytes"),
    [
        (0.25, 512),
        (0.25, 2048),
        (0.5, 4096),
        (1, 2048),
        (1, 8192),
        (2, 16_384),
        (4, 30_720),
        (8, 61_440),
        (16, 122_880),
    ],
)
def test_a_machine_that_fargate_has_is_taken(vcpus: float, megabytes: int) -> None:
    size = {"vcpus": vcpus, "memoryMb": megabytes}
    found = load(stack({"processing": {"spot": size, "maxVcpus": 16, "maxHours": 3}}), "dev").meetings.processing.size
    assert (found.vcpus, found.memory_mb) == (vcpus, megabytes)


@pytest.mark.parametrize(
    ("vcpus", "megabytes", "says"),
    [
        (3, 8192, "vcpus is one of 0.25, 0.5, 1, 2, 4, 8, 16"),
        (0.25, 1536, "memoryMb with 0.25 vcpus is 512, 1024, 2048"),
        (1, 1024, "memoryMb with 1 vcpus is 2048 to 8192 in steps of 1024"),
        (8, 16_385, "memoryMb with 8 vcpus is 16384 to 61440 in steps of 4096"),
        (0.2, 512, "processing.spot.vcpus = 0.2: allowed is a number from 0.25 to 16"),
        (1, 511, "processing.spot.memoryMb = 511: allowed is an integer from 512 to 122880"),
    ],
)
def test_a_machine_that_fargate_has_not_is_refused_before_batch_does(vcpus: float, megabytes: int, says: str) -> None:
    [problem] = problems(stack({"processing": {"spot": {"vcpus": vcpus, "memoryMb": megabytes}}}))
    assert says in problem


def test_a_job_that_no_queue_has_room_for_would_wait_for_ever() -> None:
    [problem] = problems(stack({"processing": {"engine": "fargate", "maxVcpus": 1}}))
    assert "maxVcpus is at least the vcpus of one job (2)" in problem
    assert load(stack({"processing": {"maxVcpus": 1}}), "dev").meetings.processing.max_vcpus == 1


@pytest.mark.parametrize(
    ("processing", "least"),
    [
        ({}, 1_440),
        ({"maxHours": 1}, 120),
        ({"maxHours": 3, "spot": {"vcpus": 0.5, "memoryMb": 1024}}, 720),
        ({"engine": "fargate"}, 720),
        ({"engine": "fargate", "fargate": {"vcpus": 4, "memoryMb": 8192}}, 720),
        ({"maxHours": 24, "spot": {"vcpus": 2, "memoryMb": 4096}}, 1_440),
    ],
)
def test_the_longest_recording_has_the_time_that_encoding_it_may_take(processing: dict[str, Any], least: int) -> None:
    """An hour of large pictures takes a processor two; more than two processors are not used."""
    fits = {**processing, "timeoutMinutes": least}
    assert load(stack({"processing": fits}), "dev").meetings.processing.timeout_minutes == least
    [problem] = problems(stack({"processing": {**processing, "timeoutMinutes": least - 1}}))
    assert f"timeoutMinutes is at least {least:,}" in problem


def test_the_longest_recording_fits_by_default_and_no_day_is_enough_for_two() -> None:
    assert load(stack(), "dev").meetings.processing.max_hours == 12
    [problem] = problems(stack({"processing": {"maxHours": 13}}))
    assert "timeoutMinutes is at least 1,560" in problem


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"exchange": {"credentialSeconds": 1799}}, "renewBeforeSeconds is at most half of credentialSeconds"),
        ({"exchange": {"renewBeforeSeconds": 1801}}, "exchange.renewBeforeSeconds = 1801"),
        ({"models": {"partCharacters": 3_999}}, "overlapCharacters is at most half of partCharacters"),
        ({"models": {"guardrailId": "abc"}}, "guardrailId and guardrailVersion go together"),
        ({"care": {"giveUpMinutes": 60}}, "giveUpMinutes is more than processingMinutes"),
        ({"media": {"imageDigest": "latest"}}, "media.imageDigest"),
        ({"media": {"imageDigest": DIGEST[:-1]}}, "media.imageDigest"),
        ({"table": {"kmsKey": "alias/ours"}}, "table.kmsKey"),
        ({"exchange": {"stage": "Api"}}, "exchange.stage"),
        ({"processing": {"engine": "ec2"}}, "batch-spot, fargate"),
        ({"speech": {"partSeconds": 60}}, "Step Functions ends an execution after 25,000"),
        ({"processing": {"attempts": 10, "timeoutMinutes": 1_440, "capacityMinutes": 720}}, "processing.pollSeconds"),
    ],
)
def test_a_section_agrees_with_itself(changes: dict[str, Any], says: str) -> None:
    [problem] = problems(stack(changes))
    assert says in problem


@pytest.mark.parametrize("key", ["issuer", "audience"])
def test_meetings_are_whose_the_token_says_so_there_is_a_provider(key: str) -> None:
    other = {"auth": "none", **{name: one for name, one in IDENTITY.items() if name != key}}
    assert problems(stack(identity=other)) == [
        f"foundation.identity.{key}: must be given for meetings: they are whose the token says"
    ]
    assert load(stack({"enabled": False}, identity=other), "dev").meetings.enabled is False


def test_in_prod_the_page_is_named() -> None:
    open_to_all = {"exchange": {"corsOrigin": "*"}}
    assert problems(stack(open_to_all, "prod")) == [
        'meetings.exchange.corsOrigin = "*": the page that may use the exchange, by name, in prod'
    ]
    for environment in ("dev", "staging"):
        assert load(stack(open_to_all, environment), "dev").meetings.exchange.cors_origin == "*"


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_image_that_runs_is_one_that_was_reviewed(environment: str) -> None:
    [problem] = problems(stack({"media": {}}, environment))
    assert problem.startswith(f"meetings.media.imageDigest: must be given in {environment}")
    assert "the workflow `image` prints it" in problem
    assert "`sha256:` and 64 zeros" in problem
    before = {"media": {"imageDigest": f"sha256:{'0' * 64}"}}
    assert load(stack(before, environment), environment).meetings.enabled, "what the message proposes is taken"
    assert load(stack({"media": {}}), "dev").meetings.media.image_digest is None, "and dev may run its latest"


def test_the_jobs_notes_outlive_what_they_are_about() -> None:
    assert problems(stack({"kept": {"rawDays": 8}})) == [
        "meetings.kept.workDays = 8: more than rawDays (8): a job that goes on reads its notes while there are chunks"
    ]
    assert load(stack({"kept": {"rawDays": 8, "workDays": 9}}), "dev").meetings.kept.work_days == 9


def test_who_summarises_has_time_for_an_answer_and_its_repair() -> None:
    [problem] = problems(stack({"bedrockSummarize": {"timeoutSeconds": 359}}))
    assert problem.startswith("meetings.bedrockSummarize.timeoutSeconds = 359: at least 360: an answer and its repair")
    assert load(stack({"bedrockSummarize": {"timeoutSeconds": 360}}), "dev").meetings.enabled
    [problem] = problems(stack({"models": {"answerSeconds": 421}}))
    assert "at least 902" in problem


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_lines_that_metrics_are_made_of_are_written(level: str) -> None:
    assert problems(stack({"logLevel": level})) == [
        f"meetings.logLevel = {level}: DEBUG or INFO: metrics are made of lines of level INFO"
    ]
