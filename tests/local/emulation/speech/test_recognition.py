"""Tests of the speech recogniser: who waits for the model."""

from local.emulation.speech import recognition
from local.emulation.speech.recognition import Recogniser
from local.flows.speech_clips import clip_texts, join_clips


def test_a_busy_model_is_not_waited_for_and_no_audio_is_lost() -> None:
    samples = join_clips("sky")
    with Recogniser() as recogniser:
        with recognition._lock:  # as if another recogniser was working
            assert recogniser.add_if_free(samples) is None
        assert recogniser.add_if_free(samples) is not None
        recogniser.finish()
        assert [line.text for line in recogniser.lines] == clip_texts("sky")
