"""Parsing of the model's answer about a window of a transcript.

An answer of another form is refused with a problem that does not quote it. A malformed claim or clip is refused too, or
skipped if the answer is the second one (`skip_malformed`).
"""

import json
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.common.bedrock import AnswerJsonProblem, UnusableAnswer
from handlers.livestream.fact_check_agent.model_answer import (
    MAX_ANSWER_CHARACTERS,
    MAX_CLAIMS,
    MAX_CLIPS,
    AnswerProblem,
    parse_answer,
)
from handlers.livestream.fact_claim_verdict import Verdict

CANARY = "canary"
"""Text that must not appear in the problem of a refused answer."""
WINDOW_ID = "4c1f"
CLAIM = {
    "quote": "six hundred",
    "statement": "They ran 600.",
    "verdict": "refuted",
    "confidence": 0.8,
    "sources": ["m"],
}
CLIP = {"startMs": 0, "endMs": 9_000, "title": "Ferries", "reason": "It is funny."}


def answer(**changes: Any) -> str:
    return json.dumps({"window": WINDOW_ID, "claims": [CLAIM], "clips": [CLIP], **changes})


def problem(text: str, *, skip_malformed: bool = False) -> StrEnum:
    """Return the problem for which an answer is refused."""
    with pytest.raises(UnusableAnswer) as caught:
        parse_answer(text, WINDOW_ID, skip_malformed=skip_malformed)
    assert caught.value.__context__ is None, "the original exception may contain the answer"
    assert CANARY not in str(caught.value) + caught.value.problem.value
    return caught.value.problem


def test_json_is_read_from_a_code_fence() -> None:
    result = parse_answer(f"```json\n{answer()}\n```", WINDOW_ID, skip_malformed=False)
    assert (result.claims[0].verdict, result.claims[0].confidence) == (Verdict.REFUTED, 0.8)
    assert (result.clips[0].start_ms, result.clips[0].end_ms) == (0, 9_000)
    assert result.malformed == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * (MAX_ANSWER_CHARACTERS + 1), AnswerJsonProblem.TOO_LONG),
        (f"Sure! {answer(note=CANARY)}", AnswerJsonProblem.NO_JSON),
        (f'["{CANARY}"]', AnswerProblem.NO_OBJECT),
        (answer(claims={"a": CANARY}), AnswerProblem.NO_OBJECT),
        (json.dumps({"window": WINDOW_ID, "claims": []}), AnswerProblem.NO_OBJECT),
        (answer(window="another"), AnswerProblem.OTHER_WINDOW),
        (answer(claims=[CLAIM] * (MAX_CLAIMS + 1)), AnswerProblem.TOO_MANY),
        (answer(clips=[CLIP] * (MAX_CLIPS + 1)), AnswerProblem.TOO_MANY),
    ],
)
def test_an_answer_of_another_form_is_refused_even_if_malformed_items_are_skipped(text: str, expected: StrEnum) -> None:
    assert problem(text) is expected
    assert problem(text, skip_malformed=True) is expected


@pytest.mark.parametrize(
    ("field", "malformed_item"),
    [
        ("claims", CANARY),
        ("claims", {**CLAIM, "quote": CANARY * 200}),
        ("claims", {**CLAIM, "quote": "half a pair \ud800"}),
        ("claims", {**CLAIM, "verdict": CANARY}),
        ("claims", {**CLAIM, "confidence": "0.5"}),
        ("clips", {**CLIP, "startMs": "0"}),
        ("clips", {"title": CANARY}),
    ],
)
def test_a_malformed_claim_or_clip_is_refused_or_skipped(field: str, malformed_item: object) -> None:
    valid_item = CLAIM if field == "claims" else CLIP
    assert problem(answer(**{field: [valid_item, malformed_item]})) is AnswerProblem.BAD_ITEM
    result = parse_answer(answer(**{field: [malformed_item, valid_item]}), WINDOW_ID, skip_malformed=True)
    assert (len(result.claims), len(result.clips), result.malformed) == (1, 1, 1)


def test_an_answer_without_a_well_formed_item_is_refused_even_if_malformed_items_are_skipped() -> None:
    assert problem(answer(claims=[{}], clips=[]), skip_malformed=True) is AnswerProblem.BAD_ITEM
    assert parse_answer(answer(claims=[], clips=[]), WINDOW_ID, skip_malformed=True).claims == ()


def test_the_repr_of_an_answer_contains_no_text_of_the_model() -> None:
    result = parse_answer(
        answer(claims=[{**CLAIM, "quote": CANARY, "statement": CANARY, "explanation": CANARY}]),
        WINDOW_ID,
        skip_malformed=False,
    )
    assert CANARY not in repr(result)
    assert CANARY not in repr(result.claims[0])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*CLAIM, *CLIP]), inner, max_size=6),
    max_leaves=12,
)


@given(st.text(max_size=60) | st.builds(lambda claims, clips: answer(claims=claims, clips=clips), VALUES, VALUES))
@example('{"window": "4c1f", "claims": [{"quote": "\\ud800"}], "clips": []}')
@example('{"window": ' + "9" * 5_000 + "}")
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for skip_malformed in (False, True):
        try:
            parse_answer(text, WINDOW_ID, skip_malformed=skip_malformed)
        except UnusableAnswer as error:
            # Any text has one of two outcomes: an answer, or this exception with a known problem.
            assert isinstance(error.problem, AnswerProblem | AnswerJsonProblem)  # noqa: PT017
