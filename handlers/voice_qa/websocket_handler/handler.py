"""Lambda function behind voice Q&A's WebSocket API: handshakes of guests, and one reply to each client message.

A guest signs the handshake with Cognito credentials, and API Gateway verifies the signature. Only the handshake
identifies the guest. No field of a message can change the guest.

A guest uploads spoken questions and lectures with presigned S3 forms. S3 only accepts an upload with the key and
content type of its form, up to a maximum size, and during the form's lifetime. The query worker checks uploaded
questions, and the lecture validator checks uploaded lectures.

The reply to a question only confirms it, and another Lambda function, the query worker, sends the answer later. An SQS
queue also invokes this function when the time limit of a question has passed (`questions`).
"""

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3

from handlers.common import ids
from handlers.common.aws import SHORT_TIMEOUT_CONFIG, SecretParameter, build_presigning_config
from handlers.common.errors import HandlerError
from handlers.common.events import BatchFailures, process_batch
from handlers.common.logging import EventLog
from handlers.common.records import Records
from handlers.common.websocket import (
    ClientMessage,
    ProxyResponse,
    ReplyMessage,
    WebSocketConnections,
    WebSocketDispatcher,
)
from handlers.voice_qa.environment import LECTURES, MAX_QUERY_BYTES, QUERIES, SocketEnvironment
from handlers.voice_qa.lectures import LectureTable
from handlers.voice_qa.messages import (
    REQUESTS,
    LectureReport,
    Ping,
    Pong,
    Query,
    Upload,
    UploadKind,
    UploadReady,
    VoiceQaErrorCode,
    WatchLecture,
)
from handlers.voice_qa.records import (
    CHECK_GRACE_SECONDS,
    DAY_MS,
    Counter,
    GuestConnection,
    Question,
    QuestionReference,
    connection_key,
    count_within_limit,
    counter_key,
    expiring_records,
)
from handlers.voice_qa.websocket_handler.questions import Questions

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

