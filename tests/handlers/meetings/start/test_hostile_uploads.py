"""Whatever is uploaded, and under whatever name: it is taken for what it is, and no more is said of it than that."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.meetings.complete_file import MAX_COMPLETE_FILE_BYTES
from handlers.meetings.media_result import MediaOutcome
from handlers.meetings.s3_keys import parse_upload_key
from tests.handlers.meetings.meeting_setup import ANN, BOB, CANARY, MEETING, Stage, created, said


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "unreadable"),
        (b"{}", "unreadable"),
        (b"\xff\xfe", "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (b'{"chunks":[' + b"{}," * 300_000 + b"{}]}", "unreadable"),
        (b'{"schemaVersion":1,"title":"canary","startedAt":"2026-01-31T10:00:00.000Z","chunks":[]}', "unreadable"),
        (b" " * (MAX_COMPLETE_FILE_BYTES + 1), "size"),
    ],
)
def test_a_complete_that_says_nothing_useful_fails_its_meeting_and_does_not_come_back(
    stage: Stage, body: bytes, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.put(MEETING.upload_key("complete.json"), body)
    for _ in range(2):
        assert stage.arrives("complete.json") == []
    assert stage.stands() == ("failed", "MALFORMED")
    assert stage.wrong() == {"complete.json": problem}
    record = stage.record()
    assert (record.content, record.title, record.version) == ("", "", 1)
    assert stage.open() == []
    said = capsys.readouterr().out
    assert "complete_refused" in said
    assert CANARY not in said
    stage.whole(b"a")
    assert stage.stands() == ("processing", "media")


CHUNK = {"name": "0.webm", "bytes": 1, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"startedAt": "canary"}, {"startedAt": "String should match pattern"}),
        ({"startedAt": "2026-02-30T10:00:00.000Z"}, {"startedAt": "an existing date and time, such as 2026-01-31T"}),
        ({"title": "canary" * 100, "tags": ["canary", 1]}, {"title": "at most 200", "tags.1": "valid string"}),
        ({"chunks": [{"name": "canary/0.webm"}]}, {"chunks.0.name": "pattern"}),
        ({"chunks": [{**CHUNK, "bytes": 0}]}, {"chunks.0.bytes": "greater than or equal to 1"}),
        (
            {"chunks": [{**CHUNK, "name": "canary"}] * 2},
            {"": "each chunk has a different name, and none is complete.json"},
        ),
        (
            {"language": "en-UK"},
            {"language": "a language code that Amazon Transcribe supports, such as en-US or de-DE"},
        ),
    ],
)
def test_a_meeting_says_which_fields_are_wrong_and_nothing_of_what_they_say(
    stage: Stage, changed: dict[str, Any], fields: dict[str, str]
) -> None:
    body = {**said(b"a").model_dump(mode="json", by_alias=True), **changed}
    stage.put(MEETING.upload_key("complete.json"), json.dumps(body).encode())
    stage.arrives("complete.json")
    [wrong] = stage.record().wrong
    told = {problem.field: problem.rule for problem in wrong.fields or ()}
    assert all(rule in told.get(field, "") for field, rule in fields.items()), told
    assert CANARY not in str(wrong)


SEALED = ["InvalidRequest", "InvalidObjectState"]
"""With a key of the client's own, and in an archive."""


