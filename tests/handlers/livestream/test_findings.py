"""Claims of overlapping windows become one each, whatever order they come in."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from handlers.livestream.findings import Claim, Verdict, merged

BASE = Claim("a", 1_000, 5_000, True, "We ran 600 ferries last spring", None, "s", Verdict.UNVERIFIED, 0.5, "")


def test_the_better_founded_of_two_stays() -> None:
    founded = replace(BASE, claim_id="b", quote="we ran 600 ferries", verdict=Verdict.REFUTED, confidence=0.2)
    assert merged([BASE, founded]) == merged([founded, BASE]) == (founded,)
    surer = replace(BASE, claim_id="c", confidence=0.6)
    assert merged([BASE, surer]) == (surer,)


def test_claims_stay_apart_where_they_are_about_something_else() -> None:
    other_time = replace(BASE, claim_id="b", start_ms=6_000, end_ms=9_000)
    other_words = replace(BASE, claim_id="c", quote="We sold 600 ferries last spring")
    small_part = replace(BASE, claim_id="d", quote="last spring")
    no_word = replace(BASE, claim_id="e", quote="e ran 600 ferries last spring")
    for other in (other_time, other_words, small_part, no_word):
        assert len(merged([BASE, other])) == 2


CLAIMS = st.builds(
    lambda start, quote, verdict, confidence: replace(
        BASE,
        claim_id=f"{start}-{quote}",
        start_ms=start,
        end_ms=start + 2,
        quote=quote,
        verdict=verdict,
        confidence=confidence,
    ),
    st.integers(0, 6),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(" ".join),
    st.sampled_from(Verdict),
    st.sampled_from([0.0, 0.5, 1.0]),
)


@given(st.lists(CLAIMS, max_size=8, unique_by=lambda one: one.claim_id), st.randoms())
def test_order_and_repetition_change_nothing(claims: list[Claim], random: object) -> None:
    found = merged(claims)
    shuffled = list(claims) * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merged(shuffled) == found
    assert merged(found) == found
    assert {one.claim_id for one in found} <= {one.claim_id for one in claims}
