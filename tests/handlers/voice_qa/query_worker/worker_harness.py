"""Query worker with a bucket and a table in moto, fake WebSocket clients, and an agent that follows a script.

The agent is the external service that answers a question, in pieces of text and audio. Texts with "canary" must not be
logged.
"""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from handlers.common.logging import EventLog
from handlers.voice_qa.environment import AgentCode, WorkerEnvironment
from handlers.voice_qa.messages import Piece
from handlers.voice_qa.query_worker.agent import AgentFailed, AgentQuestion, read_pieces
from handlers.voice_qa.query_worker.answer_storage import AudioBucket, Conversations
from handlers.voice_qa.query_worker.handler import AnswerOutcome, QueryWorker
from handlers.voice_qa.records import LectureTable, Question, conversation_key
from tests.handlers.common.fakes import Clients, Clock, client_error
from tests.handlers.voice_qa.socket_harness import ANN_GUEST_ID, ANN_IDENTITY, ENVIRONMENT, SocketHarness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import (
    BUCKET,
    LECTURE_ID,
    LECTURE_KEY,
    TABLE,
    LectureHarness,
)

QUERY_ID, SESSION_ID = "canary-query-1", "01M7W8GQNQY865WCQPRM59D2J7"
AUDIO_KEY = f"queries/{ANN_GUEST_ID}/01M7W8GQNQY865WCQPRM59D2J9"
QUESTION_TEXT = "What is the canary?"
SOCKET_ENVIRONMENT = ENVIRONMENT.model_copy(update={"queries_per_hour": 1_000})
WORKER_ENVIRONMENT = WorkerEnvironment(
    s3_bucket=BUCKET,
    dynamodb_table=TABLE,
    session_days=ENVIRONMENT.session_days,
    answer_seconds=ENVIRONMENT.answer_seconds,
    agentcore_endpoint="http://127.0.0.1:9",
    agentcore_qualifier="DEFAULT",
)

TEXT, MORE_TEXT = ({"type": "text", "text": text} for text in ("Canaries ", "sing."))
AUDIO_BYTES = b"OggS canary"
AUDIO = {"type": "audio", "audio": base64.b64encode(AUDIO_BYTES).decode(), "format": "ogg-opus"}
INTERRUPTED = AgentFailed(AgentCode.UNAVAILABLE)
AWS_ERROR = client_error("Throttling")

Step = dict[str, Any] | Exception | Callable[[], object]
"""A step of a scripted answer: the agent sends a line, or the answer fails, or a function of the test is called."""


@dataclass
class ScriptedAgent:
    """The external agent. It answers each question with the next script. If the first step fails, no answer begins."""

    scripts: list[tuple[Step, ...]] = field(default_factory=list)
    questions: list[AgentQuestion] = field(default_factory=list)
    """Questions that the agent received."""
    closed_count: int = 0

    @contextmanager
    def answer(self, question: AgentQuestion, attempt: int) -> Iterator[Iterator[Piece]]:
        self.questions.append(question)
        steps = self.scripts.pop(0)
        if steps and isinstance(steps[0], Exception):
            raise steps[0]
        try:
            yield read_pieces(_run(steps), question.query_id, attempt, question.lecture.duration_ms)
        finally:
            self.closed_count += 1


def _run(steps: tuple[Step, ...]) -> Iterator[bytes]:
    for step in steps:
        if isinstance(step, Exception):
            raise step
        if callable(step):
            step()
        else:
            yield json.dumps(step).encode()
    yield b'{"type": "done"}'


@dataclass
class WorkerHarness:
    """The query worker, and the WebSocket handler's part for questions, for one guest who asks one question.

    A test asks the question, scripts the agent's answer, invokes the worker, and inspects `clients.inbox`. The guest's
    connection is `c1` by default.
    """

    lectures: LectureHarness
    clock: Clock = field(default_factory=Clock)
    clients: Clients = field(default_factory=Clients)
    agent: ScriptedAgent = field(default_factory=ScriptedAgent)
    query_id: str = QUERY_ID

    def __post_init__(self) -> None:
        self.dynamodb, self.s3 = self.lectures.dynamodb, self.lectures.s3
        self.api = SocketHarness(self.dynamodb, self.clock, self.clients, environment=SOCKET_ENVIRONMENT)
        self.conversations = Conversations(self.dynamodb, TABLE, 7, self.clock)

    @cached_property
    def query_worker(self) -> QueryWorker:
        """The worker. It is created in the test that first uses it, like the WebSocket handler."""
        return QueryWorker(
            environment=WORKER_ENVIRONMENT,
            questions=self.api.questions,
            lectures=LectureTable(self.dynamodb, TABLE),
            conversations=self.conversations,
            audio=AudioBucket(self.s3, BUCKET),
            connections=self.clients,
            agent=self.agent,  # type: ignore[arg-type]  # only `answer` is used
            clock_ms=self.clock,
            log=EventLog("DEBUG"),
        )

    def store_lecture(self, **attributes: str | int) -> None:
        """Store the lecture's item and its recording."""
        version = self.s3.put_object(Bucket=BUCKET, Key=LECTURE_KEY, Body=b"lecture")["VersionId"]
        self.api.store_lecture(**{"key": LECTURE_KEY, "version_id": version, **attributes})

    def ask(self, connection: str = "c1", **content: Any) -> bool:
        """Ask the question, for the first time or again. Return True if a worker is invoked.

        `content` are fields of the message. By default, it is a written question.
        """
        self.api.connect(connection)
        before = len(self.api.worker_events)
        message = {"text": QUESTION_TEXT, "sessionId": SESSION_ID, **content}
        assert self.api.ask(self.query_id, connection, **message)["type"] == "queryAccepted"
        return len(self.api.worker_events) > before

    def upload_audio(self, data: bytes = b"audio", content_type: str = "audio/webm") -> None:
        """Upload a spoken question, and ask it."""
        self.s3.put_object(Bucket=BUCKET, Key=AUDIO_KEY, Body=data, ContentType=content_type)
        self.ask(audioKey=AUDIO_KEY, text=None)

    def invoke(self, *steps: Step) -> AnswerOutcome:
        """Invoke the worker. `steps` are the script of the agent's answer."""
        self.agent.scripts.append(steps)
        return self.query_worker.handle({"guestId": ANN_GUEST_ID, "queryId": self.query_id})

    def answer_question(self, *steps: Step) -> AnswerOutcome:
        """Ask the question and invoke the worker."""
        self.ask()
        return self.invoke(*steps)

    def check_time_limit(self) -> object:
        """Handle a time limit check, as SQS delivers it. Return the failures of the batch."""
        return self.api.check_time_limit(self.query_id)

    def sent_messages(self, kind: str, connection: str = "c1") -> list[dict[str, Any]]:
        """Return the messages of one type that a connection received."""
        return self.clients.sent_to(connection, kind)

    def wait(self, milliseconds: int) -> Callable[[], None]:
        """Return a step of a scripted answer that advances the clock."""

        def advance_clock() -> None:
            self.clock.now_ms += milliseconds

        return advance_clock

    def log_lines(self, output: str, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [line for line in map(json.loads, output.splitlines()) if line["message"] == event]

    @property
    def question(self) -> Question:
        return self.api.read_question(self.query_id)

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Return the questions and answers in the conversation."""
        key = conversation_key(ANN_IDENTITY, SESSION_ID, LECTURE_ID)
        return [(turn.question, turn.answer) for turn in self.conversations.read_context(key)]
