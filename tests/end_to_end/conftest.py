"""Fixtures of the end-to-end tests: one deployed platform, and one run of each flow for all tests.

A *flow* is a program that uses one backend from end to end. The operator's command `verify` plays them all. All tests
of the platform belong to one xdist group, so that they share it.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from handlers.meetings.s3_keys import MeetingId
from local.emulation.iam.grant_usage import Decision
from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import voice_qa_flow
from local.flows.voice_qa_client import GuestConnection
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.lifecycle import deploy
from local.platform.progress import Progress
from operations.__main__ import main as run_operation
from tests.end_to_end import many_files
from tests.end_to_end.backends import (
    DeployedLivestream,
    DeployedMeetings,
    DeployedTranscription,
    DeployedVoiceQa,
    wait_until_empty,
)
from tests.end_to_end.deployed_ingestion import DeployedIngestion
from tests.end_to_end.deployment import read_test_stack
from tests.end_to_end.many_files import IngestionOutcome
from tests.end_to_end.meeting_recorder import Recorder
from tests.end_to_end.platform_under_test import Platform

INGESTED_FILES = 100
"""Number of files that the run of ingestion uploads. They become two manifests (lists of files for one Spark run), of
which the second is not full."""
INGESTION_RUN_PREFIX = "incoming/runs"


@pytest.fixture(autouse=True)
def _require_no_refusals(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test of the shared platform that used an action without a grant, and name action and role."""
    if "platform" not in request.fixturenames:
        yield
        return
    platform: Platform = request.getfixturevalue("platform")
    platform.unexplained_since = platform.decision_log_end()
    yield
    refusals = [
        decision
        for decision in platform.decisions(platform.unexplained_since)
        if decision.verdict is not AccessVerdict.ALLOW
    ]
    assert not refusals, "\n".join(f"used and not granted: {refusal}" for refusal in dict.fromkeys(refusals))


@pytest.fixture
def allow_refusals(platform: Platform) -> Iterator[None]:
    """Let a test pass although IAM refused an action."""
    yield
    platform.unexplained_since = platform.decision_log_end()


@pytest.fixture
def ingestion(platform: Platform) -> Iterator[DeployedIngestion]:
    """Client of ingestion. The fixture purges messages that a test leaves behind."""
    client = DeployedIngestion(platform.deployment)
    yield client
    client.client("sqs").purge_queue(QueueUrl=client.queue_url)


@pytest.fixture(scope="session")
def ingestion_run(platform: Platform) -> IngestionOutcome:
    """Run of ingestion with many files, which started with the platform, because it mostly waits for Spark."""
    return many_files.wait_for_outcome(DeployedIngestion(platform.deployment), INGESTION_RUN_PREFIX)


@dataclass(frozen=True)
class Verification:
    """Output of the command `verify`."""

    status: int
    lines: tuple[str, ...]

    def steps(self, flow: str) -> list[str]:
        """Return the descriptions of a flow's steps."""
        start = next(number for number, line in enumerate(self.lines) if line.startswith(f"{flow}: "))
        own_lines = takewhile(lambda line: line.startswith(" "), self.lines[start + 1 :])
        return [step for _, is_step, step in (line.partition(" s  ") for line in own_lines) if is_step]


@pytest.fixture(scope="session")
def transcription(platform: Platform) -> DeployedTranscription:
    return DeployedTranscription(platform.deployment)


@pytest.fixture(scope="session")
def voice_qa(platform: Platform) -> DeployedVoiceQa:
    return DeployedVoiceQa(platform.deployment)


@pytest.fixture(scope="session")
def lecture_id(voice_qa: DeployedVoiceQa) -> str:
    """Return the id of one lecture for all questions."""
    with GuestConnection(voice_qa) as connection:
        uploaded_id = connection.upload_lecture(*voice_qa_flow.LECTURE)
    assert voice_qa.wait_until_validated(uploaded_id)["status"] == "ready"
    return uploaded_id


@pytest.fixture(scope="session")
def livestream(platform: Platform) -> DeployedLivestream:
    return DeployedLivestream(platform.deployment)


@pytest.fixture(scope="session")
def meetings(platform: Platform) -> DeployedMeetings:
    return DeployedMeetings(platform.deployment)


