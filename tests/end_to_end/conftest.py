"""The platform on an emulator of its own, brought up once for all end-to-end tests (they share one xdist group)."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest

from local.emulation.iam.decision_log import Decision, log_size, read_decisions
from local.emulation.iam.grants_table import GrantsTable, compare_grants, read_reviewed_grants, read_stack_grants
from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import Deployment, ingestion_flow, livestream_flow, meetings_flow, transcription_flow, voice_qa_flow
from local.flows.ingestion_client import Intake, Runs
from local.flows.livestream_client import Livestream
from local.flows.meetings_client import Meetings
from local.flows.transcription_client import Captioning
from local.flows.voice_qa_client import Lectures
from local.platform import emulator
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.lifecycle import DeployedPlatform, deploy
from local.platform.progress import SilentProgress
from local.preview import stack_files
from local.preview.property_values import Props
from local.preview.resource_graph import Graph, Resource

PREFIX = "polyphony-local-"
INGESTED_FILES = 450
T = TypeVar("T")


@dataclass
class Platform:
    """What a test sees of it."""

    emulator: Emulator
    deployed: DeployedPlatform
    client: EmulatorClients
    unexplained_since: int = 0
    """Refusals after this mark are nobody's intention."""

    @property
    def outputs(self) -> Props:
        """The stack's outputs."""
        return self.deployed.outputs

    @property
    def deployment(self) -> Deployment:
        """The stack as flows see it."""
        return Deployment(self.emulator, self.client, self.deployed.ids, self.outputs)

    @property
    def graph(self) -> Graph:
        """Everything the program registered."""
        return self.deployed.graph

    def resource(self, name: str) -> Resource:
        """A resource by its Pulumi name."""
        return next(one for one in self.graph.customs() if one.name == name)

    def id(self, name: str) -> Any:
        """The id of a resource by its Pulumi name."""
        return self.resource(name).id

    def mark(self) -> int:
        """The end of the record of IAM decisions: what comes later is read with `decisions(mark)`."""
        return log_size(self.emulator.folder)

    def decisions(self, mark: int) -> list[Decision]:
        """Every decision since the mark."""
        return read_decisions(self.emulator.folder, mark)

    def grants_against_use(self, mark: int) -> GrantsTable:
        """The table of grants and their use since the mark."""
        return self.grants_against(self.decisions(mark))

    def grants_against(self, decisions: list[Decision]) -> GrantsTable:
        """The table of grants and of what these decisions used."""
        return compare_grants(read_stack_grants(self.client("iam"), PREFIX), decisions, read_reviewed_grants(), PREFIX)

    @contextmanager
    def actions_of(self, role: str, *, without: str = "", more: str = "", policy: str = "grants") -> Iterator[None]:
        """A role's grants with an action less or more, until the end of the block."""
        iam = self.client("iam")
        name = f"{PREFIX}{role}"
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        changed: dict[str, Any] = json.loads(json.dumps(document))
        for statement in changed["Statement"]:
            statement["Action"] = [one for one in statement["Action"] if one != without]
        changed["Statement"] = [one for one in changed["Statement"] if one["Action"]]
        if more:
            changed["Statement"].append({"Effect": "Allow", "Action": [more], "Resource": ["*"]})
        assert changed != document, "nothing was changed"
        if changed["Statement"]:
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(changed))
        else:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        try:
            yield
        finally:
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
            self.unexplained_since = self.mark()


@pytest.fixture(autouse=True)
def _nothing_refused(platform: Platform) -> Iterator[None]:
    """A missing grant fails the test that needs it, and names action and role."""
    platform.unexplained_since = platform.mark()
    yield
    refused = [one for one in platform.decisions(platform.unexplained_since) if one.verdict is not AccessVerdict.ALLOW]
    assert not refused, "\n".join(f"used and not granted: {one}" for one in dict.fromkeys(refused))


@pytest.fixture
def intake(platform: Platform) -> Iterator[Intake]:
    """Ingestion's intake; what a test leaves waiting for another attempt is thrown away."""
    made = Intake(platform.deployment)
    yield made
    made.client("sqs").purge_queue(QueueUrl=made.queue_url)


@dataclass(frozen=True)
class Played(Generic[T]):
    """A flow that was played, once for all tests: what came of it, and what IAM was asked for meanwhile."""

    outcome: T
    decisions: list[Decision]


Ingested = Played[tuple[int, ingestion_flow.Outcome]]
"""With how many files of other tests the last manifest takes along."""


@pytest.fixture(scope="session")
def ingestion_playing(platform: Platform) -> Iterator[Future[Ingested]]:
    """Ingestion's flow, which others may be played beside: most of the time it waits for Spark."""
    mark, runs = platform.mark(), Runs(platform.deployment)
    waiting = runs.statuses("")["pending"]

    def play() -> Ingested:
        outcome = ingestion_flow.play(runs, "incoming/runs", INGESTED_FILES, lambda _: None)
        return Played((waiting, outcome), platform.decisions(mark))

    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(play)


@pytest.fixture(scope="session")
def ingestion_played(ingestion_playing: Future[Ingested]) -> Ingested:
    """Ingestion's flow."""
    return ingestion_playing.result()


@pytest.fixture(scope="session")
def transcription_played(platform: Platform) -> Played[list[str]]:
    """Transcription's flow."""
    mark = platform.mark()
    outcome = transcription_flow.play(Captioning(platform.deployment), lambda _: None)
    return Played(outcome, platform.decisions(mark))


@pytest.fixture(scope="session")
def voice_qa_played(platform: Platform) -> Played[list[str]]:
    """Voice Q&A's flow."""
    mark = platform.mark()
    outcome = voice_qa_flow.play(Lectures(platform.deployment), lambda _: None)
    return Played(outcome, platform.decisions(mark))


@pytest.fixture
def lectures(platform: Platform) -> Lectures:
    """Voice Q&A from outside."""
    return Lectures(platform.deployment)


@pytest.fixture(scope="session")
def livestream(platform: Platform) -> Livestream:
    """The livestream backend from outside."""
    return Livestream(platform.deployment)


@pytest.fixture(scope="session")
def livestream_played(platform: Platform, livestream: Livestream) -> Played[list[str]]:
    """The livestream's flow."""
    mark = platform.mark()
    outcome = livestream_flow.play(livestream, lambda _: None)
    return Played(outcome, platform.decisions(mark))


@pytest.fixture(scope="session")
def meetings(platform: Platform) -> Meetings:
    """The meetings backend from outside."""
    return Meetings(platform.deployment)


@pytest.fixture(scope="session")
def meetings_played(platform: Platform, meetings: Meetings) -> Played[list[str]]:
    """The meetings' flow."""
    mark = platform.mark()
    outcome = meetings_flow.play(meetings, lambda _: None)
    return Played(outcome, platform.decisions(mark))


@pytest.fixture
def captioning(platform: Platform) -> Captioning:
    """Transcription from outside."""
    return Captioning(platform.deployment)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("platform")
    with emulator.start(folder) as started:
        deployed = deploy(stack_files.read("local"), started.emulator, SilentProgress())
        yield Platform(started.emulator, deployed, EmulatorClients(started.emulator.endpoint))
