"""What events of transcripts say, and which of them say nothing, or what cannot be."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.s3_events import NotAnEvent
from handlers.livestream.transcript_events import TranscriptUploaded, parsed
from handlers.livestream.upload_keys import UploadKey
from tests.handlers.livestream.video_stage import BUCKET, EPISODE, OWNER, REASONS, UPLOAD, completed, envelope, video
from tests.handlers.livestream.video_stage import created as new_object


def key(upload: str = UPLOAD, suffix: str = ".srt", owner: str = OWNER) -> str:
    return f"transcripts/{owner}/{EPISODE}/{upload}{suffix}"


def created(name: str, reason: str = "PutObject", **version: str) -> str:
    return new_object(name, reason, object={"key": name, "size": 10, **version})


@pytest.mark.parametrize("reason", [*REASONS, "SomethingNew"])
def test_a_transcript_counts_however_it_was_created(reason: str) -> None:
    found = parsed(created(key(), reason, **{"version-id": "v1"}), BUCKET)
    assert found == TranscriptUploaded(key(), "v1", UploadKey(OWNER, EPISODE, UPLOAD, "srt"))


def test_a_bucket_without_versions_has_one_version_of_each_object() -> None:
    found = parsed(created(key()), BUCKET)
    assert found is not None
    assert found.version_id == "null"


@pytest.mark.parametrize("suffix", [".srt", ".VTT", ".json", ".txt", ".other", ""])
def test_a_transcript_may_have_any_suffix_or_none(suffix: str) -> None:
    found = parsed(created(key(suffix=suffix, owner="everybody")), BUCKET)
    assert found is not None
    assert (found.named.owner, found.named.suffix) == ("everybody", suffix[1:].lower())


@pytest.mark.parametrize(
    "other",
    [
        "transcripts/",
        f"/{key()}",
        f"{key()}/",
        f"{key()}\n",
        key(owner="someone"),
        key(owner=".."),
        key(upload="U" * 26),
        key(suffix=".srt.exe"),
        key().replace("/", "%2F"),
        key().replace("transcripts/", "videos/"),
        key().replace("transcripts/", "x/transcripts/"),
    ],
)
def test_a_key_of_any_other_form_is_nobodys_transcript(other: str) -> None:
    assert parsed(created(other), BUCKET) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "[]",
        "[" * 100_000,
        completed(video()),
        envelope("aws.s3", "Object Deleted", {}),
        envelope("somebody", "Object Created", json.loads(created(key()))["detail"]),
        envelope("aws.s3", "Object Created", {}),
        new_object(key(), bucket={"name": "another"}),
        new_object(key(), object={"key": key()}),
        created(key(), **{"version-id": "a\nb"}),
    ],
)
def test_what_is_no_event_of_ours_is_refused(body: str) -> None:
    with pytest.raises(NotAnEvent) as refused:
        parsed(body, BUCKET)
    assert OWNER not in str(refused.value)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda one: st.dictionaries(st.text(), one)))
def test_whatever_comes_is_refused_or_says_nothing(detail: Any) -> None:
    for body in (json.dumps(detail), envelope("aws.s3", "Object Created", detail)):
        with contextlib.suppress(NotAnEvent):
            assert parsed(body, BUCKET) is None
