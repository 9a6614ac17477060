"""Reader for uploaded transcripts in S3: SRT, WebVTT, and the JSON output of an Amazon Transcribe job.

The Lambda functions `transcript-windows` and `fact-check-agent` call `fetch_windows`. The content decides the format,
because the client chooses file name and content type, and both may be wrong. Every format is read as cues, which are
timed lines. The cues are divided into windows, sections that are small enough for one model request.

A transcript is an upload by an untrusted client. So its size and its lines of times are checked before the parser
(webvtt-py) reads it, and the text and times of each cue afterwards. The parser skips a cue whose times it cannot read,
which would then be missing from the analysis. So a file with such a line is refused as a whole.

The errors of parsers may quote the transcript, which must not appear in logs. So parsers are called in a block `with
suppress`, and BadTranscript is raised after it. In an `except` block, the parser's error would be attached to it.
"""

import html
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import webvtt
from webvtt.errors import MalformedCaptionError, MalformedFileError

from handlers.common.text import Window, WindowSizes, clean_text, split_into_windows
from handlers.common.transcribe_output import InvalidTranscribeOutput, read_speeches
from handlers.livestream.environment import OVERLAP_CHARACTERS, WINDOW_SECONDS
from handlers.livestream.tracks import TrackReason

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MAX_OBJECT_BYTES = 20_000_000
"""Maximum size of a transcript. Amazon Transcribe writes the times of every word; a whole day of speech stays below."""
MAX_CUES = 50_000
MAX_LINES = 200_000
"""Maximum number of lines of an SRT or WebVTT file. Each line costs the parser many times its own memory."""
MAX_CHARACTERS = 2_000_000
"""Maximum length of the whole text. An hour of speech has about 50,000 characters."""
MAX_CUE_CHARACTERS = 2_000
"""Maximum length of a cue after cleaning."""
MAX_WRITTEN_CHARACTERS = 10 * MAX_CUE_CHARACTERS
"""Maximum length of a cue in the file, including tags and white space. A search for tags takes long in a longer text."""
SENTENCE_CHARACTERS = 300
"""Length above which a sentence of a Transcribe job is split into several cues."""
MAX_SPEAKER_CHARACTERS = 100
"""Length to which a speaker's name is truncated."""
MAX_MS = 24 * 60 * 60 * 1000
"""Latest end of a cue. No broadcast is longer than 24 hours."""

_CLOCK = r"[0-5]?[0-9]:[0-5]?[0-9]"
"""Minutes and seconds."""
_WEBVTT_TIME = rf"(?:[0-9]{{1,3}}:)?{_CLOCK}\.[0-9]{{1,3}}"
_SRT_TIME = rf"[0-9]{{1,3}}:{_CLOCK}[,.][0-9]{{3}}"
_LIKE_WEBVTT_TIMES = re.compile(r"^.*-->", re.MULTILINE)
"""Start of a line that looks like a line of times, whether or not its times are valid. WebVTT permits no other arrows."""
_LIKE_SRT_TIMES = re.compile(r"^[ \t]*[-+]?[0-9]+[:.,][-+0-9:.,]*[ \t]*-->", re.MULTILINE)
_WEBVTT_TIMES = re.compile(rf"^[ \t]*{_WEBVTT_TIME}[ \t]*-->[ \t]*{_WEBVTT_TIME}(?:[ \t].*)?$", re.MULTILINE)
"""Line of times: start, arrow, end, and settings that position the cue on the screen."""
_SRT_TIMES = re.compile(rf"^[ \t]*[0-9]+[ \t]*\n[ \t]*{_SRT_TIME}[ \t]*-->[ \t]*{_SRT_TIME}(?:[ \t].*)?$", re.MULTILINE)
"""Number of a cue, and the line of times below it."""
_SRT_TAG = re.compile(r"</?(?:b|i|u|s|font)(?:\s[^<>]*)?>|\{\\[^{}]*\}|\{/?[biu]\}", re.IGNORECASE)
"""Tags that players interpret as style. Other text in angle brackets is kept, because it may be speech."""
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t\n]([^<>]*)>|</v>")
"""Start or end of a voice. The pattern allows one blank before the name, which may contain blanks itself. With several
optional blanks, the search would backtrack over all of them in text that has no closing bracket."""
_WEBVTT_TAG = re.compile(r"<[^<>]*>")


