"""Rules across fields, sections and environments: what is refused with which message, and what is accepted beside it."""

import re
from typing import Any

import pytest

from components.settings import load
from components.settings.livestream import WINDOW_MARGIN_SECONDS
from handlers.livestream.agent.window_worker import FINISH_SECONDS
from handlers.livestream.episodes_api.environment import secret_lines
from handlers.livestream.episodes_api.handler import MEGABYTE
from handlers.livestream.transcript.cues import MAX_BYTES
from handlers.voice_qa.query_worker.agent.http_client import AgentAddress
from tests.components.settings.stack_config import ENCRYPTION_KEY, IDENTITY, PAGE, complete, problems
from tests.fake_engine import FOUNDATION

Changes = dict[str, Any]
RUNTIME = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/lecturer-a1B2c3"
SPOT = {"vcpus": 0.5, "memoryMb": 1024}

NOT_IN = {
    "foundation.identity.auth": ("none", "staging", "`oidc` in staging: `none` is for local and dev only"),
    "foundation.identity.issuer": ("http://127.0.0.1:9/", "dev", "an https address in dev: keys travel by it"),
    "foundation.identity.jwksUrl": ("http://127.0.0.1:9/k", "dev", "an https address in dev: keys travel by it"),
    "foundation.alerts.emails": ([], "prod", "at least one address in prod: alarms need a reader"),
    "ingestion.intake.corsOrigin": ("*", "prod", "the page that may drop files, by name, in prod; or nothing"),
    "transcription.structuredLogging": (False, "prod", "true in prod: an alarm reads JSON lines"),
    "voiceQa.audio.accelerated": (True, "local", "false in local: the emulator has no edge locations"),
    "voiceQa.lectures.uploads": ("guests", "staging", "`off` in staging: guests are anybody at all"),
    "livestream.api.corsOrigin": ("*", "prod", "the page that may use the API, by name, in prod"),
    "livestream.api.authorizer": ("none", "staging", "`jwt` or `apiKey` in staging: none lets anybody in"),
    "meetings.exchange.corsOrigin": ("*", "prod", "the page that may use the exchange, by name, in prod"),
}
"""Key → a value, an environment that does not allow it, and why."""
ALLOWED_IN = {"foundation.identity.issuer": "local", "foundation.identity.jwksUrl": "local"}


@pytest.mark.parametrize("key", NOT_IN)
def test_what_an_environment_does_not_allow_is_refused_there_and_accepted_elsewhere(key: str) -> None:
    value, environment, reason = NOT_IN[key]
    changes = {key: value, **({"livestream.api.authorizer": "apiKey"} if key.endswith("identity.auth") else {})}
    [problem] = problems(complete(changes, environment))
    assert problem.startswith(f"{key} = ")
    assert problem.endswith(f": {reason}")
    load(complete(changes, ALLOWED_IN.get(key, "dev")), "dev")


@pytest.mark.parametrize("key", [one for one in NOT_IN if not one.startswith("foundation")])
def test_a_subsystem_that_is_off_is_held_to_nothing(key: str) -> None:
    value, environment, _ = NOT_IN[key]
    load(complete({key: value, f"{key.partition('.')[0]}.enabled": False}, environment), environment)


@pytest.mark.parametrize("environment", ["staging", "prod"])
@pytest.mark.parametrize(
    ("key", "value"), [("voiceQa.lectures.uploads", "guests"), ("livestream.api.authorizer", "none")]
)
def test_guests_have_no_more_than_that_where_others_work(key: str, value: str, environment: str) -> None:
    assert problems(complete({key: value}, environment))
    for relaxed in ("local", "dev"):
        load(complete({key: value}, relaxed), relaxed)


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("ingestion", "an alarm reads lines of level INFO"),
        ("voiceQa", "an alarm reads lines of level INFO"),
        ("livestream", "metrics are made of lines of level INFO"),
        ("meetings", "metrics are made of lines of level INFO"),
    ],
)
def test_lines_that_alarms_and_metrics_read_are_written(section: str, why: str, level: str) -> None:
    assert problems(complete({f"{section}.logLevel": level})) == [f"{section}.logLevel = {level}: DEBUG or INFO: {why}"]


