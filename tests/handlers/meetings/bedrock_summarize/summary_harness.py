"""Scripted model and stored transcripts, for tests of the summary function through its Lambda handler."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.meetings.bedrock_summarize.models import Summary, Transcript
from handlers.meetings.s3_keys import Recording
from tests.handlers.common.fakes import is_valid_converse_request
from tests.handlers.meetings.meeting_harness import MEETING, MeetingHarness

RECORDING = Recording(MEETING, "0123456789abcdef" * 2)
USAGE = {
    "inputTokens": 100,
    "outputTokens": 10,
    "totalTokens": 1_111,
    "cacheReadInputTokens": 1_000,
    "cacheWriteInputTokens": 1,
}
"""Tokens of each answer."""
WORD_MS = 400
"""Duration of each spoken word."""
Line = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """Words of one speaker, each of the same duration."""

    speaker: str
    start_ms: int
    text: str
    """Words separated by single spaces. Punctuation follows a word directly."""

    @property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def end_ms(self) -> int:
        return self.start_ms + len(self.words) * WORD_MS


def create_turns(*speakers_and_texts: tuple[str, str], gap_ms: int = 300) -> tuple[Turn, ...]:
    """Return turns that follow each other."""
    turns: list[Turn] = []
    for speaker, text in speakers_and_texts:
        start_ms = turns[-1].end_ms + gap_ms if turns else 0
        turns.append(Turn(speaker, start_ms, text))
    return tuple(turns)


SPOKEN_MEETING = create_turns(
    ("spk_0", "Good morning. The canary budget is approved."),
    ("spk_1", "Great. Anna will send the report by Friday."),
    ("spk_0", "And I will book the room."),
)


def transcribe_output(turns: Iterable[Turn]) -> bytes:
    """Return the output of a transcription job for these turns."""
    items: list[Line] = []
    for turn in turns:
        for start_ms, word in zip(range(turn.start_ms, turn.end_ms, WORD_MS), turn.words, strict=True):
            text = word.rstrip(".,?!")
            items += [word_item(text, start_ms, start_ms + WORD_MS, turn.speaker), *map(mark_item, word[len(text) :])]
    return job_output(items)


def job_output(items: object) -> bytes:
    """Return the output of a transcription job with these items."""
    return json.dumps({"jobName": "one", "status": "COMPLETED", "results": {"items": items}}).encode()


def word_item(text: str, start_ms: int = 100, end_ms: int = 200, speaker: str | None = None) -> Line:
    times = {"start_time": f"{start_ms / 1000:.3f}", "end_time": f"{end_ms / 1000:.3f}"}
    return {"type": "pronunciation", **times, "alternatives": [{"content": text}], "speaker_label": speaker}


def mark_item(text: str) -> Line:
    return {"type": "punctuation", "alternatives": [{"content": text}]}


def audio_milliseconds(turns: Sequence[Turn]) -> int:
    """Return the duration of the audio, which ends half a second after the last turn."""
    return max((turn.end_ms for turn in turns), default=0) + 500


ScriptEntry = Callable[[list[Line]], str] | Exception | str
"""Answer of the model: a function of the prompt's JSON lines, an error of botocore, or a stop reason."""


def prompt_lines(request: dict[str, Any]) -> list[Line]:
    """Return the JSON lines of a prompt: the segments, or the summaries that the model combines, and then the task."""
    blocks = [block["text"] for block in request["messages"][0]["content"] if "text" in block]
    return [json.loads(line) for block in blocks for line in block.split("\n") if line.startswith("{")]


def action_item(quote: str, **changed: Any) -> Line:
    """Return an action item as the model answers it."""
    return {"text": f"Do as was said: {quote}", "owner": None, "due": None, "quote": quote, **changed}


SEND_REPORT = action_item("anna will send THE report", text="Send the report", owner="Anna", due="by Friday", said=1)
BOOK_ROOM = action_item("I will book the room", text="Book the room", owner="spk_0", said=2)


def answer_with(*items: object, summary: str = "They met.") -> Callable[[list[Line]], str]:
    """Return a function that answers every task."""
    return lambda lines: json.dumps({"items": items} if lines[-1]["task"] == "actionItems" else {"summary": summary})


@dataclass
class ScriptedModel:
    """Client of Bedrock whose models follow a script, and record the requests. The last entry repeats."""

    script: list[ScriptEntry] = field(default_factory=lambda: [answer_with(SEND_REPORT, BOOK_ROOM)])
    requests: list[dict[str, Any]] = field(default_factory=list)

    def converse(self, **request: Any) -> dict[str, Any]:
        model_id = request.pop("modelId")
        assert is_valid_converse_request(request)
        self.requests.append({"modelId": model_id, **request})
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(entry, Exception):
            raise entry
        content = [] if isinstance(entry, str) else [{"text": entry(prompt_lines(request))}]
        stop_reason = entry if isinstance(entry, str) else "end_turn"
        return {"output": {"message": {"content": content}}, "usage": USAGE, "stopReason": stop_reason}

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """Family of the model and task of each request."""
        return [(request["modelId"].split("-")[1], prompt_lines(request)[-1]["task"]) for request in self.requests]


def store_part_transcripts(harness: MeetingHarness, *parts: Sequence[Turn]) -> dict[str, Any]:
    """Store the outputs of Amazon Transcribe for the parts of a recording; return the workflow's event."""
    audio, offset_ms = [], 0
    for number, part in enumerate(parts):
        harness.put_object(RECORDING.part_transcript_key(number, "en-US"), transcribe_output(part))
        duration_ms = audio_milliseconds(part)
        audio.append({"offsetMs": offset_ms, "durationMs": duration_ms})
        offset_ms += duration_ms
    return {
        "user": RECORDING.meeting.user,
        "meetingId": RECORDING.meeting.meeting_id,
        "content": RECORDING.content,
        "language": "en-US",
        "durationMs": offset_ms,
        "audio": audio,
        "unknown": 1,
    }


def read_transcript(harness: MeetingHarness) -> Transcript:
    return Transcript.model_validate_json(harness.read_object(RECORDING.transcript_key) or b"")


def read_summary(harness: MeetingHarness) -> Summary:
    return Summary.model_validate_json(harness.read_object(RECORDING.summary_key) or b"")
