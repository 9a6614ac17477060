"""What a model says of a window is held to what was said and to what it was given."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.text.text_windows import Window
from handlers.livestream.agent.answer_verification import Checked, checked
from handlers.livestream.agent.model_answer import Answer, SaidClaim, SaidClip
from handlers.livestream.agent.model_request import MemoryEvent
from handlers.livestream.findings import Verdict
from handlers.livestream.transcript.cues import Cue
from handlers.livestream.window_queue import WindowMessage
from tests.handlers.livestream.sample_windows import ASKING, CUES, FIRST, MEMORY, MESSAGE, WINDOW, answer, claim, clip

REMEMBERED = [MemoryEvent(MEMORY, "The annual report has 410.")]


def check(*items: SaidClaim | SaidClip, timed: bool = True) -> Checked:
    return checked(answer(*items), WINDOW, MESSAGE, ASKING, REMEMBERED, timed=timed)


def test_a_claim_gets_the_transcripts_own_words_and_times() -> None:
    (found,) = check(claim("we ran 600 FERRIES, last")).claims
    assert found.quote == "We ran 600 ferries last"
    assert (found.start_ms, found.end_ms, found.speaker) == (14_000, 20_000, "Ann")
    assert (found.verdict, found.confidence, found.sources) == (Verdict.REFUTED, 0.8, (MEMORY,))
    assert found.timed


def test_a_claim_that_nobody_made_is_dropped_and_counted() -> None:
    found = check(claim("We ran 6000 ferries"), claim("We ran ferries"), claim())
    assert (len(found.claims), found.invented) == (1, 2)


def test_a_claim_that_is_made_twice_is_where_the_model_says_it_is() -> None:
    window = replace(WINDOW, core_count=5, passages=(*CUES, replace(CUES[1], start_ms=40_000, end_ms=41_000)))
    for cue, start_ms in ((None, 14_000), (FIRST + 1, 14_000), (FIRST + 4, 40_000)):
        said = answer(claim(cue=cue))
        (found,) = checked(said, window, MESSAGE, ASKING, [], timed=True).claims
        assert found.start_ms == start_ms


def test_what_begins_behind_the_core_is_left_to_the_next_window_and_counted() -> None:
    behind = claim("That is the highest number ever")
    found = check(claim(), behind, clip(26_000, 32_000), clip(14_000, 20_000))
    assert [one.quote for one in found.claims] == ["We ran 600 ferries"]
    assert [one.start_ms for one in found.clips] == [14_000]
    assert (found.elsewhere, found.invented, found.bad_clips) == (2, 0, 0)
    last = replace(WINDOW, core_count=len(CUES))
    assert len(checked(answer(claim(), behind), last, MESSAGE, ASKING, REMEMBERED, timed=True).claims) == 2


@pytest.mark.parametrize("verdict", ["supported", "refuted", "misleading"])
@pytest.mark.parametrize(
    "sources", [[], ["cue-31"], ["cue-29"], ["cue-34"], ["cue-032"], ["http://example.com"], ["0000001731#ab13"], [""]]
)
def test_a_verdict_without_a_source_that_was_given_becomes_unverified(verdict: str, sources: list[str]) -> None:
    found = check(claim(verdict=verdict, sources=sources))
    (one,) = found.claims
    assert (one.verdict, one.confidence, one.sources, found.unfounded) == (Verdict.UNVERIFIED, 0.0, (), 1)


@pytest.mark.parametrize("source", [MEMORY, "cue-30", "cue-32", "cue-33"])
def test_memories_and_other_cues_are_sources(source: str) -> None:
    found = check(claim(verdict="misleading", sources=["nowhere", source, source, "cue-31"]))
    assert (found.claims[0].verdict, found.claims[0].sources) == (Verdict.MISLEADING, (source,))
    assert found.unfounded == 0


ROLLING = (
    Cue(0, 2_000, "vaccines cause"),
    Cue(2_000, 4_000, "vaccines cause autism in children"),
    Cue(4_000, 4_010, "Autism in children."),
    Cue(4_010, 7_000, "autism in children and that is a fact"),
    Cue(7_000, 9_000, "No study found that vaccines do anything of the kind."),
    Cue(9_000, 12_000, "Again: vaccines cause autism, in children, I say", "Ann"),
)


@pytest.mark.parametrize(
    ("source", "serves"),
    [("cue-0", False), ("cue-1", False), ("cue-2", False), ("cue-3", True), ("cue-4", True), ("cue-5", False)],
)
def test_a_claims_own_words_are_no_source_of_it_wherever_they_are_said(source: str, serves: bool) -> None:
    """Captions that roll up have each line again in the next cue."""
    window = Window(index=0, first=0, core_count=len(ROLLING), passages=ROLLING)
    said = answer(claim("Vaccines cause autism in children", sources=[source]))
    (found,) = checked(said, window, MESSAGE, ASKING, [], timed=True).claims
    assert found.sources == ((source,) if serves else ())


def test_what_is_remembered_of_a_claim_is_no_source_of_it() -> None:
    """A quote that runs over its core's end is remembered with the first words of the window behind it."""
    before = MemoryEvent("before", '{"claim": "They ran 600.", "quote": "Last year we ran 600 ferries, last spring"}')
    said = answer(claim(sources=["before", MEMORY]))
    (found,) = checked(said, WINDOW, MESSAGE, ASKING, [before, *REMEMBERED], timed=True).claims
    assert found.sources == (MEMORY,)