REFUSED: list[tuple[Changes, str]] = [
    # Identity.
    ({"foundation.identity": {}}, "with auth oidc, issuer and audience must be given"),
    (
        {"foundation.identity": {"auth": "none", "audience": "us"}, "livestream.api.authorizer": "none"},
        "foundation.identity.issuer: must be given for meetings: they are whose the token says",
    ),
    (
        {"foundation.identity": {"auth": "none", "issuer": "https://a.b/"}, "livestream.api.authorizer": "none"},
        "foundation.identity.audience: must be given for meetings: they are whose the token says",
    ),
    (
        {"foundation.identity": {"auth": "none", **IDENTITY}},
        'livestream.api.authorizer = "jwt": `none` or `apiKey` beside foundation.identity.auth `none`',
    ),
    ({"foundation.alerts.emails": ["a@b.de", "c@d.de", "a@b.de"]}, "a@b.de is given more than once"),
    # Functions.
    (
        {"transcription.audioProcessor": {"snapStart": True, "provisionedConcurrency": 1}},
        "snapStart and provisionedConcurrency exclude each other: one of them is false or 0",
    ),
    (
        {"voiceQa.socketHandler.snapStart": True},  # it is kept warm by default
        "snapStart and provisionedConcurrency exclude each other: one of them is false or 0",
    ),
    (
        {"transcription.audioProcessor": {"reservedConcurrency": 1, "provisionedConcurrency": 2}},
        "provisionedConcurrency is at most reservedConcurrency",
    ),
    ({"voiceQa.queryWorker.provisionedConcurrency": 51}, "provisionedConcurrency is at most reservedConcurrency"),
    # Ingestion.
    ({"ingestion.intake.batchWindowSeconds": 0}, "ingestion.intake.batchWindowSeconds = 0: at least 1"),
    ({"ingestion.spark.schemaDdl": "id BIGINT,"}, 'schemaDdl = "id BIGINT,": the text ends too early'),
    ({"ingestion.spark.schemaDdl": "dt STRING"}, "every row has columns of its own named dt"),
    # Transcription.
    (
        {"transcription.sessions": {"inFlight": 4, "perUser": 2, "streamQuota": 8}},
        "transcription.sessions.inFlight = 4: less than streamQuota (8) through perUser (2): each",
    ),
    ({"transcription.audioProcessor.timeoutSeconds": 14}, "audioProcessor.timeoutSeconds = 14: at least 15"),
    ({"transcription.sessions.languages": []}, "transcription.sessions.languages = []"),
    ({"transcription.sessions.languages": ["english"]}, "transcription.sessions.languages[0]"),
    # Voice Q&A.
    ({"voiceQa.audio.origins": []}, "voiceQa.audio.origins = []"),
    ({"voiceQa.agentcore": {}}, "voiceQa.agentcore.endpoint: must be given with mode http"),
    ({"voiceQa.agentcore.mode": "bedrock"}, "with mode bedrock, runtimeArn must be given"),
    ({"voiceQa.agentcore.qualifier": "1st"}, "voiceQa.agentcore.qualifier = "),
    (
        {"voiceQa.agentcore.answerSeconds": 471, "voiceQa.queryWorker.timeoutSeconds": 500},
        "voiceQa.agentcore.answerSeconds = 471.0: at most queryWorker.timeoutSeconds (500) less 30",
    ),
    # Livestream.
    ({"livestream.agent.guardrailId": "abc"}, "guardrailId and guardrailVersion go together"),
    ({"livestream.agentWorker.timeoutSeconds": 119}, "agentWorker.timeoutSeconds = 119: at least 120: an answer and"),
    (
        {"livestream.agent.answerSeconds": 440, "livestream.agentWorker.timeoutSeconds": 899},
        "agentWorker.timeoutSeconds = 899: at least 900: an answer and its repair, agent.answerSeconds each",
    ),
    ({"livestream.api.authorizer": "basic"}, "none, apiKey, jwt"),
    # Meetings.
    ({"meetings.models.guardrailId": "abc"}, "guardrailId and guardrailVersion go together"),
    ({"meetings.bedrockSummarize.timeoutSeconds": 359}, "timeoutSeconds = 359: at least 360: an answer and its repair"),
    ({"meetings.processing.imageDigest": "latest"}, "meetings.processing.imageDigest"),
    ({"meetings.tableKmsKey": "alias/ours"}, "meetings.tableKmsKey"),
    ({"meetings.processing.engine": "ec2"}, "batch-spot, fargate"),
    ({"meetings.processing": {"engine": "fargate", "maxVcpus": 1}}, "maxVcpus is at least the vcpus of one job (2)"),
]


