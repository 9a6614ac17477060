"""Settings of the livestream backend: the document's numbers, ranges at their edges, and what an environment does not allow."""

from typing import Any

import pytest

from components.settings import load
from components.settings.livestream import WINDOW_MARGIN_SECONDS, LivestreamSettings
from handlers.livestream.agent_worker import FINISH_SECONDS
from handlers.livestream.api import MEGABYTE
from handlers.livestream.cues import MAX_BYTES
from handlers.livestream.environment import secret_lines
from tests.components.settings.ranges import AboveNothing, Ranges, Section, numbers
from tests.components.settings.test_loader import config, problems
from tests.engine import FOUNDATION

KEY = "canary-" + "k" * 32
PAGE = "https://app.example.com"
OIDC = {**FOUNDATION, "identity": {"issuer": "https://login.example.com/", "audience": "us"}}
DAYS = (1, 365, "an integer from 1 to 365")
RANGES: Ranges = {
    "load.episodesPerDay": (1, None, "an integer of at least 1"),
    "api.requestsPerSecond": (1, 10_000, "an integer from 1 to 10000"),
    "api.burst": (1, 5_000, "an integer from 1 to 5000"),
    "api.requestsPerDay": (1, None, "an integer of at least 1"),
    "api.wafRequests": (10, 2_000_000_000, "an integer from 10 to 2000000000 or nothing"),
    "uploads.maxVideoGigabytes": (1, 100, "an integer from 1 to 100"),
    "uploads.maxTranscriptMegabytes": (1, 20, "an integer from 1 to 20"),
    "uploads.multipartMegabytes": (10, 5_000, "an integer from 10 to 5000"),
    "uploads.urlSeconds": (60, 3600, "an integer from 60 to 3600"),
    "kept.objectDays": DAYS,
    "kept.oldVersionDays": DAYS,
    "kept.deletedDays": (1, 90, "an integer from 1 to 90"),
    "kept.eventDays": DAYS,
    "agent.memoryDays": (7, 365, "an integer from 7 to 365"),
    "agent.windowSeconds": (30, 7_200, "an integer from 30 to 7200"),
    "agent.atOnce": (2, 100, "an integer from 2 to 100"),
    "video.chunkSeconds": (1, 3_600, "an integer from 1 to 3600"),
    "video.maxHours": (1, 11, "an integer from 1 to 11 or nothing"),
    "video.deliveries": (1, 100, "an integer from 1 to 100"),
    "kept.cursorSeconds": (60, 86_400, "an integer from 60 to 86400"),
    "alarms.clientErrorsAbove": (0, None, "an integer of at least 0"),
    "alarms.serverErrorsAbove": (0, None, "an integer of at least 0"),
    "alarms.latencyMs": (1, None, "an integer of at least 1"),
    "alarms.failedVideosAbove": (0, None, "an integer of at least 0"),
    "alarms.failedWindowsAbove": (0, None, "an integer of at least 0"),
    "stuck.sweepMinutes": (2, 60, "an integer from 2 to 60"),
    **{
        f"stuck.{state}Minutes": (30, 1_380, "an integer from 30 to 1380")
        for state in ("requested", "uploaded", "chunking", "analyzing")
    },
    **{
        f"{function}.{name}": allowed
        for function in ("episodes", "videos", "transcriptWindows", "agentWorker", "care", "authorizer")
        for name, allowed in {
            "memoryMb": (128, 10_240, "an integer from 128 to 10240"),
            "timeoutSeconds": (1, 900, "an integer from 1 to 900"),
            "reservedConcurrency": (1, 1_000, "an integer from 1 to 1000 or nothing"),
            "provisionedConcurrency": (0, 100, "an integer from 0 to 100"),
        }.items()
        if (function, name) != ("agentWorker", "timeoutSeconds")
    },
}
ABOVE_NOTHING: AboveNothing = {
    "load.requestsPerEpisode": (None, "a number above 0"),
    "load.videoGigabytes": (None, "a number above 0"),
    "load.videoMinutes": (None, "a number above 0"),
    "load.transcriptMegabytes": (None, "a number above 0"),
}


RULED = {
    *(f"agent.{name}" for name in ("windowCharacters", "overlapCharacters", "clipMinSeconds", "clipMaxSeconds")),
    *(f"agent.{name}" for name in ("maxOutputTokens", "answerSeconds")),
    "agentWorker.timeoutSeconds",
}
"""What depends on something else: it has a test below."""


