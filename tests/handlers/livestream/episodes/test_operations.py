"""API operations on episodes, and lists of their findings (claims and clips), with concurrent and repeated calls.

An episode is one broadcast with a video and a transcript. A cursor is the encrypted position in a list from which the
client gets the next page. Each line of the secret gives a key. The key of the first line encrypts, and the other keys
still decrypt older cursors.
"""

import base64
import json
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.errors import HandlerError
from handlers.common.ids import timestamp, ulid
from handlers.livestream.episodes.operations import Cursors
from handlers.livestream.tracks import TrackState
from tests.handlers.livestream.harness import ANN, BOB, START, Harness, cached_client, error

EPISODE = ulid(START, 7)
UPLOAD = {"kind": "transcript", "contentType": "text/vtt", "bytes": 5}


def test_a_new_episode_is_a_draft_with_two_empty_tracks(harness: Harness) -> None:
    answer = harness.call("createEpisode", {"title": "  A stream ", "speakers": ["Ann", "Bob"]})
    empty_track = {"state": "none", "since": "2026-01-03T12:00:00.123Z"}
    assert answer.status == 201
    assert answer.body == {
        "episodeId": answer.body["episodeId"],
        "title": "A stream",
        "language": "en-US",
        "speakers": ["Ann", "Bob"],
        "status": "draft",
        "video": empty_track,
        "transcript": empty_track,
        "createdAt": "2026-01-03T12:00:00.123Z",
        "updatedAt": "2026-01-03T12:00:00.123Z",
        "version": 1,
    }
    created_episode = harness.call("createEpisode", {"title": "A", "description": "One\ntwo", "language": "de-CH"}).body
    assert harness.call("getEpisode", episode_id=created_episode["episodeId"]).body == created_episode


def test_a_repeated_creation_with_the_clients_id_returns_the_current_episode(harness: Harness) -> None:
    request = {"title": "A", "episodeId": EPISODE}
    first = harness.call("createEpisode", request)
    harness.advance_time(seconds=5)
    second = harness.call("createEpisode", request)
    assert (first.status, second.status) == (201, 200)
    assert first.body["episodeId"] == EPISODE
    assert second.body == first.body
    harness.call("updateEpisode", {"version": 1, "title": "Another"}, episode_id=EPISODE)
    assert harness.call("createEpisode", request).body["title"] == "Another"
    assert harness.create_episode(owner=BOB, episodeId=EPISODE) == EPISODE, "each owner has their own ids"


def test_the_id_of_a_deleted_episode_cannot_be_used_again(harness: Harness) -> None:
    harness.create_episode(episodeId=EPISODE)
    harness.call("deleteEpisode", episode_id=EPISODE)
    answer = harness.call("createEpisode", {"title": "A stream", "episodeId": EPISODE})
    assert answer.error == (409, "EPISODE_DELETED")
    assert harness.call("getEpisode", episode_id=EPISODE).status == 404


def test_an_update_changes_only_the_fields_that_it_contains(harness: Harness) -> None:
    episode = harness.create_episode(description="What it is", speakers=["Ann"])
    harness.advance_time(seconds=1)
    changes: dict[str, Any] = {"version": 1, "title": "B", "language": "de-DE"}
    changed_episode = harness.call("updateEpisode", changes, episode_id=episode).body
    assert (changed_episode["title"], changed_episode["language"], changed_episode["version"]) == ("B", "de-DE", 2)
    assert (changed_episode["description"], changed_episode["speakers"]) == ("What it is", ["Ann"])
    times = [changed_episode[name] for name in ("createdAt", "updatedAt")]
    assert times == ["2026-01-03T12:00:00.123Z", "2026-01-03T12:00:01.123Z"]
    assert harness.call("getEpisode", episode_id=episode).body == changed_episode
    changes = {"version": 2, "description": None, "speakers": []}
    changed_episode = harness.call("updateEpisode", changes, episode_id=episode).body
    assert ("description" in changed_episode, changed_episode["speakers"]) == (False, [])


def test_an_invalid_change_is_refused(harness: Harness) -> None:
    longest: dict[str, Any] = {"title": "a" * 200, "description": "a" * 5_000, "speakers": ["a" * 100] * 20}
    episode = harness.create_episode(**longest)
    invalid_values: list[dict[str, Any]] = [
        *({"title": " \n "}, {"description": "a\tb"}, {"speakers": ["a\nb"]}, {"language": "en-US\n"}),
        *({"title": "a" * 201}, {"description": "a" * 5_001}, {"speakers": ["a"] * 21}, {"speakers": ["a" * 101]}),
    ]
    incomplete: list[dict[str, Any]] = [{"title": "B"}, {"version": 1}, {"version": 1, "title": None}]
    for change in [*({"version": 1, **value} for value in invalid_values), *incomplete]:
        assert harness.call("updateEpisode", change, episode_id=episode).error == (400, "MALFORMED")
    for value in invalid_values:
        assert harness.call("createEpisode", {"title": "A", **value}).error == (400, "MALFORMED")


