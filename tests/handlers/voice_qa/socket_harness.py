"""WebSocket handler with a table in memory and a manual clock.

Ann and Bob are guests: users with an unauthenticated Cognito identity. Texts with "canary" must not be logged.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

from handlers.common.ids import derive_keyed_user_id
from handlers.common.logging import EventLog
from handlers.common.records import Records
from handlers.voice_qa.environment import SocketEnvironment
from handlers.voice_qa.records import (
    Counter,
    GuestConnection,
    LectureTable,
    Question,
    QuestionReference,
    expiring_records,
    query_key,
)
from handlers.voice_qa.websocket_handler.handler import SocketHandler
from tests.credentials import credentials
from tests.handlers.common.fakes import Clients, Clock
from tests.handlers.voice_qa.validate_lecture.lecture_harness import (
    BUCKET,
    LECTURE_ID,
    TABLE,
    create_table,
    put_lecture,
    s3_client,
)
from tests.moto_tables import stored_items

POOL_ID = "us-east-1:11111111-2222-4333-8444-555555555555"
ANN_IDENTITY = "us-east-1:aaaaaaaa-0000-4000-8000-00000000000a"
BOB_IDENTITY = "us-east-1:bbbbbbbb-0000-4000-8000-00000000000b"
GUEST_ID_KEY_NAME, GUEST_ID_KEY = "/guest-ids", "canary-key-of-guest-ids"
"""SSM parameter and value of the secret key. A guest id is a hash of the guest's identity id with this key."""
ANN_GUEST_ID, BOB_GUEST_ID = (derive_keyed_user_id(GUEST_ID_KEY, identity) for identity in (ANN_IDENTITY, BOB_IDENTITY))
ENVIRONMENT = SocketEnvironment(
    s3_bucket=BUCKET,
    dynamodb_table=TABLE,
    worker="arn:aws:lambda:us-east-1:123456789012:function:worker:live",
    time_limit_queue="https://sqs.us-east-1.amazonaws.com/123456789012/time-limits",
    identity_pool=POOL_ID,
    guest_id_key=GUEST_ID_KEY_NAME,
    session_days=7,
    answer_seconds=600,
    accelerated=False,
    lecture_uploads="guests",
    max_lecture_bytes=2_000_000,
    url_seconds=600,
    lectures_per_day=3,
    queries_per_hour=5,
)
LIMIT_MS = int(ENVIRONMENT.answer_seconds * 1000)
"""Time limit of a question."""
NO_FAILURES: dict[str, list[dict[str, str]]] = {"batchItemFailures": []}