@pytest.mark.parametrize(("changes", "says"), REFUSED)
def test_what_contradicts_something_else_is_refused(changes: Changes, says: str) -> None:
    [problem] = problems(complete(changes))
    assert says in problem


@pytest.mark.parametrize(
    "changes",
    [
        {"transcription.sessions": {"inFlight": 4, "perUser": 2, "streamQuota": 9}},
        {"transcription.audioProcessor.timeoutSeconds": 15},
        {"ingestion.intake": {"batchSize": 10, "batchWindowSeconds": 0}},
        {"ingestion.spark.schemaDdl": "id BIGINT, price DECIMAL(10,2), tags ARRAY<STRING>"},
        {"voiceQa.queryWorker.provisionedConcurrency": 50},
        {"voiceQa.queryWorker": {"reservedConcurrency": None, "provisionedConcurrency": 100}},
        {"voiceQa.agentcore.answerSeconds": 470, "voiceQa.queryWorker.timeoutSeconds": 500},
        {"voiceQa.agentcore": {"mode": "bedrock", "runtimeArn": RUNTIME}},
        {"livestream.agent.answerSeconds": 440, "livestream.agentWorker.timeoutSeconds": 900},
        {"meetings.bedrockSummarize.timeoutSeconds": 360},
        {"meetings.processing.maxVcpus": 1},
    ],
)
def test_what_agrees_is_accepted(changes: Changes) -> None:
    load(complete(changes), "dev")


def test_the_providers_keys_are_where_it_says_or_where_most_providers_have_them() -> None:
    issuer = {"foundation.identity": {"issuer": "https://login.example.com/x/", "audience": "us"}}
    derived = load(complete(issuer), "dev").foundation.identity.keys_url
    assert derived == "https://login.example.com/x/.well-known/jwks.json"
    told = {**issuer, "foundation.identity.jwksUrl": "https://keys.example.com/k"}
    assert load(complete(told), "dev").foundation.identity.keys_url == "https://keys.example.com/k"


@pytest.mark.parametrize("key", ["ingestion.intake.corsOrigin", "livestream.api.corsOrigin", "voiceQa.audio.origins"])
@pytest.mark.parametrize(
    "origin",
    ["app.example.com", f"{PAGE}/", "https://*.example.com", "null", "", "ftp://a", "http://-", "https://a.b:123456"],
)
def test_an_origin_is_a_scheme_and_a_host(key: str, origin: str) -> None:
    [problem] = problems(complete({key: [PAGE, origin] if key.endswith("s") else origin}))
    assert problem.startswith(key)


@pytest.mark.parametrize("name", ["builder", "sweeper", "steps"])
@pytest.mark.parametrize(
    ("files", "megabytes", "seconds"),
    [(200, 512, 2), (10_000, 128, 391), (10_000, 512, 98), (10_000, 1769, 29), (10_000, 10_240, 29)],
)
def test_a_function_has_time_for_a_whole_manifest(name: str, files: int, megabytes: int, seconds: int) -> None:
    def stack_of(timeout: int) -> dict[str, str]:
        enough = {f"ingestion.{one}.timeoutSeconds": 899 for one in ("builder", "sweeper", "steps")}
        own = {"timeoutSeconds": timeout, "memoryMb": megabytes}
        return complete({"ingestion.manifests.files": files, **enough, f"ingestion.{name}": own})

    [problem] = problems(stack_of(seconds - 1))
    assert problem.startswith(f"ingestion.{name}.timeoutSeconds = {seconds - 1}: at least {seconds} ")
    assert load(stack_of(seconds), "dev").ingestion.manifests.files == files


