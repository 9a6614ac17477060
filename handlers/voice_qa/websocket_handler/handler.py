"""Lambda function behind voice Q&A's WebSocket API: handshakes of guests, and one reply to each client message. A guest is
a browser user who asks questions about a lecture.

A guest signs the handshake with Cognito credentials, and API Gateway verifies the signature. Only the handshake
identifies the guest. No field of a message can change the guest.

A guest uploads spoken questions and lectures with presigned S3 forms. S3 only accepts an upload with the key and
content type of its form, up to a maximum size, and during the form's lifetime. The lecture validator checks uploaded
lectures.

The reply to a question only confirms it, and another Lambda function, the query worker, sends the answer later. The
query worker can die at any moment or never start, and the client would then wait for ever. So before each invocation, a
message is sent to an SQS queue: the time limit check. SQS delivers it to this function after the time limit. If the
question has not ended, it is marked as failed. If it has ended, but the worker could not notify the client, it is not
changed. In both cases, the client gets an error and can ask again.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-timers.html
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
from handlers.common.aws import PRESIGNED_SECONDS, SHORT_TIMEOUT_CONFIG, build_presigning_config, secret_parameter
from handlers.common.errors import CommonErrorCode, HandlerError, ProxyResponse
from handlers.common.events import BatchFailures, process_batch
from handlers.common.ids import ULID_PATTERN
from handlers.common.logging import EventLog
from handlers.common.records import Records
from handlers.common.websocket import (
    ClientMessage,
    ReplyMessage,
    WebSocketConnections,
    WebSocketDispatcher,
)
from handlers.voice_qa.environment import LECTURES, MAX_QUERY_BYTES, QUERIES, SocketEnvironment
from handlers.voice_qa.messages import (
    REQUESTS,
    LectureRequest,
    Ping,
    Pong,
    Query,
    QueryAccepted,
    QueryFailed,
    Upload,
    UploadReady,
    VoiceQaErrorCode,
)
from handlers.voice_qa.records import (
    CHECK_GRACE_SECONDS,
    DAY_MS,
    HOUR_MS,
    Counter,
    GuestConnection,
    LectureTable,
    Question,
    QuestionReference,
    QuestionStatus,
    connection_key,
    counter_key,
    expiring_records,
    query_key,
)

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

CONNECTION_DAYS, COUNTER_DAYS = 1, 2
"""Days that the records of connections and counters are kept. API Gateway ends a connection after two hours."""
OVERDUE_MESSAGE = "The complete answer did not arrive in time. Ask again."


@dataclass
class SocketHandler:
    """Handler for the events of API Gateway and for the messages of the queue of time limit checks."""

    environment: SocketEnvironment
    guests: Records[GuestConnection]
    counters: Records[Counter]
    questions: Records[Question]
    lectures: LectureTable
    s3: "S3Client"
    """Client with the configuration of `build_presigning_config`."""
    connections: WebSocketConnections
    schedule_check: Callable[[QuestionReference], None]
    """Send a message to the queue of time limit checks."""
    invoke_worker: Callable[[QuestionReference], None]
    guest_id_key: Callable[[], str]
    """Return the secret key of the hash for guest ids."""
    clock_ms: Callable[[], int]
    log: EventLog

    def handle(self, event: Mapping[str, Any]) -> ProxyResponse | BatchFailures:
        if "Records" in event:
            return process_batch(event["Records"], self._check_time_limit, self.log, event_kind="time_limit")
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
        """Store the guest whose credentials signed the handshake. Raises HandlerError without such a signature."""
        signer = context["identity"]
        identity = signer.get("cognitoIdentityId")
        if not identity or signer.get("cognitoIdentityPoolId") != self.environment.identity_pool:
            raise HandlerError(VoiceQaErrorCode.UNAUTHENTICATED, "Sign the handshake as a guest of this stack.")
        guest = GuestConnection(identity=identity, guest_id=ids.derive_keyed_user_id(self.guest_id_key(), identity))
        self.guests.change(connection_key(context["connectionId"]), lambda _: guest)
        return {"statusCode": 200}

    def _answer_message(self, connection: str, _action: str, message: ClientMessage) -> ReplyMessage:
        guest = self.guests.read(connection_key(connection))
        if guest is None:
            raise HandlerError(VoiceQaErrorCode.UNAUTHENTICATED, "This connection is unknown. Connect again.")
        match message:
            case Upload(kind="query"):
                key = f"{QUERIES}{guest.guest_id}/{ids.new_id()}"
                return self._sign_form(message, key, MAX_QUERY_BYTES)
            case Upload():
                return self._create_lecture_form(guest.guest_id, message)
            case LectureRequest():
                return self.lectures.report(message.lecture_id, guest.guest_id)
            case Query():
                return self._ask(guest, connection, message)
            case Ping():
                return Pong()
            case _:
                raise TypeError("the message has no handler")

    def _create_lecture_form(self, guest_id: str, message: Upload) -> UploadReady:
        if self.environment.lecture_uploads == "off":
            raise HandlerError(VoiceQaErrorCode.UPLOAD_REFUSED, "This stack does not accept lectures from guests.")
        lecture_id, limit = ids.new_id(), self.environment.lectures_per_day
        if not self._count(guest_id, "lectures", DAY_MS, limit):
            raise HandlerError(
                VoiceQaErrorCode.UPLOAD_REFUSED, f"Daily limit of {limit} lectures reached. Try again tomorrow."
            )
        self.lectures.store_owner(lecture_id, guest_id)
        key = f"{LECTURES}{lecture_id}/{ids.new_id()}"
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

    def _ask(self, guest: GuestConnection, connection: str, message: Query) -> QueryAccepted:
        """Accept a question, which may have been asked before. Raises HandlerError if it is refused."""
        _check_question(guest, message)
        key = query_key(guest.guest_id, message.query_id)
        new = Question(
            identity=guest.identity,
            lecture=message.lecture_id,
            session=message.session_id or ids.new_id(),  # the conversation, which may be new
            audio_key=message.audio_key,
            text=message.text,
            language=message.language,
            connection=connection,
            asked_ms=self.clock_ms(),
        )

        def apply_request(stored: Question | None) -> Question:
            return stored.apply_request(new, self.environment.limit_ms) if stored else new

        # The checks come before the change, which may call its function several times.
        if apply_request(self.questions.read(key)).status is QuestionStatus.ACCEPTED:
            # A running attempt and a stored answer do not need the lecture, which may be replaced by now.
            self.lectures.find_ready(message.lecture_id)
            limit = self.environment.queries_per_hour
            if not self._count(guest.guest_id, "queries", HOUR_MS, limit):
                raise HandlerError(
                    VoiceQaErrorCode.TOO_MANY_QUERIES,
                    f"Limit of {limit} questions per hour reached. Ask again in the next hour.",
                )
        question = self.questions.change(key, apply_request) or new
        if question.status is QuestionStatus.FAILED:
            raise HandlerError(
                VoiceQaErrorCode.QUERY_FAILED, "This question cannot be answered. Asking it again would not help."
            )
        if question.status is QuestionStatus.ACCEPTED:
            # If a call fails, the question stays accepted, because its worker may have been invoked nevertheless.
            reference = QuestionReference(guest_id=guest.guest_id, query_id=message.query_id)
            self.schedule_check(reference)
            self.invoke_worker(reference)
        return QueryAccepted(
            query_id=message.query_id,
            session_id=question.session,
            pieces_url=self._presign(question.pieces_key),
            audio_url=self._presign(question.spoken_key),
        )

    def _presign(self, key: str | None) -> str | None:
        """Return the URL of a stored answer, or None if there is none."""
        if key is None:
            return None
        params = {"Bucket": self.environment.s3_bucket, "Key": key}
        return self.s3.generate_presigned_url("get_object", Params=params, ExpiresIn=PRESIGNED_SECONDS)

    def _check_time_limit(self, body: str) -> None:
        """Notify the client of a question that did not end in time, or whose end was not reported.

        If posting the error fails, SQS redelivers the check. The question is then already marked as failed, but its end
        is not marked as reported. So the repeated check still posts the error.
        """
        check = QuestionReference.model_validate_json(body)
        key, now_ms = query_key(check.guest_id, check.query_id), self.clock_ms()
        limit_ms = self.environment.limit_ms
        question = self.questions.change(key, lambda record: record and record.fail_if_overdue(now_ms, limit_ms))
        if question is None or not question.has_ended or question.reported:
            return
        self.log.error("query_overdue", outcome=question.status)
        error = QueryFailed(
            code=VoiceQaErrorCode.AGENT_FAILED, message=OVERDUE_MESSAGE, query_id=check.query_id, retryable=True
        )
        self.connections.post(question.connection, error)
        self.questions.change(key, lambda record: record and record.mark_reported())

    def _count(self, guest_id: str, counted: str, period_ms: int, limit: int) -> bool:
        """Count a lecture or query in the guest's current period (day or hour). Return False if the limit was reached before."""
        key = counter_key(guest_id, counted, self.clock_ms() // period_ms)
        counter = self.counters.change(key, lambda stored: (stored or Counter()).add(limit))
        return counter is not None and counter.count <= limit


def _check_question(guest: GuestConnection, message: Query) -> None:
    """Raise HandlerError unless the message has either a text or audio that this guest uploaded."""
    if (message.audio_key is None) == (message.text is None):
        raise HandlerError(
            CommonErrorCode.MALFORMED, "A question has either audioKey or text: send exactly one of them."
        )
    own_key = rf"{QUERIES}{re.escape(guest.guest_id)}/{ULID_PATTERN}"
    if message.audio_key is not None and not re.fullmatch(own_key, message.audio_key):
        raise HandlerError(VoiceQaErrorCode.AUDIO_REFUSED, "audioKey is not the key of one of your uploads.")


@cache
def _handler() -> SocketHandler:
    environment = SocketEnvironment.read()
    session = boto3.Session()
    functions = session.client("lambda", config=SHORT_TIMEOUT_CONFIG)
    queues = session.client("sqs", config=SHORT_TIMEOUT_CONFIG)

    def schedule_check(question: QuestionReference) -> None:
        queues.send_message(
            QueueUrl=environment.time_limit_queue,
            MessageBody=question.model_dump_json(by_alias=True),
            DelaySeconds=math.ceil(environment.answer_seconds) + CHECK_GRACE_SECONDS,
        )

    def invoke_worker(question: QuestionReference) -> None:
        functions.invoke(
            FunctionName=environment.worker,
            InvocationType="Event",
            Payload=question.model_dump_json(by_alias=True).encode(),
        )

    dynamodb, table = session.client("dynamodb", config=SHORT_TIMEOUT_CONFIG), environment.dynamodb_table
    return SocketHandler(
        environment=environment,
        guests=expiring_records(dynamodb, table, GuestConnection, CONNECTION_DAYS, ids.now_ms),
        counters=expiring_records(dynamodb, table, Counter, COUNTER_DAYS, ids.now_ms),
        questions=expiring_records(dynamodb, table, Question, environment.session_days, ids.now_ms),
        lectures=LectureTable(dynamodb, table),
        s3=session.client(
            "s3", config=SHORT_TIMEOUT_CONFIG.merge(build_presigning_config(accelerated=environment.accelerated))
        ),
        connections=WebSocketConnections(session.client("apigatewaymanagementapi", config=SHORT_TIMEOUT_CONFIG)),
        schedule_check=schedule_check,
        invoke_worker=invoke_worker,
        guest_id_key=secret_parameter(session.client("ssm", config=SHORT_TIMEOUT_CONFIG), environment.guest_id_key),
        clock_ms=ids.now_ms,
        log=EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse | BatchFailures:
    return _handler().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _handler()  # created while the container starts, which is faster and delays no request
