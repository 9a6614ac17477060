"""Voice Q&A's settings: the document's numbers by default, ranges that hold at their edges, and what a stack forbids."""

import re
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from components.settings import VoiceQaSettings, load
from handlers.voice_qa.agent_http import Address
from handlers.voice_qa.environment import SocketEnvironment, WorkerEnvironment
from handlers.voice_qa.lecture_environment import FORMATS, ValidatorEnvironment
from tests.components.settings.ranges import AboveNothing, Ranges, Section, numbers
from tests.components.settings.test_loader import config, problems
from tests.engine import FOUNDATION

ENDPOINT = "https://agent.example.com"
PAGE = "https://app.example.com"
RUNTIME = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/lecturer-a1B2c3"
OIDC = {**FOUNDATION, "identity": {"issuer": "https://login.example.com/", "audience": "us"}}
DAYS = (1, 365, "an integer from 1 to 365")
RANGES: Ranges = {
    "load.questionsPerDay": (1, None, "an integer of at least 1"),
    "lectures.minSeconds": (1, 3_600, "an integer from 1 to 3600"),
    "lectures.maxSeconds": (60, 43_200, "an integer from 60 to 43200"),
    "lectures.maxGigabytes": (0.01, 5, "a number from 0.01 to 5"),
    "audio.maxQueryMegabytes": (0.1, 100, "a number from 0.1 to 100"),
    "lectures.sweepMinutes": (5, 1_440, "an integer from 5 to 1440"),
    "lectures.sweepHours": (1, 168, "an integer from 1 to 168"),
    "audio.queryDays": DAYS,
    "audio.responseDays": DAYS,
    "audio.oldVersionDays": DAYS,
    "sessions.days": DAYS,
    "sessions.queriesAtOnce": (1, 10, "an integer from 1 to 10"),
    "sessions.queriesPerHour": (1, 1_000, "an integer from 1 to 1000"),
    "sessions.lecturesPerDay": (1, 1_000, "an integer from 1 to 1000"),
    "sessions.urlSeconds": (60, 3_600, "an integer from 60 to 3600"),
    "sessions.pingSeconds": (30, 540, "an integer from 30 to 540"),
    "agentcore.connectSeconds": (0.5, 5, "a number from 0.5 to 5"),
    "agentcore.firstByteSeconds": (1, 60, "a number from 1 to 60"),
    "agentcore.silenceSeconds": (2, 120, "a number from 2 to 120"),
    "agentcore.answerSeconds": (10, 840, "a number from 10 to 840"),
    "socket.requestsPerSecond": (1, 10_000, "an integer from 1 to 10000"),
    "socket.burst": (1, 5_000, "an integer from 1 to 5000"),
    "socket.clientErrorsAbove": (0, None, "an integer of at least 0"),
    "socket.refusedConnectionsAbove": (0, None, "an integer of at least 0"),
    "alarms.failedAnswersAbove": (0, None, "an integer of at least 0"),
    "alarms.failedPostsAbove": (0, None, "an integer of at least 0"),
    "alarms.durationPercent": (10, 100, "an integer from 10 to 100"),
    "alarms.accountConcurrency": (10, None, "an integer of at least 10"),
    "alarms.concurrencyPercent": (10, 100, "an integer from 10 to 100"),
    "alarms.connectionsPerMinute": (1, None, "an integer of at least 1"),
    "socketHandler.timeoutSeconds": (1, 29, "an integer from 1 to 29"),
    "validator.timeoutSeconds": (1, 900, "an integer from 1 to 900"),
    **{
        f"{function}.{name}": allowed
        for function in ("socketHandler", "queryWorker", "validator")
        for name, allowed in {
            "memoryMb": (128, 10_240, "an integer from 128 to 10240"),
            "reservedConcurrency": (1, 1_000, "an integer from 1 to 1000 or nothing"),
        }.items()
    },
    "socketHandler.provisionedConcurrency": (0, 100, "an integer from 0 to 100"),
    "validator.provisionedConcurrency": (0, 100, "an integer from 0 to 100"),
}
ABOVE_NOTHING: AboveNothing = {
    "load.answerSeconds": (None, "a number above 0"),
    "load.piecesPerAnswer": (None, "a number above 0"),
    "load.connectedMinutes": (None, "a number above 0"),
    "load.lecturesPerDay": (None, "a number above 0"),
    "load.lectureMegabytes": (None, "a number above 0"),
    "alarms.answerSeconds": (None, "a number above 0"),
}
RULED = {"queryWorker.timeoutSeconds", "queryWorker.provisionedConcurrency"}
"""What depends on something else: it has a test below."""


