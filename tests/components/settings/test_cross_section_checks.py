"""Tests of the rules that concern several settings, or one setting in certain environments, and of their errors."""

import re
from typing import Any

import pytest

from components.settings import load_settings
from components.settings.livestream import WINDOW_MARGIN_SECONDS
from handlers.livestream.episodes_api.environment import parse_secrets
from handlers.livestream.episodes_api.handler import MEGABYTE
from handlers.livestream.fact_check_agent.transcript_window_analysis import FINISH_SECONDS
from handlers.livestream.transcript.cues import MAX_TRANSCRIPT_BYTES
from handlers.voice_qa.query_worker.agent.http_connection import AgentAddress
from tests.components.settings.stack_config import ENCRYPTION_KEY, IDENTITY, PAGE, problems, stack_config

Changes = dict[str, Any]
RUNTIME = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/lecturer-a1B2c3"
AGENT_NETWORK = {"vpcId": "vpc-0a1b2c3d", "cidr": "172.31.0.0/16", "subnetIds": ["subnet-0a1b"]}

ENVIRONMENTS = ("local", "dev", "staging", "prod")
KEYS_MUST_BE_HTTPS = "must be an https URL in {}, because the provider's keys are loaded from it"
FORBIDDEN: dict[str, tuple[object, str, str]] = {
    "foundation.identity.auth": ("none", "staging prod", "must be `oidc` in {}: `none` is for local and dev only"),
    "foundation.identity.issuer": ("http://127.0.0.1:9/", "dev staging prod", KEYS_MUST_BE_HTTPS),
    "foundation.identity.jwksUrl": ("http://127.0.0.1:9/k", "dev staging prod", KEYS_MUST_BE_HTTPS),
    "foundation.alerts.emails": (
        [],
        "staging prod",
        "must contain at least one address in {}, so that someone receives the alarms",
    ),
    "ingestion.intake.corsOrigin": (
        "*",
        "prod",
        "must be the origin of the page that may upload files, in {}; or leave it out",
    ),
    "ingestion.manifests.flushMinutes": (
        0,
        "dev staging prod",
        "must be at least 1 in {}: 0 starts a Glue run for every batch of files",
    ),
    "transcription.structuredLogging": (False, "staging prod", "must be true in {}: an alarm reads JSON lines"),
    "voiceQa.audio.accelerated": (True, "local", "must be false in {}: the emulator has no edge locations"),
    "voiceQa.audio.origins": (["*"], "prod", "must be the origins of the pages that may use the bucket, in {}"),
    "voiceQa.lectures.uploads": ("guests", "staging prod", "must be `off` in {}, because everyone can be a guest"),
    "livestream.api.corsOrigin": ("*", "prod", "must be the origin of the page that may use the API, in {}"),
    "livestream.api.authorizer": (
        "none",
        "staging prod",
        "must be `jwt` in {}: `none` accepts every caller",
    ),
    "meetings.exchange.corsOrigin": ("*", "prod", "must be the origin of the page that may use the exchange, in {}"),
}
"""A value of each setting, the environments that forbid it, and the end of the error. `{}` stands for the environment."""


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("key", FORBIDDEN)
def test_a_setting_that_an_environment_forbids_is_refused_only_there(key: str, environment: str) -> None:
    value, forbidding_environments, reason = FORBIDDEN[key]
    changes = {key: value}
    if environment not in forbidding_environments.split():
        load_settings(stack_config(changes, environment), environment)
        return
    [problem] = problems(stack_config(changes, environment))
    assert problem.startswith(f"{key} = ")
    assert problem.endswith(f": {reason.format(environment)}")


@pytest.mark.parametrize("key", [key for key in FORBIDDEN if not key.startswith("foundation")])
def test_a_forbidden_value_in_a_disabled_subsystem_is_accepted(key: str) -> None:
    value, forbidding_environments, _ = FORBIDDEN[key]
    environment = forbidding_environments.split()[0]
    load_settings(stack_config({key: value, f"{key.partition('.')[0]}.enabled": False}, environment), environment)


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ("ingestion", "an alarm reads log lines of level INFO"),
        ("voiceQa", "an alarm reads log lines of level INFO"),
        ("livestream", "metrics are derived from log lines of level INFO"),
        ("meetings", "metrics are derived from log lines of level INFO"),
    ],
)
def test_log_lines_that_alarms_and_metrics_read_must_be_enabled(section: str, reason: str, level: str) -> None:
    assert problems(stack_config({f"{section}.logLevel": level})) == [
        f"{section}.logLevel = {level}: must be DEBUG or INFO: {reason}"
    ]


