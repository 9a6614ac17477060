"""The agent: works on one window of a transcript for each message of its queue.

It decides in which order things are done and what a failure means. A window that is done is not done again. What may
pass by itself is tried again while there is time, then the message goes back to its queue, and in the end to where a
person sees it. An answer that cannot be used is asked for once more, and then the window is recorded as failed.

The exchange is recorded before the findings are, and these in one write with that the window is done: so none of it is
ever left out, and where a window is asked about again, the findings are of one answer. Nothing of a transcript, a
question or an answer is in a log line or an exception.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from pydantic import ValidationError

from handlers.common.aws.retry import Retrier, RetryTiming
from handlers.common.aws.service_faults import ServiceFailed
from handlers.common.bedrock.converse import ConverseRequest, LanguageModel, TokenUsage
from handlers.common.bedrock.model_questions import ModelQuestion, NoAnswer, ask_model
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.text.text_windows import Window, split_into_windows
from handlers.livestream.agent.agent_memory import AgentMemory
from handlers.livestream.agent.answer_verification import Checked, checked
from handlers.livestream.agent.model_answer import Answer, Problem, parse
from handlers.livestream.agent.model_request import Asking, MemoryEvent, request, told
from handlers.livestream.findings import WindowFailure
from handlers.livestream.findings_table import FindingsTable
from handlers.livestream.object_reader import ObjectReader
from handlers.livestream.transcript.cues import BadTranscript, Cue
from handlers.livestream.transcript.transcript_reader import Transcript, read
from handlers.livestream.window_queue import WindowMessage

FINISH_SECONDS = 8.0
"""Kept for recording what was found."""


class Outcome(StrEnum):
    """What became of a message."""

    CHECKED = "checked"
    FAILED = "failed"
    ALREADY_DONE = "already_done"


class NoMessage(Exception):
    """Something in the queue that names no window: it belongs where a person sees it."""


class OtherWindows(Exception):
    """A transcript is cut otherwise here than where its message was written.

    Nothing is wrong with it: whoever is deployed again as before can work on the window.
    """


@dataclass(frozen=True)
class Services:
    """What the worker rests on."""

    transcripts: ObjectReader
    memory: AgentMemory
    model: LanguageModel
    findings: FindingsTable


class AgentWorker:
    """Works on windows."""

    def __init__(self, services: Services, asking: Asking, log: EventLog, timing: RetryTiming | None = None) -> None:
        self._services = services
        self._asking = asking
        self._log = log
        self._timing = timing or RetryTiming()

    def batch(self, event: Mapping[str, Any], remaining_ms: Callable[[], int]) -> dict[str, list[dict[str, str]]]:
        """What Lambda is told of some messages: which ones go back to the queue."""
        returned: list[dict[str, str]] = []
        for record in event["Records"]:
            try:
                self.handle(record["body"], remaining_ms())
            except Exception as error:  # noqa: BLE001 - what it says may hold anything, and the message comes again
                cause = error.fault.value if isinstance(error, ServiceFailed) else ""
                self._log.error("window_returned", error_type=type(error).__name__, cause=cause)
                returned.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": returned}

    def handle(self, body: str, remaining_ms: int) -> Outcome:
        """One message; raises where it must come again, or is none."""
        message = _message(body)
        ends = self._timing.now() + remaining_ms / 1000
        patience, finishing = Retrier(self._timing, ends - FINISH_SECONDS), Retrier(self._timing, ends)
        if self._services.findings.done(message):
            self._log.info("window_already_done", session_hash=hash_for_log(message.episode_id))
            return Outcome.ALREADY_DONE
        result = self._checked(message, patience)
        if isinstance(result, WindowFailure):
            finishing.call(partial(self._services.findings.failed, message, result))
            self._log.warning("window_failed", session_hash=hash_for_log(message.episode_id), cause=result.value)
            return Outcome.FAILED
        finishing.call(partial(self._services.findings.found, message, result))
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
        return Outcome.CHECKED

    def _checked(self, message: WindowMessage, patience: Retrier) -> Checked | WindowFailure:
        """What is found in a window, once the exchange is recorded."""
        cut = self._window(message)
        if isinstance(cut, WindowFailure):
            return cut
        transcript, window = cut
        memory, session = self._services.memory, (message.owner, message.episode_id)
        memories = told(patience.call(lambda: memory.recall(*session)), message.others)
        answer = self._answer(message, window, memories, patience)
        if isinstance(answer, NoAnswer):
            return WindowFailure(answer.value)
        found = checked(answer, window, message, self._asking, memories, timed=transcript.timed)
        what = (_heard(message, window), _found(found))
        patience.call(lambda: memory.record(*session, message.window_id, *what))
        return found

    def _answer(
        self, message: WindowMessage, window: Window[Cue], memories: Sequence[MemoryEvent], patience: Retrier
    ) -> Answer | NoAnswer:
        def asked(problem: StrEnum | None) -> ConverseRequest:
            return request(self._asking, window, message.window_id, message.count, memories, problem)

        def read_answer(text: str, last: bool) -> Answer:
            return parse(text, message.window_id, patient=last)

        question = ModelQuestion(asked, read_answer, Problem.CUT_OFF)
        return ask_model(
            self._services.model, question, patience, self._asking.answer_seconds, partial(self._count, message)
        )

    def _window(self, message: WindowMessage) -> tuple[Transcript, Window[Cue]] | WindowFailure:
        data = self._services.transcripts.read(message.transcript_key, message.transcript_version)
        if data is None:
            return WindowFailure.TRANSCRIPT_GONE
        try:
            transcript = read(data)
        except BadTranscript:
            return WindowFailure.TRANSCRIPT_UNREADABLE
        cut = split_into_windows(transcript.cues, message.cut.sizes)
        if len(cut) != message.count:
            raise OtherWindows
        return transcript, cut[message.index]

    def _count(self, message: WindowMessage, usage: TokenUsage) -> None:
        """What an answer cost, whether it can be used or not: a metric is made of this line."""
        self._log.info(
            "model_answered",
            session_hash=hash_for_log(message.episode_id),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )


def _message(body: str) -> WindowMessage:
    try:
        return WindowMessage.model_validate_json(body)
    except ValidationError:
        pass
    raise NoMessage


def _heard(message: WindowMessage, window: Window[Cue]) -> str:
    """What is remembered of a window's words: those of its core, since what follows is remembered with its own."""
    said = [
        one.text if one.speaker is None else f"{one.speaker}: {one.text}"
        for one in window.passages[: window.core_count]
    ]
    return "\n".join([f"Part {message.index + 1} of {message.count} of the broadcast:", *said])


def _found(found: Checked) -> str:
    """What is remembered of the findings: what was checked, not what the model said."""
    claims = [
        {
            "claim": one.text,
            "quote": one.quote,
            "startMs": one.start_ms,
            "verdict": one.verdict.value,
            "explanation": one.explanation or "",
            "sources": one.sources,
        }
        for one in found.claims
    ]
    clips = [{"clip": one.title, "startMs": one.start_ms, "endMs": one.end_ms} for one in found.clips]
    lines = [json.dumps(one, ensure_ascii=False) for one in [*claims, *clips]]
    return "\n".join(lines) or "Nothing to check, and nothing to cut."