def at(key: str, value: object) -> dict[str, str]:
    """A stack whose voice Q&A has one setting changed, and an agent."""
    section, _, name = key.rpartition(".")
    return stack({section: {name: value}} if section else {name: value})


def stack(changes: dict[str, Any], environment: str = "dev", **rest: Any) -> dict[str, str]:
    """With an agent and with pages by name, unless the changes say otherwise."""
    given: dict[str, Any] = {"agentcore": {"endpoint": ENDPOINT}, "audio": {"origins": [PAGE]}}
    merged = {**changes, **{key: {**one, **changes.get(key, {})} for key, one in given.items()}}
    return config(OIDC, environment=environment, voiceQa=merged, **rest)


SECTION = Section("voiceQa", "voice_qa", at)


@pytest.mark.parametrize("key", RANGES)
def test_a_range_holds_at_its_edges(key: str) -> None:
    SECTION.holds_at_its_edges(key, *RANGES[key])


@pytest.mark.parametrize("key", ABOVE_NOTHING)
def test_what_must_be_more_than_nothing_may_be_little(key: str) -> None:
    SECTION.may_be_little(key, *ABOVE_NOTHING[key])


def test_every_number_has_its_range_listed_here() -> None:
    assert set(numbers(VoiceQaSettings)) == {*RANGES, *ABOVE_NOTHING, *RULED}


def limits(model: type[BaseModel], *names: str) -> list[dict[str, Any]]:
    """What a model takes in these fields."""
    return [TypeAdapter(model.model_fields[name].rebuild_annotation()).json_schema() for name in names]


def test_a_deployment_may_say_what_a_handler_takes() -> None:
    sections = {name: field.annotation for name, field in VoiceQaSettings.model_fields.items()}
    for section, said, model, read in (
        ("agentcore", ("connect_seconds", "first_byte_seconds"), WorkerEnvironment, None),
        ("agentcore", ("silence_seconds", "answer_seconds"), WorkerEnvironment, None),
        ("sessions", ("queries_at_once", "queries_per_hour", "url_seconds"), SocketEnvironment, None),
        ("sessions", ("days",), SocketEnvironment, ("session_days",)),
        (
            "lectures",
            ("min_seconds", "max_seconds", "sweep_hours"),
            ValidatorEnvironment,
            ("lecture_min_seconds", "lecture_max_seconds", "sweep_hours"),
        ),
    ):
        settings = sections[section]
        assert isinstance(settings, type)
        assert limits(settings, *said) == limits(model, *(read or said))


def test_the_formats_of_lectures_are_those_that_are_read() -> None:
    assert load(stack({}), "dev").voice_qa.lectures.formats == FORMATS
    assert problems(at("lectures.formats", []))
    found = problems(at("lectures.formats", ["mp3", "aiff"]))
    assert found == ['voiceQa.lectures.formats[1] = "aiff": allowed is one of mp3, mp4, wav, flac, ogg, webm']


@pytest.mark.parametrize(
    "origin",
    [
        "app.example.com",
        "https://app.example.com/",
        "https://*.example.com",
        "ftp://a",
        "",
        "http://-",
        "https://a.b:123456",
    ],
)
def test_an_origin_is_a_scheme_and_a_host(origin: str) -> None:
    [problem] = problems(at("audio.origins", [PAGE, origin]))
    assert problem.startswith("voiceQa.audio.origins[1] = ")


