"""Client for the meetings backend of a local deployment, and a writer of recordings with speech."""

from pathlib import Path
from typing import Any

from clients.meetings import MeetingsClient
from clients.meetings.token_exchange_request import TokenExchangeRequest
from clients.meetings.user_credentials import AccessProvider, UserAccess
from handlers.common.time_and_ids import clock
from handlers.meetings.storage.daily_storage_metrics import COUNTS_PREFIX
from local.emulation.identity_provider import token_url
from local.emulation.speech.audio_formats import RATE, SAMPLE_BYTES
from local.ffmpeg import pcm_input, run_ffmpeg
from local.flows import Deployment, invoke
from local.flows.http_requests import Answer, ask
from local.flows.speech_clips import join_clips


class MeetingsBackend:
    def __init__(self, deployment: Deployment) -> None:
        frontend = deployment.frontend("meetings")
        self.client = deployment.client
        self.endpoint = deployment.emulator.endpoint
        self.token_url = token_url(deployment.emulator.services["JWKS_URL"])
        """URL at which the local identity provider issues tokens."""
        self.url, self.bucket, self.table = frontend["apiUrl"], frontend["bucket"], frontend["table"]
        self.workflow = deployment.ids["meetings-workflow-machine"]
        self.sweep_function = deployment.function("meetings-sweep")
        """Name of the scheduled function that looks for meetings which stayed in one state for too long."""
        self.storage_function = deployment.function("meetings-storage")
        """Name of the function that counts the storage of each user."""

    def request_token(self, subject: str, seconds: int = 3600) -> str:
        """Return a token of the local identity provider. A negative number of seconds gives an expired token."""
        response = ask("POST", self.token_url, {"subject": subject, "seconds": seconds})
        assert response.status == 200, response
        return str(response.body["id_token"])

    def client_of_user(self, subject: str) -> MeetingsClient:
        """Return the published meetings client (`clients/meetings`) for a user."""
        return MeetingsClient(
            self.url, lambda: self.request_token(subject), f"{subject}'s laptop", endpoint_url=self.endpoint, workers=2
        )

    def request_playback(self, subject: str, meeting_id: str) -> Answer:
        """Request the URLs with which a user can play a recording."""
        body = {"token": self.request_token(subject), "meetingId": meeting_id}
        return ask("POST", f"{self.url}/playback", body)

    def open_access(self, subject: str) -> UserAccess:
        """Exchange a user's token for AWS credentials, and return AWS clients with them."""
        exchange = TokenExchangeRequest(self.url, lambda: self.request_token(subject), subject)
        return AccessProvider(exchange, clock.now, 1, self.endpoint).get()

    def execution_names(self) -> list[str]:
        executions = self.client("stepfunctions").list_executions(stateMachineArn=self.workflow)["executions"]
        return [execution["name"] for execution in executions]

    def invoke_scheduled(self, function: str, kind: str) -> dict[str, Any]:
        """Invoke a function as its schedule does. `kind` is part of the schedule's event."""
        return invoke(self.client, function, kind=kind)

    def count_storage(self) -> dict[str, Any]:
        """Invoke the function that counts the storage of each user, and return its result.

        It counts only once a day. So delete the count of today first, which the schedule may have stored.
        """
        self.client("s3").delete_object(Bucket=self.bucket, Key=f"{COUNTS_PREFIX}{clock.now().date().isoformat()}.json")
        return self.invoke_scheduled(self.storage_function, "storage")


def write_recording(path: Path, *clips: str, pictures: bool = True) -> Path:
    """Write a file of a recording in which clips are spoken, and return its path.

    The video shows a test picture. Without `pictures`, there is only sound.
    """
    samples = join_clips(*clips)
    # The duration is set explicitly, because `-shortest` sometimes makes the video seconds longer than the audio.
    seconds = len(samples) / SAMPLE_BYTES / RATE
    video_input = ("-f", "lavfi", "-i", f"testsrc2=size=320x240:rate=5:duration={seconds}")
    encoders = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k")
    ffmpeg_options = (*video_input, *encoders) if pictures else ("-c:a", "aac", "-b:a", "96k")
    run_ffmpeg(*pcm_input(RATE), *ffmpeg_options, str(path), data=samples)
    return path
