"""The whole of a stack's settings: one field for each key below `polyphony:` in a stack file."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated

from pydantic import StringConstraints

from components.settings.base import Environment, LogLevel, Settings
from components.settings.foundation import Auth, FoundationSettings
from components.settings.ingestion import IngestionSettings
from components.settings.livestream import Authorizer, LivestreamSettings
from components.settings.problems import Problem, secret_command
from components.settings.transcription import TranscriptionSettings
from components.settings.voice_qa import Mode, Uploads, VoiceQaSettings

LONGEST_UTTERANCE_SECONDS = 15
"""What the audio processor needs at least: five seconds of speech, and what comes before and after."""
ANSWER_MARGIN_SECONDS = 30
Reason = Annotated[str, StringConstraints(min_length=15)]


class PolicyException(Settings):
    """One policy that one resource may break for a while."""

    policy: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]+$")]
    """The policy's name, as in docs/policies.md."""
    resource: Annotated[str, StringConstraints(min_length=1)]
    """The resource's Pulumi name (the last part of its URN)."""
    reason: Reason
    """Why, in a sentence."""
    expires: date
    """The last day on which the exception holds."""


class StackSettings(Settings):
    """Everything a stack file may say below `polyphony:`."""

    environment: Environment
    """How much the stack matters. Never derived from the stack's name."""
    exceptions: tuple[PolicyException, ...]
    """Policies that resources of this stack may break for a while; usually an empty list."""
    foundation: FoundationSettings
    ingestion: IngestionSettings = IngestionSettings()
    transcription: TranscriptionSettings = TranscriptionSettings()
    voice_qa: VoiceQaSettings = VoiceQaSettings()
    livestream: LivestreamSettings = LivestreamSettings()

    def conflicts(self) -> Iterator[Problem]:
        """What no single section can tell: settings that this environment does not allow."""
        foundation = self.foundation
        if foundation.identity.auth is Auth.NONE and not self.environment.relaxed:
            yield Problem(
                "foundation.identity.auth",
                foundation.identity.auth.value,
                f"`oidc` in {self.environment}: `none` is for local and dev only",
            )
        for key, url in (("issuer", foundation.identity.issuer), ("jwksUrl", foundation.identity.jwks_url)):
            if url is not None and url.scheme != "https" and self.environment is not Environment.LOCAL:
                yield Problem(
                    f"foundation.identity.{key}",
                    f'"{url}"',
                    f"an https address in {self.environment}: keys travel by it",
                )
        if not foundation.alerts.emails and not self.environment.relaxed:
            yield Problem(
                "foundation.alerts.emails", "[]", f"at least one address in {self.environment}: alarms need a reader"
            )
        claim_seconds = self.ingestion.manifests.claim_minutes * 60
        for name, function in (("builder", self.ingestion.builder), ("sweeper", self.ingestion.sweeper)):
            if function.timeout_seconds >= claim_seconds:
                yield Problem(
                    f"ingestion.{name}.timeoutSeconds",
                    str(function.timeout_seconds),
                    f"below manifests.claimMinutes ({claim_seconds} s): a claim must outlive whoever made it",
                )
        intake = self.ingestion.intake
        if intake.batch_size > 10 and intake.batch_window_seconds < 1:
            yield Problem(
                "ingestion.intake.batchWindowSeconds",
                str(intake.batch_window_seconds),
                "at least 1 with a batchSize above 10 (a rule of Lambda's)",
            )
        sessions = self.transcription.sessions
        if sessions.in_flight * sessions.per_user > sessions.stream_quota:
            yield Problem(
                "transcription.sessions.inFlight",
                str(sessions.in_flight),
                f"at most streamQuota ({sessions.stream_quota}) through perUser ({sessions.per_user}): each utterance "
                "holds one of the account's streams, and one user must not hold them all",
            )
        if not self.transcription.structured_logging and not self.environment.relaxed:
            yield Problem(
                "transcription.structuredLogging", "false", f"true in {self.environment}: an alarm reads JSON lines"
            )
        if self.ingestion.log_level not in {LogLevel.DEBUG, LogLevel.INFO}:
            yield Problem(
                "ingestion.logLevel",
                self.ingestion.log_level.value,
                "DEBUG or INFO: an alarm reads lines of level INFO",
            )
        processor = self.transcription.audio_processor
        if processor.timeout_seconds < LONGEST_UTTERANCE_SECONDS:
            yield Problem(
                "transcription.audioProcessor.timeoutSeconds",
                str(processor.timeout_seconds),
                f"at least {LONGEST_UTTERANCE_SECONDS}: an utterance takes its own length, and the answer some time",
            )
        if self.voice_qa.enabled:
            yield from self._voice_qa_conflicts()
        if self.livestream.enabled:
            yield from self._livestream_conflicts()

    def _voice_qa_conflicts(self) -> Iterator[Problem]:
        settings, agent = self.voice_qa, self.voice_qa.agentcore
        if agent.mode is Mode.HTTP and agent.endpoint is None and self.environment is not Environment.LOCAL:
            yield Problem("voiceQa.agentcore.endpoint", None, "must be given with mode http: where the agent answers")
        if agent.endpoint is not None and agent.endpoint.scheme != "https" and not self.environment.relaxed:
            yield Problem(
                "voiceQa.agentcore.endpoint",
                f'"{agent.endpoint}"',
                f"an https address in {self.environment}: questions and answers travel by it",
            )
        if "*" in settings.audio.origins and self.environment is Environment.PROD:
            yield Problem("voiceQa.audio.origins", '["*"]', "the pages that may use the bucket, by name, in prod")
        if settings.audio.accelerated and self.environment is Environment.LOCAL:
            yield Problem("voiceQa.audio.accelerated", "true", "false in local: the emulator has no edge locations")
        if settings.lectures.uploads is Uploads.GUESTS and not self.environment.relaxed:
            yield Problem(
                "voiceQa.lectures.uploads", '"guests"', f"`off` in {self.environment}: guests are anybody at all"
            )
        if settings.query_worker.timeout_seconds < agent.answer_seconds + ANSWER_MARGIN_SECONDS:
            yield Problem(
                "voiceQa.agentcore.answerSeconds",
                str(agent.answer_seconds),
                f"at most queryWorker.timeoutSeconds ({settings.query_worker.timeout_seconds}) less "
                f"{ANSWER_MARGIN_SECONDS}: the answer has to be kept and told",
            )
        if settings.log_level not in {LogLevel.DEBUG, LogLevel.INFO}:
            yield Problem(
                "voiceQa.logLevel", settings.log_level.value, "DEBUG or INFO: an alarm reads lines of level INFO"
            )

    def _livestream_conflicts(self) -> Iterator[Problem]:
        settings, api = self.livestream, self.livestream.api
        if settings.encryption_key is None:
            command = secret_command("livestream.encryptionKey", "<stack>")
            yield Problem("livestream.encryptionKey", None, f"is a secret and not set; set it by: {command}")
        if api.cors_origin == "*" and self.environment is Environment.PROD:
            yield Problem("livestream.api.corsOrigin", '"*"', "the page that may use the API, by name, in prod")
        if api.data_trace and self.environment is Environment.PROD:
            yield Problem("livestream.api.dataTrace", "true", "false in prod: whole requests would be logged")
        if api.authorizer is Authorizer.NONE and not self.environment.relaxed:
            yield Problem(
                "livestream.api.authorizer", '"none"', f"`jwt` or `apiKey` in {self.environment}: none lets anybody in"
            )
        if api.authorizer is Authorizer.JWT and self.foundation.identity.auth is Auth.NONE:
            yield Problem(
                "livestream.api.authorizer", '"jwt"', "`none` or `apiKey` beside foundation.identity.auth `none`"
            )
