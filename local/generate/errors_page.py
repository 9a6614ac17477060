"""Generator of `docs/reference/errors.md`: the error codes of the APIs, and reasons why an uploaded file is unusable."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from handlers.common.errors import CommonErrorCode, ErrorCode
from handlers.common.websocket import WebSocketErrorCode
from handlers.livestream.episodes.routes import LivestreamErrorCode
from handlers.livestream.tracks import TrackReason
from handlers.meetings.auth_exchange.api import MeetingsErrorCode
from handlers.transcription.messages import TranscriptionErrorCode
from handlers.voice_qa.messages import RejectionReason, VoiceQaErrorCode

INTRODUCTION = """\
# Error codes

`make docs` generates this page from the error codes of the handlers (`handlers/common/errors.py` and the classes that
derive from it), those of API Gateway's own responses, and the reasons in `local/generate/errors_page.py`. Change a text
there, not here.

An error has four fields. Over HTTP they are in the body, and over a WebSocket in a message with `type: "error"`:

| field | meaning |
|---|---|
| `code` | One of the codes below. Programs distinguish errors only by this field. They must accept unknown codes, because codes may be added. |
| `message` | A sentence for people, which may change. |
| `fields` | Invalid fields of the request, if they are known: `field` is the path, for example `speakers.0`, and `rule` states the rule for its value, for example `is required`. |
| `requestId` | Id of the request. With it, an operator finds the request in the logs. |

Over a WebSocket, an error that answers a message has the `id` of that message, if the message has one. An error about a
question of voice Q&A also has `queryId` and `retryable`. So send an `id` with each `audio` message of transcription, to
know which utterance an error is about. Errors in messages do not close the connection. A refused handshake has only an HTTP
status: 401 for `UNAUTHENTICATED`, 503 for `UNAVAILABLE`, 500 for `INTERNAL`, 403 if API Gateway refuses the signature of
voice Q&A, and otherwise 400. The body of that response has no `code`, and browsers do not show the response to pages.
"""
HTTP_APIS: dict[str, tuple[type[ErrorCode], ...]] = {
    "Livestream": (LivestreamErrorCode, CommonErrorCode),
    "Meetings": (MeetingsErrorCode, CommonErrorCode),
}
"""Classes of error codes by REST API. Of codes with the same name in several classes, the page shows the first."""
WEBSOCKET_APIS: dict[str, tuple[type[ErrorCode], ...]] = {
    "Transcription": (TranscriptionErrorCode, WebSocketErrorCode, CommonErrorCode),
    "Voice Q&A": (VoiceQaErrorCode, WebSocketErrorCode, CommonErrorCode),
}
"""Classes of error codes by WebSocket API."""
GATEWAY_ERRORS = """\
## API Gateway, for livestream and meetings

API Gateway returns these errors itself, without calling a function, for example for an unknown path. `REFUSED` has the
status that the gateway chose, from 400 to 499. For livestream, the gateway also checks that a body has the required fields, with the types that the
OpenAPI document states. If a body violates this, the gateway answers `MALFORMED` with empty `fields`. For meetings, only the function checks
bodies. It lists the invalid fields in `fields`, unless the body is not JSON.

| code | status | meaning | what to do |
|---|---:|---|---|
| `INTERNAL` | 500 | The platform failed. | Send the request again later. Give `requestId` to support if it fails again. |
| `MALFORMED` | 400 | A required field is missing, a field has another type, or the body is not JSON. The gateway cannot name the field, so `fields` is empty. | Compare the request with the OpenAPI document. |
| `METHOD_NOT_ALLOWED` | 405 | The path does not support this method. | Correct the method. |
| `NOT_FOUND` | 404 | The path does not exist. | Correct the URL. The base URL in the stack output ends with the name of the stage. |
| `REFUSED` | 400 | The gateway refuses the request for another reason. | Read `message`. |
| `THROTTLED` | 429 | Too many requests, from all callers together. | Send the request again, with increasing pauses. |
| `TOO_LARGE` | 413 | The request is too large. | Send a smaller request. |
| `UNAUTHORIZED` | 401 | The token is missing, invalid, or has expired. | Get a new token from the identity provider, and send the request again. |
| `UNAVAILABLE` | 503 | The token cannot be checked. Usually, the identity provider does not answer. | Send the request again after a few seconds. |
| `UNSUPPORTED_MEDIA_TYPE` | 415 | The content type of the request is not supported. | Send `Content-Type: application/json`. |
"""
"""Chapter on the errors of `components/blocks/gateway_responses.py`."""
WEBSOCKET_NOTE = """\
If API Gateway cannot reach the function, it answers itself with `{message, connectionId, requestId}`.
"""


REASONS_NOTE = """\
## Reasons after an upload