CONFLICTS: list[tuple[Changes, str]] = [
    # Identity.
    ({"foundation.identity": {}}, "with auth oidc, issuer and audience are required"),
    (
        {"foundation.identity": {"auth": "none", "audience": "us"}, "livestream.api.authorizer": "none"},
        "foundation.identity.issuer: is required for meetings, because tokens identify the owner of a meeting",
    ),
    (
        {"foundation.identity": {"auth": "none", "issuer": "https://a.b/"}, "livestream.api.authorizer": "none"},
        "foundation.identity.audience: is required for meetings, because tokens identify the owner of a meeting",
    ),
    (
        {"foundation.identity": {"auth": "none", **IDENTITY}, "livestream.api.authorizer": "jwt"},
        'livestream.api.authorizer = "jwt": must be `none` if foundation.identity.auth is `none`',
    ),
    ({"foundation.alerts.emails": ["a@b.de", "c@d.de", "a@b.de"]}, "a@b.de occurs more than once"),
    ({"foundation.network": {"vpcId": "vpc-0a1b"}}, "vpcId and subnetIds belong together"),
    ({"foundation.network": {"subnetIds": ["subnet-0a1b"]}}, "vpcId and subnetIds belong together"),
    # Functions.
    (
        {"voiceQa.socketHandler.snapStart": True},  # provisioned concurrency is on by default
        "snapStart and provisionedConcurrency cannot be combined",
    ),
    ({"voiceQa.queryWorker.provisionedConcurrency": 51}, "provisionedConcurrency must be at most reservedConcurrency"),
    # Ingestion.
    (
        {"ingestion.intake": {"tableRecordDays": 50, "landingDays": 30}},
        "tableRecordDays = 50: must be at least landingDays (30) plus 21",
    ),
    ({"ingestion.intake": {"batchSize": 11, "batchWindowSeconds": 0}}, "batchWindowSeconds = 0: must be at least 1"),
    (
        {"ingestion.spark.schemaDdl": "id BIGINT,"},
        'schemaDdl = "id BIGINT,": the text ends too early: complete the last column, or remove a comma at the end',
    ),
    ({"ingestion.spark.schemaDdl": "dt STRING"}, "the job adds these columns itself, so remove them: dt"),
    # Transcription.
    ({"transcription.audioProcessor.timeoutSeconds": 14}, "audioProcessor.timeoutSeconds = 14: must be at least 15"),
    # Voice Q&A.
    ({"voiceQa.agentcore": {}}, "voiceQa.agentcore.endpoint: is required with mode http"),
    ({"voiceQa.agentcore.mode": "bedrock"}, "with mode bedrock, runtimeArn is required"),
    (
        {"voiceQa.agentcore": {"endpoint": "http://10.0.0.5:5000", "network": AGENT_NETWORK}},
        "endpoint is not in network.cidr (172.31.0.0/16)",
    ),
    (
        {"voiceQa.agentcore.answerSeconds": 471, "voiceQa.queryWorker.timeoutSeconds": 500},
        "voiceQa.agentcore.answerSeconds = 471.0: must be at most queryWorker.timeoutSeconds (500) minus 30",
    ),
    # Livestream.
    (
        {"livestream.agent.answerSeconds": 440, "livestream.agentWorker.timeoutSeconds": 899},
        "agentWorker.timeoutSeconds = 899: must be at least 900: the model may answer twice, within agent.answerSeconds each time",
    ),
    # Meetings.
    (
        {"meetings.bedrockSummarize.timeoutSeconds": 419},
        "timeoutSeconds = 419: must be at least 420: the model may answer twice",
    ),
    (
        {"meetings.processing": {"engine": "fargate", "maxVcpus": 1}},
        "maxVcpus must be at least the vcpus of one job (2)",
    ),
]


@pytest.mark.parametrize(("changes", "message"), CONFLICTS)
def test_conflicting_settings_are_refused(changes: Changes, message: str) -> None:
    [problem] = problems(stack_config(changes))
    assert message in problem


