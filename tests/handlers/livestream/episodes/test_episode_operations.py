"""API operations on episodes, and lists of their findings (claims and clips), with concurrent and repeated calls.

An episode is one broadcast with a video and a transcript. A creation with the same client token returns the same
episode. A cursor is the position in a list from which the client gets the next page.
"""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto.dynamodb.responses import DynamoHandler

from handlers.livestream.events import EventNotPublished
from handlers.livestream.keys import episode_id_from_token
from tests.handlers.livestream.rest_api_harness import ANN, BOB, DELETED_DAYS, START, ApiHarness
from tests.lost_responses import repeat_every_call

NO_EPISODE = "0" * 26
TOKEN = "token-of-ann"
UPLOAD = {"kind": "transcript", "contentType": "text/vtt", "bytes": 5}


def test_a_new_episode_is_a_draft_with_two_empty_tracks(harness: ApiHarness) -> None:
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


def test_an_episode_has_the_documented_keys(harness: ApiHarness) -> None:
    episode = harness.create_episode(clientToken=TOKEN)
    [item] = harness.stored_items()
    assert (item["pk"], item["sk"]) == ({"S": f"EPISODE#{ANN}#{episode}"}, {"S": "EPISODE"})
    assert item["GSI1PK"] == {"S": f"OWNER#{ANN}"}
    assert item["GSI1SK"] == {"S": f"2026-01-03T12:00:00.123Z#{episode}"}
    assert item["schemaVersion"] == {"N": "1"}
    assert "ttl" not in item
    assert TOKEN not in json.dumps(item)


def test_a_repeated_creation_returns_the_current_episode(harness: ApiHarness) -> None:
    request = {"title": "A", "clientToken": TOKEN}
    first = harness.call("createEpisode", request)
    harness.advance_time(seconds=5)
    second = harness.call("createEpisode", request)
    assert (first.status, second.status) == (201, 200)
    assert second.body == first.body
    episode = first.body["episodeId"]
    assert episode == episode_id_from_token(ANN, TOKEN)
    harness.call("updateEpisode", {"version": 1, "title": "Another"}, episode_id=episode)
    assert harness.call("createEpisode", request).body["title"] == "Another"


def test_the_client_token_of_a_deleted_episode_cannot_be_used_again(harness: ApiHarness) -> None:
    episode = harness.create_episode(clientToken=TOKEN)
    harness.call("deleteEpisode", episode_id=episode)
    assert harness.call("createEpisode", {"title": "A stream", "clientToken": TOKEN}).error == (409, "TOKEN_USED")
    assert len(harness.stored_items()) == 1


def test_two_owners_may_use_the_same_client_token(harness: ApiHarness) -> None:
    episode = harness.create_episode(clientToken=TOKEN)
    assert harness.create_episode(owner=BOB, clientToken=TOKEN) != episode


@pytest.mark.parametrize(
    "other_content", [{"title": "B"}, {"speakers": ["Bob"]}, {"language": "en-GB"}, {"description": "d"}]
)
def test_a_client_token_cannot_create_a_different_episode(harness: ApiHarness, other_content: dict[str, Any]) -> None:
    harness.create_episode(clientToken=TOKEN)
    answer = harness.call("createEpisode", {"title": "A stream", "clientToken": TOKEN, **other_content})
    assert answer.error == (409, "TOKEN_USED")
    assert len(harness.stored_items()) == 1


def test_concurrent_creations_with_one_token_create_one_episode(harness: ApiHarness) -> None:
    request = {"title": "A", "clientToken": TOKEN}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: harness.call("createEpisode", request), range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.body["episodeId"] for answer in answers}) == 1


def test_an_update_changes_only_the_fields_that_it_contains(harness: ApiHarness) -> None:
    episode = harness.create_episode(description="What it is", speakers=["Ann"])
    harness.advance_time(seconds=1)
    changes: dict[str, Any] = {"version": 1, "title": "B", "language": "de-DE"}
    changed_episode = harness.call("updateEpisode", changes, episode_id=episode).body
    assert (changed_episode["title"], changed_episode["language"], changed_episode["version"]) == ("B", "de-DE", 2)
    assert (changed_episode["description"], changed_episode["speakers"]) == ("What it is", ["Ann"])
    assert (changed_episode["createdAt"], changed_episode["updatedAt"]) == (
        "2026-01-03T12:00:00.123Z",
        "2026-01-03T12:00:01.123Z",
    )
    assert harness.call("getEpisode", episode_id=episode).body == changed_episode
    changes = {"version": 2, "description": None, "speakers": []}
    changed_episode = harness.call("updateEpisode", changes, episode_id=episode).body
    assert ("description" in changed_episode, changed_episode["speakers"]) == (False, [])