def test_some_page_may_use_the_bucket() -> None:
    [problem] = problems(at("audio.origins", ["http://-"]))
    assert problem.startswith("voiceQa.audio.origins[0] = ")
    [problem] = problems(at("audio.origins", []))
    assert problem.startswith("voiceQa.audio.origins = []")


def test_in_prod_pages_are_named() -> None:
    anybody = {"audio": {"origins": [PAGE, "*"]}}
    assert load(stack(anybody, "staging"), "staging").voice_qa.audio.origins == (PAGE, "*")
    assert problems(stack(anybody, "prod")) == [
        'voiceQa.audio.origins = ["*"]: the pages that may use the bucket, by name, in prod'
    ]


def test_anywhere_but_locally_the_agent_has_to_be_somewhere() -> None:
    nowhere = {"agentcore": {"endpoint": None}}
    assert load(stack(nowhere, "local"), "local").voice_qa.agentcore.endpoint is None
    for environment in ("dev", "staging", "prod"):
        assert problems(stack(nowhere, environment)) == [
            "voiceQa.agentcore.endpoint: must be given with mode http: where the agent answers"
        ]


@pytest.mark.parametrize(
    ("environment", "refused"), [("local", False), ("dev", False), ("staging", True), ("prod", True)]
)
def test_questions_travel_by_https_where_others_ask_them(environment: str, refused: bool) -> None:
    plain = stack({"agentcore": {"endpoint": "http://10.0.0.5:5000"}}, environment)
    if refused:
        assert problems(plain) == [
            f'voiceQa.agentcore.endpoint = "http://10.0.0.5:5000": an https address in {environment}, by name: questions and answers travel by it'
        ]
    else:
        assert str(load(plain, environment).voice_qa.agentcore.endpoint) == "http://10.0.0.5:5000"


@pytest.mark.parametrize("host", ["10.0.0.5", "172.16.0.9", "192.168.1.1", "127.0.0.1", "100.64.0.1", "[fd00::1]"])
@pytest.mark.parametrize("environment", ["local", "dev", "prod"])
def test_a_private_address_has_no_certificate_that_the_worker_trusts(host: str, environment: str) -> None:
    [problem] = problems(stack({"agentcore": {"endpoint": f"https://{host}:5000"}}, environment))
    assert problem.startswith("voiceQa.agentcore = {…}: endpoint is https at a private address")


@pytest.mark.parametrize("endpoint", ["https://agent.example.com:5000", "https://8.8.8.8"])
def test_a_name_and_a_public_address_have_one(endpoint: str) -> None:
    loaded = load(stack({"agentcore": {"endpoint": endpoint}}, "prod"), "prod")
    assert str(loaded.voice_qa.agentcore.endpoint).startswith(endpoint)