@dataclass
class SocketHarness:
    """WebSocket handler whose calls of other services are recorded.

    A test sends messages as a guest, by default as Ann on connection `c1`, and inspects the answers, the recorded calls
    and the table.
    """

    dynamodb: Any
    clock: Clock = field(default_factory=Clock)
    clients: Clients = field(default_factory=Clients)
    """Connected WebSocket clients, with the messages that they received."""
    scheduled_checks: list[QuestionReference] = field(default_factory=list)
    """Messages sent to the queue of time limit checks."""
    worker_events: list[QuestionReference] = field(default_factory=list)
    """Events of the query worker's invocations."""
    answers: list[dict[str, Any]] = field(default_factory=list)
    """Answers to all messages."""
    invocation_error: Exception | None = None
    """Error of the worker's invocation; None if it succeeds."""
    environment: SocketEnvironment = ENVIRONMENT

    @property
    def questions(self) -> Records[Question]:
        return expiring_records(self.dynamodb, TABLE, Question, 7, self.clock)

    @cached_property
    def handler(self) -> SocketHandler:
        """Created in the test that first uses it, because a logger keeps the `sys.stdout` of its creation, and pytest replaces
        `sys.stdout` for each test.
        """
        return SocketHandler(
            environment=self.environment,
            guests=expiring_records(self.dynamodb, TABLE, GuestConnection, 1, self.clock),
            counters=expiring_records(self.dynamodb, TABLE, Counter, 2, self.clock),
            questions=self.questions,
            lectures=LectureTable(self.dynamodb, TABLE),
            s3=s3_client(),
            connections=self.clients,
            schedule_check=self.scheduled_checks.append,
            invoke_worker=self._invoke_worker,
            guest_id_key=lambda: GUEST_ID_KEY,
            clock_ms=self.clock,
            log=EventLog("DEBUG"),
        )

    def connect(self, connection: str = "c1", identity: Any = ANN_IDENTITY, **event: Any) -> dict[str, Any]:
        """Send a signed handshake."""
        signed = {"cognitoIdentityId": identity, "cognitoIdentityPoolId": POOL_ID}
        return self.handle_event(connection, "CONNECT", {"identity": signed}, **event)

    def send(self, action: str, connection: str = "c1", **content: Any) -> dict[str, Any]:
        """Send a message and return its answer."""
        return self.send_text(json.dumps({"action": action, "id": "m1", **content}), connection)

    def send_text(self, body: str | None, connection: str = "c1") -> dict[str, Any]:
        """Send a text, which may be no valid message, and return its answer."""
        response = self.handle_event(connection, "MESSAGE", {}, body=body)
        assert response["statusCode"] == 200, "an error is sent as an answer, so the connection stays open"
        self.answers.append(json.loads(response["body"]))
        return self.answers[-1]

    def ask(self, query_id: str = "question-1", connection: str = "c1", **content: Any) -> dict[str, Any]:
        """Ask a question about the lecture, by default a written question. Fields with the value None are omitted."""
        message = {"queryId": query_id, "lectureId": LECTURE_ID, "text": "Why?", **content}
        return self.send("query", connection, **{name: value for name, value in message.items() if value is not None})

    def handle_event(
        self, connection: str, event_type: str, context_fields: dict[str, Any], **event: Any
    ) -> dict[str, Any]:
        """Handle an API Gateway event with these fields. `context_fields` are further fields of its request context."""
        context = {"connectionId": connection, "eventType": event_type, "routeKey": "$default", "requestId": "r1"}
        return self.handler.handle({"requestContext": context | context_fields, **event})

    def check_time_limit(self, query_id: str = "question-1", guest_id: str = ANN_GUEST_ID) -> object:
        """Handle a time limit check, as SQS delivers it. Return the failures of the batch."""
        body = json.dumps({"guestId": guest_id, "queryId": query_id})
        return self.handler.handle({"Records": [{"messageId": "check-1", "body": body}]})

    def store_lecture(self, lecture_id: str = LECTURE_ID, **attributes: str | int) -> None:
        """Store a lecture's item."""
        put_lecture(self.dynamodb, lecture_id, **attributes)

    def read_question(self, query_id: str = "question-1", guest_id: str = ANN_GUEST_ID) -> Question:
        question = self.questions.read(query_key(guest_id, query_id))
        assert question is not None
        return question

    def change_question(self, query_id: str = "question-1", **changes: Any) -> Question:
        """Change fields of Ann's question, as the worker would. Return the question."""
        key = query_key(ANN_GUEST_ID, query_id)
        changed = self.questions.change(key, lambda record: record and record.model_copy(update=changes))
        assert changed is not None
        return changed

    def stored_items(self) -> list[dict[str, Any]]:
        """Return all items of the table."""
        return stored_items(self.dynamodb, TABLE)

    def items_of(self, kind: str, name: str = "") -> list[dict[str, Any]]:
        """Return the items whose keys begin with a kind, such as `query`, and a name."""
        return [item for item in self.stored_items() if item["sessionId"]["S"].startswith(f"{kind}#{name}")]

    def _invoke_worker(self, event: QuestionReference) -> None:
        if self.invocation_error is not None:
            raise self.invocation_error
        self.worker_events.append(event)


def create_socket_harness(monkeypatch: pytest.MonkeyPatch) -> SocketHarness:
    """Return the harness with a ready lecture."""
    credentials(monkeypatch)
    api = SocketHarness(create_table())
    api.store_lecture()
    return api
