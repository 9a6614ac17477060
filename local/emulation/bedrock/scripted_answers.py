"""Rules by which the local Bedrock answers, in place of a language model. The same prompt always gets the same answer.

Livestream's fact-check agent sends a section of a broadcast's transcript (a window) as cues, which are timed lines. It
asks for fact claims with verdicts, and for clips. A clip is a section that is worth watching alone.

- A claim is a sentence of at least two words that contains a digit, a superlative (`largest`), `never` or `always`.
- The prompt can contain memory lines: stored information about earlier windows. A line that shares MIN_SHARED_WORDS
  words with a claim and contains a word of VERDICTS decides the claim's verdict. Without such a line, the claim is
  unverified.
- The only clip starts with the cue of the first claim and ends with the first cue that makes it long enough. There is
  no clip without a claim, or if its length would be outside of the limits.

A request about a meeting asks for one of these:

- `summary`: speakers, number of lines, first line and longest line of the transcript.
- `combine`: the summaries of the transcript's parts, joined.
- `actionItems`: tasks that participants promised. The form of a sentence shows a task and its owner:
  - `Anna will send the report by Friday.` is a task of Anna, due `by Friday`.
  - `I will …` and `I'll …` are tasks of the speaker.
  - `Please send …` is a task without an owner.
  - `Anna will not …`, `Anna will be …` and `It will …` are no tasks.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

MAX_CLAIMS = 20
"""Maximum number of claims in an answer."""
MIN_SHARED_WORDS = 3
"""Minimum number of words that a memory line must share with a claim. Words of one or two letters do not count."""
VERDICTS = (
    ("refuted", frozenset(["refuted", "false", "wrong", "untrue"])),
    ("misleading", frozenset(["misleading", "context"])),
    ("supported", frozenset(["supported", "confirmed", "true", "correct"])),
)
"""Verdicts with the words of a memory line that cause them. If a line has words of several entries, the first entry
counts."""
_DIGIT = re.compile(r"\d")
_SUPERLATIVE_OR_ALWAYS = re.compile(r"\b(?:most|least|best|worst|first|never|always|[a-z]{3,}est)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]{3,}")
MAX_QUOTE_CHARACTERS = 200
"""Maximum length of a line that a summary quotes."""
# Text before the last comma, colon or semicolon in front of the owner is ignored, for example in "Right, I will call."
_PROMISE = re.compile(r"^(?:.*[,;:] )?(?P<owner>[A-Z][\w-]*(?: [A-Z][\w-]*)?|I)(?: will|'ll) (?P<what>.+)$")
_PLEASE = re.compile(r"^Please (?P<what>.+)$")
_DUE = re.compile(r"^(?P<what>.+?) (?P<due>(?:by|before|until) .+)$")
# Words at the beginning of a sentence that name no participant.
_NO_OWNERS = frozenset(
    ["It", "We", "They", "He", "She", "You", "This", "That", "There", "Nobody", "Somebody", "Who", "What"]
)
_NO_TASK = re.compile(r"^(?:not|never|be)\b")
# A full stop inside a word does not end the sentence, for example in "Inflation was 1.5 percent."
_SENTENCE = re.compile(r"(?:[^.!?]|[.!?](?=\S))+[.!?]?")


@dataclass(frozen=True)
class BroadcastPrompt:
    """JSON lines of a request about a broadcast."""

    head: Mapping[str, Any]
    """Line with the window's number and the limits of a clip's length, or empty if there is no such line."""
    cues: tuple[Mapping[str, Any], ...]
    """Cues, each with its number in `cue`, its times in `startMs` and `endMs`, and a text."""
    memories: tuple[Mapping[str, Any], ...]
    """Memory lines, each with its id in `memory`, which the sources of a claim name, and a text."""

    def answer(self) -> dict[str, Any]:
        sentences = ((cue, sentence) for cue in self.cues for sentence in _find_claims(str(cue["text"])))
        claims = [_judge_claim(cue, sentence, self) for cue, sentence in islice(sentences, MAX_CLAIMS)]
        return {"window": self.head.get("window", ""), "claims": claims, "clips": _make_clips(self, claims)}


def parse_broadcast(lines: Sequence[Mapping[str, Any]]) -> BroadcastPrompt:
    """Return the broadcast that the lines are about. It is empty if they are about something else."""
    return BroadcastPrompt(
        head=next((line for line in lines if "window" in line), {}),
        cues=tuple(line for line in lines if "cue" in line and "text" in line),
        memories=tuple(line for line in lines if "memory" in line and "text" in line),
    )


def _find_claims(text: str) -> Iterator[str]:
    for sentence in split_sentences(text):
        if len(sentence.split()) > 1 and (_DIGIT.search(sentence) or _SUPERLATIVE_OR_ALWAYS.search(sentence)):
            yield sentence


def _judge_claim(cue: Mapping[str, Any], sentence: str, prompt: BroadcastPrompt) -> dict[str, Any]:
    words = _find_words(sentence)
    for memory in prompt.memories:
        memory_words = _find_words(str(memory["text"]))
        if len(words & memory_words) < MIN_SHARED_WORDS:
            continue
        for verdict, verdict_words in VERDICTS:
            if memory_words & verdict_words:
                return _make_claim(cue, sentence, verdict=verdict, confidence=0.9, sources=[str(memory["memory"])])
    return _make_claim(cue, sentence, verdict="unverified", confidence=0.5, sources=[])


def _find_words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _make_claim(
    cue: Mapping[str, Any], sentence: str, verdict: str, confidence: float, sources: list[str]
) -> dict[str, Any]:
    return {
        "quote": sentence,
        "cue": cue["cue"],
        "statement": sentence,
        "verdict": verdict,
        "confidence": confidence,
        "explanation": "Remembered from an earlier window." if sources else "No stored information decides this claim.",
        "sources": sources,
    }


def _make_clips(prompt: BroadcastPrompt, claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not claims:
        return []
    first = next(index for index, cue in enumerate(prompt.cues) if cue["cue"] == claims[0]["cue"])
    start = int(prompt.cues[first]["startMs"])
    min_ms, max_ms = int(prompt.head.get("clipMinMs", 0)), int(prompt.head.get("clipMaxMs", 0))
    for cue in prompt.cues[first:]:
        length = int(cue["endMs"]) - start
        if min_ms <= length <= max_ms:
            title = " ".join(str(claims[0]["statement"]).split()[:8])
            return [{"startMs": start, "endMs": int(cue["endMs"]), "title": title, "reason": "A claim is made."}]
    return []


@dataclass(frozen=True)
class MeetingPrompt:
    """JSON lines of a request about a meeting."""

    task: Mapping[str, Any]
    """Line with the name of the task in `task`."""
    spoken: tuple[Mapping[str, Any], ...]
    """Lines of the transcript, each with its number in `said`, a speaker and a text. `said` in an action item is
    the number of its line."""
    summaries: tuple[str, ...]
    """Summaries that the task `combine` joins."""

    def answer(self) -> dict[str, Any]:
        if self.task["task"] == "actionItems":
            return {"items": [item for line in self.spoken for item in _find_action_items(line)]}
        summarises_parts = self.task["task"] == "combine"
        return {"summary": " ".join(self.summaries) if summarises_parts else _summarise(self.spoken)}


def parse_meeting(lines: Sequence[Mapping[str, Any]]) -> MeetingPrompt | None:
    """Return the meeting that the lines are about, or None if they contain no task."""
    task = next((line for line in reversed(lines) if "task" in line), None)
    if task is None:
        return None
    return MeetingPrompt(
        task=task,
        spoken=tuple(line for line in lines if "said" in line and "text" in line),
        summaries=tuple(str(line["text"]) for line in lines if "summaryOf" in line and "text" in line),
    )


def _summarise(spoken: Sequence[Mapping[str, Any]]) -> str:
    if not spoken:
        return "Nothing was said."
    speakers = list(dict.fromkeys(str(line["speaker"]) for line in spoken))
    first, longest = spoken[0], max(spoken, key=lambda line: len(str(line["text"])))
    summary = f"{', '.join(speakers)} spoke {len(spoken)} times. It began with: {_shorten(first)}"
    return summary if longest is first else f"{summary} The longest line: {_shorten(longest)}"


def _shorten(line: Mapping[str, Any]) -> str:
    return str(line["text"])[:MAX_QUOTE_CHARACTERS].strip()


def _find_action_items(line: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for sentence in split_sentences(str(line["text"])):
        statement = sentence.rstrip(".!?")
        match = _PROMISE.match(statement) or _PLEASE.match(statement)
        if match is None or _NO_TASK.match(match["what"]):
            continue
        owner = match.groupdict().get("owner")
        if owner in _NO_OWNERS:
            continue
        due = _DUE.match(match["what"])
        what = match["what"] if due is None else due["what"]
        yield {
            "text": what[:1].upper() + what[1:],
            "owner": str(line["speaker"]) if owner == "I" else owner,
            "due": None if due is None else due["due"],
            "quote": sentence,
            "said": line["said"],
        }


def split_sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text, with their punctuation marks and without white space around them."""
    for match in _SENTENCE.finditer(text):
        yield match[0].strip()