@pytest.fixture(scope="session")
def ann(meetings: DeployedMeetings, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    """User who records meetings in the tests."""
    return Recorder(meetings, "ann", tmp_path_factory.mktemp("recordings"))


@dataclass(frozen=True)
class PlatformUse:
    """Results of all that uses the platform as its users, schedules and delayed messages do."""

    verification: Verification
    overdue_video: dict[str, Any]
    """Video that was expected long ago and never arrived."""
    answered_turns: int
    """Number of turns of a conversation with one question, after the check of the time limit of this question."""
    decisions: list[Decision]
    """IAM decisions of this time."""


@pytest.fixture(scope="session")
def platform_use(
    platform: Platform,
    livestream: DeployedLivestream,
    voice_qa: DeployedVoiceQa,
    lecture_id: str,
    meetings: DeployedMeetings,
    ann: Recorder,
    tmp_path_factory: pytest.TempPathFactory,
) -> PlatformUse:
    """Play the flows, and beside them all that starts late or with a delay, because each of them mostly waits."""
    log_end = platform.decision_log_end()
    with ThreadPoolExecutor() as pool:
        verification = pool.submit(verify, platform, tmp_path_factory.mktemp("verify") / "frontend.json")
        turns = pool.submit(check_time_limit, voice_qa, lecture_id)
        delete_meeting(meetings, ann)
    meetings.measure_storage()
    # When the data of this video's episode is removed, the removal of the flow's episodes has begun, too.
    video = wait_for_overdue_video(livestream)
    wait_until_empty(livestream.client, livestream.deletions_queue)
    return PlatformUse(verification.result(), video, turns.result(), platform.decisions(log_end))


def verify(platform: Platform, frontend: Path) -> Verification:
    """Run the operator's command `verify`, which plays every flow, with the variables that the AWS SDKs read."""
    frontend.write_text(json.dumps(platform.outputs["frontend"]), encoding="utf-8")
    lines: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(variable, emulator.ROOT_ACCESS_KEY)
        patch.setenv("AWS_ENDPOINT_URL", platform.emulator.endpoint)
        arguments = ["verify", "--stack", "local", "--frontend", str(frontend), "--seconds", "120"]
        status = run_operation(arguments, print_line=lines.append)
    return Verification(status, tuple(lines))


def wait_for_overdue_video(livestream: DeployedLivestream) -> dict[str, Any]:
    """Return a video that did not arrive in time, and delete its episode."""
    episode_id = livestream.create_episode("without a video")["episodeId"]
    path = f"/episodes/{episode_id}"
    livestream.ask("POST", f"{path}/uploads", {"kind": "video", "contentType": "video/mp4", "bytes": 10**9})
    livestream.backdate_track(episode_id, "video")
    video = dict(livestream.ask("GET", path).body["video"])
    livestream.ask("DELETE", path)
    livestream.wait_until_removed(episode_id)
    return video


def check_time_limit(voice_qa: DeployedVoiceQa, lecture_id: str) -> int:
    """Check the time limit of a question that has ended. Return the number of turns of its conversation."""
    with GuestConnection(voice_qa) as connection:
        guest_id = connection.request_guest_id()
        accepted, answer = connection.ask_question(lecture_id, "ended-question", text="oxygen")
    assert (answer.end or {})["type"] == "answered"
    voice_qa.wait_until_reported(guest_id, "ended-question")
    voice_qa.send_time_limit_check(guest_id, "ended-question")
    voice_qa.wait_until_checks_are_performed()
    return voice_qa.count_turns(connection.guest.identity_id, accepted["sessionId"], lecture_id)


def delete_meeting(meetings: DeployedMeetings, ann: Recorder) -> None:
    """Delete a processed meeting. Nothing is stored for it any more except its tombstone."""
    record = ann.wait_for_status(ann.upload(ann.record_speech("goodbye")))
    assert meetings.delete_meeting(ann.subject, record.meeting_id).status == 204
    meetings.wait_until_removed(MeetingId(record.user, record.meeting_id))


@pytest.fixture(scope="session")
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("platform")
    with emulator.start(folder) as started:
        deployed = deploy(read_test_stack(), started.emulator, Progress())
        platform = Platform(started.emulator, deployed, EmulatorClients(started.emulator.endpoint))
        if any("ingestion_run" in getattr(item, "fixturenames", ()) for item in request.session.items):
            many_files.start_runs(DeployedIngestion(platform.deployment), INGESTION_RUN_PREFIX, INGESTED_FILES)
        yield platform