A file can be unusable although its upload succeeded. Clients then do not get an error, but a state with one of these reasons. The
reasons of meetings are in [the chapter on their status](../meetings.md#status-of-a-meeting), and those of ingestion in
[the chapter on files](../ingestion.md).
"""
UPLOAD_AGAIN = "Upload the file again, to the same episode."


@dataclass(frozen=True)
class ReasonExplanation:
    """Meaning of a reason, and the action that the client can take."""

    meaning: str
    action: str


TRACK_REASONS: Mapping[StrEnum, ReasonExplanation] = {
    TrackReason.NEVER_UPLOADED: ReasonExplanation(
        "The announced file did not arrive within twelve hours.", "Request a new upload for the same episode."
    ),
    TrackReason.TOO_LARGE: ReasonExplanation(
        "The transcript has too many bytes, lines, cues or characters.", "Split the broadcast into several episodes."
    ),
    TrackReason.EMPTY: ReasonExplanation("The transcript contains no text.", "Upload a transcript with text."),
    TrackReason.UNREADABLE: ReasonExplanation(
        "The transcript is malformed, has an unsupported format or an invalid time, or a cue is too long.",
        "Upload it as SRT, WebVTT or Amazon Transcribe's JSON in UTF-8.",
    ),
    TrackReason.CHUNKING_FAILED: ReasonExplanation(
        "MediaConvert could not cut the video into chunks.", f"Check that the video can be played. {UPLOAD_AGAIN}"
    ),
    TrackReason.ANALYSIS_FAILED: ReasonExplanation(
        "The agent could not analyze any part of the transcript.", UPLOAD_AGAIN
    ),
    TrackReason.TIMED_OUT: ReasonExplanation("The processing did not end in time.", UPLOAD_AGAIN),
}
"""Explanations of the field `reason` in the state of a livestream episode's video or transcript."""
LECTURE_REASONS: Mapping[StrEnum, ReasonExplanation] = {
    RejectionReason.EMPTY: ReasonExplanation("The file is empty.", "Upload another file."),
    RejectionReason.TOO_LARGE: ReasonExplanation(
        "The file has more than `maxLectureBytes` of the stack output.", "Upload a smaller file."
    ),
    RejectionReason.UNKNOWN_FORMAT: ReasonExplanation(
        "The content of the file has no known audio or video format.",
        "Upload a file with a format in `lectureFormats` of the stack output.",
    ),
    RejectionReason.UNREADABLE: ReasonExplanation(
        "The file looks like a recording, but is damaged or has an unsupported codec.",
        "Export the recording again, for example as MP3.",
    ),
    RejectionReason.NO_AUDIO: ReasonExplanation("The file has no sound.", "Upload a file with sound."),
    RejectionReason.NO_DURATION: ReasonExplanation(
        "The file does not state its duration.", "Export the recording again."
    ),
    RejectionReason.TOO_SHORT: ReasonExplanation(
        "The recording is shorter than `lectureMinSeconds` of the stack output.", "Upload a longer recording."
    ),
    RejectionReason.TOO_LONG: ReasonExplanation(
        "The recording is longer than `lectureMaxSeconds` of the stack output.", "Split the recording."
    ),
}
"""Explanations of the field `code` in the report of a voice Q&A lecture."""
REASONS = {
    "Livestream: `reason` of a video or transcript": TRACK_REASONS,
    "Voice Q&A: `code` of a rejected lecture": LECTURE_REASONS,
}
"""Reasons by the heading of their table."""


def render_page() -> str:
    """Return the text of the page."""
    lines = [INTRODUCTION]
    for api, classes in HTTP_APIS.items():
        lines += [f"## {api}\n"]
        lines += [*_render_table(classes, with_status=True), ""]
    lines += [GATEWAY_ERRORS]
    for api, classes in WEBSOCKET_APIS.items():
        lines += [f"## {api}\n", WEBSOCKET_NOTE, *_render_table(classes, with_status=False), ""]
    lines += [REASONS_NOTE]
    for title, reasons in REASONS.items():
        lines += [f"### {title}\n", *_render_reasons(reasons), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _render_table(classes: tuple[type[ErrorCode], ...], *, with_status: bool) -> Iterator[str]:
    """Yield the lines of the table of an API's codes."""
    yield f"| code |{' status |' if with_status else ''} meaning | what to do |"
    yield f"|---|{'---:|' if with_status else ''}---|---|"
    codes: dict[str, ErrorCode] = {}
    for code in (code for members in classes for code in members):
        codes.setdefault(code.value, code)
    for name, code in sorted(codes.items()):
        status = f" {code.status} |" if with_status else ""
        yield f"| `{name}` |{status} {code.meaning} | {code.action} |"


def _render_reasons(reasons: Mapping[StrEnum, ReasonExplanation]) -> Iterator[str]:
    yield "| reason | meaning | what to do |"
    yield "|---|---|---|"
    for reason, explanation in sorted(reasons.items()):
        yield f"| `{reason}` | {explanation.meaning} | {explanation.action} |"