@pytest.mark.parametrize(
    ("endpoint", "environment", "says"),
    [
        ("http://10.0.0.5:5000", "staging", "an https address in staging, by name: questions and answers travel by it"),
        ("https://10.0.0.5:5000", "dev", "endpoint is https at a private address"),
        ("https://[fd00::1]:5000", "prod", "endpoint is https at a private address"),
        ("http://54.1.2.3:5000", "dev", "an agent's endpoint at a public IP address must use https://"),
        ("http://[2600::1]", "dev", "an agent's endpoint at a public IP address must use https://"),
        ("https://agent.example.com/?t=a", "dev", "must not have a query or a fragment"),
        ("https://agent.example.com/x#f", "dev", "must not have a query or a fragment"),
        ("https://canary:canary@agent.example.com", "dev", "with a host and without a user"),
        ("agent.example.com", "local", "voiceQa.agentcore.endpoint = "),
        ("ftp://agent.example.com", "local", "voiceQa.agentcore.endpoint = "),
    ],
)
def test_an_endpoint_that_the_worker_could_not_call_is_refused(endpoint: str, environment: str, says: str) -> None:
    [problem] = problems(complete({"voiceQa.agentcore.endpoint": endpoint}, environment))
    assert says in problem
    assert "canary" not in problem
    if says.startswith(("an agent", "with a host")):
        with pytest.raises(ValueError, match=re.escape(says)):
            AgentAddress.from_endpoint(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "environment"),
    [
        (None, "local"),
        ("http://10.0.0.5:5000", "dev"),
        ("https://agent.example.com:5000", "prod"),
        ("https://8.8.8.8", "prod"),
    ],
)
def test_an_endpoint_that_the_worker_can_call_is_accepted(endpoint: str | None, environment: str) -> None:
    found = load(complete({"voiceQa.agentcore.endpoint": endpoint}, environment), environment)
    assert str(found.voice_qa.agentcore.endpoint).startswith(str(endpoint))


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
    [problem] = problems(complete({"voiceQa.agentcore.mode": "bedrock", "voiceQa.agentcore.runtimeArn": arn}))
    assert problem.startswith("voiceQa.agentcore.runtimeArn = ")


def test_the_agent_has_time_to_keep_what_it_found_and_every_transcript_that_is_accepted_is_read() -> None:
    assert FINISH_SECONDS < WINDOW_MARGIN_SECONDS
    largest = load(complete({"livestream.uploads.maxTranscriptMegabytes": 20}), "dev").livestream.uploads
    assert largest.max_transcript_megabytes * MEGABYTE <= MAX_BYTES


def test_the_encryption_key_is_a_secret_that_must_be_there_where_the_subsystem_is_on() -> None:
    [problem] = problems(complete({"livestream.encryptionKey": None}))
    assert problem == (
        "livestream.encryptionKey: is a secret and not set; set it by: "
        "pulumi config set --secret --path 'polyphony:livestream.encryptionKey' --stack dev"
    ), "a command to be typed as it stands"
    load(complete({"livestream.enabled": False, "livestream.encryptionKey": None}, "prod"), "prod")
    settings = load(complete(), "dev")
    assert ENCRYPTION_KEY not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("canary-short", "it needs 32 to 4096 characters, was given 12"),
        *(
            (key, "one of its lines is too short: each needs at least 16 characters")
            for key in (f"canary-new\n{ENCRYPTION_KEY}", f"{ENCRYPTION_KEY}\ncanary-old\n", " \n" * 32)
        ),
    ],
)
def test_each_line_of_the_encryption_key_is_long_enough(key: str, says: str) -> None:
    """Where one is too short, every list that goes on would fail."""
    [problem] = problems(complete({"livestream.encryptionKey": key}))
    assert problem == f"livestream.encryptionKey: the secret given is not usable: {says}"