def stack(changes: dict[str, Any], environment: str = "dev") -> dict[str, str]:
    """With a key and a page by name, unless the changes say otherwise."""
    given: dict[str, Any] = {"encryptionKey": KEY, **changes}
    given["api"] = {"corsOrigin": PAGE, **changes.get("api", {})}
    return config(OIDC, environment=environment, livestream=given)


def at(key: str, value: object) -> dict[str, str]:
    section, _, name = key.rpartition(".")
    return stack({section: {name: value}})


SECTION = Section("livestream", "livestream", at)


@pytest.mark.parametrize("key", RANGES)
def test_a_range_holds_at_its_edges(key: str) -> None:
    SECTION.holds_at_its_edges(key, *RANGES[key])


@pytest.mark.parametrize("key", ABOVE_NOTHING)
def test_what_may_be_little_may_not_be_nothing(key: str) -> None:
    SECTION.may_be_little(key, *ABOVE_NOTHING[key])


def test_every_number_is_held_to_a_range() -> None:
    assert set(numbers(LivestreamSettings)) == {*RANGES, *ABOVE_NOTHING, *RULED}


@pytest.mark.parametrize(
    ("agent", "says"),
    [
        ({"windowCharacters": 499}, "agent.windowCharacters = 499: allowed is an integer from 500 to 50000"),
        ({"overlapCharacters": 99}, "agent.overlapCharacters = 99: allowed is an integer from 100 to 5000"),
        ({"windowCharacters": 1_199}, "overlapCharacters is at most half of windowCharacters"),
        ({"clipMinSeconds": 0}, "agent.clipMinSeconds = 0: allowed is an integer from 1 to 600"),
        ({"clipMaxSeconds": 4}, "agent.clipMaxSeconds = 4: allowed is an integer from 5 to 1800"),
        ({"clipMinSeconds": 91}, "clipMinSeconds is at most clipMaxSeconds"),
        ({"maxOutputTokens": 255}, "agent.maxOutputTokens = 255: allowed is an integer from 256 to 32000"),
        ({"maxOutputTokens": 32_001}, "agent.maxOutputTokens = 32001: allowed is an integer from 256 to 32000"),
        ({"maxOutputTokens": 3_001}, "maxOutputTokens is at most 3,000: in answerSeconds (50) a model writes no more"),
        ({"answerSeconds": 9}, "agent.answerSeconds = 9: allowed is an integer from 10 to 440"),
        ({"answerSeconds": 441}, "agent.answerSeconds = 441: allowed is an integer from 10 to 440"),
        ({"guardrailId": "abc"}, "guardrailId and guardrailVersion go together"),
    ],
)
def test_what_the_agent_works_by_agrees_with_itself(agent: dict[str, Any], says: str) -> None:
    [problem] = problems(stack({"agent": agent}))
    assert says in problem


def test_the_agent_has_time_for_an_answer_and_its_repair() -> None:
    [problem] = problems(stack({"agentWorker": {"timeoutSeconds": 119}}))
    assert problem.startswith("livestream.agentWorker.timeoutSeconds = 119: at least 120: an answer and its repair")
    assert load(stack({"agentWorker": {"timeoutSeconds": 120}}), "dev").livestream.enabled
    [problem] = problems(stack({"agentWorker": {"timeoutSeconds": 901}}))
    assert "agentWorker.timeoutSeconds = 901: allowed is an integer from 1 to 900" in problem
    assert FINISH_SECONDS < WINDOW_MARGIN_SECONDS, "and some, to read the transcript and to remember"
    [problem] = problems(stack({"agent": {"answerSeconds": 440}, "agentWorker": {"timeoutSeconds": 899}}))
    assert "timeoutSeconds = 899: at least 900: an answer and its repair, agent.answerSeconds each" in problem
    slow = {"agent": {"answerSeconds": 440, "maxOutputTokens": 26_400}, "agentWorker": {"timeoutSeconds": 900}}
    assert load(stack(slow), "dev").livestream.agent.max_output_tokens == 26_400