@pytest.mark.parametrize(
    "changes",
    [
        {"transcription.audioProcessor.timeoutSeconds": 15},
        {"ingestion.intake": {"batchSize": 10, "batchWindowSeconds": 0}},
        {"ingestion.intake": {"tableRecordDays": 51, "landingDays": 30}},
        {"ingestion.spark.schemaDdl": "id BIGINT, price DECIMAL(10,2), tags ARRAY<STRING>"},
        {"voiceQa.queryWorker.provisionedConcurrency": 50},
        {"voiceQa.queryWorker": {"reservedConcurrency": None, "provisionedConcurrency": 100}},
        {"voiceQa.agentcore.answerSeconds": 470, "voiceQa.queryWorker.timeoutSeconds": 500},
        {"voiceQa.agentcore": {"mode": "bedrock", "runtimeArn": RUNTIME}},
        {"livestream.agent.answerSeconds": 440, "livestream.agentWorker.timeoutSeconds": 900},
        {"meetings.bedrockSummarize.timeoutSeconds": 420},
        {"meetings.processing.maxVcpus": 1},
    ],
)
def test_consistent_settings_are_accepted(changes: Changes) -> None:
    """Most numbers are exactly at the limit that a conflict above exceeds."""
    load_settings(stack_config(changes), "dev")


def test_the_url_of_the_providers_keys_is_given_or_derived_from_the_issuer() -> None:
    def keys_url(**identity: str) -> str:
        identity = {"issuer": "https://login.example.com/x/", "audience": "us", **identity}
        return load_settings(stack_config({"foundation.identity": identity}), "dev").foundation.identity.keys_url

    assert keys_url() == "https://login.example.com/x/.well-known/jwks.json"
    assert keys_url(jwksUrl="https://keys.example.com/k") == "https://keys.example.com/k"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_only_a_local_stack_leaves_the_url_of_the_keys_to_the_platform(environment: str) -> None:
    def keys_variable(**more: str) -> str | None:
        identity = {**IDENTITY, **more}
        settings = load_settings(stack_config({"foundation.identity": identity}, environment), environment)
        return settings.foundation.identity.token_variables(settings.environment)["jwks_url"]

    derived = f"{IDENTITY['issuer'].rstrip('/')}/.well-known/jwks.json"
    assert keys_variable() == (None if environment == "local" else derived)
    assert keys_variable(jwksUrl="https://keys.example.com/k") == "https://keys.example.com/k"


def test_without_authentication_livestream_has_no_authorizer() -> None:
    def authorizer(**identity: str) -> str:
        changes: Changes = {"foundation.identity": {**IDENTITY, **identity}, "livestream.api.requestsPerSecond": 7}
        return load_settings(stack_config(changes), "dev").livestream.api.authorizer

    assert (authorizer(), authorizer(auth="none")) == ("jwt", "none")


@pytest.mark.parametrize("key", ["ingestion.intake.corsOrigin", "livestream.api.corsOrigin", "voiceQa.audio.origins"])
@pytest.mark.parametrize(
    "origin",
    ["app.example.com", f"{PAGE}/", "https://*.example.com", "null", "", "ftp://a", "http://-", "https://a.b:123456"],
)
def test_an_origin_is_a_scheme_and_a_host(key: str, origin: str) -> None:
    [problem] = problems(stack_config({key: [PAGE, origin] if key.endswith("s") else origin}))
    assert problem.startswith(key)


@pytest.mark.parametrize("function", ["builder", "sweeper", "steps"])
@pytest.mark.parametrize(
    ("max_files", "memory_mb", "min_seconds"),
    [(200, 512, 2), (10_000, 128, 391), (10_000, 512, 98), (10_000, 1769, 29), (10_000, 10_240, 29)],
)
def test_the_timeout_must_be_long_enough_for_a_manifest_of_the_maximum_number_of_files(
    function: str, max_files: int, memory_mb: int, min_seconds: int
) -> None:
    """A file takes five seconds divided by the memory in MB. More memory than 1,769 MB saves no time."""

    def stack(timeout_seconds: int) -> dict[str, str]:
        long_timeouts = {f"ingestion.{name}.timeoutSeconds": 899 for name in ("builder", "sweeper", "steps")}
        tested_function = {f"ingestion.{function}": {"timeoutSeconds": timeout_seconds, "memoryMb": memory_mb}}
        return stack_config({"ingestion.manifests.files": max_files, **long_timeouts, **tested_function})

    key = f"ingestion.{function}.timeoutSeconds"
    [problem] = problems(stack(min_seconds - 1))
    assert problem.startswith(f"{key} = {min_seconds - 1}: must be at least {min_seconds} ")
    assert load_settings(stack(min_seconds), "dev").ingestion.manifests.files == max_files


