"""Tests of the speech recognition of the local platform: its lock, speakers, transcript items and stable prefixes."""

from pathlib import Path

import moonshine_voice
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.audio_formats import RATE, SAMPLE_BYTES, decode_file
from local.emulation.speech import recognition
from local.emulation.speech.recognition import Recogniser, SpokenLine, recognise
from local.emulation.speech.speakers import label_speakers
from local.emulation.speech.transcript_items import join_items, split_items, time_items
from local.emulation.transcribe.streaming_results import StablePrefix
from local.flows.speech_clips import clip_texts, join_clips

pytestmark = pytest.mark.media


def test_a_busy_model_is_not_waited_for_and_no_audio_is_lost() -> None:
    samples = join_clips("sky")
    with Recogniser() as recogniser:
        with recognition._lock:  # as if another recogniser was working
            assert recogniser.add_if_free(samples) is None
        assert recogniser.add_if_free(samples) is not None
        recogniser.finish()
        assert [line.text for line in recogniser.lines] == clip_texts("sky")


def test_a_dialogue_of_two_actors_has_two_speakers() -> None:
    """The model's wheel contains a scene of a man and a woman, who speak in turn. Its first 15 seconds have eight lines."""
    scene = decode_file(Path(moonshine_voice.__file__).parent / "assets" / "endgame_nagg_nell.wav", ["wav"])
    samples = scene[: 15 * RATE * SAMPLE_BYTES]
    lines = recognise(samples)
    assert label_speakers(lines, samples, 10) == [0, 1] * 4
    assert set(label_speakers(lines, samples, 1)) == {0}, "at most so many speakers"


@pytest.mark.parametrize(
    ("text", "items", "joined"),
    [
        ("Hello, world.", ["Hello", ",", "world", "."], "Hello, world."),
        ("In short,, it's 4.5 percent", ["In", "short", ",", "it's", "4.5", "percent"], "In short, it's 4.5 percent"),
        ("... Well?", ["Well", "?"], "Well?"),
        ("", [], ""),
    ],
)
def test_a_text_is_divided_into_words_and_marks(text: str, items: list[str], joined: str) -> None:
    assert split_items(text) == items
    assert join_items(items) == joined


def test_a_word_has_a_share_of_the_lines_time_by_its_length() -> None:
    items = time_items(["Ab", ",", "cdef", "."], SpokenLine(0, "", 1.0, 4.0))
    assert [(item.start, item.end) for item in items] == [(1.0, 2.0), (2.0, 2.0), (2.0, 4.0), (4.0, 4.0)]


def play(*versions: str) -> list[tuple[str, str]]:
    """Return the text and the stable part after each version. A version follows the previous one after 0.25 s."""
    prefix = StablePrefix()
    return [
        (" ".join(prefix.add(version.split(), at / 4)), " ".join(prefix.stable)) for at, version in enumerate(versions)
    ]


def test_an_item_is_stable_once_an_update_has_not_changed_it() -> None:
    assert play("a b", "a c", "a c d") == [("a b", ""), ("a c", "a"), ("a c d", "a c")]


def test_a_stable_item_is_kept_when_the_model_changes_it() -> None:
    assert play("a b c", "a b c", "a b c", "x b c d")[-1] == ("a b c d", "a b c")


def test_no_word_is_lost_or_doubled_when_the_model_inserts_or_removes_an_item() -> None:
    assert play("a b c", "a b c", "a b c", "a x b c d")[-1][0] == "a b c d"
    assert play("a x b c", "a x b c", "a x b c", "a b c d")[-1][0] == "a x b c d"


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6), min_size=1, max_size=8))
def test_stable_items_only_grow_and_begin_each_later_version(versions: list[list[str]]) -> None:
    prefix = StablePrefix()
    for at, version in enumerate(versions):
        before = list(prefix.stable)
        kept = prefix.add(version, at / 4)
        assert kept[: len(before)] == before
        assert prefix.stable[: len(before)] == before
        assert kept[: len(prefix.stable)] == prefix.stable
