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
from handlers.common.records import Records
from handlers.voice_qa.environment import AgentCode, WorkerEnvironment
from handlers.voice_qa.lectures import LectureTable
from handlers.voice_qa.messages import Piece, Query
from handlers.voice_qa.query_worker.agent import AgentFailed, AgentQuestion, read_pieces
from handlers.voice_qa.query_worker.answers import AudioBucket, Conversations
from handlers.voice_qa.query_worker.handler import AnswerOutcome, QueryWorker
from handlers.voice_qa.records import (
    GuestConnection,
    Question,
    conversation_key,
    query_key,
)
from tests.handlers.common.fakes import Clients, Clock, client_error
from tests.handlers.voice_qa.socket_harness import ENVIRONMENT, SocketHarness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, TABLE, LectureHarness, put_lecture

IDENTITY = "us-east-1:canary-guest"
GUEST_ID, QUERY_ID, SESSION_ID = "CANARYGUESTID2345672345672345672", "canary-query-1", "01M7W8GQNQY865WCQPRM59D2J7"
LECTURE_ID = "01M7W8GQNQY865WCQPRM59D2J8"
AUDIO_KEY = f"queries/{GUEST_ID}/01M7W8GQNQY865WCQPRM59D2J9"
LECTURE_KEY = f"lectures/{LECTURE_ID}/canary.mp3"
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
        self.records: Records[Question] = self.api.questions
        self.conversations = Conversations(self.dynamodb, TABLE, 7, self.clock)

    @cached_property
    def query_worker(self) -> QueryWorker:
        """The worker. It is created in the test that first uses it, like the WebSocket handler."""
        return QueryWorker(
            environment=WORKER_ENVIRONMENT,
            records=self.records,
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
        put_lecture(self.dynamodb, LECTURE_ID, **{"key": LECTURE_KEY, "version_id": version, **attributes})

    def ask(self, connection: str = "c1", **content: Any) -> bool:
        """Ask the question, for the first time or again. Return True if a worker is invoked.

        `content` are fields of the message. By default, it is a written question.
        """
        text = {} if "audio_key" in content else {"text": QUESTION_TEXT}
        ids = {"query_id": self.query_id, "lecture_id": LECTURE_ID, "session_id": SESSION_ID}
        message = Query.model_validate({"action": "query", **ids, **text, **content})
        before = len(self.api.worker_events)
        self.api.handler.ask(GuestConnection(identity=IDENTITY, guest_id=GUEST_ID), connection, message)
        return len(self.api.worker_events) > before

    def upload_audio(self, data: bytes = b"audio", content_type: str = "audio/webm") -> None:
        """Upload a spoken question, and ask it."""
        self.s3.put_object(Bucket=BUCKET, Key=AUDIO_KEY, Body=data, ContentType=content_type)
        self.ask(audio_key=AUDIO_KEY)

    def invoke(self, *steps: Step) -> AnswerOutcome:
        """Invoke the worker. `steps` are the script of the agent's answer."""
        self.agent.scripts.append(steps)
        event = {"schemaVersion": 1, "guestId": GUEST_ID, "queryId": self.query_id}
        return self.query_worker.handle(event)

    def answer_question(self, *steps: Step) -> AnswerOutcome:
        """Ask the question and invoke the worker."""
        self.ask()
        return self.invoke(*steps)

    def check_time_limit(self) -> object:
        """Handle a time limit check, as SQS delivers it. Return the failures of the batch."""
        return self.api.check_time_limit(self.query_id, GUEST_ID)

    def sent_messages(self, kind: str, connection: str = "c1") -> list[dict[str, Any]]:
        """Return the messages of one type that a connection received."""
        return self.clients.sent_to(connection, kind)

    def wait(self, milliseconds: int) -> Callable[[], None]:
        """Return a step of a scripted answer that advances the clock."""

        def advance_clock() -> None:
            self.clock.now_ms += milliseconds

        return advance_clock

    def change_question(self, **changes: Any) -> None:
        """Change fields of the question's record."""
        self.records.change(
            query_key(GUEST_ID, self.query_id), lambda record: record and record.model_copy(update=changes)
        )

    def log_lines(self, output: str, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [line for line in map(json.loads, output.splitlines()) if line["message"] == event]

    @property
    def question(self) -> Question:
        question = self.records.read(query_key(GUEST_ID, self.query_id))
        assert question is not None
        return question

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Return the questions and answers in the conversation."""
        key = conversation_key(IDENTITY, SESSION_ID, LECTURE_ID)
        return [(turn.question, turn.answer) for turn in self.conversations.context(key)]
