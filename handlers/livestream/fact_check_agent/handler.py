"""Lambda function `fact-check-agent`: lets a Bedrock model check the claims in a transcript and suggest clips.

The function itself calls the model, so it is not an agent of Amazon Bedrock. A transcript is divided into windows,
which are sections small enough for one model request. A queue delivers one message for each window. The findings of a
window are fact claims, each with a verdict and its sources, and clips. A clip is only a title with a start and an end
time; nothing is cut from the video.

A window that already has a result is skipped. A window about which the model gives no usable answer is stored as failed.
After any other error, SQS delivers the message again a few times, and then moves it to the dead-letter queue.

A window's text and findings are first stored in the agent's memory, as one event, for requests about later windows. Then
the findings are stored in the table. So the memory has an event for every window that the table lists as analyzed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.bedrock import BedrockModel, NoAnswer, TokenUsage, build_client_config
from handlers.common.events import BatchFailures, process_batch
from handlers.common.logging import EventLog, hash_for_log, name_for_log
from handlers.common.text import Window
from handlers.livestream.environment import AgentEnvironment
from handlers.livestream.fact_check_agent.memory import AgentMemory
from handlers.livestream.fact_check_agent.model_answer import read_answer, verify_answer, window_request
from handlers.livestream.transcript import Cue, fetch_windows
from handlers.livestream.windows import FindingsTable, WindowMessage, WindowResult

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@dataclass(frozen=True)
class FactCheckAgent:
    """Analysis of one window for each queue message."""

    environment: AgentEnvironment
    s3: "S3Client"
    memory: AgentMemory
    model: BedrockModel
    findings: FindingsTable
    log: EventLog

    def handle_message(self, body: str) -> None:
        """Analyze the window that a message names, unless it has a result, and store the result."""
        message = WindowMessage.model_validate_json(body)
        session = hash_for_log(message.transcript.episode_id)
        if self.findings.finish_if_done(message):
            self.log.info("window_already_done", session_hash=session)
            return
        # Only valid transcripts are queued, and a version of an object never changes, so it can be divided again.
        key, version = message.transcript_key, message.transcript_version
        windows = fetch_windows(self.s3, self.environment.bucket_name, key, version, message.window_characters)
        try:
            result = self._analyze(message, windows[message.index])
        except NoAnswer as error:
            self.log.warning("window_failed", session_hash=session, cause=name_for_log(str(error)))
            result = WindowResult(failure=str(error))
        self.findings.save(message, result)

    def _analyze(self, message: WindowMessage, window: Window[Cue]) -> WindowResult:
        """Ask the model, remember its verified findings, and return them. Raise NoAnswer if its answers are unusable."""
        memories = self.memory.recall(message)
        request = window_request(window, message.count, memories)
        session = hash_for_log(message.transcript.episode_id)

        def log_usage(usage: TokenUsage) -> None:
            """Log the tokens of an answer, usable or not, because each answer is billed."""
            self.log.info("model_answered", session_hash=session, **usage.model_dump())

        answer = self.model.ask(request, read_answer, log_usage)
        result = verify_answer(answer, window, message.window_id, memories)
        self.memory.store(message, _transcript_text(message, window), _findings_text(result))
        claims, clips = len(result.claims), len(result.clips)
        dropped = answer.item_count - claims - clips
        self.log.info("window_checked", session_hash=session, claims=claims, clips=clips, dropped=dropped)
        return result


def _transcript_text(message: WindowMessage, window: Window[Cue]) -> str:
    """Return the window's text for the memory, without its overlap.

    The overlap repeats the start of the next window, so the event of the next window contains it.
    """
    cues = window.passages[: window.core_count]
    cue_lines = [cue.text if cue.speaker is None else f"{cue.speaker}: {cue.text}" for cue in cues]
    return "\n".join([f"Part {message.index + 1} of {message.count} of the broadcast:", *cue_lines])


def _findings_text(result: WindowResult) -> str:
    """Return the verified findings as text for the memory, one JSON object on each line."""
    lines = [
        finding.model_dump_json(by_alias=True, exclude={"claim_id", "clip_id"})
        for finding in (*result.claims, *result.clips)
    ]
    return "\n".join(lines) or "Nothing to check, and nothing to cut."  # AgentCore refuses an empty text


@cache
def _agent() -> FactCheckAgent:
    environment = AgentEnvironment.read()
    # Both clients are untyped, because the agent uses only three of their operations (ListEvents, CreateEvent and
    # Converse), and the project does not install type stubs for so few.
    memory: Any = boto3.client("bedrock-agentcore", config=CONFIG)
    bedrock: Any = boto3.client("bedrock-runtime", config=build_client_config(environment.answer_seconds))
    return FactCheckAgent(
        environment,
        boto3.client("s3", config=CONFIG),
        AgentMemory(memory, environment.memory_id, ids.now),
        BedrockModel(bedrock, environment.model_id),
        FindingsTable(boto3.client("dynamodb", config=CONFIG), environment.table_name, ids.now),
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    agent = _agent()
    return process_batch(event["Records"], agent.handle_message, agent.log, event_kind="window")