def test_an_unverified_claim_needs_no_source_and_is_not_counted() -> None:
    found = check(claim(verdict="unverified", sources=[], confidence=0.4))
    assert (found.claims[0].confidence, found.unfounded) == (0.4, 0)


def test_the_same_claim_has_the_same_id_in_each_window_and_however_it_is_written() -> None:
    later = replace(WINDOW, index=3, first=FIRST + 1, passages=CUES[1:])
    here = check(claim("We ran 600 ferries")).claims
    there = checked(answer(claim("we ran 600: ferries")), later, MESSAGE, ASKING, [], timed=True).claims
    assert here[0].claim_id == there[0].claim_id
    assert here[0].verdict is not there[0].verdict


@pytest.mark.parametrize(
    "other",
    [MESSAGE.model_copy(update={"transcript_version": "v2"}), MESSAGE.model_copy(update={"episode_id": "0" * 26})],
)
def test_claims_and_clips_of_other_transcripts_have_other_ids(other: WindowMessage) -> None:
    said = answer(claim(), clip(10_000, 20_000))
    here = checked(said, WINDOW, MESSAGE, ASKING, [], timed=True)
    there = checked(said, WINDOW, other, ASKING, [], timed=True)
    assert here.claims[0].claim_id != there.claims[0].claim_id
    assert here.clips[0].clip_id != there.clips[0].clip_id


def test_the_same_claim_twice_is_one() -> None:
    found = check(claim(), claim("we ran 600 ferries!", statement="Again."), clip(10_000, 20_000), clip(10_000, 20_000))
    assert [one.text for one in found.claims] == ["They did."]
    assert (len(found.clips), found.bad_clips) == (1, 1)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (10_000, 20_000, (10_000, 20_000)),
        (20_000, 40_000, (20_000, 40_000)),
        (14_500, 19_000, (14_000, 20_000)),
        (10_000, 20_001, (10_000, 26_000)),
        (9_999, 20_000, None),
        (26_000, 40_001, None),
        (20_000, 20_000, None),
        (26_000, 20_000, None),
        (10_000, 14_000, None),
        (10_000, 30_001, None),
    ],
)
def test_a_clip_is_within_the_window_ends_with_a_cue_and_has_a_clips_length(
    start: int, end: int, expected: tuple[int, int] | None
) -> None:
    found = check(clip(start, end))
    assert [(one.start_ms, one.end_ms) for one in found.clips] == ([] if expected is None else [expected])
    assert found.bad_clips == (expected is None)


def test_a_clip_without_a_title_is_dropped() -> None:
    assert check(clip(10_000, 20_000, title=" \n")).bad_clips == 1


def test_no_clip_is_cut_by_times_that_are_estimates_and_claims_say_that_theirs_are() -> None:
    found = check(claim(), clip(10_000, 20_000), timed=False)
    assert (found.clips, found.bad_clips) == ((), 1)
    assert not found.claims[0].timed