def test_a_change_of_an_old_version_is_refused_unless_it_repeats_the_last_change(harness: Harness) -> None:
    episode = harness.create_episode()
    change = {"version": 1, "title": "B"}
    first = harness.call("updateEpisode", change, episode_id=episode)
    harness.advance_time(seconds=1)
    assert harness.call("updateEpisode", change, episode_id=episode).body == first.body
    answer = harness.call("updateEpisode", {"version": 1, "title": "C"}, episode_id=episode)
    assert answer.error == (409, "VERSION_CONFLICT")
    assert "version 2" in answer.body["message"]
    assert harness.call("updateEpisode", {"version": 2, "title": "C"}, episode_id=episode).status == 200
    assert harness.call("updateEpisode", change, episode_id=episode).error == (409, "VERSION_CONFLICT")


def test_every_operation_treats_another_owners_or_a_deleted_episode_as_unknown(harness: Harness) -> None:
    episode = harness.create_episode()
    upload = harness.request_upload(episode)["uploadId"]
    harness.store_findings(episode, 0)
    calls: dict[str, Any] = {
        "updateEpisode": {"version": 1, "title": "B"},
        "requestUpload": UPLOAD,
        "completeUpload": {"etags": ["e"]},
    } | dict.fromkeys(["getEpisode", "deleteEpisode", "signParts", "listClaims", "listClips", "listChunks"])

    def errors(owner: str | None) -> set[tuple[int, str]]:
        path = {"episode_id": episode, "upload_id": upload}
        return {harness.call(name, body, owner=owner, **path).error for name, body in calls.items()}

    assert errors(BOB) == errors(None) == {(404, "EPISODE_UNKNOWN")}
    assert harness.call("getEpisode", episode_id=episode).body["title"] == "A stream"
    queue = cached_client("sqs").get_queue_attributes(QueueUrl=harness.deletions_url, AttributeNames=["All"])
    assert queue["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "0", "the refused deletion is not queued"
    answer = harness.call("deleteEpisode", episode_id=episode)
    assert (answer.status, answer.text) == (204, "")
    assert errors(ANN) == {(404, "EPISODE_UNKNOWN")}
    assert harness.call("listEpisodes").body == {"episodes": []}
    assert not harness.advance(episode, upload, TrackState.UPLOADED), "an event changes no deleted episode"
    [record] = [item for item in harness.stored_items() if item["sk"] == "EPISODE"]
    assert record["ttl"] == int(START.timestamp()) + 7 * 24 * 3600
    assert not {"GSI1PK", "GSI1SK"} & set(record)


def test_a_deletion_is_queued_twice_with_a_delay(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second message comes when work on the episode has ended that was still running at the deletion."""
    episode, send = harness.create_episode(), Mock()
    monkeypatch.setattr(cached_client("sqs"), "send_message", send)
    harness.call("deleteEpisode", episode_id=episode)
    requests = [call.kwargs for call in send.call_args_list]
    assert [(request["QueueUrl"], request["DelaySeconds"]) for request in requests] == [
        (harness.deletions_url, 5),
        (harness.deletions_url, 900),
    ]
    bodies = [json.loads(request["MessageBody"]) for request in requests]
    assert bodies == [{"schemaVersion": 1, "owner": ANN, "episodeId": episode}] * 2


def test_an_episode_whose_deletion_cannot_be_queued_is_not_deleted(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = harness.create_episode()
    with monkeypatch.context() as patched:
        patched.setattr(cached_client("sqs"), "send_message", Mock(side_effect=[{}, error("InternalError")]))
        assert harness.call("deleteEpisode", episode_id=episode).error == (500, "INTERNAL")
    assert harness.call("getEpisode", episode_id=episode).status == 200
    assert harness.call("deleteEpisode", episode_id=episode).status == 204, "a repeated deletion succeeds"


def test_an_overdue_track_is_failed_with_a_reason_and_accepts_another_upload(harness: Harness) -> None:
    episode = harness.create_episode()
    upload = harness.request_upload(episode, size=10**9)
    harness.advance_time(hours=12)
    before = harness.call("getEpisode", episode_id=episode).body
    assert before["video"]["state"] == "requested"
    limit_ended = timestamp(harness.now)
    harness.advance_time(seconds=1)
    video = {"state": "failed", "reason": "NEVER_UPLOADED", "since": limit_ended, "uploadId": upload["uploadId"]}
    read = harness.call("getEpisode", episode_id=episode).body
    assert read == {**before, "status": "failed", "video": video}
    assert harness.call("listEpisodes").body["episodes"] == [read]
    answer = harness.call("signParts", episode_id=episode, upload_id=upload["uploadId"])
    assert answer.error == (409, "UPLOAD_NOT_EXPECTED")
    assert harness.request_upload(episode)["uploadId"] != upload["uploadId"]


def create_three(harness: Harness) -> list[str]:
    """Create three episodes, a second apart. Return their ids, the newest first."""
    created_ids = []
    for _ in range(3):
        created_ids.append(harness.create_episode())
        harness.advance_time(seconds=1)
    return created_ids[::-1]


def test_episodes_are_listed_newest_first_in_pages(harness: Harness) -> None:
    newest_first = create_three(harness)
    harness.create_episode(owner=BOB)
    for limit, sizes in ((1, [1] * 3), (2, [2, 1]), (None, [3]), (3, [3]), (100, [3])):
        pages = harness.list_pages("listEpisodes", "episodes", limit=limit)
        assert [len(page) for page in pages] == sizes, "the last page must have no cursor"
        assert [item["episodeId"] for page in pages for item in page] == newest_first


def test_a_page_that_dynamodb_truncates_has_a_cursor(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    newest_first = create_three(harness)
    dynamodb = cached_client("dynamodb")
    query = dynamodb.query
    monkeypatch.setattr(dynamodb, "query", lambda **request: query(**{**request, "Limit": 1}))
    pages = harness.list_pages("listEpisodes", "episodes", limit=50)
    assert [item["episodeId"] for page in pages for item in page] == newest_first


def test_a_cursor_is_valid_for_its_own_list_only(harness: Harness) -> None:
    episode, other_episode = harness.create_episode(), harness.create_episode()
    for episode_id in (episode, other_episode):
        harness.store_findings(episode_id, *range(21))
    harness.create_episode(owner=BOB, episodeId=episode)
    cursor = harness.call("listClaims", limit=1, episode_id=episode).body["nextCursor"]
    claims = harness.call("listClaims", cursor=cursor, episode_id=episode).body["claims"]
    assert [claim["startMs"] for claim in claims] == list(range(1, 21)), "twenty entries are a page without `limit`"
    answers = [
        harness.call("listClaims", cursor=cursor, episode_id=other_episode),
        harness.call("listClips", cursor=cursor, episode_id=episode),
        harness.call("listClaims", cursor=cursor, episode_id=episode, owner=BOB),
        harness.call("listEpisodes", cursor=cursor),
    ]
    assert [answer.error for answer in answers] == [(400, "CURSOR_INVALID")] * len(answers)


SECRET, NEWER_SECRET = "secret-number-01", "secret-number-02"
LIST = ("listClaims", ANN, "E")
POSITION = "3.1-canary"


def create_cursor(secret: str = SECRET) -> str:
    return str(Cursors(lambda: secret, lambda: START).encrypt(POSITION, *LIST))


def is_accepted(cursor: str, secret: str = SECRET, now: datetime = START) -> bool:
    try:
        return Cursors(lambda: secret, lambda: now).decrypt(cursor, *LIST) == POSITION
    except HandlerError as error:
        if (error.code, error.code.status) != ("CURSOR_INVALID", 400):
            raise
        return False


CURSOR = create_cursor()


def test_a_cursor_reveals_nothing_and_needs_no_escaping_in_a_url() -> None:
    assert b"canary" not in base64.urlsafe_b64decode(f"{CURSOR}==") + CURSOR.encode()
    assert CURSOR.replace("-", "").replace("_", "").isalnum()
    assert create_cursor() != CURSOR, "equal positions must not be recognised"


@given(st.text(), st.binary(max_size=200), st.integers(0, len(CURSOR) - 2), st.sampled_from("Bz9-_"))
def test_a_forged_or_changed_cursor_is_refused(text: str, data: bytes, position: int, letter: str) -> None:
    for forged in (text, CURSOR[:8] + data.hex(), CURSOR[:position]):
        assert not is_accepted(forged)
    if CURSOR[position] != letter:
        assert not is_accepted(CURSOR[:position] + letter + CURSOR[position + 1 :])


def test_a_cursor_expires_after_an_hour() -> None:
    assert is_accepted(CURSOR, now=START + timedelta(hours=1))
    assert not is_accepted(CURSOR, now=START + timedelta(hours=1, seconds=1))


def test_an_older_secret_decrypts_its_cursors_until_it_is_removed() -> None:
    both = f"{NEWER_SECRET}\n{SECRET}\n"
    assert is_accepted(CURSOR, both)
    assert is_accepted(create_cursor(both), NEWER_SECRET), "the first line of the secret encrypts"
    assert not is_accepted(create_cursor(both), SECRET)
    assert not is_accepted(CURSOR, NEWER_SECRET)
    for invalid_secret in ("\n", f"{SECRET}\n{SECRET[1:]}"):
        with pytest.raises(ValueError, match="at least 16 characters"):
            create_cursor(invalid_secret)
