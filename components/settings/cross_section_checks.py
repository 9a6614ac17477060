"""Checks that compare a stack's settings with each other, across sections, and with the stack's environment.

The loader runs them after the settings models have checked each section by itself.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import SecretStr

from components.settings.error_messages import SettingsProblem
from components.settings.foundation import Auth
from components.settings.ingestion import ANNOUNCED_DAYS
from components.settings.livestream import AuthorizerKind, min_agent_timeout_seconds
from components.settings.settings_base import Environment, LogLevel, SubsystemSettings
from components.settings.voice_qa import LectureUploads
from components.settings.voice_qa_agent_connection import AgentMode

if TYPE_CHECKING:
    from components.settings.stack import StackSettings

SECONDS_TIMES_MB_PER_FILE = 5
"""Seconds that a function of ingestion needs for each file of a manifest (the files that one Spark run processes),
multiplied by the function's memory in MB. With 500 MB, a file needs 0.01 seconds; with half the memory twice as long,
because Lambda assigns processor time in proportion. The value is twice the measured one."""
SINGLE_VCPU_MB = 1769
"""Memory up to which more memory makes a function faster. With more than this, Lambda adds a second vCPU, which a
single process cannot use."""
MIN_UTTERANCE_TIMEOUT_SECONDS = 15
"""Minimum timeout of transcription's audio processor. In one invocation, it streams an utterance of up to five seconds
to Amazon Transcribe, and the call needs time before and after the utterance."""
ANSWER_MARGIN_SECONDS = 30
"""Time that the query worker of voice Q&A needs in addition to the agent's answer."""
SUMMARY_MARGIN_SECONDS = 60
"""Time that the summary function of meetings needs in addition to two answers of the model."""
ALARM_NEEDS_INFO = "an alarm reads log lines of level INFO"
METRICS_NEED_INFO = "metrics are derived from log lines of level INFO"


def find_conflicts(stack: "StackSettings", name: str) -> Iterator[SettingsProblem]:
    """Yield all conflicts between settings, except those of disabled subsystems.

    `name` is the stack's name. The messages of missing secrets contain it in the command that sets the secret.
    """
    yield from _check_foundation(stack)
    if stack.ingestion.enabled:
        yield from _check_ingestion(stack)
    if stack.transcription.enabled:
        yield from _check_transcription(stack)
    if stack.voice_qa.enabled:
        yield from _check_voice_qa(stack, name)
    if stack.livestream.enabled:
        yield from _check_livestream(stack, name)
    if stack.meetings.enabled:
        yield from _check_meetings(stack)


def _check_foundation(stack: "StackSettings") -> Iterator[SettingsProblem]:
    foundation = stack.foundation
    if foundation.identity.auth is Auth.NONE and not stack.environment.relaxed:
        yield SettingsProblem(
            "foundation.identity.auth",
            foundation.identity.auth.value,
            f"must be `oidc` in {stack.environment}: `none` is for local and dev only",
        )
    for key, url in (("issuer", foundation.identity.issuer), ("jwksUrl", foundation.identity.jwks_url)):
        if url is not None and url.scheme != "https" and stack.environment is not Environment.LOCAL:
            yield SettingsProblem(
                f"foundation.identity.{key}",
                f'"{url}"',
                f"must be an https URL in {stack.environment}, because the provider's keys are loaded from it",
            )
    if not foundation.alerts.emails and not stack.environment.relaxed:
        yield SettingsProblem(
            "foundation.alerts.emails",
            "[]",
            f"must contain at least one address in {stack.environment}, so that someone receives the alarms",
        )


