"""Rules by which the local Bedrock answers livestream's fact-check agent, in place of a language model.

The agent sends a section of a broadcast's transcript (a window) as cues, which are timed lines. It asks for fact claims
with verdicts, and for clips, which are sections that are worth watching alone. The same prompt always gives the same
answer, by these rules:

- A claim is a sentence of at least two words with a digit or a superlative, for example `largest` or `always`. Every
  claim is unverified. Stored information about earlier windows in the prompt is ignored.
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
_NUMBER = re.compile(r"\d")
_SUPERLATIVE = re.compile(r"\b(?:most|least|best|worst|first|never|always|[a-z]{3,}est)\b", re.IGNORECASE)


@dataclass(frozen=True)
class BroadcastPrompt:
    """JSON lines of a request about a broadcast."""

    head: Mapping[str, Any]
    """Line with the window's id and the limits of a clip's length."""
    cues: tuple[Mapping[str, Any], ...]

    @property
    def text(self) -> str:
        return "\n".join(str(cue["text"]) for cue in self.cues)

    def answer(self) -> dict[str, Any]:
        sentences = ((cue, sentence) for cue in self.cues for sentence in _find_claims(str(cue["text"])))
        claims = [_make_claim(cue, sentence) for cue, sentence in islice(sentences, MAX_CLAIMS)]
        return {"window": self.head.get("window", ""), "claims": claims, "clips": _make_clips(self, claims)}


def parse_broadcast(lines: Sequence[Mapping[str, Any]]) -> BroadcastPrompt:
    """Return the prompt in the JSON lines of a request."""
    return BroadcastPrompt(
        head=next((line for line in lines if "window" in line), {}),
        cues=tuple(line for line in lines if "cue" in line and "text" in line),
    )


def _find_claims(text: str) -> Iterator[str]:
    for sentence in split_sentences(text):
        if len(sentence.split()) > 1 and (_NUMBER.search(sentence) or _SUPERLATIVE.search(sentence)):
            yield sentence


def _make_claim(cue: Mapping[str, Any], sentence: str) -> dict[str, Any]:
    return {
        "quote": sentence,
        "cue": cue["cue"],
        "statement": sentence,
        "verdict": "unverified",
        "confidence": 0.5,
        "explanation": "No stored information decides this claim.",
        "sources": [],
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
