"""What the local model says of a broadcast: the sentences that hold a number or a superlative are claims.

It knows nothing of the world, only the prompt: a remembered line that shares words with a claim decides its verdict by
what it says of it, and without one the claim is unverified. A clip goes from the first claim on, for as long as a clip
has to be. The same prompt gives the same answer; another transcript, or another memory, gives another.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_CLAIMS = 20
SHARED_WORDS = 3
"""With a remembered line, for it to be about the same."""
VERDICTS = (
    ("refuted", frozenset(["refuted", "false", "wrong", "untrue"])),
    ("misleading", frozenset(["misleading", "context"])),
    ("supported", frozenset(["supported", "confirmed", "true", "correct"])),
)
"""Which words in a remembered line make which verdict; the first that fits counts."""
_SENTENCE = re.compile(r"[^.!?]+[.!?]?(?=\s|$)|\S+")
_NUMBER = re.compile(r"\d")
_SUPERLATIVE = re.compile(r"\b(?:most|least|best|worst|first|never|always|[a-z]{3,}est)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]{3,}")


@dataclass(frozen=True)
class BroadcastPrompt:
    """What a request holds of its lines of JSON."""

    head: Mapping[str, Any]
    cues: tuple[Mapping[str, Any], ...]
    memories: tuple[Mapping[str, Any], ...]

    @property
    def said(self) -> str:
        """All that is said in the cues."""
        return "\n".join(str(cue["text"]) for cue in self.cues)

    def answer(self) -> dict[str, Any]:
        """The claims and clips of it."""
        claims = [_claim(cue, sentence, self) for cue in self.cues for sentence in _find_claims(str(cue["text"]))]
        kept = claims[:MAX_CLAIMS]
        return {"window": self.head.get("window", ""), "claims": kept, "clips": _clips(self, kept)}


def parse_broadcast(lines: Sequence[Mapping[str, Any]]) -> BroadcastPrompt:
    """What the lines say of a broadcast."""
    return BroadcastPrompt(
        head=next((line for line in lines if "window" in line), {}),
        cues=tuple(line for line in lines if "cue" in line and "text" in line),
        memories=tuple(line for line in lines if "memory" in line and "text" in line),
    )


def _find_claims(text: str) -> Iterator[str]:
    for found in _SENTENCE.finditer(text):
        sentence = found[0].strip()
        if len(sentence.split()) > 1 and (_NUMBER.search(sentence) or _SUPERLATIVE.search(sentence)):
            yield sentence


def _claim(cue: Mapping[str, Any], sentence: str, prompt: BroadcastPrompt) -> dict[str, Any]:
    words = set(_WORD.findall(sentence.lower()))
    told = [
        line
        for line in prompt.memories
        if len(words.intersection(_WORD.findall(str(line["text"]).lower()))) >= SHARED_WORDS
    ]
    for memory in told:
        within = set(_WORD.findall(str(memory["text"]).lower()))
        for verdict, signs in VERDICTS:
            if within & signs:
                return _make_claim(cue, sentence, verdict, 0.9, [str(memory["memory"])])
    return _make_claim(cue, sentence, "unverified", 0.5, [])


def _make_claim(
    cue: Mapping[str, Any], sentence: str, verdict: str, confidence: float, sources: list[str]
) -> dict[str, Any]:
    return {
        "quote": sentence,
        "cue": cue["cue"],
        "statement": sentence,
        "verdict": verdict,
        "confidence": confidence,
        "explanation": "Remembered from earlier." if sources else "Nothing that was given says anything of it.",
        "sources": sources,
    }


def _clips(prompt: BroadcastPrompt, claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not claims:
        return []
    first = next(at for at, cue in enumerate(prompt.cues) if cue["cue"] == claims[0]["cue"])
    start = int(prompt.cues[first]["startMs"])
    least, most = int(prompt.head.get("clipMinMs", 0)), int(prompt.head.get("clipMaxMs", 0))
    for cue in prompt.cues[first:]:
        length = int(cue["endMs"]) - start
        if least <= length <= most:
            title = " ".join(str(claims[0]["statement"]).split()[:8])
            return [{"startMs": start, "endMs": int(cue["endMs"]), "title": title, "reason": "A claim is made."}]
    return []