def test_no_transcript_may_be_uploaded_that_nobody_reads() -> None:
    largest = load(stack({"uploads": {"maxTranscriptMegabytes": 20}}), "dev").livestream.uploads
    assert largest.max_transcript_megabytes * MEGABYTE <= MAX_BYTES


def test_the_documents_numbers_are_what_runs_unless_somebody_says_otherwise() -> None:
    settings = load(stack({}), "dev").livestream
    assert (settings.api.stage, settings.kept.object_days) == ("api", 7)
    for function in (settings.episodes, settings.videos):
        assert (function.memory_mb, function.timeout_seconds) == (1024, 25)
    assert settings.video.chunk_seconds == 120
    assert (
        load(config(livestream={"encryptionKey": KEY, "api": {"authorizer": "none"}}), "dev").livestream.api.cors_origin
        == "*"
    )


def test_the_key_is_a_secret_that_must_be_there_where_the_subsystem_is_on() -> None:
    [problem] = problems(stack({"encryptionKey": None}))
    assert problem == (
        "livestream.encryptionKey: is a secret and not set; set it by: "
        "pulumi config set --secret --path 'polyphony:livestream.encryptionKey' --stack dev"
    ), "a command to be typed as it stands"
    [short] = problems(stack({"encryptionKey": "canary-short"}))
    assert short == (
        "livestream.encryptionKey: the secret given is not usable: it needs 32 to 4096 characters, was given 12"
    )
    assert load(stack({"enabled": False, "encryptionKey": None}, "prod"), "prod").livestream.enabled is False


@pytest.mark.parametrize("key", [f"canary-new\n{KEY}", f"{KEY}\ncanary-old\n", " \n" * 32])
def test_each_line_of_the_key_is_long_enough_to_seal_with(key: str) -> None:
    """Where one is too short, every list that goes on would fail."""
    with pytest.raises(ValueError, match="characters"):
        secret_lines(key)
    [problem] = problems(stack({"encryptionKey": key}))
    assert problem == (
        "livestream.encryptionKey: the secret given is not usable: "
        "one of its lines is too short: each needs at least 16 characters"
    )


def test_a_key_may_have_the_ones_before_it_below() -> None:
    both = f"{'n' * 16}\n{'o' * 16}\n"
    key = load(stack({"encryptionKey": both}), "dev").livestream.encryption_key
    assert key is not None
    assert secret_lines(key.get_secret_value()) == ["n" * 16, "o" * 16]


def test_the_key_is_in_no_text_made_of_the_settings() -> None:
    settings = load(stack({}), "dev")
    assert KEY not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("changes", "environment", "says"),
    [
        (
            {"api": {"corsOrigin": "*"}},
            "prod",
            'livestream.api.corsOrigin = "*": the page that may use the API, by name, in prod',
        ),
        (
            {"api": {"dataTrace": True}},
            "prod",
            "livestream.api.dataTrace = true: false in prod: whole requests would be logged",
        ),
        *(
            (
                {"api": {"authorizer": "none"}},
                environment,
                f'livestream.api.authorizer = "none": `jwt` or `apiKey` in {environment}: none lets anybody in',
            )
            for environment in ("staging", "prod")
        ),
    ],
)
def test_what_an_environment_does_not_allow_is_said(changes: dict[str, Any], environment: str, says: str) -> None:
    assert problems(stack(changes, environment)) == [says]
    assert load(stack(changes), "dev").livestream.enabled, "and dev may"


def test_callers_are_told_apart_only_where_there_is_a_provider() -> None:
    [problem] = problems(config(livestream={"encryptionKey": KEY}))
    assert "`none` or `apiKey` beside foundation.identity.auth `none`" in problem


@pytest.mark.parametrize("stage", ["", "Api", "1st", "a-b", "a" * 31])
def test_a_stage_is_one_short_word(stage: str) -> None:
    [problem] = problems(stack({"api": {"stage": stage}}))
    assert problem.startswith("livestream.api.stage = ")


def test_an_unknown_authorizer_names_those_that_are() -> None:
    [problem] = problems(stack({"api": {"authorizer": "basic"}}))
    assert "none, apiKey, jwt" in problem


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_lines_that_metrics_are_made_of_are_written(level: str) -> None:
    assert problems(stack({"logLevel": level})) == [
        f"livestream.logLevel = {level}: DEBUG or INFO: metrics are made of lines of level INFO"
    ]
