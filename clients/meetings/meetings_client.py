"""Class `MeetingsClient`, with which a program uploads recordings, and reads their transcripts and summaries."""

import os
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from clients.meetings import meeting_queries
from clients.meetings.client_errors import MeetingUnknown, NotMade
from clients.meetings.readiness_polling import ReadinessPolling
from clients.meetings.recording_upload import RecordingUpload
from clients.meetings.token_exchange_request import TokenExchangeRequest
from clients.meetings.upload_models import NewMeeting, Uploaded
from clients.meetings.user_credentials import AccessProvider
from handlers.common.time_and_ids import clock
from handlers.meetings.bedrock_summarize.stored_summary_models import Summary
from handlers.meetings.bedrock_summarize.stored_transcript_models import Transcript
from handlers.meetings.meeting_record import MeetingRecord

WORKERS = 8
"""Default number of files that are uploaded in parallel."""
READY_TIMEOUT_SECONDS = 2 * 3600.0


class MeetingsClient:
    """Client for the meetings of one user. Threads may share it. It makes no request before a method is called.

    >>> client = MeetingsClient(api_url, token=get_token, session_name="laptop")
    >>> uploaded = client.upload(NewMeeting(title="Weekly", started_at=began), ["00.webm", "01.webm"])
    >>> client.wait_until_ready(uploaded.meeting_id, content=uploaded.content)
    >>> client.summary(uploaded.meeting_id).summary
    """

    def __init__(
        self,
        api_url: str,
        token: Callable[[], str],
        session_name: str,
        *,
        workers: int = WORKERS,
        endpoint_url: str | None = None,
        clock: Callable[[], datetime] = clock.now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Create a client for the user of the token.

        `api_url` is the stack output `frontend.meetings.apiUrl`. `token` returns a valid token of the identity
        provider. It is called whenever the client needs AWS credentials, possibly by another thread. `session_name`
        names the session in AWS' logs, for example a device. `workers` is the number of files that are uploaded in
        parallel. `endpoint_url` replaces AWS' endpoints, for the local platform.
        """
        self._access = AccessProvider(TokenExchangeRequest(api_url, token, session_name), clock, workers, endpoint_url)
        self._workers = workers
        self._clock = clock
        self._sleep = sleep

    @property
    def user(self) -> str:
        """Id of the token's user, as object and table keys contain it. Raises ExchangeFailed."""
        return self._access.get().user

    def upload(self, meeting: NewMeeting, chunks: Iterable[str | os.PathLike[str]]) -> Uploaded:
        """Upload a recording: its chunks, which are files that can each be decoded alone, in order.

        `chunks` may be an iterator that yields each file when it was recorded; the file is then uploaded immediately.
        To continue an interrupted upload, call this again with the same `meeting` and files. Chunks that exist with the
        correct size and checksum are not sent again. Raises ExchangeFailed, ChunkRefused or UploadInterrupted, and
        OSError if a file cannot be read.
        """
        return RecordingUpload(self._access.get(), meeting, self._workers).run(chunks)

    def list_by_date(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        participant: str | None = None,
        tag: str | None = None,
    ) -> meeting_queries.MeetingList:
        """Return the meetings that began in the period from `since` to before `until`, newest first.

        With `participant` and `tag`, only the meetings that have them are returned, ignoring case. The table is read
        during the iteration. Meetings that this version cannot read are skipped; the list's `unreadable` contains their
        ids. Raises ExchangeFailed, or ValueError for a time without a time zone.
        """
        bounds = meeting_queries.to_bounds(since, until)
        items = () if bounds is None else meeting_queries.query_newest_first(self._access.get(), bounds)
        return meeting_queries.MeetingList(items, lambda record: meeting_queries.matches(record, participant, tag))

    def get(self, meeting_id: str) -> MeetingRecord:
        """Return a meeting's record. Raises ExchangeFailed, MeetingUnknown or MeetingUnreadable."""
        record = self._find(meeting_id)
        if record is None:
            raise MeetingUnknown(meeting_id)
        return record

    def wait_until_ready(
        self, meeting_id: str, *, content: str | None = None, timeout_seconds: float = READY_TIMEOUT_SECONDS
    ) -> MeetingRecord:
        """Wait until a meeting is ready, and return its record. The pauses between requests grow.

        With the `content` that `upload` returned, the status of an earlier recording of the meeting is ignored. A
        failure that exists when the wait begins may then be from before this upload, which restarts the meeting. So
        this failure is raised only after a minute or at the timeout.

        Raises MeetingFailed, MeetingIncomplete if chunks are missing or wrong for a minute, MeetingUnreadable,
        NotReadyInTime or ExchangeFailed.
        """
        return ReadinessPolling(self._find, self._clock, self._sleep).wait(meeting_id, content, timeout_seconds)

    def summary(self, meeting_id: str) -> Summary:
        """Return the summary with its action items.

        Raises ExchangeFailed, MeetingUnknown, MeetingUnreadable or NotMade, and pydantic's ValidationError if this
        version of the client cannot read the summary.
        """
        record = self.get(meeting_id)
        return Summary.model_validate_json(self._read_output(record.summary_key, "summary", record))

    def transcript(self, meeting_id: str) -> Transcript:
        """Return the transcript. Raises the same exceptions as `summary`."""
        record = self.get(meeting_id)
        return Transcript.model_validate_json(self._read_output(record.transcript_key, "transcript", record))

    def _find(self, meeting_id: str) -> MeetingRecord | None:
        return meeting_queries.find_record(self._access.get(), meeting_id)

    def _read_output(self, key: str | None, output: str, record: MeetingRecord) -> bytes:
        content = None if key is None else meeting_queries.read_object(self._access.get(), key)
        if content is None:
            raise NotMade(output, record)
        return content
