"""Query worker with a bucket and a table in moto, fake WebSocket clients, and an agent that follows a script.

The agent is the external service that answers a question, in pieces of text and audio. Texts with "canary" must not be
logged.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from handlers.common.events import BatchFailures
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.versioned_items import VersionedItems
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.query_worker import agent_protocol
from handlers.voice_qa.query_worker.agent_protocol import AgentFailed, AnswerAudioFormat
from handlers.voice_qa.query_worker.agent_question_processing import AnswerOutcome, QuestionAnswering
from handlers.voice_qa.query_worker.answer_store import AnswerStore
from handlers.voice_qa.query_worker.conversations import Conversations
from handlers.voice_qa.query_worker.environment import AgentCode
from handlers.voice_qa.query_worker.handler import QueryWorker
from handlers.voice_qa.query_worker.question_context import QuestionContext
from handlers.voice_qa.table_records import (
    CHECK_GRACE_SECONDS,
    Allowance,
    Listener,
    QuestionRecord,
    TimeLimitCheck,
    allowance_key,
    conversation_key,
    query_key,
)
from handlers.voice_qa.websocket_handler.overdue_question_check import OverdueQuestionChecker
from tests.handlers.transcription.router_harness import Clients, Clock
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, TABLE, LectureHarness, put_lecture

IDENTITY = "us-east-1:canary-guest"
GUEST_ID, QUERY_ID, SESSION_ID = "CANARYGUESTID2345672345672345672", "canary-query-1", "01M7W8GQNQY865WCQPRM59D2J7"
LECTURE_ID = "01M7W8GQNQY865WCQPRM59D2J8"
AUDIO_KEY = f"queries/{GUEST_ID}/canary.webm"
LECTURE_KEY = f"lectures/{LECTURE_ID}/canary.mp3"
QUESTION_TEXT = "What is the canary?"
REMAINING_MS = 900_000
"""Remaining time that Lambda reports to each invocation."""
LIMIT_MS = 600_000
"""Time limit of a question."""
MAX_QUERY_BYTES = 1_000

TEXT, MORE_TEXT = agent_protocol.AgentText(text="Canaries "), agent_protocol.AgentText(text="sing.")
AUDIO = agent_protocol.AgentAudio(audio=b"OggS canary", format=AnswerAudioFormat.OGG_OPUS)
ANSWER_BROKEN_OFF = AgentFailed(AgentCode.UNAVAILABLE)
AWS_ERROR = ClientError({"Error": {"Code": "Throttling", "Message": "canary"}}, "Operation")

Step = agent_protocol.AgentPiece | Exception | Callable[[], object]
"""A step of a scripted answer: the agent sends a piece, or the answer fails, or a function of the test is called."""


@dataclass
class ScriptedAnswer:
    """The agent's answer to one question. A test sets its steps, and inspects `closed`."""

    steps: Sequence[Step]
    closed: bool = False

    def __iter__(self) -> Iterator[agent_protocol.AgentPiece]:
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            if callable(step):
                step()
            else:
                yield step


@dataclass
class ScriptedAgent:
    """The external agent. It answers each question with the next script, or raises it."""

    scripts: list[ScriptedAnswer | Exception] = field(default_factory=list)
    questions: list[agent_protocol.AgentQuestion] = field(default_factory=list)
    """Questions that the agent received."""

    @contextmanager
    def answer(self, question: agent_protocol.AgentQuestion) -> Iterator[Iterator[agent_protocol.AgentPiece]]:
        self.questions.append(question)
        script = self.scripts.pop(0)
        if isinstance(script, Exception):
            raise script
        try:
            yield iter(script)
        finally:
            script.closed = True


@dataclass
class FailingClients(Clients):
    """Fake WebSocket clients. The next posts to them raise the exceptions in `failures`."""

    failures: list[Exception] = field(default_factory=list)

    def post(self, connection_id: str, message: Message) -> bool:
        if self.failures:
            raise self.failures.pop(0)
        return super().post(connection_id, message)

    def piece_numbers(self, connection_id: str) -> list[int]:
        """Return the numbers of the pieces that a client received, in order."""
        return [number for _, number in self.attempts_and_numbers(connection_id)]

    def attempts_and_numbers(self, connection_id: str) -> list[tuple[int, int]]:
        """Return the attempt and number of each piece that a client received, in order."""
        messages = self.inbox.get(connection_id, [])
        return [(message["attempt"], message["number"]) for message in messages if "number" in message]


