"""Rules by which the local Bedrock answers requests about a meeting, in place of a language model.

A request asks for one of these, and the same request always gets the same answer:

- `summary`: speakers, number of lines, first line and longest line of the transcript.
- `combine`: the summaries of the transcript's parts, joined.
- `actionItems`: tasks that participants promised. The form of a sentence shows a task and its owner:
  - `Anna will send the report by Friday.` is a task of Anna, due `by Friday`. `has to`, `must` and `is going to` count
    like `will`.
  - `I will …` and `I'll …` are tasks of the speaker.
  - `Anna, could you send …?` is a task of Anna.
  - `Please send …` is a task without an owner.
  - `Anna will not …`, `Anna will be …` and `It will …` are no tasks.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.emulation.bedrock.sentences import split_sentences

MAX_QUOTE_CHARACTERS = 200
_PROMISE = re.compile(
    r"^(?:.*[,;:] )?(?P<owner>[A-Z][\w-]*(?: [A-Z][\w-]*)?|I)(?: will| is going to| have to| has to| must|'ll) (?P<what>.+)$"
)
_REQUEST = re.compile(r"^(?:.*[.;:] )?(?P<owner>[A-Z][\w-]*), (?:could|can|will|would) you (?:please )?(?P<what>.+)$")
_PLEASE = re.compile(r"^Please (?P<what>.+)$")
_DUE = re.compile(r"^(?P<what>.+?) (?P<due>(?:by|before|until) .+)$")
# Words at the beginning of a sentence that name no participant.
_NO_OWNERS = frozenset(
    ["It", "We", "They", "He", "She", "You", "This", "That", "There", "Nobody", "Somebody", "Who", "What"]
)
_NO_TASK = re.compile(r"^(?:not|never|be)\b")


@dataclass(frozen=True)
class MeetingPrompt:
    """JSON lines of a request about a meeting."""

    task: Mapping[str, Any]
    """Line with the name of the task."""
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
        match = _REQUEST.match(statement) or _PROMISE.match(statement) or _PLEASE.match(statement)
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
