"""Explanations of the reasons for which an uploaded video, transcript or lecture is rejected or cannot be processed.

The upload itself has succeeded, so no request fails with these reasons. Clients read them later: in the state of a
livestream episode, or in the report of a voice Q&A lecture. `errors_page` writes the explanations to `docs/reference/errors.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from handlers.livestream.tracks import TrackReason
from handlers.voice_qa.messages import RejectionReason

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
        "The transcript has too many bytes, lines, cues or characters.",
        "Split the broadcast into several episodes.",
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
"""Explanations of the field `reason` of an episode's video or transcript."""
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
"""Explanations of the field `code` in the report of a lecture."""