@dataclass
class WorkerHarness:
    """The query worker for one guest, who asks one question. The guest's connection is `c1` by default.

    A test scripts the agent's answer, invokes the worker, and inspects `clients.inbox`, the messages that each
    connection received.
    """

    lectures: LectureHarness
    clock: Clock = field(default_factory=Clock)
    clients: FailingClients = field(default_factory=FailingClients)
    agent: ScriptedAgent = field(default_factory=ScriptedAgent)
    pauses: list[float] = field(default_factory=list)
    """Seconds of the pauses between repeated posts."""
    invocation_count: int = 0

    def __post_init__(self) -> None:
        self.dynamodb, self.s3 = self.lectures.dynamodb, self.lectures.s3
        self.items = VersionedItems(
            self.dynamodb, TABLE, ttl_attribute="expiresAt", kept_seconds=7 * 86_400, clock_ms=self.clock
        )
        self.conversations = Conversations(self.dynamodb, TABLE, kept_days=7, clock_ms=self.clock)
        self.answers = AnswerStore(self.s3, BUCKET)

    @cached_property
    def query_worker(self) -> QueryWorker:
        """Created in the test that first uses it, because a logger keeps the `sys.stdout` of its creation, and pytest replaces
        `sys.stdout` for each test.
        """
        log = EventLog("DEBUG")
        answering = QuestionAnswering(
            QuestionContext(
                LectureTable(self.dynamodb, TABLE),
                self.s3,
                self.conversations,
                bucket=BUCKET,
                max_query_bytes=MAX_QUERY_BYTES,
            ),
            self.conversations,
            self.answers,
            self.clients,
            agent=self.agent,  # type: ignore[arg-type]  # only `answer` is used
            max_attempt_ms=LIMIT_MS + CHECK_GRACE_SECONDS * 1000,
            clock_ms=self.clock,
            pause=self.pauses.append,
            log=log,
        )
        return QueryWorker(self.items, answering, log)

    def store_lecture(self, **attributes: str | int) -> None:
        """Store the lecture's item and its recording."""
        version = self.s3.put_object(Bucket=BUCKET, Key=LECTURE_KEY, Body=b"lecture")["VersionId"]
        put_lecture(self.dynamodb, LECTURE_ID, **{"object_key": LECTURE_KEY, "version_id": version, **attributes})

    def ask(self, connection: str = "c1", resume_from: int = 0, attempt: int = 1, **changes: Any) -> bool:
        """Store a first or repeated request for the question, as the WebSocket handler does.

        Return True if a worker must be invoked. `resume_from` and `attempt` name the first piece that the client lacks.
        `changes` are fields of the question. By default, it is a written question.
        """
        fields = {"identity": IDENTITY, "lecture_id": LECTURE_ID, "session": SESSION_ID, "asked_ms": self.clock.now_ms}
        text = {} if "audio_key" in changes else {"text": QUESTION_TEXT}
        listener = Listener(connection=connection, attempt=attempt, resume_from=resume_from)
        requested_question = QuestionRecord(listener=listener, **fields | text | changes)
        until_ms = self.clock.now_ms + REMAINING_MS
        self.items.change(
            Allowance,
            allowance_key(GUEST_ID),
            lambda state: state.count_question(QUERY_ID, self.clock.now_ms, until_ms, 2, 60),
        )
        return self.items.change(
            QuestionRecord,
            query_key(GUEST_ID, QUERY_ID),
            lambda state: state.apply_request(requested_question, self.clock.now_ms),
        )

    def upload_audio(self, data: bytes = b"audio", content_type: str = "audio/webm; codecs=opus") -> None:
        """Upload a spoken question, and ask it."""
        self.s3.put_object(Bucket=BUCKET, Key=AUDIO_KEY, Body=data, ContentType=content_type)
        self.ask(audio_key=AUDIO_KEY)

    def script_answer(self, *steps: Step) -> ScriptedAnswer:
        """Set the agent's next answer."""
        script = ScriptedAnswer(steps)
        self.agent.scripts.append(script)
        return script

    def invoke(self, request_id: str | None = None) -> AnswerOutcome:
        """Invoke the worker, by default with a new request id. A retry by Lambda has the same request id."""
        self.invocation_count += 1
        event = {"schemaVersion": 1, "guestId": GUEST_ID, "queryId": QUERY_ID}
        return self.query_worker.handle(event, REMAINING_MS, request_id or f"call-{self.invocation_count}")

    def start_another_attempt(self) -> None:
        """Let the current answer attempt time out, and begin another one, as another invocation would do."""
        self.clock.now_ms += REMAINING_MS
        now_ms = self.clock.now_ms
        key = query_key(GUEST_ID, QUERY_ID)
        assert self.items.change(QuestionRecord, key, lambda state: state.begin(now_ms, now_ms + REMAINING_MS, "other"))

    def check_time_limit(self, call: int = 1) -> BatchFailures:
        """Handle the time limit check of one invocation of the worker, given by its number."""
        checks = OverdueQuestionChecker(
            self.items,
            self.clients,
            limit_ms=LIMIT_MS,
            clock_ms=self.clock,
            log=EventLog("DEBUG"),
        )
        body = TimeLimitCheck(guest_id=GUEST_ID, query_id=QUERY_ID, call=call).model_dump_json(by_alias=True)
        return checks.handle([{"messageId": "check-1", "body": body}])

    def answer_question(self, *steps: Step) -> AnswerOutcome:
        """Ask the question, script the answer, and invoke the worker."""
        self.ask()
        self.script_answer(*steps)
        return self.invoke()

    def sent_messages(self, kind: str, connection: str = "c1") -> list[dict[str, Any]]:
        """Return the messages of one type that a connection received."""
        return self.clients.sent_to(connection, kind)

    def received_text(self, connection: str = "c1") -> str:
        return "".join(message["text"] for message in self.sent_messages("text", connection))

    def delay_step(self, milliseconds: int) -> Callable[[], None]:
        """Return a step of a scripted answer that advances the clock."""

        def advance_clock() -> None:
            self.clock.now_ms += milliseconds

        return advance_clock

    def log_lines(self, output: str, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [line for line in map(json.loads, output.splitlines()) if line["message"] == event]

    @property
    def question(self) -> QuestionRecord:
        return self.items.read(QuestionRecord, query_key(GUEST_ID, QUERY_ID))

    @property
    def running_question_count(self) -> int:
        """Return how many questions count towards the guest's limit of concurrent questions."""
        return len(self.items.read(Allowance, allowance_key(GUEST_ID)).running)

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Return the questions and answers in the conversation."""
        key = conversation_key(IDENTITY, SESSION_ID, LECTURE_ID)
        return [(turn.question, turn.answer) for turn in self.conversations.turns(key)]