@pytest.mark.parametrize(
    "changes",
    [{"title": "B"}, {"version": 1}, {"version": 1, "title": None}, {"version": 0, "title": "B"}, {"version": "1"}],
)
def test_an_invalid_change_is_refused(harness: ApiHarness, changes: dict[str, Any]) -> None:
    episode = harness.create_episode()
    assert harness.call("updateEpisode", changes, episode_id=episode).error == (400, "MALFORMED")


def test_a_change_of_an_old_version_is_refused_with_the_current_version(harness: ApiHarness) -> None:
    episode = harness.create_episode()
    harness.call("updateEpisode", {"version": 1, "title": "B"}, episode_id=episode)
    answer = harness.call("updateEpisode", {"version": 1, "title": "C"}, episode_id=episode)
    assert answer.error == (409, "VERSION_CONFLICT")
    assert "version 2" in answer.body["message"]
    assert harness.call("getEpisode", episode_id=episode).body["title"] == "B"


def test_only_one_of_two_concurrent_changes_succeeds(harness: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    episode = harness.create_episode()
    call_action, lock = DynamoHandler.call_action, threading.Lock()

    def call_with_lock(self: DynamoHandler) -> Any:
        """Serialize writes as DynamoDB does. moto checks a condition and writes later, without a lock."""
        with lock:
            return call_action(self)

    def change(number: int) -> int:
        return harness.call("updateEpisode", {"version": 1, "title": f"T{number}"}, episode_id=episode).status

    monkeypatch.setattr(DynamoHandler, "call_action", call_with_lock)
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(change, range(8)))
    assert statuses == [200] + [409] * 7
    assert harness.call("getEpisode", episode_id=episode).body["version"] == 2


def test_every_operation_treats_a_deleted_episode_as_unknown(harness: ApiHarness) -> None:
    episode = harness.create_episode()
    answer = harness.call("deleteEpisode", episode_id=episode)
    assert (answer.status, answer.text) == (204, "")
    harness.advance_time(seconds=1)
    completion = {"multipartId": "m", "parts": [{"partNumber": 1, "etag": "e"}]}
    answers = [
        harness.call("getEpisode", episode_id=episode),
        harness.call("updateEpisode", {"version": 1, "title": "B"}, episode_id=episode),
        harness.call("deleteEpisode", episode_id=episode),
        harness.call("requestUpload", UPLOAD, episode_id=episode),
        harness.call("signParts", {"multipartId": "m"}, episode_id=episode, upload_id=harness.new_id()),
        harness.call("completeUpload", completion, episode_id=episode, upload_id=harness.new_id()),
        harness.call("listClaims", episode_id=episode),
        harness.call("listClips", episode_id=episode),
        harness.call("listChunks", episode_id=episode),
    ]
    assert [answer.error for answer in answers] == [(404, "EPISODE_UNKNOWN")] * len(answers)
    assert harness.published == [("Episode Deleted", {"owner": ANN, "episodeId": episode})]
    assert harness.call("listEpisodes").body == {"episodes": []}
    [item] = harness.stored_items()
    assert item["ttl"] == {"N": str(int(START.timestamp()) + DELETED_DAYS * 24 * 3600)}
    assert not {"GSI1PK", "GSI1SK"} & set(item)


