"""API operation that lists the chunks of a video with presigned URLs.

MediaConvert has cut the video into chunks, and wrote an HLS playlist that names them.
"""

from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.livestream.episodes.video_playback import PLAYBACK_SECONDS, parse_playlist
from handlers.livestream.tracks import TrackReason, TrackState
from tests.handlers.livestream.harness import ANN, BUCKET, Harness, error, s3_of_the_api

PLAYLIST = """#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:120
#EXTINF:120,
up_chunk_00001.ts
#EXTINF:120.0000,
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z
up_chunk_00002.ts
#EXTINF:10.0416,
up_chunk_00003.ts
#EXT-X-ENDLIST
"""


def cut_video(harness: Harness, playlist_text: str | None = PLAYLIST) -> tuple[str, str]:
    """Create an episode whose video was cut. Return its id and the key prefix of its chunks.

    Without a text, the playlist has expired.
    """
    episode = harness.create_episode()
    upload = harness.request_upload(episode)["uploadId"]
    prefix = f"chunks/{ANN}/{episode}/{upload}/"
    assert harness.advance(episode, upload, TrackState.CHUNKED)
    if playlist_text is not None:
        harness.s3.put_object(Bucket=BUCKET, Key=f"{prefix}{upload}_chunk.m3u8", Body=playlist_text.encode())
    return episode, prefix


def test_every_chunk_has_a_url_that_is_valid_for_minutes(harness: Harness) -> None:
    episode, prefix = cut_video(harness)
    answer = harness.call("listChunks", episode_id=episode)
    assert answer.status == 200
    body = answer.body
    assert (body["expiresSeconds"], PLAYBACK_SECONDS) == (300, 300)
    assert "nextMs" not in body
    positions = [(chunk["startMs"], chunk["durationMs"]) for chunk in body["chunks"]]
    assert positions == [(0, 120_000), (120_000, 120_000), (240_000, 10_042)]
    for number, chunk in enumerate(body["chunks"], 1):
        url = urlsplit(chunk["url"])
        assert (url.scheme, url.path) == ("https", f"/{prefix}up_chunk_0000{number}.ts")
        assert url.netloc.startswith(f"{BUCKET}.s3")
        assert parse_qs(url.query)["X-Amz-Expires"] == [str(PLAYBACK_SECONDS)]


def test_a_player_lists_the_chunks_from_a_position_on(harness: Harness) -> None:
    episode, _ = cut_video(harness)
    cases: list[tuple[dict[str, Any], list[int], int | None]] = [
        ({"from_ms": 0, "limit": 2}, [0, 120_000], 240_000),
        ({"from_ms": 119_999, "limit": 1}, [0], 120_000),
        ({"from_ms": 120_000}, [120_000, 240_000], None),
        ({"from_ms": 240_000, "limit": 1}, [240_000], None),
        ({"from_ms": 9_999_999}, [], None),
    ]
    for query, starts, next_ms in cases:
        body = harness.call("listChunks", episode_id=episode, **query).body
        assert [chunk["startMs"] for chunk in body["chunks"]] == starts
        assert body.get("nextMs") == next_ms
    episode, _ = cut_video(harness, "#EXTINF:1,\na.ts\n" * 11)
    assert len(harness.call("listChunks", episode_id=episode).body["chunks"]) == 10, "ten are a page without `limit`"


def test_chunks_of_a_video_that_is_not_cut_are_refused(harness: Harness) -> None:
    episode = harness.create_episode()
    assert harness.call("listChunks", episode_id=episode).error == (409, "VIDEO_NOT_READY")
    upload = harness.request_upload(episode)["uploadId"]
    assert harness.advance(episode, upload, TrackState.FAILED, TrackReason.CHUNKING_FAILED)
    assert harness.call("listChunks", episode_id=episode).error == (409, "VIDEO_NOT_READY")


def test_expired_chunks_are_reported_as_gone(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 answers `AccessDenied` to a role that may not list the bucket."""
    episode, _ = cut_video(harness, playlist_text=None)
    assert harness.call("listChunks", episode_id=episode).error == (410, "VIDEO_GONE")
    for code, expected in (("AccessDenied", (410, "VIDEO_GONE")), ("SlowDown", (500, "INTERNAL"))):
        monkeypatch.setattr(s3_of_the_api(), "get_object", Mock(side_effect=error(code)))
        assert harness.call("listChunks", episode_id=episode).error == expected


@pytest.mark.parametrize("name", ["../a.ts", "https://example.com/a.ts", "a/b.ts", "a.ts?x", "a.m3u8"])
def test_a_playlist_entry_that_is_not_a_ts_file_of_its_folder_is_ignored(name: str) -> None:
    assert list(parse_playlist(f"#EXTINF:1,\n{name}\n")) == []


@given(st.lists(st.floats(0.001, 3600).map(lambda seconds: round(seconds, 4)), max_size=40))
def test_chunks_join_without_a_gap(durations: list[float]) -> None:
    playlist = "".join(f"#EXTINF:{seconds:.4f},\na_{number}.ts\n" for number, seconds in enumerate(durations))
    chunks = list(parse_playlist(playlist))
    assert [chunk.name for chunk in chunks] == [f"a_{number}.ts" for number in range(len(durations))]
    ends = [chunk.start_ms + chunk.duration_ms for chunk in chunks]
    assert [chunk.start_ms for chunk in chunks] == [0, *ends][: len(chunks)]
    assert sum(chunk.duration_ms for chunk in chunks) == round(sum(durations) * 1000)
