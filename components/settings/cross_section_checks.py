"""What no single section of a stack file can tell: settings that its environment, or another section, does not allow."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.settings.foundation import Auth
from components.settings.livestream import AuthorizerKind, window_seconds
from components.settings.problems import SettingsProblem, secret_command
from components.settings.settings_base import Environment, LogLevel, SubsystemSettings
from components.settings.voice_qa import LectureUploads
from components.settings.voice_qa_agent import AgentMode

if TYPE_CHECKING:
    from components.settings.stack import StackSettings

FILE_MB_SECONDS = 5
"""What each file of a manifest takes of a function that moves it, times the memory in MB that its processor comes with: twice
what was measured."""
ONE_PROCESSOR_MB = 1769
"""More memory brings another processor, and one process uses one."""
LONGEST_UTTERANCE_SECONDS = 15
"""What the audio processor needs at least: five seconds of speech, and what comes before and after."""
ANSWER_MARGIN_SECONDS = 30
SUMMARY_MARGIN_SECONDS = 60
ALARM_READS = "an alarm reads lines of level INFO"
METRICS_ARE_MADE = "metrics are made of lines of level INFO"


def find_conflicts(stack: "StackSettings", name: str) -> Iterator[SettingsProblem]:
    """All of them; `name` is the stack's, for commands. A subsystem that is off is held to nothing."""
    yield from _foundation(stack)
    if stack.ingestion.enabled:
        yield from _ingestion(stack)
    if stack.transcription.enabled:
        yield from _transcription(stack)
    if stack.voice_qa.enabled:
        yield from _voice_qa(stack)
    if stack.livestream.enabled:
        yield from _livestream(stack, name)
    if stack.meetings.enabled:
        yield from _meetings(stack)


def _foundation(stack: "StackSettings") -> Iterator[SettingsProblem]:
    foundation = stack.foundation
    if foundation.identity.auth is Auth.NONE and not stack.environment.relaxed:
        yield SettingsProblem(
            "foundation.identity.auth",
            foundation.identity.auth.value,
            f"`oidc` in {stack.environment}: `none` is for local and dev only",
        )
    for key, url in (("issuer", foundation.identity.issuer), ("jwksUrl", foundation.identity.jwks_url)):
        if url is not None and url.scheme != "https" and stack.environment is not Environment.LOCAL:
            yield SettingsProblem(
                f"foundation.identity.{key}",
                f'"{url}"',
                f"an https address in {stack.environment}: keys travel by it",
            )
    if not foundation.alerts.emails and not stack.environment.relaxed:
        yield SettingsProblem(
            "foundation.alerts.emails", "[]", f"at least one address in {stack.environment}: alarms need a reader"
        )


def _ingestion(stack: "StackSettings") -> Iterator[SettingsProblem]:
    files = stack.ingestion.manifests.files
    for name, function in (
        ("builder", stack.ingestion.builder),
        ("sweeper", stack.ingestion.sweeper),
        ("steps", stack.ingestion.steps),
    ):
        needed = math.ceil(files * FILE_MB_SECONDS / min(function.memory_mb, ONE_PROCESSOR_MB))
        if function.timeout_seconds < needed:
            yield SettingsProblem(
                f"ingestion.{name}.timeoutSeconds",
                str(function.timeout_seconds),
                f"at least {needed} with manifests.files {files} and {function.memory_mb} MB: a manifest is claimed, "
                "confirmed and settled in one call",
            )
    intake = stack.ingestion.intake
    if intake.batch_size > 10 and intake.batch_window_seconds < 1:
        yield SettingsProblem(
            "ingestion.intake.batchWindowSeconds",
            str(intake.batch_window_seconds),
            "at least 1 with a batchSize above 10 (a rule of Lambda's)",
        )
    if intake.cors_origin == "*" and stack.environment is Environment.PROD:
        yield SettingsProblem(
            "ingestion.intake.corsOrigin", '"*"', "the page that may drop files, by name, in prod; or nothing"
        )
    yield from _quiet("ingestion", stack.ingestion, ALARM_READS)


def _transcription(stack: "StackSettings") -> Iterator[SettingsProblem]:
    sessions = stack.transcription.sessions
    if sessions.in_flight * sessions.per_user >= sessions.stream_quota:
        yield SettingsProblem(
            "transcription.sessions.inFlight",
            str(sessions.in_flight),
            f"less than streamQuota ({sessions.stream_quota}) through perUser ({sessions.per_user}): each utterance "
            "holds one of the account's streams, and one user must not hold them all",
        )
    if not stack.transcription.structured_logging and not stack.environment.relaxed:
        yield SettingsProblem(
            "transcription.structuredLogging", "false", f"true in {stack.environment}: an alarm reads JSON lines"
        )
    processor = stack.transcription.audio_processor
    if processor.timeout_seconds < LONGEST_UTTERANCE_SECONDS:
        yield SettingsProblem(
            "transcription.audioProcessor.timeoutSeconds",
            str(processor.timeout_seconds),
            f"at least {LONGEST_UTTERANCE_SECONDS}: an utterance takes its own length, and the answer some time",
        )


