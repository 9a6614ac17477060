"""Rules by which the local Bedrock answers livestream's fact-check agent, in place of a language model.

The agent sends a section of a broadcast's transcript (a window) as cues, which are timed lines. It asks for fact claims
with verdicts, and for clips, which are sections that are worth watching alone. The same prompt always gives the same
answer, by these rules:

- A claim is a sentence of at least two words that contains a digit, a superlative (`largest`), `never` or `always`.
- The prompt can contain memory lines: stored information about earlier windows. A line that shares MIN_SHARED_WORDS
  words with a claim and contains a word of VERDICTS decides the claim's verdict. Without such a line, the claim is
  unverified.
- The only clip starts with the cue of the first claim and ends with the first cue that makes it long enough. There is
  no clip if its length would be outside of the limits.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from local.emulation.bedrock.sentences import split_sentences

MAX_CLAIMS = 20
MIN_SHARED_WORDS = 3
"""Minimum number of words that a memory line must share with a claim. Words of one or two letters do not count."""
VERDICTS = (
    ("refuted", frozenset(["refuted", "false", "wrong", "untrue"])),
    ("misleading", frozenset(["misleading", "context"])),
    ("supported", frozenset(["supported", "confirmed", "true", "correct"])),
)
"""Verdicts with the words of a memory line that cause them. If a line has words of several entries, the first entry
counts."""
_NUMBER = re.compile(r"\d")
_EXTREME = re.compile(r"\b(?:most|least|best|worst|first|never|always|[a-z]{3,}est)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]{3,}")


@dataclass(frozen=True)
class BroadcastPrompt:
    """JSON lines of a request about a broadcast."""

    head: Mapping[str, Any]
    """Line with the window's id and the limits of a clip's length."""
    cues: tuple[Mapping[str, Any], ...]
    memories: tuple[Mapping[str, Any], ...]
    """Memory lines."""

    def answer(self) -> dict[str, Any]:
        sentences = ((cue, sentence) for cue in self.cues for sentence in _find_claims(str(cue["text"])))
        claims = [_judge_claim(cue, sentence, self) for cue, sentence in islice(sentences, MAX_CLAIMS)]
        return {"window": self.head.get("window", ""), "claims": claims, "clips": _make_clips(self, claims)}


def parse_broadcast(lines: Sequence[Mapping[str, Any]]) -> BroadcastPrompt:
    """Return the prompt in the JSON lines of a request."""
    return BroadcastPrompt(
        head=next((line for line in lines if "window" in line), {}),
        cues=tuple(line for line in lines if "cue" in line and "text" in line),
        memories=tuple(line for line in lines if "memory" in line and "text" in line),
    )


def _find_claims(text: str) -> Iterator[str]:
    for sentence in split_sentences(text):
        if len(sentence.split()) > 1 and (_NUMBER.search(sentence) or _EXTREME.search(sentence)):
            yield sentence


def _judge_claim(cue: Mapping[str, Any], sentence: str, prompt: BroadcastPrompt) -> dict[str, Any]:
    words = _find_words(sentence)
    for memory in prompt.memories:
        memory_words = _find_words(str(memory["text"]))
        if len(words & memory_words) < MIN_SHARED_WORDS:
            continue
        for verdict, verdict_words in VERDICTS:
            if memory_words & verdict_words:
                return _make_claim(cue, sentence, verdict, 0.9, [str(memory["memory"])])
    return _make_claim(cue, sentence, "unverified", 0.5, [])


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