def _check_ingestion(stack: "StackSettings") -> Iterator[SettingsProblem]:
    files = stack.ingestion.manifests.files
    for name, function in (
        ("builder", stack.ingestion.builder),
        ("sweeper", stack.ingestion.sweeper),
        ("steps", stack.ingestion.steps),
    ):
        min_seconds = math.ceil(files * SECONDS_TIMES_MB_PER_FILE / min(function.memory_mb, SINGLE_VCPU_MB))
        if function.timeout_seconds < min_seconds:
            yield SettingsProblem(
                f"ingestion.{name}.timeoutSeconds",
                str(function.timeout_seconds),
                f"must be at least {min_seconds} with manifests.files {files} and {function.memory_mb} MB, because one invocation "
                "processes all files of a manifest",
            )
    intake = stack.ingestion.intake
    if intake.batch_size > 10 and intake.batch_window_seconds < 1:
        yield SettingsProblem(
            "ingestion.intake.batchWindowSeconds",
            str(intake.batch_window_seconds),
            "must be at least 1 if batchSize is above 10 (a rule of Lambda)",
        )
    if intake.table_record_days < intake.landing_days + ANNOUNCED_DAYS:
        yield SettingsProblem(
            "ingestion.intake.tableRecordDays",
            str(intake.table_record_days),
            f"must be at least landingDays ({intake.landing_days}) plus {ANNOUNCED_DAYS}: a file that is announced without "
            "a record is processed again",
        )
    if stack.ingestion.manifests.flush_minutes == 0 and stack.environment is not Environment.LOCAL:
        yield SettingsProblem(
            "ingestion.manifests.flushMinutes",
            "0",
            f"must be at least 1 in {stack.environment}: 0 starts a Glue run for every batch of files",
        )
    yield from _check_origin(
        "ingestion.intake.corsOrigin", intake.cors_origin, stack, "upload files, in prod; or leave it out"
    )
    yield from _check_log_level("ingestion", stack.ingestion, ALARM_NEEDS_INFO)


def _check_transcription(stack: "StackSettings") -> Iterator[SettingsProblem]:
    if not stack.transcription.structured_logging and not stack.environment.relaxed:
        yield SettingsProblem(
            "transcription.structuredLogging",
            "false",
            f"must be true in {stack.environment}: an alarm reads JSON lines",
        )
    processor = stack.transcription.audio_processor
    if processor.timeout_seconds < MIN_UTTERANCE_TIMEOUT_SECONDS:
        yield SettingsProblem(
            "transcription.audioProcessor.timeoutSeconds",
            str(processor.timeout_seconds),
            f"must be at least {MIN_UTTERANCE_TIMEOUT_SECONDS}: the length of an utterance, and the time for its result",
        )


def _check_secret(key: str, secret: SecretStr | None, stack_name: str) -> Iterator[SettingsProblem]:
    if secret is None:
        command = f"pulumi config set --secret --path 'polyphony:{key}' --stack {stack_name}"
        yield SettingsProblem(key, None, f"is a secret and not set; set it with: {command}")


def _check_voice_qa(stack: "StackSettings", name: str) -> Iterator[SettingsProblem]:
    settings, agent = stack.voice_qa, stack.voice_qa.agentcore
    yield from _check_secret("voiceQa.guestIdKey", settings.guest_id_key, name)
    if agent.mode is AgentMode.HTTP and agent.endpoint is None and stack.environment is not Environment.LOCAL:
        yield SettingsProblem("voiceQa.agentcore.endpoint", None, "is required with mode http: the URL of the agent")
    if agent.endpoint is not None and agent.endpoint.scheme != "https" and not stack.environment.relaxed:
        yield SettingsProblem(
            "voiceQa.agentcore.endpoint",
            f'"{agent.endpoint}"',
            f"must be an https URL with a host name in {stack.environment}, because it carries questions and answers",
        )
    if "*" in settings.audio.origins and stack.environment is Environment.PROD:
        yield SettingsProblem(
            "voiceQa.audio.origins", '["*"]', "must be the origins of the pages that may use the bucket, in prod"
        )
    if settings.audio.accelerated and stack.environment is Environment.LOCAL:
        yield SettingsProblem(
            "voiceQa.audio.accelerated", "true", "must be false in local: the emulator has no edge locations"
        )
    if settings.lectures.uploads is LectureUploads.GUESTS and not stack.environment.relaxed:
        yield SettingsProblem(
            "voiceQa.lectures.uploads",
            '"guests"',
            f"must be `off` in {stack.environment}, because everyone can be a guest",
        )
    if settings.query_worker.timeout_seconds < agent.answer_seconds + ANSWER_MARGIN_SECONDS:
        yield SettingsProblem(
            "voiceQa.agentcore.answerSeconds",
            str(agent.answer_seconds),
            f"must be at most queryWorker.timeoutSeconds ({settings.query_worker.timeout_seconds}) minus "
            f"{ANSWER_MARGIN_SECONDS}, because the worker must also store the answer and send it",
        )
    yield from _check_log_level("voiceQa", settings, ALARM_NEEDS_INFO)


