"""A recording that is uploaded to a deployed stack as anybody would, to see that it goes through."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from clients.meetings import MeetingsClient, MeetingsError, NewMeeting
from handlers.common import clock
from operations.desk import Desk
from operations.problems import Refused


@dataclass(frozen=True)
class Sample:
    """A recording that is to go through."""

    recording: Path
    token: Path
    api_url: str

    @staticmethod
    def of(recording: Path | None, token: Path | None, api_url: str | None) -> "Sample | None":
        """All three, or none."""
        if recording is None and token is None and api_url is None:
            return None
        if recording is None or token is None or api_url is None:
            raise Refused("a sample needs --recording, --token and --api-url, all three")
        if missing := [str(one) for one in (recording, token) if not one.is_file()]:
            raise Refused(f"{missing[0]} is no file")
        return Sample(recording, token, api_url)


def went_through(desk: Desk, sample: Sample | None, client: Callable[..., MeetingsClient]) -> Iterator[str]:
    """What is wrong, where it does not."""
    if sample is None:
        desk.say("skipped   a sample recording: give --recording, --token and --api-url")
        return
    begun = time.monotonic()
    try:
        user = client(sample.api_url, lambda: sample.token.read_text().strip(), "checklist")
        uploaded = user.upload(NewMeeting(title="Checklist", started_at=clock.now()), [sample.recording])
        desk.say(f"uploaded  {uploaded.meeting_id}; waiting for it")
        record = user.wait_until_ready(uploaded.meeting_id, content=uploaded.content)
    except (MeetingsError, ClientError, BotoCoreError) as error:
        # What a service says may repeat what it was sent.
        yield f"the sample did not go through: {type(error).__name__}"
        return
    desk.say(f"ok        the sample is {record.status} after {time.monotonic() - begun:.0f} s")