def _voice_qa(stack: "StackSettings") -> Iterator[SettingsProblem]:
    settings, agent = stack.voice_qa, stack.voice_qa.agentcore
    if agent.mode is AgentMode.HTTP and agent.endpoint is None and stack.environment is not Environment.LOCAL:
        yield SettingsProblem(
            "voiceQa.agentcore.endpoint", None, "must be given with mode http: where the agent answers"
        )
    if agent.endpoint is not None and agent.endpoint.scheme != "https" and not stack.environment.relaxed:
        yield SettingsProblem(
            "voiceQa.agentcore.endpoint",
            f'"{agent.endpoint}"',
            f"an https address in {stack.environment}, by name: questions and answers travel by it",
        )
    if "*" in settings.audio.origins and stack.environment is Environment.PROD:
        yield SettingsProblem("voiceQa.audio.origins", '["*"]', "the pages that may use the bucket, by name, in prod")
    if settings.audio.accelerated and stack.environment is Environment.LOCAL:
        yield SettingsProblem("voiceQa.audio.accelerated", "true", "false in local: the emulator has no edge locations")
    if settings.lectures.uploads is LectureUploads.GUESTS and not stack.environment.relaxed:
        yield SettingsProblem(
            "voiceQa.lectures.uploads", '"guests"', f"`off` in {stack.environment}: guests are anybody at all"
        )
    if settings.query_worker.timeout_seconds < agent.answer_seconds + ANSWER_MARGIN_SECONDS:
        yield SettingsProblem(
            "voiceQa.agentcore.answerSeconds",
            str(agent.answer_seconds),
            f"at most queryWorker.timeoutSeconds ({settings.query_worker.timeout_seconds}) less "
            f"{ANSWER_MARGIN_SECONDS}: the answer has to be kept and told",
        )
    yield from _quiet("voiceQa", settings, ALARM_READS)


def _livestream(stack: "StackSettings", name: str) -> Iterator[SettingsProblem]:
    settings, api = stack.livestream, stack.livestream.api
    if settings.encryption_key is None:
        command = secret_command("livestream.encryptionKey", name)
        yield SettingsProblem("livestream.encryptionKey", None, f"is a secret and not set; set it by: {command}")
    if api.cors_origin == "*" and stack.environment is Environment.PROD:
        yield SettingsProblem("livestream.api.corsOrigin", '"*"', "the page that may use the API, by name, in prod")
    if api.authorizer is AuthorizerKind.NONE and not stack.environment.relaxed:
        yield SettingsProblem(
            "livestream.api.authorizer", '"none"', f"`jwt` or `apiKey` in {stack.environment}: none lets anybody in"
        )
    if api.authorizer is AuthorizerKind.JWT and stack.foundation.identity.auth is Auth.NONE:
        yield SettingsProblem(
            "livestream.api.authorizer", '"jwt"', "`none` or `apiKey` beside foundation.identity.auth `none`"
        )
    answers = window_seconds(settings.agent.answer_seconds)
    if settings.agent_worker.timeout_seconds < answers:
        yield SettingsProblem(
            "livestream.agentWorker.timeoutSeconds",
            str(settings.agent_worker.timeout_seconds),
            f"at least {answers}: an answer and its repair, agent.answerSeconds each, and what is read and kept",
        )
    yield from _quiet("livestream", settings, METRICS_ARE_MADE)


def _meetings(stack: "StackSettings") -> Iterator[SettingsProblem]:
    settings, identity = stack.meetings, stack.foundation.identity
    for key, given in (("issuer", identity.issuer), ("audience", identity.audience)):
        if given is None and identity.auth is Auth.NONE:  # with `oidc`, identity itself asks for them
            yield SettingsProblem(
                f"foundation.identity.{key}", None, "must be given for meetings: they are whose the token says"
            )
    if settings.exchange.cors_origin == "*" and stack.environment is Environment.PROD:
        yield SettingsProblem(
            "meetings.exchange.corsOrigin", '"*"', "the page that may use the exchange, by name, in prod"
        )
    if settings.processing.image_digest is None and not stack.environment.relaxed:
        yield SettingsProblem(
            "meetings.processing.imageDigest",
            None,
            f"must be given in {stack.environment}: the image that was reviewed, as the workflow `image` prints it; before "
            "the first deployment, which makes its repository, `sha256:` and 64 zeros",
        )
    answers = 2 * settings.models.answer_seconds + SUMMARY_MARGIN_SECONDS
    if settings.bedrock_summarize.timeout_seconds < answers:
        yield SettingsProblem(
            "meetings.bedrockSummarize.timeoutSeconds",
            str(settings.bedrock_summarize.timeout_seconds),
            f"at least {answers}: an answer and its repair, models.answerSeconds each, and what is read and written",
        )
    yield from _quiet("meetings", settings, METRICS_ARE_MADE)


def _quiet(section: str, settings: SubsystemSettings, why: str) -> Iterator[SettingsProblem]:
    """Where lines of level INFO are read, they must be written."""
    if settings.log_level not in {LogLevel.DEBUG, LogLevel.INFO}:
        yield SettingsProblem(f"{section}.logLevel", settings.log_level.value, f"DEBUG or INFO: {why}")
