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

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from handlers.common.text import QuoteMatch, QuoteSearch, Window, clean_text
from handlers.livestream.api_models import MAX_FINDING_CHARACTERS, Claim, Clip
from handlers.livestream.fact_check_agent.model_answer import AnsweredClaim, AnsweredClip, WindowAnswer
from handlers.livestream.fact_check_agent.model_request import MemoryEvent, RequestSettings, cue_id
from handlers.livestream.fact_claim_verdict import Verdict
from handlers.livestream.transcript.cues import Cue
from handlers.livestream.transcript_window_queue import WindowMessage

CONFIDENCE_DIGITS = 4
"""Decimal places of the stored confidence. A model may write 1e-200, which DynamoDB rejects as too small."""
F = TypeVar("F", Claim, Clip)


@dataclass(frozen=True)
class VerifiedAnswer:
    """Findings that may be stored, and the number of items that were dropped or changed."""

    claims: tuple[Claim, ...] = field(default=(), repr=False)
    clips: tuple[Clip, ...] = field(default=(), repr=False)
    invented: int = 0
    """Claims whose quote does not occur in the window."""
    unfounded: int = 0
    """Claims whose verdict was changed to `unverified`, because it had no accepted source."""
    elsewhere: int = 0
    """Claims and clips that begin in the overlap, so that they belong to the next window."""
    bad_clips: int = 0
    """Clips with a wrong position or length, without a title, or repeated."""
    malformed: int = 0
    """Claims and clips that `parse_answer` skipped because of their form."""


def verify_answer(
    answer: WindowAnswer,
    window: Window[Cue],
    message: WindowMessage,
    settings: RequestSettings,
    memories: Sequence[MemoryEvent],
) -> VerifiedAnswer:
    """Return the findings of an answer that may be stored. `memories` are the memories in the request."""
    window_search = QuoteSearch(window.passages)
    # `QuoteSearch` takes passages with times. A memory has none, so they are 0.
    memory_searches = {memory.event_id: QuoteSearch([Cue(0, 0, memory.text)]) for memory in memories}
    matches = [window_search.find(claim.quote, _expected_passage(claim, window)) for claim in answer.claims]
    quoted = [(claim, match) for claim, match in zip(answer.claims, matches, strict=True) if match is not None]
    in_core = [(claim, match) for claim, match in quoted if match.first < window.core_count]
    claims = [
        _to_claim(claim, match, message, _valid_sources(claim, window_search, window, memory_searches))
        for claim, match in in_core
    ]
    checked_clips = [_to_clip(clip, window, message, settings) for clip in answer.clips]
    clips = _drop_repetitions([clip for clip in checked_clips if clip is not None], lambda clip: clip.clip_id)
    core_clips = tuple(clip for clip in clips if window.owns_start(clip.start_ms))
    return VerifiedAnswer(
        claims=_drop_repetitions(claims, lambda claim: claim.claim_id),
        clips=core_clips,
        invented=len(answer.claims) - len(quoted),
        unfounded=sum(
            claim.verdict is not answered.verdict for claim, (answered, _) in zip(claims, in_core, strict=True)
        ),
        elsewhere=len(quoted) - len(in_core) + len(clips) - len(core_clips),
        bad_clips=len(answer.clips) - len(clips),
        malformed=answer.malformed,
    )


def _expected_passage(claim: AnsweredClaim, window: Window[Cue]) -> int | None:
    """Return the index, within the window, of the cue in which the quote begins according to the model.

    Return None if the model names no cue.
    """
    return None if claim.cue is None else claim.cue - window.first


def _valid_sources(
    claim: AnsweredClaim,
    window_search: QuoteSearch,
    window: Window[Cue],
    memory_searches: Mapping[str, QuoteSearch],
) -> tuple[str, ...]:
    """Return the claim's sources that the request contained and that do not repeat the claim's words, each once."""
    repetitions = window_search.find_passages(claim.quote)
    valid_ids = {cue_id(window.first + index) for index in range(len(window.passages)) if index not in repetitions}
    valid_ids.update(event_id for event_id, search in memory_searches.items() if not search.find_passages(claim.quote))
    return tuple(dict.fromkeys(source for source in claim.sources if source in valid_ids))


def _to_claim(claim: AnsweredClaim, match: QuoteMatch, message: WindowMessage, sources: tuple[str, ...]) -> Claim:
    unfounded = not sources and claim.verdict is not Verdict.UNVERIFIED
    quote = match.quote[:MAX_FINDING_CHARACTERS]
    return Claim(
        claim_id=message.finding_id("claim", str(match.start_ms), match.words),
        start_ms=match.start_ms,
        end_ms=match.end_ms,
        quote=quote,
        # A statement of control characters only is empty after cleaning, so the quote takes its place.
        text=_clean(claim.statement) or quote,
        speaker=match.speaker,
        verdict=Verdict.UNVERIFIED if unfounded else claim.verdict,
        confidence=0.0 if unfounded else round(claim.confidence, CONFIDENCE_DIGITS),
        explanation=_clean(claim.explanation) or None,
        sources=sources,
    )


def _to_clip(
    answered: AnsweredClip, window: Window[Cue], message: WindowMessage, settings: RequestSettings
) -> Clip | None:
    """Return the clip as it may be stored, or None if its position, length or title is not acceptable."""
    if not window.start_ms <= answered.start_ms < answered.end_ms <= window.end_ms:
        return None
    start_ms, end_ms = _extend_to_cues(answered, window)
    title = _clean(answered.title)
    if not title or not settings.clip_min_ms <= end_ms - start_ms <= settings.clip_max_ms:
        return None
    return Clip(
        clip_id=message.finding_id("clip", str(start_ms), str(end_ms)),
        start_ms=start_ms,
        end_ms=end_ms,
        title=title,
        reason=_clean(answered.reason) or None,
    )


def _extend_to_cues(answered: AnsweredClip, window: Window[Cue]) -> tuple[int, int]:
    """Return the clip's times, extended to the start and end of the cues that it would otherwise split."""
    cue_times: Sequence[tuple[int, int]] = [
        (cue.start_ms, cue.end_ms)
        for cue in window.passages
        if cue.start_ms < answered.end_ms and cue.end_ms > answered.start_ms
    ]
    start_ms = min([answered.start_ms, *(start for start, _ in cue_times)])
    end_ms = max([answered.end_ms, *(end for _, end in cue_times)])
    return start_ms, end_ms


def _clean(text: str) -> str:
    """Return a text of the model, cleaned and then truncated to the API's limit. Cleaning can make a text longer."""
    return clean_text(text)[:MAX_FINDING_CHARACTERS]


def _drop_repetitions(findings: Iterable[F], id_of: Callable[[F], str]) -> tuple[F, ...]:
    """Return the claims or clips sorted by time. Of several with the same id, only the first is kept."""
    by_id: dict[str, F] = {}
    for finding in findings:
        by_id.setdefault(id_of(finding), finding)
    return tuple(sorted(by_id.values(), key=lambda finding: (finding.start_ms, id_of(finding))))
