"""What the agent finds in a broadcast: claims with a verdict, and clips worth cutting. Pure.

Their ids are made of what they are about, so that the same claim has the same id whenever, and in whichever window, it
is found. Texts that the model wrote are bounded where it is parsed; a quote is the transcript's own words.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from handlers.common.quotes import words_of


class Verdict(StrEnum):
    """What a claim is found to be."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    MISLEADING = "misleading"
    UNVERIFIED = "unverified"


@dataclass(frozen=True)
class About:
    """Which version of which episode's transcript something is found in."""

    episode_id: str
    transcript_key: str = field(repr=False)
    transcript_version: str

    def id_of(self, *parts: str) -> str:
        """An id that the same parts always get."""
        natural = "\n".join([self.episode_id, self.transcript_key, self.transcript_version, *parts])
        return hashlib.sha256(natural.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Claim:
    """Something that was said to be so."""

    claim_id: str
    start_ms: int
    end_ms: int
    timed: bool
    """Whether the times were measured, or estimated from a transcript without any."""
    quote: str = field(repr=False)
    """As it stands in the transcript."""
    speaker: str | None = field(repr=False)
    """Who says it, if the transcript names one alone."""
    statement: str = field(repr=False)
    """What is claimed, in the model's words."""
    verdict: Verdict
    confidence: float
    explanation: str = field(repr=False)
    sources: tuple[str, ...] = ()
    """What the verdict rests on: cues of the transcript (`cue-12`) and remembered events, by id."""


@dataclass(frozen=True)
class Clip:
    """A part of the broadcast that stands on its own."""

    clip_id: str
    start_ms: int
    end_ms: int
    title: str = field(repr=False)
    reason: str = field(repr=False)


def merged(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Each claim once, by time, whatever order windows were checked in.

    Windows overlap, and a model does not always quote the same words of one sentence. So two claims are one where their
    times meet and one quote is within the other and has half its words or more; the better founded one stays.
    """
    kept: list[Claim] = []
    for claim in sorted(claims, key=_better_first):
        if not any(_same(claim, other) for other in kept):
            kept.append(claim)
    return tuple(sorted(kept, key=lambda one: (one.start_ms, one.claim_id)))


def _better_first(claim: Claim) -> tuple[bool, float, int, str]:
    unverified = claim.verdict is Verdict.UNVERIFIED
    return unverified, -claim.confidence, -len(claim.quote), claim.claim_id


def _same(one: Claim, other: Claim) -> bool:
    if one.claim_id == other.claim_id:
        return True
    apart = one.end_ms < other.start_ms or other.end_ms < one.start_ms
    short, long = sorted((_words(one), _words(other)), key=len)
    within = any(long[at : at + len(short)] == short for at in range(len(long) - len(short) + 1))
    return not apart and within and len(short) * 2 >= len(long)


def _words(claim: Claim) -> list[str]:
    return [text for text, _, _ in words_of(claim.quote)]
