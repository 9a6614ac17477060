"""Episodes as clients know them: created, read, changed, listed, deleted, each with one call of the table."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto.dynamodb.responses import DynamoHandler

from handlers.livestream.event_publisher import EventNotPublished
from handlers.livestream.table_records import episode_id_from_token
from tests.handlers.livestream.api_setup import ANN, BOB, CURSOR_SECONDS, DELETED_DAYS, START, Stage
from tests.lost_responses import repeated

NO_EPISODE = "0" * 26
TOKEN = "token-of-ann"


def test_a_new_episode_is_a_draft_with_two_empty_tracks(stage: Stage) -> None:
    answer = stage.does("createEpisode", {"title": "  A stream ", "speakers": ["Ann", "Bob"]})
    nothing = {"state": "none", "since": "2026-01-03T12:00:00.123Z"}
    assert answer.status == 201
    assert answer.body == {
        "episodeId": answer.body["episodeId"],
        "title": "A stream",
        "language": "en-US",
        "speakers": ["Ann", "Bob"],
        "status": "draft",
        "video": nothing,
        "transcript": nothing,
        "createdAt": "2026-01-03T12:00:00.123Z",
        "updatedAt": "2026-01-03T12:00:00.123Z",
        "version": 1,
    }
    made = stage.does("createEpisode", {"title": "A", "description": "One\ntwo", "language": "de-CH"}).body
    assert stage.does("getEpisode", episode_id=made["episodeId"]).body == made


def test_an_episode_has_the_documented_keys(stage: Stage) -> None:
    episode = stage.episode(clientToken=TOKEN)
    [item] = stage.stored()
    assert (item["pk"], item["sk"]) == ({"S": f"EPISODE#{ANN}#{episode}"}, {"S": "EPISODE"})
    assert item["GSI1PK"] == {"S": f"OWNER#{ANN}"}
    assert item["GSI1SK"] == {"S": f"2026-01-03T12:00:00.123Z#{episode}"}
    assert item["schemaVersion"] == {"N": "1"}
    assert "ttl" not in item
    assert TOKEN not in json.dumps(item)


def test_a_repeated_creation_returns_the_current_episode(stage: Stage) -> None:
    asked = {"title": "A", "clientToken": TOKEN}
    first = stage.does("createEpisode", asked)
    stage.passes(seconds=5)
    again = stage.does("createEpisode", asked)
    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body
    episode = first.body["episodeId"]
    assert episode == episode_id_from_token(ANN, TOKEN)
    stage.does("updateEpisode", {"version": 1, "title": "Another"}, episode_id=episode)
    assert stage.does("createEpisode", asked).body["title"] == "Another"
    stage.does("deleteEpisode", episode_id=episode)
    assert stage.does("createEpisode", asked).refusal == (409, "TOKEN_USED")
    assert len(stage.stored()) == 1
    other = stage.does("createEpisode", {"title": "B", "clientToken": TOKEN}, owner=BOB)
    assert (other.status, other.body["episodeId"] != episode) == (201, True), "a token is its owner's"


@pytest.mark.parametrize("other", [{"title": "B"}, {"speakers": ["Bob"]}, {"language": "en-GB"}, {"description": "d"}])
def test_a_client_token_cannot_create_a_different_episode(stage: Stage, other: dict[str, Any]) -> None:
    stage.episode(clientToken=TOKEN)
    answer = stage.does("createEpisode", {"title": "A stream", "clientToken": TOKEN, **other})
    assert answer.refusal == (409, "TOKEN_USED")
    assert len(stage.stored()) == 1


def test_concurrent_creations_with_one_token_create_one_episode(stage: Stage) -> None:
    asked = {"title": "A", "clientToken": TOKEN}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: stage.does("createEpisode", asked), range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.body["episodeId"] for answer in answers}) == 1


def test_only_the_named_fields_change(stage: Stage) -> None:
    episode = stage.episode(description="What it is", speakers=["Ann"])
    stage.passes(seconds=1)
    answer = stage.does("updateEpisode", {"version": 1, "title": "B", "language": "de-DE"}, episode_id=episode)
    changed = answer.body
    assert (changed["title"], changed["language"], changed["version"]) == ("B", "de-DE", 2)
    assert (changed["description"], changed["speakers"]) == ("What it is", ["Ann"])
    assert (changed["createdAt"], changed["updatedAt"]) == ("2026-01-03T12:00:00.123Z", "2026-01-03T12:00:01.123Z")
    assert stage.does("getEpisode", episode_id=episode).body == changed
    changes: dict[str, Any] = {"version": 2, "description": None, "speakers": []}
    emptied = stage.does("updateEpisode", changes, episode_id=episode).body
    assert ("description" in emptied, emptied["speakers"]) == (False, [])


@pytest.mark.parametrize(
    "changes",
    [{"title": "B"}, {"version": 1}, {"version": 1, "title": None}, {"version": 0, "title": "B"}, {"version": "1"}],
)
def test_an_invalid_change_is_refused(stage: Stage, changes: dict[str, Any]) -> None:
    episode = stage.episode()
    assert stage.does("updateEpisode", changes, episode_id=episode).refusal == (400, "MALFORMED")


def test_a_change_of_an_old_version_is_refused_with_the_current_version(stage: Stage) -> None:
    episode = stage.episode()
    stage.does("updateEpisode", {"version": 1, "title": "B"}, episode_id=episode)
    answer = stage.does("updateEpisode", {"version": 1, "title": "C"}, episode_id=episode)
    assert answer.refusal == (409, "VERSION_CONFLICT")
    assert "version 2" in answer.body["message"]
    assert stage.does("getEpisode", episode_id=episode).body["title"] == "B"


@pytest.fixture
def _one_write_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """As DynamoDB has it: moto looks at a condition, and writes a moment later."""
    answered, turn = DynamoHandler.call_action, threading.Lock()

    def in_turn(self: DynamoHandler) -> Any:
        with turn:
            return answered(self)

    monkeypatch.setattr(DynamoHandler, "call_action", in_turn)


@pytest.mark.usefixtures("_one_write_after_the_other")
def test_only_one_of_two_concurrent_changes_succeeds(stage: Stage) -> None:
    episode = stage.episode()

    def change(number: int) -> int:
        return stage.does("updateEpisode", {"version": 1, "title": f"T{number}"}, episode_id=episode).status

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(change, range(8)))
    assert statuses == [200] + [409] * 7
    assert stage.does("getEpisode", episode_id=episode).body["version"] == 2


def test_every_operation_treats_a_deleted_episode_as_unknown(stage: Stage) -> None:
    episode = stage.episode()
    answer = stage.does("deleteEpisode", episode_id=episode)
    assert (answer.status, answer.text) == (204, "")
    stage.passes(seconds=1)
    upload = {"kind": "transcript", "contentType": "text/vtt", "bytes": 5}
    completion = {"multipartId": "m", "parts": [{"partNumber": 1, "etag": "e"}]}
    gone = [
        stage.does("getEpisode", episode_id=episode),
        stage.does("updateEpisode", {"version": 1, "title": "B"}, episode_id=episode),
        stage.does("deleteEpisode", episode_id=episode),
        stage.does("requestUpload", upload, episode_id=episode),
        stage.does("signParts", {"multipartId": "m"}, episode_id=episode, upload_id=stage.new_id()),
        stage.does("completeUpload", completion, episode_id=episode, upload_id=stage.new_id()),
        stage.does("listClaims", episode_id=episode),
        stage.does("listClips", episode_id=episode),
    ]
    assert [answer.refusal for answer in gone] == [(404, "EPISODE_UNKNOWN")] * len(gone)
    assert stage.does("listEpisodes").body == {"episodes": []}
    [item] = stage.stored()
    assert item["ttl"] == {"N": str(int(START.timestamp()) + DELETED_DAYS * 24 * 3600)}
    assert not {"GSI1PK", "GSI1SK"} & set(item)


def test_a_deletion_is_published_once_and_only_if_the_episode_existed(stage: Stage) -> None:
    episode = stage.episode()
    stage.does("deleteEpisode", episode_id=episode)
    stage.passes(seconds=1)
    for gone in (episode, NO_EPISODE):
        assert stage.does("deleteEpisode", episode_id=gone).refusal == (404, "EPISODE_UNKNOWN")
    assert stage.published == [("Episode Deleted", {"owner": ANN, "episodeId": episode})]
    assert len(stage.stored()) == 1


def test_a_deletion_succeeds_even_if_its_event_cannot_be_published(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    episode = stage.episode()
    stage.refusing = EventNotPublished()
    assert stage.does("deleteEpisode", episode_id=episode).status == 204
    assert stage.does("getEpisode", episode_id=episode).status == 404
    assert '"level":"ERROR"' in capsys.readouterr().out.replace(" ", "")


def test_a_call_whose_response_was_lost_takes_effect_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    repeated(stage.dynamodb, "put_item", monkeypatch)
    repeated(stage.dynamodb, "update_item", monkeypatch)
    made = stage.does("createEpisode", {"title": "A", "description": "What it is"})
    assert made.status == 200
    episode = made.body["episodeId"]
    assert stage.does("getEpisode", episode_id=episode).body == made.body
    changes = {"version": 1, "title": "B", "description": None, "speakers": ["Ann"]}
    changed = stage.does("updateEpisode", changes, episode_id=episode)
    assert (changed.status, changed.body["title"], changed.body["version"]) == (200, "B", 2)
    upload = {"kind": "transcript", "contentType": "text/vtt", "bytes": 5}
    assert stage.does("requestUpload", upload, episode_id=episode).status == 201
    assert stage.does("deleteEpisode", episode_id=episode).status == 204
    assert len(stage.published) == 1


@pytest.mark.parametrize("owner", [BOB, None])
def test_another_owners_episode_is_unknown(stage: Stage, owner: str | None) -> None:
    episode = stage.episode()
    stage.claim(episode, 0)
    stage.clip(episode, 0)
    for operation in ("getEpisode", "deleteEpisode", "listClaims", "listClips", "updateEpisode"):
        body = {"version": 1, "title": "B"} if operation == "updateEpisode" else None
        answer = stage.does(operation, body, episode_id=episode, owner=owner)
        assert answer.refusal == (404, "EPISODE_UNKNOWN")
    assert stage.does("getEpisode", episode_id=episode).body["title"] == "A stream"


def test_without_an_authorizer_all_callers_share_all_episodes(stage: Stage) -> None:
    episode = stage.episode(owner=None)
    [item] = stage.stored()
    assert item["pk"] == {"S": f"EPISODE#everybody#{episode}"}
    assert stage.does("getEpisode", episode_id=episode, owner=None).status == 200


def _pages(stage: Stage, operation: str, name: str, **said: Any) -> list[list[Any]]:
    pages, cursor = [], None
    while True:
        answer = stage.does(operation, cursor=cursor, **said)
        assert answer.status == 200
        pages.append(answer.body[name])
        cursor = answer.body.get("nextCursor")
        if cursor is None:
            return pages


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 21), (11, [11, 10]), (None, [20, 1]), (21, [21]), (100, [21])])
def test_episodes_are_listed_newest_first_in_pages(stage: Stage, limit: int | None, sizes: list[int]) -> None:
    made = []
    for _ in range(21):
        made.append(stage.episode())
        stage.passes(seconds=1)
    stage.episode(owner=BOB)
    pages = _pages(stage, "listEpisodes", "episodes", limit=limit)
    assert [len(page) for page in pages] == sizes, "a page that is the last says so"
    assert [item["episodeId"] for page in pages for item in page] == made[::-1]
    first = stage.does("listEpisodes", limit=1).body
    stage.does("deleteEpisode", episode_id=first["episodes"][0]["episodeId"])
    rest = stage.does("listEpisodes", limit=100, cursor=first["nextCursor"]).body
    assert [item["episodeId"] for item in rest["episodes"]] == made[-2::-1], "what is deleted does not end the list"


def test_a_full_last_page_has_no_cursor(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    query = stage.dynamodb.query

    def as_aws_does(**asked: Any) -> Any:
        """Says where to go on whenever the limit was reached; moto says it only where there is more."""
        answer = query(**asked)
        full = len(answer["Items"]) == asked["Limit"]
        return {**answer, "LastEvaluatedKey": answer["Items"][-1]} if full else answer

    monkeypatch.setattr(stage.dynamodb, "query", as_aws_does)
    for _ in range(3):
        stage.episode()
    assert "nextCursor" not in stage.does("listEpisodes", limit=3).body
    assert "nextCursor" in stage.does("listEpisodes", limit=2).body


@pytest.mark.parametrize("said", [{"limit": 0}, {"limit": 101}, {"limit": "ten"}, {"cursor": "c" * 2049}])
def test_the_page_size_is_limited(stage: Stage, said: dict[str, Any]) -> None:
    answer = stage.does("listEpisodes", **said)
    assert answer.refusal == (400, "MALFORMED")
    assert [field["field"] for field in answer.body["fields"]] == list(said)


@pytest.mark.parametrize(("operation", "name"), [("listClaims", "claims"), ("listClips", "clips")])
def test_findings_are_listed_by_time(stage: Stage, operation: str, name: str) -> None:
    episode, other = stage.episode(), stage.episode()
    for start in (90_000, 5_000, 1_000_000, 0):
        stage.claim(episode, start, f"c{start}")
        stage.clip(episode, start, f"c{start}")
        stage.claim(other, start + 1)
        stage.clip(other, start + 1)
    pages = _pages(stage, operation, name, limit=3, episode_id=episode)
    assert [item["startMs"] for page in pages for item in page] == [0, 5_000, 90_000, 1_000_000]
    assert [len(page) for page in pages] == [3, 1]


def test_a_page_that_dynamodb_truncates_has_a_cursor(stage: Stage) -> None:
    episode = stage.episode()
    for start in range(6):
        stage.clip(episode, start, f"c{start}", padding="x" * 300_000)
    pages = _pages(stage, "listClips", "clips", limit=50, episode_id=episode)
    assert len(pages) > 1
    assert [item["startMs"] for page in pages for item in page] == list(range(6))


@pytest.mark.parametrize(("operation", "name"), [("listClaims", "claims"), ("listClips", "clips")])
def test_findings_of_an_unknown_episode_are_a_404_and_of_a_new_episode_an_empty_list(
    stage: Stage, operation: str, name: str
) -> None:
    episode = stage.episode()
    with stage.counted() as calls:
        assert stage.does(operation, episode_id=episode).body == {name: []}
    assert calls == ["Query", "GetItem"], "only a list of nothing asks twice"
    assert stage.does(operation, episode_id=NO_EPISODE).refusal == (404, "EPISODE_UNKNOWN")


def test_a_cursor_is_valid_for_its_own_list_only(stage: Stage) -> None:
    episode, other = stage.episode(), stage.episode()
    for episode_id in (episode, other):
        for start in (0, 1, 2):
            stage.claim(episode_id, start, f"c{start}")
            stage.clip(episode_id, start, f"c{start}")
    stage.episode(owner=BOB)
    cursor = stage.does("listClaims", limit=1, episode_id=episode).body["nextCursor"]
    assert stage.does("listClaims", limit=2, cursor=cursor, episode_id=episode).status == 200
    foreign = [
        stage.does("listClaims", cursor=cursor, episode_id=other),
        stage.does("listClips", cursor=cursor, episode_id=episode),
        stage.does("listClaims", cursor=cursor, episode_id=episode, owner=BOB),
        stage.does("listEpisodes", cursor=cursor),
    ]
    assert [answer.refusal for answer in foreign] == [(400, "CURSOR_INVALID")] * 4


def test_an_expired_cursor_is_refused(stage: Stage) -> None:
    for _ in range(2):
        stage.episode()
    cursor = stage.does("listEpisodes", limit=1).body["nextCursor"]
    stage.passes(seconds=CURSOR_SECONDS - 1)
    assert stage.does("listEpisodes", cursor=cursor).status == 200
    stage.passes(seconds=1)
    assert stage.does("listEpisodes", cursor=cursor).refusal == (400, "CURSOR_INVALID")


def test_each_operation_makes_one_dynamodb_call(stage: Stage) -> None:
    episode, cursor = stage.episode(), None
    stage.claim(episode, 0, "a")
    stage.clip(episode, 0, "a")
    stage.episode()
    upload = {"kind": "transcript", "contentType": "text/vtt", "bytes": 5}
    asked: list[tuple[str, Any, dict[str, Any], str]] = [
        ("createEpisode", {"title": "A"}, {}, "PutItem"),
        ("createEpisode", {"title": "A", "clientToken": TOKEN}, {}, "PutItem"),
        ("createEpisode", {"title": "A", "clientToken": TOKEN}, {}, "PutItem"),
        ("createEpisode", {"title": "B", "clientToken": TOKEN}, {}, "PutItem"),
        ("getEpisode", None, {"episode_id": episode}, "GetItem"),
        ("listEpisodes", None, {"limit": 1, "cursor": cursor}, "Query"),
        ("listClaims", None, {"episode_id": episode}, "Query"),
        ("listClips", None, {"episode_id": episode}, "Query"),
        ("updateEpisode", {"version": 1, "title": "B"}, {"episode_id": episode}, "UpdateItem"),
        ("updateEpisode", {"version": 1, "title": "B"}, {"episode_id": episode}, "UpdateItem"),
        ("updateEpisode", {"version": 1, "title": "B"}, {"episode_id": NO_EPISODE}, "UpdateItem"),
        ("requestUpload", upload, {"episode_id": episode}, "UpdateItem"),
        ("requestUpload", upload, {"episode_id": NO_EPISODE}, "UpdateItem"),
        ("deleteEpisode", None, {"episode_id": episode}, "UpdateItem"),
    ]
    for operation, body, said, call in asked:
        with stage.counted() as calls:
            stage.does(operation, body, **said)
        assert calls == [call], operation


def test_no_client_text_is_logged(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    episode = stage.episode(title="canary-title", clientToken="canary-token", speakers=["canary-name"])
    stage.does("createEpisode", {"title": "canary-other", "clientToken": "canary-token"})
    stage.does("updateEpisode", {"version": 9, "title": "canary-title"}, episode_id=episode)
    stage.sends("createEpisode", '{"canary')
    stage.does("getEpisode", episode_id="canary-id")
    stage.does("listEpisodes", cursor="canary-cursor")
    stage.refusing = EventNotPublished()
    stage.does("deleteEpisode", episode_id=episode)
    logged = capsys.readouterr().out
    assert "request_refused" in logged
    assert "deletion_not_published" in logged
    for secret in ("canary", episode, ANN):
        assert secret not in logged
