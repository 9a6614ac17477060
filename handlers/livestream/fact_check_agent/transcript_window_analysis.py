"""Analysis of one transcript window for each queue message: the main logic of the function `fact-check-agent`.

A window is a section of a transcript that is small enough for one model request. The worker reads the window and the
agent's memories (texts and findings of other windows). It asks the model for fact claims and clips, verifies the
answer, and stores these findings. Three cases are special:
- A window that was already analyzed, or stored as failed, is skipped.
- Transient errors are retried while the invocation has time. After that, SQS delivers the message again a few times,
  and then moves it to the dead-letter queue.
- If the answer cannot be used, the model is asked once more. If the second answer cannot be used either, the window is
  stored as failed.

A window's text and findings are first stored in the agent's memory, as one event, and then in the table. So the memory
has an event for every window that the table lists as analyzed. Log lines and exceptions contain no text of the
transcript, the request or the answer.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from pydantic import ValidationError

from handlers.common.aws import Retrier, RetryTiming, ServiceFailed
from handlers.common.bedrock import ConverseRequest, LanguageModel, ModelQuestion, NoAnswer, TokenUsage, ask_model
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.text import Window, split_into_windows
from handlers.livestream.fact_check_agent.agent_memory import AgentMemory
from handlers.livestream.fact_check_agent.answer_verification import VerifiedAnswer, verify_answer
from handlers.livestream.fact_check_agent.model_answer import AnswerProblem, WindowAnswer, parse_answer
from handlers.livestream.fact_check_agent.model_request import (
    MemoryEvent,
    RequestSettings,
    select_memories,
    window_request,
)
from handlers.livestream.findings_table import FindingsTable, WindowFailure
from handlers.livestream.s3_object_reader import ObjectReader
from handlers.livestream.transcript.cues import BadTranscript, Cue
from handlers.livestream.transcript.transcript_reader import read_transcript
from handlers.livestream.transcript_window_queue import WindowMessage

FINISH_SECONDS = 8.0
"""Seconds at the end of the invocation that are reserved for storing the findings."""


class WindowOutcome(StrEnum):
    """Outcome of a message that need not be delivered again."""

    CHECKED = "checked"
    """The window was analyzed. Its findings are stored, unless the episode was deleted or its upload replaced
    meanwhile."""
    FAILED = "failed"
    """The window cannot be analyzed, and was stored as failed."""
    ALREADY_DONE = "already_done"
    """The window was already analyzed or stored as failed, its episode is deleted, or the client replaced the
    upload."""


class InvalidWindowMessage(Exception):
    """The message is not a valid `WindowMessage`. After a few deliveries, SQS moves it to the dead-letter queue."""


class WindowCountMismatch(Exception):
    """The transcript was cut again and now has another number of windows than its messages state.

    So the code that reads or cuts transcripts has changed since the messages were sent. The message is valid, and the
    previous release of the code can process it.
    """


@dataclass(frozen=True)
class AgentServices:
    transcripts: ObjectReader
    memory: AgentMemory
    model: LanguageModel
    findings: FindingsTable


class WindowWorker:
    def __init__(
        self, services: AgentServices, settings: RequestSettings, log: EventLog, timing: RetryTiming | None = None
    ) -> None:
        """`timing`: clock and pauses of the retries; by default the real ones."""
        self._services = services
        self._settings = settings
        self._log = log
        self._timing = timing or RetryTiming()

    def handle_batch(
        self, event: Mapping[str, Any], remaining_ms: Callable[[], int]
    ) -> dict[str, list[dict[str, str]]]:
        """Process the messages of an event; return those that SQS must deliver again."""
        failures: list[dict[str, str]] = []
        for record in event["Records"]:
            try:
                self.handle(record["body"], remaining_ms())
            except Exception as error:  # noqa: BLE001 - SQS delivers again; the text may contain customer data
                cause = error.fault.value if isinstance(error, ServiceFailed) else ""
                self._log.error("window_returned", error_type=type(error).__name__, cause=cause)
                failures.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failures}

    def handle(self, body: str, remaining_ms: int) -> WindowOutcome:
        """Analyze the window that a message names. Raise an exception if SQS must deliver the message again."""
        message = _parse_message(body)
        deadline = self._timing.now() + remaining_ms / 1000
        analysis_retrier = Retrier(self._timing, deadline - FINISH_SECONDS)
        storage_retrier = Retrier(self._timing, deadline)
        if self._services.findings.finish_if_done(message):
            self._log.info("window_already_done", session_hash=hash_for_log(message.episode_id))
            return WindowOutcome.ALREADY_DONE
        result = self._analyze(message, analysis_retrier)
        if isinstance(result, WindowFailure):
            storage_retrier.call(partial(self._services.findings.save_failure, message, result))
            self._log.warning("window_failed", session_hash=hash_for_log(message.episode_id), cause=result.value)
            return WindowOutcome.FAILED
        storage_retrier.call(partial(self._services.findings.save_findings, message, result))
        self._log.info(
            "window_checked",
            session_hash=hash_for_log(message.episode_id),
            claims=len(result.claims),
            clips=len(result.clips),
            invented=result.invented,
            unfounded=result.unfounded,
            elsewhere=result.elsewhere,
            bad_clips=result.bad_clips,
            malformed=result.malformed,
        )
        return WindowOutcome.CHECKED

    def _analyze(self, message: WindowMessage, retrier: Retrier) -> VerifiedAnswer | WindowFailure:
        """Return the verified findings of a window, or the reason why it cannot be analyzed.

        Findings are already stored in the agent's memory when this method returns them.
        """
        window = self._read_window(message)
        if isinstance(window, WindowFailure):
            return window
        memory, session = self._services.memory, (message.owner, message.episode_id)
        memories = select_memories(retrier.call(lambda: memory.recall(*session)), message.other_window_ids)
        answer = self._ask_model(message, window, memories, retrier)
        if isinstance(answer, NoAnswer):
            return WindowFailure(answer.value)  # each value of NoAnswer is also one of WindowFailure
        findings = verify_answer(answer, window, message, self._settings, memories)
        texts = (_transcript_text(message, window), _findings_text(findings))
        retrier.call(lambda: memory.store_window(*session, message.window_id, *texts))
        return findings

    def _ask_model(
        self, message: WindowMessage, window: Window[Cue], memories: Sequence[MemoryEvent], retrier: Retrier
    ) -> WindowAnswer | NoAnswer:
        def build_request(problem: StrEnum | None) -> ConverseRequest:
            return window_request(self._settings, window, message.window_id, message.count, memories, problem)

        def read_answer(text: str, last: bool) -> WindowAnswer:
            return parse_answer(text, message.window_id, skip_malformed=last)

        question = ModelQuestion(build_request, read_answer, AnswerProblem.CUT_OFF)
        return ask_model(
            self._services.model, question, retrier, self._settings.answer_seconds, partial(self._log_usage, message)
        )

    def _read_window(self, message: WindowMessage) -> Window[Cue] | WindowFailure:
        """Read the transcript and cut it again; return the window that the message names.

        Return a WindowFailure if the transcript is missing or invalid. Raise WindowCountMismatch if the windows differ
        from those that were queued.
        """
        data = self._services.transcripts.read(message.transcript_key, message.transcript_version)
        if data is None:
            return WindowFailure.TRANSCRIPT_GONE
        try:
            transcript = read_transcript(data)
        except BadTranscript:
            return WindowFailure.TRANSCRIPT_UNREADABLE
        windows = split_into_windows(transcript.cues, message.cut.sizes)
        if len(windows) != message.count:
            raise WindowCountMismatch
        return windows[message.index]

    def _log_usage(self, message: WindowMessage, usage: TokenUsage) -> None:
        """Log the tokens of an answer, usable or not. The token metrics are derived from this log line."""
        self._log.info(
            "model_answered",
            session_hash=hash_for_log(message.episode_id),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )


def _parse_message(body: str) -> WindowMessage:
    try:
        return WindowMessage.model_validate_json(body)
    except ValidationError:
        # This exception quotes the message, so the new one is raised outside this block and does not refer to it.
        pass
    raise InvalidWindowMessage


def _transcript_text(message: WindowMessage, window: Window[Cue]) -> str:
    """Return the window's text for the memory, without its overlap.

    The overlap repeats the start of the next window, so the event of the next window contains it.
    """
    cues = window.passages[: window.core_count]
    cue_lines = [cue.text if cue.speaker is None else f"{cue.speaker}: {cue.text}" for cue in cues]
    return "\n".join([f"Part {message.index + 1} of {message.count} of the broadcast:", *cue_lines])


def _findings_text(findings: VerifiedAnswer) -> str:
    """Return the verified findings as text for the memory, one JSON object on each line."""
    claims = [
        {
            "claim": claim.text,
            "quote": claim.quote,
            "startMs": claim.start_ms,
            "verdict": claim.verdict.value,
            "explanation": claim.explanation or "",
            "sources": claim.sources,
        }
        for claim in findings.claims
    ]
    clips = [{"clip": clip.title, "startMs": clip.start_ms, "endMs": clip.end_ms} for clip in findings.clips]
    lines = [json.dumps(finding, ensure_ascii=False) for finding in [*claims, *clips]]
    return "\n".join(lines) or "Nothing to check, and nothing to cut."
