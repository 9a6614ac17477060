"""Test of the table of limits in docs/frontend.md: its numbers are those of the code, of the default settings, and of the
local stack.
"""

import re
from typing import Any

import yaml

from components.settings import (
    IngestionSettings,
    LivestreamSettings,
    MeetingsSettings,
    TranscriptionSettings,
    VoiceQaSettings,
)
from handlers.common.aws import PRESIGNED_SECONDS
from handlers.common.tokens import LEEWAY_SECONDS
from handlers.ingestion.files import MAX_SORT_KEY_BYTES
from handlers.livestream.models import NewEpisode, PageQuery, PlaybackQuery
from handlers.livestream.tracks import TIME_LIMITS, TrackState
from handlers.meetings.environment import CREDENTIAL_SECONDS
from handlers.meetings.recording_files import MAX_CHUNKS, MAX_COMPLETE_FILE_BYTES, Chunk
from handlers.transcription.audio import MAX_BYTES, MAX_SECONDS, MIN_MS, Encoding
from handlers.voice_qa.environment import LECTURE_MAX_SECONDS, LECTURE_MIN_SECONDS, MAX_QUERY_BYTES
from handlers.voice_qa.messages import Query
from local import ROOT

TABLE = (ROOT / "docs/frontend.md").read_text(encoding="utf-8").partition("\n## Limits\n")[2].partition("\n## ")[0]
ROWS: dict[str, str] = dict(re.findall(r"^\| (.+?) \| (.+?) \|", TABLE, re.MULTILINE)[1:])
"""Values of the table by limit."""
HOUR, MINUTE = 3600, 60


def schema(model: Any, name: str) -> Any:
    """Return the JSON Schema of a field."""
    return model.model_json_schema()["properties"][name]


def test_the_table_has_the_limits_of_the_code() -> None:
    """The limits of WebSocket messages are not compared, because they are those of AWS's documentation."""
    pcm, flac, opus = (MAX_SECONDS[encoding] for encoding in (Encoding.PCM, Encoding.FLAC, Encoding.OGG_OPUS))
    assert flac == opus
    live, voice, uploads = TranscriptionSettings().sessions, VoiceQaSettings(), LivestreamSettings().uploads
    meetings = MeetingsSettings()
    question = schema(Query, "text")["anyOf"][0]["maxLength"]
    local = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8"))["config"]["polyphony:livestream"]
    page, chunks = schema(PageQuery, "limit"), schema(PlaybackQuery, "limit")
    assert page["maximum"] == chunks["maximum"]
    title, speakers = schema(NewEpisode, "title")["maxLength"], schema(NewEpisode, "speakers")
    description = schema(NewEpisode, "description")["anyOf"][0]["maxLength"]
    chunk = schema(Chunk, "bytes")
    expected = {
        "difference between the clocks": f"{LEEWAY_SECONDS} s",
        "ingestion: size of a file": f"{IngestionSettings().intake.max_file_gigabytes:g} GiB",
        "ingestion: `<object key>": f"{MAX_SORT_KEY_BYTES:,} bytes",
        "transcription: length": f"{MIN_MS} ms to {pcm:g} s (`pcm`) or {flac:g} s (`flac`, `ogg-opus`)",
        "transcription: audio": f"{MAX_BYTES:,} bytes",
        "transcription: utterances of a session": f"{live.in_flight}",
        "voice Q&A: questions": f"{voice.sessions.queries_per_hour}",
        "voice Q&A: lectures": f"{voice.sessions.lectures_per_day}",
        "voice Q&A: size of a question": f"{MAX_QUERY_BYTES / 1000**2:g} MB, {question:,} characters",
        "voice Q&A: duration": f"{LECTURE_MIN_SECONDS} s to {LECTURE_MAX_SECONDS / HOUR:g} hours",
        "voice Q&A: size of a lecture": f"{voice.lectures.max_gigabytes:g} GB",
        "voice Q&A: lifetime": f"{voice.sessions.url_seconds / MINUTE:g} minutes",
        "livestream: lifetime": f"{PRESIGNED_SECONDS / MINUTE:g} minutes",
        "livestream: size of a video": f"{uploads.max_video_gigabytes:g} GB",
        "livestream: size above": f"{uploads.multipart_megabytes:g} MB, "
        f"on the local platform {local['uploads']['multipartMegabytes']:g} MB",
        "livestream: size of a transcript": f"{uploads.max_transcript_megabytes:g} MB",
        "livestream: time": f"{TIME_LIMITS[TrackState.REQUESTED].total_seconds() / HOUR:g} hours",
        "livestream: items": f"{page['default']}, {chunks['default']}, {page['maximum']}",
        "livestream: title": f"{title}, {description:,}, {speakers['maxItems']}, "
        f"{speakers['items']['maxLength']} characters",
        "meetings: size of a chunk": f"{chunk['minimum']} byte to {chunk['maximum'] / 1024**3:g} GiB",
        "meetings: chunks": f"{MAX_CHUNKS:,}, {MAX_COMPLETE_FILE_BYTES / 1024**2:g} MiB",
        "meetings: duration": f"{meetings.processing.max_hours} hours",
        "meetings: requests": f"{meetings.exchange.requests_per_second} a second",
        "meetings: lifetime": f"{CREDENTIAL_SECONDS / MINUTE:g} minutes",
    }
    compared = {limit: text for limit, text in ROWS.items() if not limit.startswith("WebSocket: ")}
    assert {start: [text for limit, text in compared.items() if limit.startswith(start)] for start in expected} == {
        start: [text] for start, text in expected.items()
    }
    assert len(compared) == len(expected)