@pytest.mark.parametrize(
    ("endpoint", "environment", "message"),
    [
        ("http://10.0.0.5:5000", "staging", "must be an https URL with a host name in staging"),
        ("https://10.0.0.5:5000", "dev", "endpoint is https with a private address"),
        ("https://[fd00::1]:5000", "prod", "endpoint is https with a private address"),
        ("http://54.1.2.3:5000", "dev", "an agent's endpoint at a public IP address must use https://"),
        ("http://[2600::1]", "dev", "an agent's endpoint at a public IP address must use https://"),
        ("https://agent.example.com/?t=a", "dev", "must not have a query or a fragment"),
        ("https://agent.example.com/x#f", "dev", "must not have a query or a fragment"),
        ("https://canary:canary@agent.example.com", "dev", "with a host and without a user"),
        ("agent.example.com", "local", "voiceQa.agentcore.endpoint = "),
        ("ftp://agent.example.com", "local", "voiceQa.agentcore.endpoint = "),
    ],
)
def test_an_endpoint_that_the_worker_cannot_call_is_refused(endpoint: str, environment: str, message: str) -> None:
    [problem] = problems(stack_config({"voiceQa.agentcore.endpoint": endpoint}, environment))
    assert message in problem
    assert "canary" not in problem
    if message.startswith(("an agent", "with a host")):  # the worker refuses these endpoints too
        with pytest.raises(ValueError, match=re.escape(message)):
            AgentAddress.from_endpoint(endpoint)


@pytest.mark.parametrize(
    ("endpoint", "environment"),
    [
        (None, "local"),  # only the other environments require an endpoint
        ("http://10.0.0.5:5000", "dev"),
        ("https://agent.example.com:5000", "prod"),
        ("https://8.8.8.8", "prod"),
    ],
)
def test_an_endpoint_that_the_worker_can_call_is_accepted(endpoint: str | None, environment: str) -> None:
    settings = load_settings(stack_config({"voiceQa.agentcore.endpoint": endpoint}, environment), environment)
    assert str(settings.voice_qa.agentcore.endpoint).startswith(str(endpoint))


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
def test_a_value_that_is_not_the_arn_of_one_runtime_is_refused(arn: str) -> None:
    [problem] = problems(stack_config({"voiceQa.agentcore.mode": "bedrock", "voiceQa.agentcore.runtimeArn": arn}))
    assert problem.startswith("voiceQa.agentcore.runtimeArn = ")


def test_the_timeout_of_the_fact_check_agent_leaves_time_to_store_its_findings() -> None:
    assert FINISH_SECONDS < WINDOW_MARGIN_SECONDS


def test_the_largest_transcript_that_can_be_uploaded_is_not_too_large_for_the_parser() -> None:
    uploads = load_settings(stack_config({"livestream.uploads.maxTranscriptMegabytes": 20}), "dev").livestream.uploads
    assert uploads.max_transcript_megabytes * MEGABYTE <= MAX_TRANSCRIPT_BYTES


@pytest.mark.parametrize("key", ["livestream.encryptionKey", "voiceQa.guestIdKey"])
def test_a_secret_is_required_if_its_subsystem_is_enabled(key: str) -> None:
    assert problems(stack_config({key: None})) == [
        f"{key}: is a secret and not set; set it with: pulumi config set --secret --path 'polyphony:{key}' --stack dev"
    ], "the command can be copied unchanged"
    load_settings(stack_config({f"{key.partition('.')[0]}.enabled": False, key: None}, "prod"), "prod")


def test_secrets_are_not_in_any_text_form_of_the_settings() -> None:
    settings = load_settings(stack_config(), "dev")
    assert ENCRYPTION_KEY not in repr(settings) + str(settings.model_dump()) + settings.model_dump_json()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("canary-short", "it must have 32 to 4096 characters, but has 12"),
        *(
            (key, "each line must have at least 16 characters, and there must be at least one line")
            for key in (f"canary-new\n{ENCRYPTION_KEY}", f"{ENCRYPTION_KEY}\ncanary-old\n", " \n" * 32)
        ),
    ],
)
def test_each_line_of_the_encryption_key_is_long_enough(key: str, message: str) -> None:
    """With a line that is too short, every request with a cursor would fail."""
    [problem] = problems(stack_config({"livestream.encryptionKey": key}))
    assert problem == f"livestream.encryptionKey: the secret is not valid: {message}"


def test_an_encryption_key_may_be_followed_by_older_keys() -> None:
    two_keys = f"{'n' * 16}\n{'o' * 16}\n"
    key = load_settings(stack_config({"livestream.encryptionKey": two_keys}), "dev").livestream.encryption_key
    assert key is not None
    assert parse_secrets(key.get_secret_value()) == ["n" * 16, "o" * 16]


