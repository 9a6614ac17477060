"""Query worker with moto's bucket and table, and a scripted agent."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from handlers.common.aws.dynamodb_versioned_items import VersionedItems
from handlers.common.aws.retry import RetryTiming
from handlers.common.aws.sqs_batches import BatchFailures
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.query_worker.agent import agent_types
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentFailed, AnswerAudioFormat
from handlers.voice_qa.query_worker.answer_store import AnswerStore
from handlers.voice_qa.query_worker.conversations import Conversations
from handlers.voice_qa.query_worker.handler import QueryWorker
from handlers.voice_qa.query_worker.question_answering import AnswerOutcome, QuestionAnswering
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
GUEST_ID, QUERY, SESSION = "CANARYGUESTID2345672345672345672", "canary-query-1", "01M7W8GQNQY865WCQPRM59D2J7"
LECTURE = "01M7W8GQNQY865WCQPRM59D2J8"
AUDIO_KEY = f"queries/{GUEST_ID}/canary.webm"
LECTURE_KEY = f"lectures/{LECTURE}/canary.mp3"
WORDS = "What is the canary?"
REMAINING_MS = 900_000
LIMIT_MS = 600_000
"""Time limit of a question."""
MAX_QUERY_BYTES = 1_000

HELLO, WORLD = agent_types.AgentTextPiece("Canaries "), agent_types.AgentTextPiece("sing.")
SOUND = agent_types.AgentAudioPiece(b"OggS canary", AnswerAudioFormat.OGG_OPUS)
BROKE = AgentFailed(AgentCode.BROKEN_OFF)
ERROR = ClientError({"Error": {"Code": "Throttling", "Message": "canary"}}, "Operation")

Step = agent_types.AgentPiece | Exception | Callable[[], object]
"""A step of the script: a piece, a failure, or an action in between."""


@dataclass
class ScriptedAnswer(agent_types.AgentAnswer):
    """Scripted answer."""

    steps: Sequence[Step]
    dropped_citations: int = 0
    closed: bool = False

    def __iter__(self) -> Iterator[agent_types.AgentPiece]:
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            if callable(step):
                step()
            else:
                yield step

    def close(self) -> None:
        self.closed = True


@dataclass
class ScriptedAgent:
    """Agent that answers each question with the next script."""

    scripts: list[ScriptedAnswer | Exception] = field(default_factory=list)
    asked: list[agent_types.AgentQuestion] = field(default_factory=list)

    def answer(self, question: agent_types.AgentQuestion) -> agent_types.AgentAnswer:
        self.asked.append(question)
        script = self.scripts.pop(0)
        if isinstance(script, Exception):
            raise script
        return script


@dataclass
class Listeners(Clients):
    """Fake clients that can fail for a while."""

    failures: list[Exception] = field(default_factory=list)

    def post(self, connection_id: str, message: Message) -> bool:
        if self.failures:
            raise self.failures.pop(0)
        return super().post(connection_id, message)

    def numbers(self, connection_id: str) -> list[int]:
        """Return the numbers of the pieces that a client received, in order."""
        return [number for _, number in self.pieces(connection_id)]

    def pieces(self, connection_id: str) -> list[tuple[int, int]]:
        """Return the attempts and numbers of the pieces that a client received, in order."""
        return [
            (message["attempt"], message["number"])
            for message in self.inbox.get(connection_id, [])
            if "number" in message
        ]


@dataclass
class WorkerHarness:
    """One guest on connection `c1`, with a ready lecture and a question."""

    lectures: LectureHarness
    clock: Clock = field(default_factory=Clock)
    clients: Listeners = field(default_factory=Listeners)
    agent: ScriptedAgent = field(default_factory=ScriptedAgent)
    paused: list[float] = field(default_factory=list)
    calls: int = 0

    def __post_init__(self) -> None:
        self.dynamodb, self.s3 = self.lectures.dynamodb, self.lectures.s3
        self.items = VersionedItems(
            self.dynamodb, TABLE, ttl_attribute="expiresAt", kept_seconds=7 * 86_400, clock_ms=self.clock
        )
        self.conversations = Conversations(self.dynamodb, TABLE, kept_days=7, clock_ms=self.clock)
        self.answers = AnswerStore(self.s3, BUCKET)

    @cached_property
    def worker(self) -> QueryWorker:
        """Created in the test that first uses it, because a logger keeps the standard output that it finds."""
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
            agent=self.agent,
            max_attempt_ms=LIMIT_MS + CHECK_GRACE_SECONDS * 1000,
            clock_ms=self.clock,
            pause=self.paused.append,
            log=log,
        )
        return QueryWorker(self.items, answering, log)

    def lecture(self, **attributes: str | int) -> None:
        """Store the lecture's item and its recording."""
        version = self.s3.put_object(Bucket=BUCKET, Key=LECTURE_KEY, Body=b"lecture")["VersionId"]
        put_lecture(self.dynamodb, LECTURE, **{"object_key": LECTURE_KEY, "version_id": version, **attributes})

    def ask(self, connection: str = "c1", resume_from: int = 0, attempt: int = 1, **asked: Any) -> bool:
        """Ask the question, perhaps again. Return True if a worker must be invoked."""
        plain = {"identity": IDENTITY, "lecture_id": LECTURE, "session": SESSION, "asked_ms": self.clock.now_ms}
        words = {} if "audio_key" in asked else {"text": WORDS}
        place = Listener(connection=connection, attempt=attempt, resume_from=resume_from)
        new = QuestionRecord(place=place, **plain | words | asked)
        until_ms = self.clock.now_ms + REMAINING_MS
        self.items.change(
            Allowance,
            allowance_key(GUEST_ID),
            lambda state: state.count_question(QUERY, self.clock.now_ms, until_ms, 2, 60),
        )
        return self.items.change(
            QuestionRecord, query_key(GUEST_ID, QUERY), lambda state: state.apply_request(new, self.clock.now_ms)
        )

    def upload_audio(self, data: bytes = b"audio", content_type: str = "audio/webm; codecs=opus") -> None:
        """Upload a spoken question."""
        self.s3.put_object(Bucket=BUCKET, Key=AUDIO_KEY, Body=data, ContentType=content_type)
        self.ask(audio_key=AUDIO_KEY)

    def script_answer(self, *steps: Step, dropped_citations: int = 0) -> ScriptedAnswer:
        """Set the agent's next answer."""
        script = ScriptedAnswer(steps, dropped_citations)
        self.agent.scripts.append(script)
        return script

    def call(self, request_id: str | None = None) -> AnswerOutcome:
        """Invoke the worker. A retry by Lambda has the same request id."""
        self.calls += 1
        event = {"schemaVersion": 1, "guestId": GUEST_ID, "queryId": QUERY}
        return self.worker.handle(event, REMAINING_MS, request_id or f"call-{self.calls}")

    def check_time_limit(self, call: int = 1) -> BatchFailures:
        """Perform the check of the time limit for one invocation of the worker."""
        checks = OverdueQuestionChecker(
            self.items,
            self.clients,
            limit_ms=LIMIT_MS,
            clock_ms=self.clock,
            log=EventLog("DEBUG"),
            timing=RetryTiming(
                now=lambda: self.clock.now_ms / 1000, wait=lambda seconds: self.wait(round(seconds * 1000))()
            ),
        )
        body = TimeLimitCheck(guest_id=GUEST_ID, query_id=QUERY, call=call).model_dump_json(by_alias=True)
        return checks.handle([{"messageId": "check-1", "body": body}])

    def answer_question(self, *steps: Step) -> AnswerOutcome:
        """Ask the question, script the answer, and invoke the worker."""
        self.ask()
        self.script_answer(*steps)
        return self.call()

    def sent_messages(self, kind: str, connection: str = "c1") -> list[dict[str, Any]]:
        return self.clients.sent_to(connection, kind)

    def text(self, connection: str = "c1") -> str:
        return "".join(message["text"] for message in self.sent_messages("text", connection))

    def wait(self, milliseconds: int) -> Callable[[], None]:
        """Return a step that advances the clock."""

        def passes() -> None:
            self.clock.now_ms += milliseconds

        return passes

    def logged(self, output: str, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [line for line in map(json.loads, output.splitlines()) if line["message"] == event]

    @property
    def question(self) -> QuestionRecord:
        return self.items.read(QuestionRecord, query_key(GUEST_ID, QUERY))

    @property
    def counted(self) -> int:
        """Return the questions that count as being answered."""
        return len(self.items.read(Allowance, allowance_key(GUEST_ID)).running)

    @property
    def turns(self) -> list[tuple[str, str]]:
        key = conversation_key(IDENTITY, SESSION, LECTURE)
        return [(turn.question, turn.answer) for turn in self.conversations.turns(key)]