class BadTranscript(Exception):
    """The file is refused as a transcript. `reason` is the failure reason of the transcript's track."""

    def __init__(self, reason: TrackReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Cue(NamedTuple):
    """One timed line of a transcript."""

    start_ms: int
    end_ms: int
    text: str
    speaker: str | None = None


def fetch_windows(
    client: "S3Client", bucket: str, key: str, version: str, window_characters: int
) -> tuple[Window[Cue], ...]:
    """Return the windows of one S3 version of a transcript. Raise BadTranscript as `read_transcript` does.

    `window_characters` limits a window's core, the part before the overlap, which repeats the start of the next window.
    """
    with client.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"] as body:
        data = body.read(MAX_OBJECT_BYTES + 1)  # one byte too many shows that the object is too large
    sizes = WindowSizes(window_characters, WINDOW_SECONDS * 1000, OVERLAP_CHARACTERS)
    return split_into_windows(read_transcript(data), sizes)


def read_transcript(data: bytes) -> tuple[Cue, ...]:
    """Return the cues of a transcript, cleaned and sorted by time. Cues without text are dropped.

    Overlapping cues are allowed, because speakers interrupt each other. Raise BadTranscript if the file has no supported
    format, a limit is exceeded, a time is invalid, or no cue has text.
    """
    text = _decode(data)
    if re.match(r"WEBVTT(?:[ \t\n]|$)", text):
        cues = _webvtt_cues(text)
    elif text.startswith("{"):
        cues = _transcribe_cues(text)
    elif _LIKE_SRT_TIMES.search(text):
        cues = _srt_cues(text)
    else:
        raise BadTranscript(TrackReason.UNREADABLE if text else TrackReason.EMPTY)
    return _clean_cues(cues)


def _decode(data: bytes) -> str:
    if len(data) > MAX_OBJECT_BYTES:
        raise BadTranscript(TrackReason.TOO_LARGE)
    with suppress(UnicodeDecodeError):
        text = data.decode("utf-8-sig")
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n").strip()
    raise BadTranscript(TrackReason.UNREADABLE)


def _webvtt_cues(text: str) -> Iterator[Cue]:
    """Yield a cue for each voice of a WebVTT cue, all with the same times."""
    for caption in _parse_subtitles(text, "vtt", _LIKE_WEBVTT_TIMES, _WEBVTT_TIMES):
        start_ms, end_ms = caption.start_time.in_milliseconds(), caption.end_time.in_milliseconds()
        for speaker, spoken in _voices(_refuse_too_long(caption.raw_text)):
            yield Cue(start_ms, end_ms, spoken, speaker)


def _srt_cues(text: str) -> Iterator[Cue]:
    for caption in _parse_subtitles(text, "srt", _LIKE_SRT_TIMES, _SRT_TIMES):
        spoken = _SRT_TAG.sub("", _refuse_too_long(caption.raw_text))
        yield Cue(caption.start_time.in_milliseconds(), caption.end_time.in_milliseconds(), spoken)


def _parse_subtitles(
    text: str, subtitle_format: str, like_times: re.Pattern[str], valid_times: re.Pattern[str]
) -> list[webvtt.Caption]:
    """Return the captions of a file. Raise BadTranscript also if a line looks like times that the parser would skip."""
    if text.count("\n") >= MAX_LINES:
        raise BadTranscript(TrackReason.TOO_LARGE)
    if len(valid_times.findall(text)) != len(like_times.findall(text)):
        raise BadTranscript(TrackReason.UNREADABLE)
    with suppress(MalformedFileError, MalformedCaptionError):
        return webvtt.from_buffer([text], format=subtitle_format).captions
    raise BadTranscript(TrackReason.UNREADABLE)


def _voices(payload: str) -> Iterator[tuple[str | None, str]]:
    """Yield each voice and its text. The voice is None for text outside voice tags."""
    speaker: str | None = None
    start = 0
    for tag in _VOICE.finditer(payload):
        yield speaker, _unescape(_WEBVTT_TAG.sub("", payload[start : tag.start()]))
        speaker, start = None if tag[1] is None else _unescape(tag[1]), tag.end()
    yield speaker, _unescape(_WEBVTT_TAG.sub("", payload[start:]))


def _unescape(text: str) -> str:
    with suppress(ValueError):  # raised for a character reference with more digits than Python converts to a number
        return html.unescape(text)
    raise BadTranscript(TrackReason.UNREADABLE)


def _transcribe_cues(text: str) -> Iterator[Cue]:
    """Yield the cues of a job's output, usually one for each sentence. Raise BadTranscript if it is malformed."""
    with suppress(InvalidTranscribeOutput):
        for speech in read_speeches(text, MAX_MS, SENTENCE_CHARACTERS, max_before_sentence=0):
            yield Cue(speech.start_ms, speech.end_ms, " ".join(speech.words), speech.speaker)
        return
    raise BadTranscript(TrackReason.UNREADABLE)


def _refuse_too_long(text: str) -> str:
    """Return the text of a cue unchanged. Raise BadTranscript if it is longer than `MAX_WRITTEN_CHARACTERS`."""
    if len(text) > MAX_WRITTEN_CHARACTERS:
        raise BadTranscript(TrackReason.UNREADABLE)
    return text


def _clean_cues(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    """Return the cues that have text, cleaned and sorted by time. Raise BadTranscript if a limit is exceeded."""
    cleaned, characters = list[Cue](), 0
    for cue in cues:
        if not 0 <= cue.start_ms <= cue.end_ms <= MAX_MS:
            raise BadTranscript(TrackReason.UNREADABLE)
        text = clean_text(cue.text)
        if len(text) > MAX_CUE_CHARACTERS:
            raise BadTranscript(TrackReason.UNREADABLE)
        characters += len(text)
        if characters > MAX_CHARACTERS or len(cleaned) == MAX_CUES:
            raise BadTranscript(TrackReason.TOO_LARGE)
        speaker = None if cue.speaker is None else clean_text(cue.speaker)[:MAX_SPEAKER_CHARACTERS].strip() or None
        if text:
            cleaned.append(Cue(cue.start_ms, cue.end_ms, text, speaker))
    if not cleaned:
        raise BadTranscript(TrackReason.EMPTY)
    return tuple(sorted(cleaned, key=lambda cue: (cue.start_ms, cue.end_ms)))