@pytest.mark.parametrize(
    ("vcpus", "megabytes"),
    [(0.25, 512), (0.25, 2048), (0.5, 4096), (1, 8192), (2, 16_384), (4, 30_720), (8, 61_440), (16, 122_880)],
)
def test_a_size_that_fargate_supports_is_accepted(vcpus: float, megabytes: int) -> None:
    processing = {"spot": {"vcpus": vcpus, "memoryMb": megabytes}, "maxVcpus": 16, "maxHours": 3}
    size = load_settings(stack_config({"meetings.processing": processing}), "dev").meetings.processing.size
    assert (size.vcpus, size.memory_mb) == (vcpus, megabytes)


@pytest.mark.parametrize(
    ("vcpus", "megabytes", "message"),
    [
        (3, 8192, "vcpus must be one of 0.25, 0.5, 1, 2, 4, 8, 16"),
        (0.25, 1536, "memoryMb with 0.25 vcpus must be 512, 1024, 2048"),
        (1, 1024, "memoryMb with 1 vcpus must be 2048 to 8192 in steps of 1024"),
        (8, 16_385, "memoryMb with 8 vcpus must be 16384 to 61440 in steps of 4096"),
    ],
)
def test_a_size_that_fargate_does_not_support_is_refused(vcpus: float, megabytes: int, message: str) -> None:
    [problem] = problems(stack_config({"meetings.processing.spot": {"vcpus": vcpus, "memoryMb": megabytes}}))
    assert message in problem


@pytest.mark.parametrize(
    ("processing", "min_minutes"),
    [
        ({}, 1_440),
        ({"maxHours": 1}, 120),
        ({"maxHours": 3, "spot": {"vcpus": 0.5, "memoryMb": 1024}}, 720),
        ({"engine": "fargate"}, 720),
        ({"engine": "fargate", "fargate": {"vcpus": 4, "memoryMb": 8192}}, 720),
        ({"maxHours": 24, "spot": {"vcpus": 2, "memoryMb": 4096}}, 1_440),
    ],
)
def test_the_timeout_must_be_long_enough_to_encode_the_longest_recording(processing: Changes, min_minutes: int) -> None:
    """An hour of high-resolution video takes two vCPU hours. The job uses at most two vCPUs."""
    shortest = {"meetings.processing": {**processing, "timeoutMinutes": min_minutes}}
    assert load_settings(stack_config(shortest), "dev").meetings.processing.timeout_minutes == min_minutes
    [problem] = problems(stack_config({"meetings.processing": {**processing, "timeoutMinutes": min_minutes - 1}}))
    assert f"timeoutMinutes must be at least {min_minutes:,}" in problem


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_image_digest_is_required_in_staging_and_prod(environment: str) -> None:
    without_digest = {"meetings.processing.imageDigest": None}
    [problem] = problems(stack_config(without_digest, environment))
    assert problem.startswith(f"meetings.processing.imageDigest: is required in {environment}")
    assert "the workflow `image` prints it" in problem
    assert "`sha256:` and 64 zeros" in problem
    zero_digest = {"meetings.processing.imageDigest": f"sha256:{'0' * 64}"}
    load_settings(stack_config(zero_digest, environment), environment)  # accepted, because the message proposes it
    load_settings(stack_config(without_digest), "dev")  # dev uses the latest image


def test_intermediate_objects_are_kept_a_day_longer_than_the_chunks() -> None:
    settings = load_settings(stack_config({"meetings.kept.rawDays": 14}), "dev")
    assert settings.meetings.kept.work_days == 15


@pytest.mark.parametrize(("hours", "parts"), [(3, 1), (4, 2), (23, 6)])
def test_the_longest_recording_is_transcribed_in_parts_of_less_than_four_hours(hours: int, parts: int) -> None:
    processing = {"maxHours": hours, "spot": {"vcpus": 2, "memoryMb": 4096}}
    assert load_settings(stack_config({"meetings.processing": processing}), "dev").meetings.audio_parts == parts


def test_a_model_that_thinks_longer_requires_a_longer_timeout_for_its_answer() -> None:
    changes: dict[str, object] = {"livestream.agent.modelId": "us.anthropic.claude-sonnet-5-5"}
    assert "answerSeconds must be at least 131 for this modelId" in "\n".join(problems(stack_config(changes)))
    longer = {"livestream.agent.answerSeconds": 131, "livestream.agentWorker.timeoutSeconds": 282}
    load_settings(stack_config({**changes, **longer}), "dev")
