"""Tests of the lifetimes of the presigned URLs and forms that the handlers and the console create.

A presigned URL expires with the credentials that signed it, whatever the value of `ExpiresIn` is (Amazon S3 user guide,
"Download and upload objects with presigned URLs"). The functions sign with the credentials of their execution roles,
for which the AWS Lambda developer guide ("Session duration for temporary security credentials") states no duration.
"""

import re

from handlers.common.aws import PRESIGNED_SECONDS
from handlers.livestream.episodes.video_playback import PLAYBACK_SECONDS
from handlers.meetings.environment import RENEW_BEFORE_SECONDS
from handlers.transcription.audio_processor.stream import URL_SECONDS
from local import ROOT

SHORTEST_ROLE_SESSION = 900
"""Shortest session of any role, in seconds (AWS STS API reference, AssumeRole, DurationSeconds)."""
LIFETIMES = {"PRESIGNED_SECONDS": PRESIGNED_SECONDS, "PLAYBACK_SECONDS": PLAYBACK_SECONDS}
"""Lifetimes that the handlers pass to S3's client. The requirements let voice Q&A's setting be longer."""
SETTING = "self.environment.url_seconds"


def test_no_url_or_form_is_valid_for_longer_than_the_shortest_session_of_a_role() -> None:
    source = "".join(path.read_text() for path in (ROOT / "handlers").rglob("*.py"))
    names = re.findall(r"ExpiresIn=([\w.]+)", source)
    assert set(names) == {*LIFETIMES, SETTING}
    assert len(names) == len(re.findall(r"\.generate_presigned_(?:url|post)\(", source)), "each call has a lifetime"
    assert names.count(SETTING) == 1
    assert max(*LIFETIMES.values(), URL_SECONDS) <= SHORTEST_ROLE_SESSION


def test_the_console_signs_the_url_of_a_recording_for_no_longer_than_its_credentials_last() -> None:
    """The console renews its credentials `RENEW_BEFORE_SECONDS` before they expire, so they last at least so long."""
    constant = re.search(
        r"^const MEDIA_URL_SECONDS = (\d+);", (ROOT / "console/lib/meetings-api.js").read_text(), re.MULTILINE
    )
    assert constant is not None
    assert int(constant[1]) <= RENEW_BEFORE_SECONDS