@pytest.mark.parametrize("endpoint", ["agent.example.com", "ftp://agent.example.com", "wss://agent.example.com"])
def test_the_agent_speaks_http(endpoint: str) -> None:
    [problem] = problems(stack({"agentcore": {"endpoint": endpoint}}, "local"))
    assert problem.startswith(f'voiceQa.agentcore.endpoint = "{endpoint}": ')


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("http://54.1.2.3:5000", "an agent at a public address is asked by https:// only"),
        ("http://[2600::1]", "an agent at a public address is asked by https:// only"),
        ("https://agent.example.com/?t=a", "an agent's endpoint ends with its path"),
        ("https://agent.example.com/x#f", "an agent's endpoint ends with its path"),
        ("https://canary:canary@agent.example.com", "with a host, and no user"),
    ],
)
@pytest.mark.parametrize("environment", ["local", "dev"])
def test_an_endpoint_that_the_worker_could_not_call_is_refused_before_anybody_asks(
    endpoint: str, told: str, environment: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        Address.of(endpoint)
    [problem] = problems(stack({"agentcore": {"endpoint": endpoint}}, environment))
    assert problem.startswith("voiceQa.agentcore = {…}: ")
    assert told in problem
    assert "canary" not in problem


def test_an_answer_begins_before_it_has_to_be_over() -> None:
    even = stack({"agentcore": {"endpoint": ENDPOINT, "firstByteSeconds": 20, "answerSeconds": 20}})
    assert load(even, "dev").voice_qa.agentcore.first_byte_seconds == 20
    late = stack({"agentcore": {"endpoint": ENDPOINT, "firstByteSeconds": 60, "answerSeconds": 30}})
    assert problems(late) == [
        "voiceQa.agentcore = {…}: firstByteSeconds (60) must be at most answerSeconds (30): it is a part of them"
    ]


def test_an_agent_that_is_nowhere_to_be_found_is_told_where_there_must_be_one() -> None:
    assert problems(at("agentcore.endpoint", "agent.example.com"))


def test_there_is_no_edge_on_this_machine() -> None:
    fast = {"audio": {"accelerated": True, "origins": [PAGE]}}
    [problem] = problems(stack(fast, "local"))
    assert problem.startswith("voiceQa.audio.accelerated = true: false in local")
    assert load(stack(fast, "prod"), "prod").voice_qa.audio.accelerated


def test_some_length_of_a_lecture_is_allowed() -> None:
    [problem] = problems(stack({"lectures": {"minSeconds": 3600, "maxSeconds": 3599}}))
    assert "minSeconds (3600) must be at most maxSeconds (3599)" in problem
    same = load(stack({"lectures": {"minSeconds": 3600, "maxSeconds": 3600}}), "dev").voice_qa.lectures
    assert same.min_seconds == same.max_seconds


def test_an_agent_in_its_runtime_is_named() -> None:
    named = {"agentcore": {"mode": "bedrock", "runtimeArn": RUNTIME, "endpoint": None}}
    assert load(stack(named, "prod"), "prod").voice_qa.agentcore.runtime_arn == RUNTIME
    assert problems(stack({"agentcore": {"mode": "bedrock"}})) == [
        "voiceQa.agentcore = {…}: with mode bedrock, runtimeArn must be given"
    ]


@pytest.mark.parametrize(
    "arn",
    [
        "lecturer-a1B2c3",
        "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/*",
        "arn:aws:bedrock-agentcore:us-east-1:12345:runtime/lecturer",
        f"{RUNTIME}/runtime-endpoint/DEFAULT",
        "arn:aws:lambda:us-east-1:123456789012:function:lecturer",
    ],
)
def test_only_one_runtime_can_be_named(arn: str) -> None:
    [problem] = problems(stack({"agentcore": {"mode": "bedrock", "runtimeArn": arn}}))
    assert problem.startswith("voiceQa.agentcore.runtimeArn = ")


@pytest.mark.parametrize("qualifier", ["", "*", "1st", "a/b", "a" * 49])
def test_a_runtimes_endpoint_is_one_name(qualifier: str) -> None:
    [problem] = problems(at("agentcore.qualifier", qualifier))
    assert problem.startswith("voiceQa.agentcore.qualifier = ")


@pytest.mark.parametrize(
    ("environment", "refused"), [("local", False), ("dev", False), ("staging", True), ("prod", True)]
)
def test_guests_upload_lectures_only_where_people_try_things(environment: str, refused: bool) -> None:
    open_to_all = stack({"lectures": {"uploads": "guests"}}, environment)
    if refused:
        assert problems(open_to_all) == [
            f'voiceQa.lectures.uploads = "guests": `off` in {environment}: guests are anybody at all'
        ]
    else:
        assert load(open_to_all, environment).voice_qa.lectures.uploads == "guests"


def test_an_answer_ends_before_the_worker_does() -> None:
    fits = {"agentcore": {"answerSeconds": 470}, "queryWorker": {"timeoutSeconds": 500}}
    assert load(stack(fits), "dev").voice_qa.query_worker.timeout_seconds == 500
    tight = {"agentcore": {"answerSeconds": 471}, "queryWorker": {"timeoutSeconds": 500}}
    assert problems(stack(tight)) == [
        "voiceQa.agentcore.answerSeconds = 471.0: at most queryWorker.timeoutSeconds (500) less 30: the answer has to be kept and told"
    ]


@pytest.mark.parametrize("seconds", [60, 900])
def test_a_worker_has_a_minute_to_a_quarter_of_an_hour(seconds: int) -> None:
    short = {"agentcore": {"answerSeconds": 10}, "queryWorker": {"timeoutSeconds": seconds}}
    assert load(stack(short), "dev").voice_qa.query_worker.timeout_seconds == seconds
    outside = 59 if seconds == 60 else 901
    [problem] = problems(stack({**short, "queryWorker": {"timeoutSeconds": outside}}))
    assert problem == f"voiceQa.queryWorker.timeoutSeconds = {outside}: allowed is an integer from 60 to 900"


def test_a_worker_keeps_no_more_places_warm_than_it_has() -> None:
    within = load(at("queryWorker.provisionedConcurrency", 50), "dev").voice_qa.query_worker
    assert (within.reserved_concurrency, within.provisioned_concurrency) == (50, 50)
    assert problems(at("queryWorker.provisionedConcurrency", 51)) == [
        "voiceQa.queryWorker = {…}: provisionedConcurrency is at most reservedConcurrency"
    ]
    for most, warm in ((100, 100), (None, 100)):
        given = {"queryWorker": {"reservedConcurrency": most, "provisionedConcurrency": warm}}
        assert load(stack(given), "dev").voice_qa.query_worker.provisioned_concurrency == warm


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_lines_that_an_alarm_reads_are_written(level: str) -> None:
    assert problems(at("logLevel", level)) == [
        f"voiceQa.logLevel = {level}: DEBUG or INFO: an alarm reads lines of level INFO"
    ]


def test_what_is_off_is_held_to_nothing_of_it() -> None:
    off = {"enabled": False, "logLevel": "ERROR", "agentcore": {"endpoint": None}, "lectures": {"uploads": "guests"}}
    assert load(stack(off, "prod"), "prod").voice_qa.enabled is False


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("lecture", "voiceQa.lecture: is not a setting; did you mean lectures?"),
        ("audio.origin", "voiceQa.audio.origin: is not a setting; did you mean origins?"),
        ("agentcore.endPoint", "voiceQa.agentcore.endPoint: is not a setting; did you mean endpoint?"),
        ("socket_handler.memoryMb", "voiceQa.socket_handler: is not a setting; did you mean socketHandler?"),
    ],
)
def test_an_unknown_key_is_an_error_with_a_suggestion(key: str, says: str) -> None:
    assert problems(at(key, 1)) == [says]


def test_the_documents_numbers_are_what_runs_unless_somebody_says_otherwise() -> None:
    settings = load(stack({}), "dev").voice_qa
    assert (settings.socket.stage, settings.sessions.days, settings.sessions.url_seconds) == ("Prod", 7, 3600)
    assert (settings.audio.query_days, settings.audio.response_days, settings.lectures.uploads) == (7, 7, "off")
    assert settings.sessions.ping_seconds == 300
    functions = (settings.socket_handler, settings.query_worker, settings.validator)
    assert [(one.memory_mb, one.timeout_seconds) for one in functions] == [(512, 29), (512, 900), (512, 300)]
    assert [one.provisioned_concurrency for one in functions] == [1, 0, 0]
    assert (settings.alarms.answer_seconds, settings.alarms.concurrency_percent) == (10, 80)