@pytest.mark.parametrize("code", SEALED)
def test_a_complete_that_its_uploader_has_sealed_fails_its_meeting_and_does_not_come_back(
    stage: Stage, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.uploads(b"a")
    stage.says(b"a")
    with stage.sealed(code):
        for _ in range(2):
            assert stage.arrives("complete.json") == []
    assert (stage.stands(), stage.wrong()) == (("failed", "MALFORMED"), {"complete.json": "unreadable"})
    assert stage.record().version == 1
    said = capsys.readouterr().out
    assert "sealed" in said
    assert CANARY not in said
    stage.passes(minutes=1)
    stage.whole(b"a")
    assert stage.stands() == ("processing", "media")


@pytest.mark.parametrize("code", SEALED)
def test_a_sealed_complete_ends_the_wait_for_chunks_when_somebody_looks_again(stage: Stage, code: str) -> None:
    stage.says(b"a")
    stage.arrives("complete.json")
    stage.says(b"a", title="again")
    stage.passes(hours=1)
    with stage.sealed(code):
        assert stage.sweeps()["failed"] == 0
    assert stage.stands() == ("failed", "MALFORMED")


def test_a_complete_that_takes_the_place_of_a_sealed_one_meanwhile_is_not_taken_for_it(stage: Stage) -> None:
    stage.uploads(b"a")
    stage.says(b"a")
    with stage.sealed("InvalidRequest", times=1):
        assert stage.arrives("complete.json") == []
    assert stage.stands() == ("processing", "media")


def test_a_sealed_complete_that_is_gone_again_is_nobodys_failure(stage: Stage) -> None:
    stage.put(MEETING.upload_key("complete.json.not"), b"")
    with stage.sealed("InvalidRequest"):
        assert stage.arrives("complete.json") == []
    assert stage.stored() == []


def test_a_complete_that_may_not_be_read_is_a_failure_of_ours(stage: Stage) -> None:
    stage.says(b"a")
    with stage.sealed("AccessDenied"):
        assert stage.arrives("complete.json") == [MEETING.upload_key("complete.json")]
    assert stage.stored() == []


@pytest.mark.parametrize("ready", [True, False])
def test_nonsense_takes_nothing_from_a_meeting_that_something_came_of(stage: Stage, *, ready: bool) -> None:
    recording = stage.whole(b"a")
    if ready:
        stage.makes(recording, MediaOutcome.NO_AUDIO)
        stage.does("media", recording)
    before = stage.record()
    stage.put(MEETING.upload_key("complete.json"), b"nonsense")
    assert stage.arrives("complete.json") == []
    assert stage.record() == before


def test_nonsense_ends_the_wait_for_chunks_and_keeps_what_the_meeting_is_called(stage: Stage) -> None:
    stage.says(b"a")
    stage.arrives("complete.json")
    stage.put(MEETING.upload_key("complete.json"), b"nonsense")
    stage.arrives("complete.json")
    assert stage.stands() == ("failed", "MALFORMED")
    assert stage.record().title == f"{CANARY} title"
    stage.passes(minutes=1)
    stage.whole(b"a")
    assert stage.stands() == ("processing", "media")


def test_a_complete_that_is_gone_again_is_nobodys_failure(stage: Stage) -> None:
    assert stage.arrives("complete.json") == []
    assert stage.stored() == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "raw/",
        f"raw/{ANN}",
        f"raw/{ANN}/{MEETING.meeting_id}/",
        f"raw/{ANN}/{MEETING.meeting_id}/../../{BOB}/{MEETING.meeting_id}/complete.json",
        f"raw/../{ANN}/{MEETING.meeting_id}/complete.json",
        f"raw/{ANN}/{MEETING.meeting_id}/x/complete.json",
        f"raw/{ANN}/{MEETING.meeting_id}/.complete.json",
        f"raw/{ANN}/{MEETING.meeting_id}/complete.json\0",
        f"raw/{ANN}/{MEETING.meeting_id}/complete.json\n",
        f"raw/{ANN}/{MEETING.meeting_id}/{'x' * (1024 - 64)}",
        f"raw/{ANN.lower()}/{MEETING.meeting_id}/complete.json",
        f"raw/#open/{MEETING.meeting_id}/complete.json",
        f"raw/{ANN}/{MEETING.meeting_id[:-1]}U/complete.json",
        f"video/{ANN}/{MEETING.meeting_id}/complete.json",
        f"x/raw/{ANN}/{MEETING.meeting_id}/complete.json",
    ],
)
def test_a_key_of_any_other_form_is_refused_and_counted(
    stage: Stage, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse_upload_key(key) is None
    with stage.counted() as calls:
        assert stage.hears(key) == []
    assert calls == []
    said = capsys.readouterr().out
    assert "recording_key_refused" in said
    assert '"ignored":1' in said.replace(": ", ":")
    assert ANN not in said


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.text(max_size=60).map(lambda name: f"raw/{ANN}/{name}") | st.text(max_size=60))
def test_whatever_key_comes_nothing_breaks(stage: Stage, key: str) -> None:
    assert parse_upload_key(key) is None
    assert stage.hears(key) == []


@pytest.mark.parametrize("body", ["", "[]", created(MEETING.upload_key("complete.json"), bucket="another")])
def test_what_is_no_event_of_ours_comes_again_until_it_is_parked(stage: Stage, body: str) -> None:
    assert stage.handles([{"messageId": "m", "body": body}]) == ["m"]


def test_nothing_that_a_client_says_is_in_a_log(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.says(b"a", b"b", tags=[CANARY])
    stage.arrives("complete.json")
    stage.whole(b"a", b"b")
    stage.put(MEETING.upload_key("canary.webm"), b"a")
    stage.hears(MEETING.upload_key("canary.webm"), "canary")
    said = capsys.readouterr().out
    assert "meeting_moved" in said
    for secret in (CANARY, ANN, MEETING.meeting_id, stage.record().content):
        assert secret not in said