def test_a_call_whose_response_was_lost_takes_effect_once(harness: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    repeat_every_call(harness.dynamodb, "put_item", monkeypatch)
    repeat_every_call(harness.dynamodb, "update_item", monkeypatch)
    creation = harness.call("createEpisode", {"title": "A", "description": "What it is"})
    assert creation.status == 200
    episode = creation.body["episodeId"]
    assert harness.call("getEpisode", episode_id=episode).body == creation.body
    changes = {"version": 1, "title": "B", "description": None, "speakers": ["Ann"]}
    update = harness.call("updateEpisode", changes, episode_id=episode)
    assert (update.status, update.body["title"], update.body["version"]) == (200, "B", 2)
    assert harness.call("requestUpload", UPLOAD, episode_id=episode).status == 201
    assert harness.call("deleteEpisode", episode_id=episode).status == 204
    assert len(harness.published) == 1


@pytest.mark.parametrize("owner", [BOB, None])
def test_another_owners_episode_is_unknown(harness: ApiHarness, owner: str | None) -> None:
    episode = harness.create_episode()
    harness.store_claim(episode, 0)
    harness.store_clip(episode, 0)
    for operation in ("getEpisode", "deleteEpisode", "listClaims", "listClips", "updateEpisode"):
        body = {"version": 1, "title": "B"} if operation == "updateEpisode" else None
        answer = harness.call(operation, body, episode_id=episode, owner=owner)
        assert answer.error == (404, "EPISODE_UNKNOWN")
    assert harness.call("getEpisode", episode_id=episode).body["title"] == "A stream"


def list_pages(harness: ApiHarness, operation: str, field: str, **parameters: Any) -> list[list[Any]]:
    """Return the entries of all pages of a list."""
    pages, cursor = [], None
    while True:
        answer = harness.call(operation, cursor=cursor, **parameters)
        assert answer.status == 200
        pages.append(answer.body[field])
        cursor = answer.body.get("nextCursor")
        if cursor is None:
            return pages


def test_episodes_are_listed_newest_first_in_pages(harness: ApiHarness) -> None:
    created_ids = []
    for _ in range(21):
        created_ids.append(harness.create_episode())
        harness.advance_time(seconds=1)
    harness.create_episode(owner=BOB)
    for limit, sizes in ((1, [1] * 21), (11, [11, 10]), (None, [20, 1]), (21, [21]), (100, [21])):
        pages = list_pages(harness, "listEpisodes", "episodes", limit=limit)
        assert [len(page) for page in pages] == sizes, "the last page must have no cursor"
        assert [item["episodeId"] for page in pages for item in page] == created_ids[::-1]


def test_a_deleted_episode_at_the_position_of_a_cursor_does_not_end_the_list(harness: ApiHarness) -> None:
    created_ids = [harness.create_episode() for _ in range(3)]
    first_page = harness.call("listEpisodes", limit=1).body
    harness.call("deleteEpisode", episode_id=first_page["episodes"][0]["episodeId"])
    second_page = harness.call("listEpisodes", cursor=first_page["nextCursor"]).body
    assert [item["episodeId"] for item in second_page["episodes"]] == created_ids[-2::-1]


def test_a_full_last_page_has_no_cursor(harness: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    query = harness.dynamodb.query

    def query_like_aws(**request: Any) -> Any:
        """Return LastEvaluatedKey whenever the limit is reached. moto returns it only if more items exist."""
        answer = query(**request)
        is_full = len(answer["Items"]) == request["Limit"]
        return {**answer, "LastEvaluatedKey": answer["Items"][-1]} if is_full else answer

    monkeypatch.setattr(harness.dynamodb, "query", query_like_aws)
    for _ in range(3):
        harness.create_episode()
    assert "nextCursor" not in harness.call("listEpisodes", limit=3).body
    assert "nextCursor" in harness.call("listEpisodes", limit=2).body


@pytest.mark.parametrize(("operation", "field"), [("listClaims", "claims"), ("listClips", "clips")])
def test_findings_are_listed_by_time(harness: ApiHarness, operation: str, field: str) -> None:
    episode, other_episode = harness.create_episode(), harness.create_episode()
    for start in (90_000, 5_000, 1_000_000, 0):
        harness.store_claim(episode, start, f"c{start}")
        harness.store_clip(episode, start, f"c{start}")
        harness.store_claim(other_episode, start + 1)
        harness.store_clip(other_episode, start + 1)
    pages = list_pages(harness, operation, field, limit=3, episode_id=episode)
    assert [item["startMs"] for page in pages for item in page] == [0, 5_000, 90_000, 1_000_000]
    assert [len(page) for page in pages] == [3, 1]


def test_a_page_that_dynamodb_truncates_has_a_cursor(harness: ApiHarness) -> None:
    episode = harness.create_episode()
    for start in range(6):
        harness.store_clip(episode, start, f"c{start}", padding="x" * 300_000)
    pages = list_pages(harness, "listClips", "clips", limit=50, episode_id=episode)
    assert len(pages) > 1
    assert [item["startMs"] for page in pages for item in page] == list(range(6))


@pytest.mark.parametrize(("operation", "field"), [("listClaims", "claims"), ("listClips", "clips")])
def test_findings_of_an_unknown_episode_are_a_404_and_of_a_new_episode_an_empty_list(
    harness: ApiHarness, operation: str, field: str
) -> None:
    episode = harness.create_episode()
    with harness.counted_calls() as calls:
        assert harness.call(operation, episode_id=episode).body == {field: []}
    assert calls == ["Query", "GetItem"], "only an empty list needs a second call"
    assert harness.call(operation, episode_id=NO_EPISODE).error == (404, "EPISODE_UNKNOWN")


def test_a_cursor_is_valid_for_its_own_list_only(harness: ApiHarness) -> None:
    episode, other_episode = harness.create_episode(), harness.create_episode()
    for episode_id in (episode, other_episode):
        for start in (0, 1, 2):
            harness.store_claim(episode_id, start, f"c{start}")
            harness.store_clip(episode_id, start, f"c{start}")
    harness.create_episode(owner=BOB)
    cursor = harness.call("listClaims", limit=1, episode_id=episode).body["nextCursor"]
    assert harness.call("listClaims", limit=2, cursor=cursor, episode_id=episode).status == 200
    answers = [
        harness.call("listClaims", cursor=cursor, episode_id=other_episode),
        harness.call("listClips", cursor=cursor, episode_id=episode),
        harness.call("listClaims", cursor=cursor, episode_id=episode, owner=BOB),
        harness.call("listEpisodes", cursor=cursor),
    ]
    assert [answer.error for answer in answers] == [(400, "CURSOR_INVALID")] * len(answers)


def test_each_operation_makes_one_dynamodb_call(harness: ApiHarness) -> None:
    episode = harness.create_episode()
    harness.store_claim(episode, 0, "a")
    harness.store_clip(episode, 0, "a")
    harness.create_episode()
    requests: list[tuple[str, Any, dict[str, Any], str]] = [
        ("createEpisode", {"title": "A"}, {}, "PutItem"),
        ("createEpisode", {"title": "A", "clientToken": TOKEN}, {}, "PutItem"),
        ("createEpisode", {"title": "A", "clientToken": TOKEN}, {}, "PutItem"),
        ("createEpisode", {"title": "B", "clientToken": TOKEN}, {}, "PutItem"),
        ("getEpisode", None, {"episode_id": episode}, "GetItem"),
        ("listEpisodes", None, {"limit": 1}, "Query"),
        ("listClaims", None, {"episode_id": episode}, "Query"),
        ("listClips", None, {"episode_id": episode}, "Query"),
        ("updateEpisode", {"version": 1, "title": "B"}, {"episode_id": episode}, "UpdateItem"),
        ("updateEpisode", {"version": 1, "title": "B"}, {"episode_id": episode}, "UpdateItem"),
        ("updateEpisode", {"version": 1, "title": "B"}, {"episode_id": NO_EPISODE}, "UpdateItem"),
        ("requestUpload", UPLOAD, {"episode_id": episode}, "UpdateItem"),
        ("requestUpload", UPLOAD, {"episode_id": NO_EPISODE}, "UpdateItem"),
        ("deleteEpisode", None, {"episode_id": episode}, "UpdateItem"),
    ]
    for operation, body, parameters, call in requests:
        with harness.counted_calls() as calls:
            harness.call(operation, body, **parameters)
        assert calls == [call], operation


def test_no_client_text_is_logged_and_a_deletion_succeeds_without_its_event(
    harness: ApiHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    episode = harness.create_episode(title="canary-title", clientToken="canary-token", speakers=["canary-name"])
    harness.call("createEpisode", {"title": "canary-other", "clientToken": "canary-token"})
    harness.call("updateEpisode", {"version": 9, "title": "canary-title"}, episode_id=episode)
    harness.send("createEpisode", '{"canary')
    harness.call("getEpisode", episode_id="canary-id")
    harness.call("listEpisodes", cursor="canary-cursor")
    harness.publish_error = EventNotPublished()
    assert harness.call("deleteEpisode", episode_id=episode).status == 204
    log_output = capsys.readouterr().out
    assert "request_refused" in log_output
    assert '{"level":"ERROR"' in log_output
    assert "deletion_not_published" in log_output
    for secret in ("canary", episode, ANN):
        assert secret not in log_output
