"""Verification of the model's answer about one window of a transcript, before its findings are stored.

A finding is a fact claim (a quote with a verdict and its sources) or a clip (a section that is worth watching alone).
The model may invent quotes, times and sources, so this module checks them:
- A claim is dropped if its quote does not occur in the window. Otherwise the quote and its times are copied from the
  transcript.
- Each window ends with an overlap, which repeats the start of the next window. The part before it is the core. A claim
  or clip that begins in the overlap is dropped, because the next window contains it completely. So no claim is stored
  twice in different words.
- Every verdict except `unverified` needs a source. A source is a cue (timed line) of the window, or a memory (the
  stored text and findings of another window) that was in the request. A claim must not be its own source, so a cue or
  memory that repeats the claim's words is not accepted. Such repetitions occur, because rolling captions contain each
  line twice, and memories contain claims. A claim without an accepted source gets the verdict `unverified` and the
  confidence 0.
- A clip must lie within the window and have a permitted length. It is extended to whole cues.

The verified findings are instances of the API's models, so the table only contains findings that the API can return.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from handlers.common.text import QuoteMatch, QuoteSearch, Window, clean_text
from handlers.livestream.fact_check_agent.memory import MemoryEvent
from handlers.livestream.fact_check_agent.question import AnsweredClaim, AnsweredClip, ClipLimits, WindowAnswer, cue_id
from handlers.livestream.models import Claim, Clip, Verdict
from handlers.livestream.transcript import Cue

CONFIDENCE_DIGITS = 4
"""Decimal places of the stored confidence. A model may write 1e-200, which DynamoDB rejects as too small."""
MAX_TEXT_BYTES = 1_800
"""Maximum size of a stored quote, statement or explanation in UTF-8. So the item of a window with all the claims and
clips that an answer may have stays below DynamoDB's limit of 400 KB."""
MAX_REASON_BYTES = 1_000
"""Maximum size of the reason for a clip."""


@dataclass(frozen=True)
class VerifiedAnswer:
    """Findings that may be stored, by time, and the number of items that were dropped or changed."""

    claims: tuple[Claim, ...] = field(repr=False)
    clips: tuple[Clip, ...] = field(repr=False)
    invented: int
    """Claims whose quote does not occur in the window."""
    unfounded: int
    """Claims whose verdict was changed to `unverified`, because it had no accepted source."""
    elsewhere: int
    """Claims and clips that begin in the overlap, so that they belong to the next window."""
    bad_clips: int
    """Clips with a wrong position or length, without a title, or repeated."""


def verify_answer(
    answer: WindowAnswer, window: Window[Cue], window_id: str, memories: Sequence[MemoryEvent], limits: ClipLimits
) -> VerifiedAnswer:
    """Return the findings of an answer that may be stored. `memories` are the memories in the request.

    The ids of the findings begin with `window_id`.
    """
    search = QuoteSearch(window.passages)
    # `QuoteSearch` takes passages with times. A memory has none, so they are 0.
    memory_searches = {memory.event_id: QuoteSearch([Cue(0, 0, memory.text)]) for memory in memories}
    found: dict[tuple[int, str], Claim] = {}
    invented = unfounded = elsewhere = 0
    for claim in answer.claims:
        match = search.find(claim.quote, None if claim.cue is None else claim.cue - window.first)
        if match is None:
            invented += 1
        elif match.first >= window.core_count:
            elsewhere += 1
        elif (match.first, match.words) not in found:
            sources = _valid_sources(claim, search, window, memory_searches)
            stored_claim = _to_claim(claim, match, f"{window_id}-claim-{len(found)}", sources)
            unfounded += stored_claim.verdict is not claim.verdict
            found[match.first, match.words] = stored_claim
    clips: dict[tuple[int, int], Clip] = {}
    bad_clips = 0
    for answered in answer.clips:
        clip = _to_clip(answered, window, f"{window_id}-clip-{len(clips)}", limits)
        if clip is None or (clip.start_ms, clip.end_ms) in clips:
            bad_clips += 1
        elif not window.owns_start(clip.start_ms):
            elsewhere += 1
        else:
            clips[clip.start_ms, clip.end_ms] = clip
    return VerifiedAnswer(
        tuple(sorted(found.values(), key=lambda claim: claim.start_ms)),
        tuple(clips[times] for times in sorted(clips)),
        invented=invented,
        unfounded=unfounded,
        elsewhere=elsewhere,
        bad_clips=bad_clips,
    )


def _valid_sources(
    claim: AnsweredClaim, search: QuoteSearch, window: Window[Cue], memory_searches: Mapping[str, QuoteSearch]
) -> tuple[str, ...]:
    """Return the claim's sources that the request contained and that do not repeat the claim's words, each once."""
    repetitions = search.find_passages(claim.quote)
    valid_ids = {cue_id(window.first + index) for index in range(len(window.passages)) if index not in repetitions}
    valid_ids.update(event_id for event_id, memory in memory_searches.items() if not memory.find_passages(claim.quote))
    return tuple(dict.fromkeys(source for source in claim.sources if source in valid_ids))


def _to_claim(claim: AnsweredClaim, match: QuoteMatch, claim_id: str, sources: tuple[str, ...]) -> Claim:
    unfounded = not sources and claim.verdict is not Verdict.UNVERIFIED
    quote = _shorten(match.quote)
    return Claim(
        claim_id=claim_id,
        start_ms=match.start_ms,
        end_ms=match.end_ms,
        quote=quote,
        # A statement of control characters only is empty after cleaning, so the quote takes its place.
        text=_shorten(clean_text(claim.statement)) or quote,
        speaker=match.speaker,
        verdict=Verdict.UNVERIFIED if unfounded else claim.verdict,
        confidence=0.0 if unfounded else round(claim.confidence, CONFIDENCE_DIGITS),
        explanation=_shorten(clean_text(claim.explanation)) or None,
        sources=sources,
    )


def _to_clip(answered: AnsweredClip, window: Window[Cue], clip_id: str, limits: ClipLimits) -> Clip | None:
    """Return the clip as it may be stored, or None if its position, length or title is not acceptable."""
    if not window.start_ms <= answered.start_ms < answered.end_ms <= window.end_ms:
        return None
    # The clip is extended to the start and end of the cues that it would otherwise split.
    cues = [cue for cue in window.passages if cue.start_ms < answered.end_ms and cue.end_ms > answered.start_ms]
    start_ms = min([answered.start_ms, *(cue.start_ms for cue in cues)])
    end_ms = max([answered.end_ms, *(cue.end_ms for cue in cues)])
    title = _shorten(clean_text(answered.title), MAX_REASON_BYTES)
    if not title or not limits.min_ms <= end_ms - start_ms <= limits.max_ms:
        return None
    reason = _shorten(clean_text(answered.reason), MAX_REASON_BYTES) or None
    return Clip(clip_id=clip_id, start_ms=start_ms, end_ms=end_ms, title=title, reason=reason)


def _shorten(text: str, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Return the beginning of a text that has at most `max_bytes` in UTF-8, without a part of a character at its end."""
    return text.encode()[:max_bytes].decode(errors="ignore")