def _check_livestream(stack: "StackSettings", name: str) -> Iterator[SettingsProblem]:
    settings, api = stack.livestream, stack.livestream.api
    yield from _check_secret("livestream.encryptionKey", settings.encryption_key, name)
    yield from _check_origin("livestream.api.corsOrigin", api.cors_origin, stack, "use the API, in prod")
    without_tokens = stack.foundation.identity.auth is Auth.NONE  # a problem of its own where it is not allowed
    if api.authorizer is AuthorizerKind.NONE and not (stack.environment.relaxed or without_tokens):
        yield SettingsProblem(
            "livestream.api.authorizer",
            '"none"',
            f"must be `jwt` in {stack.environment}: `none` accepts every caller",
        )
    if api.authorizer is AuthorizerKind.JWT and without_tokens:
        yield SettingsProblem(
            "livestream.api.authorizer", '"jwt"', "must be `none` if foundation.identity.auth is `none`"
        )
    min_seconds = min_agent_timeout_seconds(settings.agent.answer_seconds)
    if settings.agent_worker.timeout_seconds < min_seconds:
        yield SettingsProblem(
            "livestream.agentWorker.timeoutSeconds",
            str(settings.agent_worker.timeout_seconds),
            f"must be at least {min_seconds}: the model may answer twice, within agent.answerSeconds each time, and the function "
            "also needs time to read and store",
        )
    yield from _check_log_level("livestream", settings, METRICS_NEED_INFO)


def _check_meetings(stack: "StackSettings") -> Iterator[SettingsProblem]:
    settings, identity = stack.meetings, stack.foundation.identity
    for key, value in (("issuer", identity.issuer), ("audience", identity.audience)):
        if value is None and identity.auth is Auth.NONE:  # with `oidc`, the identity section requires them
            yield SettingsProblem(
                f"foundation.identity.{key}",
                None,
                "is required for meetings, because tokens identify the owner of a meeting",
            )
    yield from _check_origin(
        "meetings.exchange.corsOrigin", settings.exchange.cors_origin, stack, "use the exchange, in prod"
    )
    if settings.processing.image_digest is None and not stack.environment.relaxed:
        yield SettingsProblem(
            "meetings.processing.imageDigest",
            None,
            f"is required in {stack.environment}: the digest of the reviewed image, as the workflow `image` prints it. Before "
            "the first deployment, which creates the image's repository, use `sha256:` and 64 zeros",
        )
    min_seconds = 2 * settings.models.answer_seconds + SUMMARY_MARGIN_SECONDS
    if settings.bedrock_summarize.timeout_seconds < min_seconds:
        yield SettingsProblem(
            "meetings.bedrockSummarize.timeoutSeconds",
            str(settings.bedrock_summarize.timeout_seconds),
            f"must be at least {min_seconds}: the model may answer twice, within models.answerSeconds each time, and the function "
            "also needs time to read and write",
        )
    yield from _check_log_level("meetings", settings, METRICS_NEED_INFO)


def _check_origin(key: str, origin: str | None, stack: "StackSettings", use: str) -> Iterator[SettingsProblem]:
    """Yield a problem if an origin is `*` in prod. `use` completes the message: "the page that may ..."."""
    if origin == "*" and stack.environment is Environment.PROD:
        yield SettingsProblem(key, '"*"', f"must be the origin of the page that may {use}")


def _check_log_level(section: str, settings: SubsystemSettings, why: str) -> Iterator[SettingsProblem]:
    """Yield a problem if the subsystem does not log lines of level INFO, which alarms or metrics need."""
    if settings.log_level not in {LogLevel.DEBUG, LogLevel.INFO}:
        yield SettingsProblem(f"{section}.logLevel", settings.log_level.value, f"must be DEBUG or INFO: {why}")