CONNECTION_DAYS, COUNTER_DAYS = 1, 2
"""Days that the records of connections and counters are kept. API Gateway ends a connection after two hours."""
_IDENTITY = re.compile(r"[a-z]{2,3}(-[a-z]+){1,3}-[0-9]{1,2}:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Cognito identity id of a guest: region and UUID. It contains no `#`, so it can be a part of keys."""


@dataclass(frozen=True)
class SocketHandler:
    """Handler for the events of API Gateway and for the messages of the queue of time limit checks."""

    environment: SocketEnvironment
    guests: Records[GuestConnection]
    counters: Records[Counter]
    lectures: LectureTable
    questions: Questions
    s3: "S3Client"
    """Client with the configuration of `build_presigning_config`."""
    guest_id_key: Callable[[], str]
    """Return the secret key of the hash for guest ids."""
    new_id: Callable[[], str]
    clock_ms: Callable[[], int]
    log: EventLog

    def handle(self, event: Mapping[str, Any]) -> ProxyResponse | BatchFailures:
        if "Records" in event:
            return process_batch(event["Records"], self.questions.check_time_limit, self.log, event_kind="time_limit")
        dispatcher, context = WebSocketDispatcher(REQUESTS, self.log), event["requestContext"]
        match context["eventType"]:
            case "CONNECT":
                return dispatcher.connect(context, partial(self._accept, context))
            case "DISCONNECT":
                return {"statusCode": 200}  # nothing to clean up: the connection's item expires
            case _:
                answer_message = partial(self._answer_message, context["connectionId"])
                return dispatcher.answer(event.get("body") or "", context, answer_message)

    def _accept(self, context: Mapping[str, Any]) -> ProxyResponse:
        identity = _guest_identity(context.get("identity"), self.environment.identity_pool)
        if identity is None:
            raise HandlerError(VoiceQaErrorCode.UNAUTHENTICATED, "Sign the handshake as a guest of this stack.")
        guest = GuestConnection(identity=identity, guest_id=ids.derive_keyed_user_id(self.guest_id_key(), identity))
        self.guests.change(connection_key(context["connectionId"]), lambda _: guest)
        return {"statusCode": 200}

    def _answer_message(self, connection: str, _action: str, message: ClientMessage) -> ReplyMessage:
        guest = self.guests.read(connection_key(connection))
        if guest is None:
            raise HandlerError(VoiceQaErrorCode.UNAUTHENTICATED, "This connection is unknown. Connect again.")
        match message:
            case Upload(kind=UploadKind.QUERY):
                key = f"{QUERIES}{guest.guest_id}/{self.new_id()}"
                return self._sign_form(message, key, MAX_QUERY_BYTES)
            case Upload():
                return self._create_lecture_form(guest.guest_id, connection, message)
            case WatchLecture():
                return self._watch_lecture(guest.guest_id, connection, message)
            case Query():
                return self.questions.ask(guest, connection, message)
            case Ping():
                return Pong()
            case _:
                raise TypeError("the message has no handler")

    def _watch_lecture(self, guest_id: str, connection: str, message: WatchLecture) -> LectureReport:
        """Return the state of a lecture that the guest uploads. A later verdict is sent to this connection."""
        report = self.lectures.register_listener(message.lecture_id, guest_id, connection)
        if report is None:
            raise HandlerError(VoiceQaErrorCode.LECTURE_UNKNOWN, "You have uploaded no lecture with this id.")
        return report

    def _create_lecture_form(self, guest_id: str, connection: str, message: Upload) -> UploadReady:
        """Return a form for a new lecture. The verdict on the upload is sent to this connection."""
        if self.environment.lecture_uploads == "off":
            raise HandlerError(VoiceQaErrorCode.UPLOAD_REFUSED, "This stack does not accept lectures from guests.")
        lecture_id, limit = self.new_id(), self.environment.lectures_per_day
        counter = counter_key(guest_id, "lectures", self.clock_ms() // DAY_MS)
        if not count_within_limit(self.counters, counter, lecture_id, limit):
            raise HandlerError(
                VoiceQaErrorCode.UPLOAD_REFUSED, f"Daily limit of {limit} lectures reached. Try again tomorrow."
            )
        self.lectures.store_owner(lecture_id, guest_id, connection)
        key = f"{LECTURES}{lecture_id}/{self.new_id()}"
        return self._sign_form(message, key, self.environment.max_lecture_bytes, lecture_id)

    def _sign_form(self, message: Upload, key: str, max_bytes: int, lecture_id: str | None = None) -> UploadReady:
        content_type = {"Content-Type": message.content_type}
        post = self.s3.generate_presigned_post(
            self.environment.s3_bucket,
            key,
            Fields=dict(content_type),
            Conditions=[content_type, ["content-length-range", 1, max_bytes]],
            ExpiresIn=self.environment.url_seconds,
        )
        return UploadReady(
            kind=message.kind,
            url=post["url"],
            fields=post["fields"],
            key=key,
            lecture_id=lecture_id,
            max_bytes=max_bytes,
            expires_seconds=self.environment.url_seconds,
        )


def _guest_identity(signed: object, pool: str) -> str | None:
    """Return the Cognito identity id that signed the handshake, or None if it is not a guest of this pool.

    `signed` is the field `identity` of API Gateway's request context.
    """
    if not isinstance(signed, Mapping) or signed.get("cognitoIdentityPoolId") != pool:
        return None
    identity = signed.get("cognitoIdentityId")
    return identity if isinstance(identity, str) and _IDENTITY.fullmatch(identity) else None


@cache
def _handler() -> SocketHandler:
    environment = SocketEnvironment.read()
    session = boto3.Session()
    dynamodb = session.client("dynamodb", config=SHORT_TIMEOUT_CONFIG)
    functions = session.client("lambda", config=SHORT_TIMEOUT_CONFIG)
    queues = session.client("sqs", config=SHORT_TIMEOUT_CONFIG)
    log = EventLog(environment.log_level)
    table, days = environment.dynamodb_table, environment.session_days
    lectures = LectureTable(dynamodb, table)
    counters = expiring_records(dynamodb, table, Counter, COUNTER_DAYS, ids.now_ms)

    def invoke_worker(question: QuestionReference) -> None:
        functions.invoke(
            FunctionName=environment.worker,
            InvocationType="Event",
            Payload=question.model_dump_json(by_alias=True).encode(),
        )

    def schedule_check(question: QuestionReference) -> None:
        queues.send_message(
            QueueUrl=environment.time_limit_queue,
            MessageBody=question.model_dump_json(by_alias=True),
            DelaySeconds=math.ceil(environment.answer_seconds) + CHECK_GRACE_SECONDS,
        )

    questions = Questions(
        records=expiring_records(dynamodb, table, Question, days, ids.now_ms),
        counters=counters,
        lectures=lectures,
        connections=WebSocketConnections(session.client("apigatewaymanagementapi", config=SHORT_TIMEOUT_CONFIG)),
        schedule_check=schedule_check,
        invoke_worker=invoke_worker,
        new_id=ids.new_id,
        clock_ms=ids.now_ms,
        log=log,
        queries_per_hour=environment.queries_per_hour,
        limit_ms=int(environment.answer_seconds * 1000),
    )
    return SocketHandler(
        environment=environment,
        guests=expiring_records(dynamodb, table, GuestConnection, CONNECTION_DAYS, ids.now_ms),
        counters=counters,
        lectures=lectures,
        questions=questions,
        s3=session.client(
            "s3", config=SHORT_TIMEOUT_CONFIG.merge(build_presigning_config(accelerated=environment.accelerated))
        ),
        guest_id_key=SecretParameter(session.client("ssm", config=SHORT_TIMEOUT_CONFIG), environment.guest_id_key),
        new_id=ids.new_id,
        clock_ms=ids.now_ms,
        log=log,
    )


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse | BatchFailures:
    return _handler().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _handler()  # created while the container starts, which is faster and delays no request
