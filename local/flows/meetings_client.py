"""Client for the meetings backend, and a writer of recordings with speech."""

from pathlib import Path

from handlers.meetings.auth_exchange.api import ExchangeResponse
from local.audio_formats import RATE, SAMPLE_BYTES
from local.ffmpeg import pcm_input, run_ffmpeg
from local.flows import Stack
from local.flows.http_requests import Answer, ask
from local.flows.meetings_user import MeetingsUser
from local.flows.speech_clips import join_clips


class MeetingsBackend:
    """Meetings backend of one stack, as users call it."""

    def __init__(self, stack: Stack) -> None:
        frontend = stack.frontend["meetings"]
        self.stack = stack
        self.url, self.bucket, self.table = frontend["apiUrl"], frontend["bucket"], frontend["table"]

    def request_token(self, subject: str) -> str:
        """Return a token of the identity provider for a user."""
        return self.stack.token(subject)

    def exchange_token(self, body: object) -> Answer:
        """Send a request, as from a page of the app, to the token exchange. It returns AWS credentials for a user's token."""
        return ask("POST", f"{self.url}/exchange", body, {"Origin": "https://app.example.com"})

    def delete_meeting(self, subject: str, meeting_id: str) -> Answer:
        """Delete a meeting with a user's token."""
        headers = {"Authorization": f"Bearer {self.request_token(subject)}"}
        return ask("DELETE", f"{self.url}/meetings/{meeting_id}", headers=headers)

    def open_access(self, subject: str) -> MeetingsUser:
        """Return the user with AWS credentials for the user's token."""
        answer = self.exchange_token({"token": self.request_token(subject), "sessionName": f"{subject}'s laptop"})
        assert answer.status == 200, answer
        return MeetingsUser(ExchangeResponse.model_validate(answer.body), self.stack.connect)


def write_recording(path: Path, *clips: str, pictures: bool = True) -> Path:
    """Write a recording of spoken clips, with a test picture or without `pictures`. Return its path."""
    samples = join_clips(*clips)
    # The duration is set explicitly, because `-shortest` sometimes makes the video seconds longer than the audio.
    seconds = len(samples) / SAMPLE_BYTES / RATE
    video_input = ("-f", "lavfi", "-i", f"testsrc2=size=320x240:rate=5:duration={seconds}")
    encoders = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k")
    ffmpeg_options = (*video_input, *encoders) if pictures else ("-c:a", "aac", "-b:a", "96k")
    run_ffmpeg(*pcm_input(RATE), *ffmpeg_options, str(path), data=samples)
    return path
