"""Client for the meetings backend of a local deployment, and a writer of recordings with speech."""

from pathlib import Path
from typing import Any

from handlers.common.time_and_ids import clock
from handlers.meetings.auth_exchange.api_models import ExchangeResponse
from handlers.meetings.storage.daily_storage_metrics import COUNTS_PREFIX
from local.emulation.speech.audio_formats import RATE, SAMPLE_BYTES
from local.ffmpeg import pcm_input, run_ffmpeg
from local.flows import Deployment, identity, invoke
from local.flows.http_requests import Answer, ask
from local.flows.meetings_user import MeetingsUser
from local.flows.speech_clips import join_clips


class MeetingsBackend:
    def __init__(self, deployment: Deployment) -> None:
        frontend = deployment.frontend("meetings")
        self.client = deployment.client
        self.endpoint = deployment.emulator.endpoint
        self._deployment = deployment
        self.url, self.bucket, self.table = frontend["apiUrl"], frontend["bucket"], frontend["table"]
        self.workflow = deployment.ids["meetings-workflow-machine"]
        self.storage_function = deployment.function("meetings-storage")
        """Name of the function that counts the storage of each user."""

    def request_token(self, subject: str, seconds: int = identity.TOKEN_SECONDS) -> str:
        """Return a token of a user. A negative number of seconds gives an expired token."""
        return identity.request_token(self._deployment, subject, seconds)

    def exchange_token(self, body: object) -> Answer:
        """Send a request to the token exchange, which returns AWS credentials for a user's token."""
        return ask("POST", f"{self.url}/exchange", body, {"Origin": "https://app.example.com"})

    def open_access(self, subject: str) -> MeetingsUser:
        """Return the user with AWS credentials for the user's token."""
        answer = self.exchange_token({"token": self.request_token(subject), "sessionName": f"{subject}'s laptop"})
        assert answer.status == 200, answer
        return MeetingsUser(ExchangeResponse.model_validate(answer.body), self.endpoint)

    def presign_download(self, subject: str, key: str) -> str:
        """Return a URL for an object, signed with a user's credentials, as the console signs the URLs of its players."""
        parameters = {"Bucket": self.bucket, "Key": key}
        return str(self.open_access(subject).s3.generate_presigned_url("get_object", Params=parameters))

    def execution_names(self) -> list[str]:
        executions = self.client("stepfunctions").list_executions(stateMachineArn=self.workflow)["executions"]
        return [execution["name"] for execution in executions]

    def count_storage(self) -> dict[str, Any]:
        """Invoke the function that counts the storage of each user, and return its result.

        It counts only once a day. So delete the count of today first, which the schedule may have stored.
        """
        self.client("s3").delete_object(Bucket=self.bucket, Key=f"{COUNTS_PREFIX}{clock.now().date().isoformat()}.json")
        return invoke(self.client, self.storage_function, kind="storage")


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