def test_what_the_model_writes_is_made_harmless_and_no_longer_than_a_list_shows() -> None:
    found = check(claim(statement="a\nb\x00", explanation="c\u2028d"), clip(10_000, 20_000, title="e\tf"))
    assert (found.claims[0].text, found.claims[0].explanation, found.clips[0].title) == ("a b", "c d", "e f")
    longer = "\ufb2c"  # three characters once it is normalised
    found = check(
        claim(statement=longer * 1_000, explanation=longer * 2_000),
        clip(10_000, 20_000, title="t", reason=longer * 1_000),
    )
    texts = (found.claims[0].text, found.claims[0].explanation, found.clips[0].reason)
    assert [len(text or "") for text in texts] == [2_000] * 3
    nothing = check(claim(statement="\x00", explanation=""), clip(10_000, 20_000, reason="\x00"))
    assert (nothing.claims[0].text, nothing.claims[0].explanation) == ("We ran 600 ferries", None)
    assert nothing.clips[0].reason is None


def test_a_quote_is_no_longer_than_a_list_shows() -> None:
    cues = (Cue(0, 1_000, f"We ran{'.' * 3_000} 600 ferries."),)
    (found,) = checked(answer(claim()), Window(0, 0, 1, cues), MESSAGE, ASKING, [], timed=True).claims
    assert len(found.quote) == 2_000


@pytest.mark.parametrize("confidence", [0.0, 5e-324, 1e-200, 1 / 3, 1.0])
def test_a_confidence_is_one_that_a_table_takes(confidence: float) -> None:
    (found,) = check(claim(verdict="unverified", confidence=confidence)).claims
    assert found.confidence == round(confidence, 4)


def test_nothing_of_what_was_found_is_in_a_representation() -> None:
    found = check(claim(statement="canary", explanation="canary"), clip(10_000, 20_000, title="canary"))
    assert "canary" not in repr((found, found.claims, found.clips))
    assert "ferries" not in repr((found, found.claims, found.clips))


QUOTES = st.one_of(
    st.text("weran 60frislptghok.,!", max_size=40),
    st.sampled_from(["", *(cue.text for cue in CUES), *(word for cue in CUES for word in cue.text.split())]),
    st.lists(st.sampled_from([word for cue in CUES for word in cue.text.split()]), max_size=6).map(" ".join),
)


@given(
    st.lists(
        st.builds(
            SaidClaim.model_construct,
            quote=QUOTES,
            cue=st.none() | st.integers(0, 50),
            statement=st.text(max_size=5),
            verdict=st.sampled_from(Verdict),
            confidence=st.floats(0, 1),
            explanation=st.just(""),
            sources=st.lists(st.sampled_from([MEMORY, "cue-30", "cue-31", "cue-99", "x"]), max_size=3),
        ),
        max_size=8,
    ),
    st.lists(
        st.builds(
            SaidClip.model_construct,
            start_ms=st.integers(0, 50_000),
            end_ms=st.integers(0, 50_000),
            title=st.just("t"),
            reason=st.just(""),
        ),
        max_size=5,
    ),
)
def test_whatever_the_model_answers_no_quote_survives_that_was_not_said(
    claims: list[SaidClaim], clips: list[SaidClip]
) -> None:
    found = checked(Answer(tuple(claims), tuple(clips)), WINDOW, MESSAGE, ASKING, REMEMBERED, timed=True)
    whole = " ".join(cue.text for cue in CUES)
    for one in found.claims:
        assert one.quote in whole
        assert len(one.quote.split()) > 1
        assert CUES[0].start_ms <= one.start_ms < one.end_ms <= CUES[-1].end_ms
        assert one.verdict is Verdict.UNVERIFIED or one.sources
        assert set(one.sources) <= {MEMORY, "cue-30", "cue-31"}
    for clip_ in found.clips:
        assert clip_.start_ms in {cue.start_ms for cue in CUES}
        assert clip_.end_ms in {cue.end_ms for cue in CUES}
        assert 5_000 <= clip_.end_ms - clip_.start_ms <= 20_000
    assert len({one.claim_id for one in found.claims}) == len(found.claims) <= len(claims) - found.invented
