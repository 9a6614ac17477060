"""Examples of messages and documents, for the JSON Schemas that `generated_files` writes.

The messages belong to the two WebSocket APIs. The documents are S3 objects and DynamoDB items that clients of meetings
write or read. The examples are instances of the models, so they are valid.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence

from handlers.common.audio.probe_result import RejectionReason
from handlers.common.json_models import Message, WrongField
from handlers.common.websocket.message_models import ClientMessage, ErrorMessage
from handlers.meetings.bedrock_summarize.stored_summary_models import (
    ActionItem,
    Summary,
    SummaryTokens,
    TranscriptQuote,
)
from handlers.meetings.bedrock_summarize.stored_transcript_models import Transcript, TranscriptSegment
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId, Recording
from handlers.meetings.upload_completion_file import Chunk, ChunkProblem, CompleteFile, WrongChunk
from handlers.transcription import messages
from handlers.voice_qa import websocket_messages
from handlers.voice_qa.websocket_messages import LectureState, UploadKind

SESSION_ID, LECTURE_ID = "01K8PFW8H0ZV5QX3N9T2R4M6BC", "01K8PFVZQ0A1B2C3D4E5F6G7H8"
QUERY_ID = "question-1"
SOUND = base64.b64encode(b"a little sound").decode()
TRANSCRIPTION: Sequence[Message] = (
    messages.Open(action="open", id="m1", language="en-US", sample_rate=16000),
    messages.Opened(id="m1", session_id=SESSION_ID, expires_at="2026-01-01T16:00:00.000Z", in_flight=3),
    messages.Audio(action="audio", id="m2", session_id=SESSION_ID, utterance="u1", sequence=0, audio=SOUND),
    messages.Accepted(id="m2", session_id=SESSION_ID, utterance="u1"),
    messages.CaptionMessage(
        session_id=SESSION_ID,
        utterance="u1",
        sequence=0,
        result_id="r1",
        revision=2,
        text="good morning",
        final=False,
        start_ms=0,
        end_ms=900,
        stability=0.9,
    ),
    messages.Retract(session_id=SESSION_ID, utterance="u1", result_id="r1", revision=2),
    messages.Done(session_id=SESSION_ID, utterance="u1", sequence=0, finals=1),
    messages.Resend(session_id=SESSION_ID, utterances=(messages.ResendRequest(utterance="u2", from_ms=0),)),
    messages.Failed(
        code=messages.TranscriptionErrorCode.BAD_AUDIO,
        message="The audio is no PCM.",
        session_id=SESSION_ID,
        utterance="u3",
    ),
    messages.Ping(action="ping", id="m3", session_id=SESSION_ID),
    messages.Pong(id="m3", done=("u1",)),
    messages.Close(action="close", id="m5", session_id=SESSION_ID),
    messages.Closed(id="m5", session_id=SESSION_ID),
    ErrorMessage(
        id="m6",
        code="MALFORMED",
        message="The message is not as it should be.",
        fields=(WrongField(field="sequence", rule="Input should be a valid integer"),),
        request_id="b4e1",
    ),
)
VOICE_QA: Sequence[Message] = (
    websocket_messages.Upload(action="upload", id="m1", kind=UploadKind.QUERY, content_type="audio/webm"),
    websocket_messages.UploadReady(
        id="m1",
        kind=UploadKind.QUERY,
        url="https://audio.s3.us-east-1.amazonaws.com/",
        fields={"key": "queries/us-east-1:guest/01K8PFX", "Content-Type": "audio/webm", "policy": "…"},
        key="queries/us-east-1:guest/01K8PFX",
        max_bytes=10_000_000,
        expires_seconds=3600,
    ),
    websocket_messages.WatchLecture(action="lecture", id="m6", lecture_id=LECTURE_ID),
    websocket_messages.LectureReport(id="m6", lecture_id=LECTURE_ID, state=LectureState.PENDING),
    websocket_messages.LectureReport(lecture_id=LECTURE_ID, state=LectureState.READY, duration_ms=1_800_000),
    websocket_messages.LectureReport(
        lecture_id=LECTURE_ID,
        state=LectureState.REJECTED,
        code=RejectionReason.TOO_SHORT,
        message="The recording is too short: the minimum is 10 seconds.",
    ),
    websocket_messages.Query(
        action="query",
        id="m2",
        query_id=QUERY_ID,
        lecture_id=LECTURE_ID,
        audio_key="queries/us-east-1:guest/01K8PFX",
    ),
    websocket_messages.Query(
        action="query",
        id="m3",
        query_id=QUERY_ID,
        lecture_id=LECTURE_ID,
        session_id=SESSION_ID,
        text="What is a monad?",
        attempt=1,
        resume_from=2,
    ),
    websocket_messages.QueryAccepted(id="m2", query_id=QUERY_ID, session_id=SESSION_ID),
    websocket_messages.TranscriptPiece(query_id=QUERY_ID, attempt=1, number=0, text="what is a monad"),
    websocket_messages.TextPiece(query_id=QUERY_ID, attempt=1, number=1, text="A monad is "),
    websocket_messages.AudioPiece(query_id=QUERY_ID, attempt=1, number=2, audio=SOUND, format="ogg-opus"),
    websocket_messages.CitationPiece(
        query_id=QUERY_ID, attempt=1, number=3, start_ms=61_000, end_ms=64_500, quote="so that is a monad"
    ),
    websocket_messages.Answered(
        query_id=QUERY_ID,
        attempt=1,
        pieces=4,
        audio_url="https://audio.s3.us-east-1.amazonaws.com/responses/us-east-1%3Aguest/question-1.1.ogg",
    ),
    websocket_messages.QueryFailed(
        code=websocket_messages.VoiceQaErrorCode.AUDIO_MISSING,
        message="The audio was not uploaded yet.",
        query_id=QUERY_ID,
        retryable=True,
    ),
    websocket_messages.Ping(action="ping", id="m4"),
    websocket_messages.Pong(id="m4"),
    ErrorMessage(
        id="m5",
        code=websocket_messages.VoiceQaErrorCode.LECTURE_UNKNOWN,
        message="There is no such lecture.",
        request_id="b4e1",
    ),
)
MEETING = MeetingId("KQ4V6TWLNR2EZXJ7HYFA3D5MBCUOGISP", "01K8PFW0000000000000000000")
STARTED_AT, ENDED_AT = "2026-01-31T09:30:00.000Z", "2026-01-31T10:12:00.000Z"
COMPLETED = CompleteFile(
    schema_version=1,
    title="Weekly",
    started_at=STARTED_AT,
    participants=("Ann", "Bob"),
    tags=("team",),
    chunks=(
        Chunk(name="00000.webm", bytes=5_242_880, sha256=hashlib.sha256(b"the first chunk").hexdigest()),
        Chunk(name="00001.webm", bytes=1_048_576, sha256=hashlib.sha256(b"the last chunk").hexdigest()),
    ),
)
# `content` is a hash over the hashes of the chunks. It identifies the recording within the meeting.
RECORDING = Recording(MEETING, COMPLETED.content)
PROMISE = "I will send the notes by Friday"
"""Sentence of the transcript that the summary's action item quotes."""
MEETINGS: Sequence[Message] = (
    COMPLETED,
    MeetingRecord(
        user=MEETING.user,
        meeting_id=MEETING.meeting_id,
        content=COMPLETED.content,
        title=COMPLETED.title,
        started_at=COMPLETED.started_at,
        language=COMPLETED.language,
        participants=COMPLETED.participants,
        tags=COMPLETED.tags,
        status=MeetingStatus.READY,
        since=ENDED_AT,
        size=COMPLETED.size,
        duration_ms=1_800_000,
        video_key=RECORDING.video_key,
        transcript_key=RECORDING.transcript_key,
        summary_key=RECORDING.summary_key,
        created_at=ENDED_AT,
        updated_at=ENDED_AT,
    ),
    MeetingRecord(
        user=MEETING.user,
        meeting_id=MEETING.meeting_id,
        content="",  # `complete.json` is malformed, so the recording is not known
        title="",
        started_at=ENDED_AT,
        language="",
        status=MeetingStatus.FAILED,
        reason=MeetingReason.MALFORMED,
        since=ENDED_AT,
        wrong=(
            WrongChunk(
                name=COMPLETE_FILE_NAME,
                problem=ChunkProblem.UNREADABLE,
                fields=(WrongField(field="title", rule="This field is required"),),
            ),
        ),
        wrong_count=1,
        size=0,
        created_at=ENDED_AT,
        updated_at=ENDED_AT,
    ),
    Transcript(
        language="en-US",
        duration_ms=1_800_000,
        said=(TranscriptSegment(speaker="spk_0", start_ms=61_000, end_ms=64_500, text=f"{PROMISE}."),),
    ),
    Summary(
        summary="Ann sends the notes.",
        action_items=(
            ActionItem(
                text="Send the notes",
                owner="Ann",
                due="by Friday",
                quote=TranscriptQuote(text=PROMISE, start_ms=61_000),
            ),
        ),
        summary_model="us.anthropic.claude-sonnet-5-5",
        action_model="us.anthropic.claude-haiku-5-5",
        tokens=SummaryTokens(input_tokens=5_200, output_tokens=410),
    ),
)


def group_by_model(examples: Sequence[Message]) -> Mapping[str, list[object]]:
    """Return the examples as JSON values, by the name of their model.

    A client may omit fields with a default, so the example of a client's message has only the fields that are set here.
    Every other example also has the fields with a default, unless their value is None.
    """
    examples_by_model: dict[str, list[object]] = {}
    for example in examples:
        document = example.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_unset=isinstance(example, ClientMessage)
        )
        examples_by_model.setdefault(type(example).__name__, []).append(document)
    return examples_by_model
