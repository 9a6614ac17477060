"""The client: everything that a program does with a user's meetings."""

import os
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from clients.meetings import meeting_reader
from clients.meetings.client_errors import MeetingUnknown, NotMade
from clients.meetings.readiness_polling import Waiting
from clients.meetings.recording_upload import Upload
from clients.meetings.token_exchange_request import HttpExchange
from clients.meetings.upload_models import NewMeeting, Uploaded
from clients.meetings.user_credentials import Access
from handlers.common.time_and_ids import clock
from handlers.meetings.bedrock_summarize.summary import Summary
from handlers.meetings.bedrock_summarize.transcript import Transcript
from handlers.meetings.meeting_record import MeetingRecord

WORKERS = 8
TWO_HOURS = 2 * 3600.0


class MeetingsClient:
    """One user's meetings. Threads may share it; it asks for nothing before it is first used.

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
        """A client for whoever `token` names.

        `api_url` is the stack output `frontend.meetings.apiUrl`. `token` gives a token of the identity provider that is
        good now; it is called again, perhaps by another thread, whenever credentials are to be renewed. `session_name`
        is what AWS' logs call the session: a device, for instance. `workers` is how many chunks are uploaded at once.
        `endpoint_url` is where AWS is, if not where it is for everybody: on the local platform.
        """
        self._access = Access(HttpExchange(api_url, token, session_name), clock, workers, endpoint_url)
        self._workers = workers
        self._clock = clock
        self._sleep = sleep

    @property
    def user(self) -> str:
        """The user's name in keys and tables; raises ExchangeFailed."""
        return self._access.opened().user

    def upload(self, meeting: NewMeeting, chunks: Iterable[str | os.PathLike[str]]) -> Uploaded:
        """Uploads a recording: files that can each be decoded by themselves, in their order.

        `chunks` may be an iterator that yields files as they are recorded; each is sent as soon as it comes. An upload
        that was interrupted goes on when it is begun again with the same `meeting` and files: what is there with the
        right size and checksum is not sent again. Raises ExchangeFailed, ChunkRefused or UploadInterrupted.
        """
        return Upload(self._access.opened(), meeting, self._workers).run(chunks)

    def list_by_date(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        participant: str | None = None,
        tag: str | None = None,
    ) -> meeting_reader.MeetingList:
        """The meetings that began from `since` on and before `until`, newest first, read as they are taken.

        `participant` and `tag` leave out the others, in whatever case they are written. A meeting that this edition
        cannot read ends no list: its id is in the list's `unreadable`.
        """
        bounds = meeting_reader.between(since, until)
        items = () if bounds is None else meeting_reader.newest_first(self._access.opened(), bounds)
        return meeting_reader.MeetingList(items, lambda one: meeting_reader.matches(one, participant, tag))

    def get(self, meeting_id: str) -> MeetingRecord:
        """One meeting; raises MeetingUnknown or MeetingUnreadable."""
        record = self._find(meeting_id)
        if record is None:
            raise MeetingUnknown(meeting_id)
        return record

    def wait_until_ready(
        self, meeting_id: str, *, content: str | None = None, timeout_seconds: float = TWO_HOURS
    ) -> MeetingRecord:
        """The meeting, once it is ready; asks every few seconds, seldomer the longer it takes.

        `content`, of an `Uploaded`, waits for that recording: what is known of an older one of the same meeting does not
        count, and a failure that is there already is told after a minute. Raises MeetingFailed, MeetingIncomplete (chunks
        are missing for more than a minute) or NotReadyInTime.
        """
        return Waiting(self._find, self._clock, self._sleep).until_ready(meeting_id, content, timeout_seconds)

    def summary(self, meeting_id: str) -> Summary:
        """The summary and action items; raises MeetingUnknown or NotMade."""
        record = self.get(meeting_id)
        return Summary.model_validate_json(self._made(record.summary_key, "summary", record))

    def transcript(self, meeting_id: str) -> Transcript:
        """All that was said; raises MeetingUnknown or NotMade."""
        record = self.get(meeting_id)
        return Transcript.model_validate_json(self._made(record.transcript_key, "transcript", record))

    def _find(self, meeting_id: str) -> MeetingRecord | None:
        return meeting_reader.found(self._access.opened(), meeting_id)

    def _made(self, key: str | None, what: str, record: MeetingRecord) -> bytes:
        content = None if key is None else meeting_reader.content_of(self._access.opened(), key)
        if content is None:
            raise NotMade(what, record)
        return content
