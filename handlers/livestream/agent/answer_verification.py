"""Holds what the model says of a window to the transcript and to what it was given. Pure.

The model decides what is worth telling; code decides what is true of it:
- a claim whose quote was not said is dropped, and the words and times of those that stay are the transcript's;
- what begins behind the window's core is left to the next window, which has it whole: so nothing is found twice, in
  other words;
- a verdict stays only if it rests on a source that the model was given, and a claim is no source of itself, wherever
  else its words are said: captions that roll up have each line twice, and what is remembered has claims. Where it does
  not, nothing is known of the claim, and how sure the model was of it counts for nothing;
- a clip stays only if it is within the window, begins and ends with a cue, and is neither too short nor too long.
What is dropped or changed is counted. What is left has the API's form, so that nothing is kept which no list could show.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from handlers.common.text.quote_search import QuoteMatch, QuoteSearch
from handlers.common.text.text_cleaning import clean_text
from handlers.common.text.text_windows import Window
from handlers.livestream.agent.model_answer import Answer, SaidClaim, SaidClip
from handlers.livestream.agent.model_request import Asking, MemoryEvent, cue_id
from handlers.livestream.api_models import MAX_FOUND, Claim, Clip
from handlers.livestream.findings import Verdict
from handlers.livestream.transcript.cues import Cue
from handlers.livestream.window_queue import WindowMessage

CONFIDENCE_DIGITS = 4
"""A table takes no number as small as a model may write."""
F = TypeVar("F", Claim, Clip)


@dataclass(frozen=True)
class Checked:
    """What is left of an answer, and how much is not."""

    claims: tuple[Claim, ...] = field(default=(), repr=False)
    clips: tuple[Clip, ...] = field(default=(), repr=False)
    invented: int = 0
    """Claims whose quote was not said."""
    unfounded: int = 0
    """Verdicts without a source, which count as unverified."""
    elsewhere: int = 0
    """Claims and clips that are another window's."""
    bad_clips: int = 0
    malformed: int = 0
    """Claims and clips that were none."""


def checked(
    answer: Answer,
    window: Window[Cue],
    message: WindowMessage,
    asking: Asking,
    memories: Sequence[MemoryEvent],
    *,
    timed: bool,
) -> Checked:
    """What can be kept of an answer about the message's window. `memories` are what the model was told of; `timed` is the transcript's."""
    said = QuoteSearch(window.passages)
    remembered = {one.event_id: QuoteSearch([Cue(0, 0, one.text)]) for one in memories}
    placed = [(claim, said.find(claim.quote, _near(claim, window))) for claim in answer.claims]
    found = [(claim, place) for claim, place in placed if place is not None]
    own = [(claim, place) for claim, place in found if place.first < window.core_count]
    claims = [
        _claim(claim, place, message, _sources(claim, said, window, remembered), timed=timed) for claim, place in own
    ]
    cut = [_clip(clip, window, message, asking) for clip in answer.clips] if timed else []
    clips = _each_once([clip for clip in cut if clip is not None], lambda one: one.clip_id)
    own_clips = tuple(clip for clip in clips if window.owns_start(clip.start_ms))
    return Checked(
        claims=_each_once(claims, lambda one: one.claim_id),
        clips=own_clips,
        invented=len(placed) - len(found),
        unfounded=sum(claim.verdict is not said_so.verdict for claim, (said_so, _) in zip(claims, own, strict=True)),
        elsewhere=len(found) - len(own) + len(clips) - len(own_clips),
        bad_clips=len(answer.clips) - len(clips),
        malformed=answer.malformed,
    )


def _near(claim: SaidClaim, window: Window[Cue]) -> int | None:
    return None if claim.cue is None else claim.cue - window.first


def _sources(
    claim: SaidClaim, said: QuoteSearch, window: Window[Cue], remembered: Mapping[str, QuoteSearch]
) -> tuple[str, ...]:
    """Those of a claim's sources that it may have, each once."""
    saying = said.find_passages(claim.quote)
    given = {cue_id(window.first + at) for at in range(len(window.passages)) if at not in saying}
    given.update(name for name, text in remembered.items() if not text.find_passages(claim.quote))
    return tuple(dict.fromkeys(source for source in claim.sources if source in given))


def _claim(
    claim: SaidClaim, place: QuoteMatch, message: WindowMessage, sources: tuple[str, ...], *, timed: bool
) -> Claim:
    unfounded = not sources and claim.verdict is not Verdict.UNVERIFIED
    quote = place.quote[:MAX_FOUND]
    return Claim(
        claim_id=message.id_of("claim", str(place.start_ms), place.words),
        start_ms=place.start_ms,
        end_ms=place.end_ms,
        timed=timed,
        quote=quote,
        # Of a statement of nothing but control characters nothing is left.
        text=_text(claim.statement) or quote,
        speaker=place.speaker,
        verdict=Verdict.UNVERIFIED if unfounded else claim.verdict,
        confidence=0.0 if unfounded else round(claim.confidence, CONFIDENCE_DIGITS),
        explanation=_text(claim.explanation) or None,
        sources=sources,
    )


def _clip(said: SaidClip, window: Window[Cue], message: WindowMessage, asking: Asking) -> Clip | None:
    if not window.start_ms <= said.start_ms < said.end_ms <= window.end_ms:
        return None
    start_ms, end_ms = _whole_cues(said, window)
    title = _text(said.title)
    if not title or not asking.clip_min_ms <= end_ms - start_ms <= asking.clip_max_ms:
        return None
    return Clip(
        clip_id=message.id_of("clip", str(start_ms), str(end_ms)),
        start_ms=start_ms,
        end_ms=end_ms,
        title=title,
        reason=_text(said.reason) or None,
    )


def _whole_cues(said: SaidClip, window: Window[Cue]) -> tuple[int, int]:
    """The clip's times, moved outwards to where the cues begin and end that it would cut through."""
    cut: Sequence[tuple[int, int]] = [
        (cue.start_ms, cue.end_ms)
        for cue in window.passages
        if cue.start_ms < said.end_ms and cue.end_ms > said.start_ms
    ]
    return min([said.start_ms, *(start for start, _ in cut)]), max([said.end_ms, *(end for _, end in cut)])


def _text(written: str) -> str:
    """Return a text of the model's as the API may show it: normalising characters can make a text longer."""
    return clean_text(written)[:MAX_FOUND]


def _each_once(found: Iterable[F], id_of: Callable[[F], str]) -> tuple[F, ...]:
    """Return each claim or clip once, by time; of several with the same id, the first that the model gave."""
    first: dict[str, F] = {}
    for one in found:
        first.setdefault(id_of(one), one)
    return tuple(sorted(first.values(), key=lambda one: (one.start_ms, id_of(one))))
