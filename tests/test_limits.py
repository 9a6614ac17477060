"""Tests of the table of limits in docs/frontend.md: its numbers are those of the code, of the default settings, and of the
local stack.
"""

import re
from typing import Any

import yaml

from components.settings import (
    IngestionSettings,
    LivestreamSettings,
    TranscriptionSettings,
    VoiceQaSettings,
)
from handlers.common.aws import PRESIGNED_SECONDS
from handlers.common.tokens import LEEWAY_SECONDS
from handlers.ingestion.files import MAX_SORT_KEY_BYTES
from handlers.livestream.models import NewEpisode, PageQuery, PlaybackQuery
from handlers.livestream.tracks import TIME_LIMITS, TrackState
from handlers.meetings.complete_file import MAX_CHUNKS, MAX_COMPLETE_FILE_BYTES, Chunk
from handlers.meetings.environment import CREDENTIAL_SECONDS
from handlers.transcription.audio import MAX_BYTES, MAX_SECONDS, MIN_MS, Encoding
from handlers.transcription.session import MAX_SESSIONS_PER_HOUR
from handlers.voice_qa.environment import LECTURE_MAX_SECONDS, LECTURE_MIN_SECONDS, MAX_QUERY_BYTES
from handlers.voice_qa.messages import Query
from local import ROOT

TABLE = (ROOT / "docs/frontend.md").read_text(encoding="utf-8").partition("\n## Limits\n")[2].partition("\n## ")[0]
VALUES: dict[str, str] = dict(re.findall(r"^\| (.+?) \| (.+?) \|", TABLE, re.MULTILINE)[1:])
"""Values of the table by limit."""
HOUR, MINUTE = 3600, 60


def value(start: str) -> str:
    """Return the value of the row that begins with a text."""
    [found] = [str(text) for limit, text in VALUES.items() if limit.startswith(start)]
    return found


def schema(model: Any, name: str) -> Any:
    """Return the JSON Schema of a field."""
    return model.model_json_schema()["properties"][name]


def test_the_limits_of_all_backends_and_of_ingestion() -> None:
    assert value("difference between the clocks") == f"{LEEWAY_SECONDS} s"
    assert value("ingestion: size of a file") == f"{IngestionSettings().intake.max_file_gigabytes:g} GiB"
    assert value("ingestion: `<object key>") == f"{MAX_SORT_KEY_BYTES:,} bytes"


def test_the_limits_of_transcription() -> None:
    pcm, flac, opus = (MAX_SECONDS[encoding] for encoding in (Encoding.PCM, Encoding.FLAC, Encoding.OGG_OPUS))
    assert flac == opus
    assert value("transcription: length") == f"{MIN_MS} ms to {pcm:g} s (`pcm`) or {flac:g} s (`flac`, `ogg-opus`)"
    assert value("transcription: audio") == f"{MAX_BYTES:,} bytes"
    sessions = TranscriptionSettings().sessions
    assert value("transcription: utterances of a session") == f"{sessions.in_flight}"
    assert value("transcription: age") == f"{sessions.hours:g} hours"
    assert value("transcription: sessions") == f"{MAX_SESSIONS_PER_HOUR}"


def test_the_limits_of_voice_qa() -> None:
    settings = VoiceQaSettings()
    text = schema(Query, "text")["anyOf"][0]["maxLength"]
    assert value("voice Q&A: questions") == f"{settings.sessions.queries_per_hour}"
    assert value("voice Q&A: lectures") == f"{settings.sessions.lectures_per_day}"
    assert value("voice Q&A: size of a question") == f"{MAX_QUERY_BYTES / 1000**2:g} MB, {text:,} characters"
    assert value("voice Q&A: duration") == f"{LECTURE_MIN_SECONDS} s to {LECTURE_MAX_SECONDS / HOUR:g} hours"
    assert value("voice Q&A: size of a lecture") == f"{settings.lectures.max_gigabytes:g} GB"
    assert value("voice Q&A: lifetime") == f"{settings.sessions.url_seconds / MINUTE:g} minutes"


def test_the_limits_of_livestream() -> None:
    uploads = LivestreamSettings().uploads
    local = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8"))["config"]["polyphony:livestream"]
    local_parts = local["uploads"]["multipartMegabytes"]
    assert value("livestream: lifetime") == f"{PRESIGNED_SECONDS / MINUTE:g} minutes"
    assert value("livestream: size of a video") == f"{uploads.max_video_gigabytes:g} GB"
    parts = f"{uploads.multipart_megabytes:g} MB, on the local platform {local_parts:g} MB"
    assert value("livestream: size above") == parts
    assert value("livestream: size of a transcript") == f"{uploads.max_transcript_megabytes:g} MB"
    assert value("livestream: time") == f"{TIME_LIMITS[TrackState.REQUESTED].total_seconds() / HOUR:g} hours"
    page, chunks = schema(PageQuery, "limit"), schema(PlaybackQuery, "limit")
    assert page["maximum"] == chunks["maximum"]
    assert value("livestream: items") == f"{page['default']}, {chunks['default']}, {page['maximum']}"
    title, speakers = schema(NewEpisode, "title")["maxLength"], schema(NewEpisode, "speakers")
    description = schema(NewEpisode, "description")["anyOf"][0]["maxLength"]
    lengths = f"{title}, {description:,}, {speakers['maxItems']}, {speakers['items']['maxLength']} characters"
    assert value("livestream: title") == lengths


def test_the_limits_of_meetings() -> None:
    size = schema(Chunk, "bytes")
    assert value("meetings: size of a chunk") == f"{size['minimum']} byte to {size['maximum'] / 1024**3:g} GiB"
    assert value("meetings: chunks") == f"{MAX_CHUNKS:,}, {MAX_COMPLETE_FILE_BYTES / 1024**2:g} MiB"
    assert value("meetings: lifetime") == f"{CREDENTIAL_SECONDS / MINUTE:g} minutes"


def test_every_row_is_compared() -> None:
    """The limits of API Gateway are those of AWS's documentation."""
    compared = re.findall(r'value\("(.+?)"\)', (ROOT / "tests/test_limits.py").read_text(encoding="utf-8"))
    assert [limit for limit in VALUES if not limit.startswith((*compared, "WebSocket: "))] == []
