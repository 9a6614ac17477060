"""Division of an uploaded transcript: it is cut into windows, and each window is queued for analysis.

A window is a section of the transcript. An invalid transcript fails its track, which is the episode's processing state
of the transcript.
"""

from unittest.mock import DEFAULT, Mock

import pytest

from handlers.livestream import transcript
from tests.handlers.livestream.broadcast import CUES, LONG_CUES, Broadcast, s3_event
from tests.handlers.livestream.harness import cached_client, error


def test_each_window_of_a_transcript_is_queued_once(broadcast: Broadcast, capsys: pytest.CaptureFixture[str]) -> None:
    event = broadcast.upload(LONG_CUES)
    assert broadcast.divide(event, event) == []
    messages = broadcast.receive_all()
    assert [(message.index, message.count) for message in messages] == [(index, 22) for index in range(22)]
    assert {message.transcript_key for message in messages} == {broadcast.key}
    assert broadcast.state == ("analyzing", None)
    assert '"windows":22' in capsys.readouterr().out
    assert broadcast.divide(event) == []
    assert (broadcast.receive_all(), broadcast.state) == ([], ("analyzing", None))


def test_if_a_form_was_submitted_twice_only_the_first_object_version_is_queued(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the first attempt to queue the first version fails, the second version is not queued."""
    first, second = broadcast.upload(LONG_CUES), broadcast.upload(CUES)
    sqs = cached_client("sqs")
    with monkeypatch.context() as patched:
        answers = [DEFAULT] * 10 + [error("ServiceUnavailable")]
        patched.setattr(sqs, "send_message", Mock(wraps=sqs.send_message, side_effect=answers))
        assert broadcast.divide(first) == [0]
    assert len(broadcast.receive_all()) == 10
    assert broadcast.divide(second) == []
    assert (broadcast.receive_all(), broadcast.state) == ([], ("uploaded", None))
    assert broadcast.divide(first, second) == []
    assert [message.index for message in broadcast.receive_all()] == list(range(22)), "queued again completely"
    assert broadcast.state == ("analyzing", None)


def test_an_invalid_transcript_fails_the_track_with_a_reason_that_is_logged(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transcript, "MAX_OBJECT_BYTES", 9_000)
    cases = ((b"WEBVTT\n\n", "EMPTY"), (b"\0" * 9_001, "TOO_LARGE"), (b"\xff\xfea\0", "UNREADABLE"))
    for data, reason in cases:
        event = broadcast.upload(data)
        assert broadcast.divide(event, event) == []
        assert (broadcast.state, broadcast.receive_all()) == (("failed", reason), [])
        assert f'"cause":"{reason}"' in capsys.readouterr().out
        broadcast.request_upload()


def test_an_invalid_message_does_not_fail_its_batch_and_another_object_is_ignored(
    broadcast: Broadcast, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign_event, other_object = s3_event(broadcast.key, bucket="another"), s3_event("transcripts/other.srt")
    assert broadcast.divide("no JSON", foreign_event, other_object, broadcast.upload("\0")) == [0, 1]
    assert broadcast.state == ("failed", "UNREADABLE")
    assert '"ignored":1' in capsys.readouterr().out