def test_an_encryption_key_may_have_the_ones_before_it_below() -> None:
    both = f"{'n' * 16}\n{'o' * 16}\n"
    key = load(complete({"livestream.encryptionKey": both}), "dev").livestream.encryption_key
    assert key is not None
    assert secret_lines(key.get_secret_value()) == ["n" * 16, "o" * 16]


@pytest.mark.parametrize(
    ("vcpus", "megabytes"),
    [(0.25, 512), (0.25, 2048), (0.5, 4096), (1, 8192), (2, 16_384), (4, 30_720), (8, 61_440), (16, 122_880)],
)
def test_a_machine_that_fargate_has_is_accepted(vcpus: float, megabytes: int) -> None:
    processing = {"spot": {"vcpus": vcpus, "memoryMb": megabytes}, "maxVcpus": 16, "maxHours": 3}
    found = load(complete({"meetings.processing": processing}), "dev").meetings.processing.size
    assert (found.vcpus, found.memory_mb) == (vcpus, megabytes)


@pytest.mark.parametrize(
    ("vcpus", "megabytes", "says"),
    [
        (3, 8192, "vcpus is one of 0.25, 0.5, 1, 2, 4, 8, 16"),
        (0.25, 1536, "memoryMb with 0.25 vcpus is 512, 1024, 2048"),
        (1, 1024, "memoryMb with 1 vcpus is 2048 to 8192 in steps of 1024"),
        (8, 16_385, "memoryMb with 8 vcpus is 16384 to 61440 in steps of 4096"),
    ],
)
def test_a_machine_that_fargate_has_not_is_refused_before_batch_does(vcpus: float, megabytes: int, says: str) -> None:
    [problem] = problems(complete({"meetings.processing.spot": {"vcpus": vcpus, "memoryMb": megabytes}}))
    assert says in problem


@pytest.mark.parametrize(
    ("processing", "least"),
    [
        ({}, 1_440),
        ({"maxHours": 1}, 120),
        ({"maxHours": 3, "spot": SPOT}, 720),
        ({"engine": "fargate"}, 720),
        ({"engine": "fargate", "fargate": {"vcpus": 4, "memoryMb": 8192}}, 720),
        ({"maxHours": 24, "spot": {"vcpus": 2, "memoryMb": 4096}}, 1_440),
    ],
)
def test_the_longest_recording_has_the_time_that_encoding_it_may_take(processing: Changes, least: int) -> None:
    """An hour of large pictures takes a processor two; more than two processors are not used."""
    fits = {"meetings.processing": {**processing, "timeoutMinutes": least}}
    assert load(complete(fits), "dev").meetings.processing.timeout_minutes == least
    [problem] = problems(complete({"meetings.processing": {**processing, "timeoutMinutes": least - 1}}))
    assert f"timeoutMinutes is at least {least:,}" in problem


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_image_that_runs_is_one_that_was_reviewed(environment: str) -> None:
    missing = {"meetings.processing.imageDigest": None}
    [problem] = problems(complete(missing, environment))
    assert problem.startswith(f"meetings.processing.imageDigest: must be given in {environment}")
    assert "the workflow `image` prints it" in problem
    assert "`sha256:` and 64 zeros" in problem
    before = {"meetings.processing.imageDigest": f"sha256:{'0' * 64}"}
    load(complete(before, environment), environment)  # what the message proposes is taken
    load(complete(missing), "dev")  # and dev may run its latest


def test_a_jobs_notes_are_kept_longer_than_the_chunks_that_they_are_about() -> None:
    kept = load(complete({"meetings.kept.rawDays": 14}), "dev").meetings.kept
    assert kept.work_days == 15


def test_nobody_needs_a_reader_where_people_try_things() -> None:
    silent = {**FOUNDATION, "alerts": {}, "identity": IDENTITY}
    assert load(complete({"foundation": silent}), "dev").foundation.alerts.emails == ()
