"""Lambda function behind voice Q&A's WebSocket API: handshakes of guests, and one reply to each client message.

The reply to a question only confirms it, and another Lambda function, the query worker, sends the answer later. An SQS
queue also invokes this function when the time limit of a question has passed (`questions`).

A guest signs the handshake with Cognito credentials, and API Gateway verifies the signature. Only the handshake
identifies the guest. No field of a message can change the guest.
"""

import math
import os
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import boto3

from handlers.common import ids
from handlers.common.aws import SHORT_TIMEOUT_CONFIG, SecretParameter, build_presigning_config
from handlers.common.errors import HandlerError
from handlers.common.events import BatchFailures, process_batch
from handlers.common.ids import derive_keyed_user_id, new_id
from handlers.common.logging import EventLog
from handlers.common.records import Records
from handlers.common.websocket import (
    ClientMessage,
    ProxyResponse,
    ReplyMessage,
    WebSocketConnections,
    WebSocketDispatcher,
)
from handlers.voice_qa.environment import SocketEnvironment
from handlers.voice_qa.lectures import LectureTable
from handlers.voice_qa.table_records import (
    CHECK_GRACE_SECONDS,
    Counter,
    GuestConnection,
    Question,
    QuestionReference,
    connection_key,
    expiring_records,
)
from handlers.voice_qa.websocket_handler.questions import Questions
from handlers.voice_qa.websocket_handler.upload_forms import UploadForms
from handlers.voice_qa.websocket_messages import REQUESTS, Ping, Pong, Query, Upload, VoiceQaErrorCode, WatchLecture

PROTOCOL = "polyphony.voice-qa.v1"
CONNECTION_DAYS, COUNTER_DAYS = 1, 2
"""Days that the records of connections and counters are kept. API Gateway ends a connection after two hours."""
SUBPROTOCOL_HEADER = "sec-websocket-protocol"
_IDENTITY = re.compile(r"[a-z]{2,3}(-[a-z]+){1,3}-[0-9]{1,2}:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Cognito identity id of a guest: region and UUID. It contains no `#`, so it can be a part of keys."""


class SocketHandler:
    """Handler for the events of API Gateway and for the messages of the queue of time limit checks."""

    def __init__(
        self,
        guests: Records[GuestConnection],
        uploads: UploadForms,
        questions: Questions,
        *,
        identity_pool: str,
        guest_id_key: Callable[[], str],
        log: EventLog,
    ) -> None:
        """Guests of `identity_pool` may connect. `guest_id_key` returns the secret key of the hash for guest ids."""
        self._guests = guests
        self._uploads = uploads
        self._questions = questions
        self._identity_pool = identity_pool
        self._guest_id_key = guest_id_key
        self._log = log
        self._dispatcher = WebSocketDispatcher(REQUESTS, log)

    def handle(self, event: Mapping[str, Any]) -> ProxyResponse | BatchFailures:
        if "Records" in event:
            return process_batch(event["Records"], self._questions.check_time_limit, self._log, event_kind="time_limit")
        context = event["requestContext"]
        match context["eventType"]:
            case "CONNECT":
                return self._dispatcher.connect(context, partial(self._accept, event, context))
            case "DISCONNECT":
                return {"statusCode": 200}  # nothing to clean up: the connection's item expires
            case _:
                answer_message = partial(self._answer_message, context["connectionId"])
                return self._dispatcher.answer(event.get("body") or "", context, answer_message)

    def _accept(self, event: Mapping[str, Any], context: Mapping[str, Any]) -> ProxyResponse:
        identity = _guest_identity(context.get("identity"), self._identity_pool)
        if identity is None:
            raise HandlerError(VoiceQaErrorCode.UNAUTHENTICATED, "Sign the handshake as a guest of this stack.")
        guest = GuestConnection(identity=identity, guest_id=derive_keyed_user_id(self._guest_id_key(), identity))
        self._guests.change(connection_key(context["connectionId"]), _replace_by(guest))
        if _preferred_subprotocol(event.get("headers")) == PROTOCOL:
            # A browser that offered subprotocols closes the connection unless the response selects one.
            return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": PROTOCOL}}
        return {"statusCode": 200}

    def _answer_message(self, connection_id: str, _action: str, message: ClientMessage) -> ReplyMessage:
        guest = self._guests.read(connection_key(connection_id))
        if guest is None:
            raise HandlerError(VoiceQaErrorCode.UNAUTHENTICATED, "This connection is unknown. Connect again.")
        match message:
            case Upload():
                return self._uploads.create_form(guest.guest_id, connection_id, message)
            case WatchLecture():
                return self._uploads.watch_lecture(guest.guest_id, connection_id, message)
            case Query():
                return self._questions.ask(guest, connection_id, message)
            case Ping():
                return Pong()
            case _:
                raise TypeError("the message has no handler")


def _replace_by(guest: GuestConnection) -> Callable[[GuestConnection | None], GuestConnection]:
    return lambda stored: guest if stored is None else guest.model_copy(update={"revision": stored.revision})


def _guest_identity(signed: object, pool: str) -> str | None:
    """Return the Cognito identity id that signed the handshake, or None if it is not a guest of this pool.

    `signed` is the field `identity` of API Gateway's request context.
    """
    if not isinstance(signed, Mapping) or not pool or signed.get("cognitoIdentityPoolId") != pool:
        return None
    identity = signed.get("cognitoIdentityId")
    return identity if isinstance(identity, str) and _IDENTITY.fullmatch(identity) else None


def _preferred_subprotocol(headers: object) -> str | None:
    """Return the subprotocol that the client offers first, or None if it offers none."""
    if not isinstance(headers, Mapping):
        return None
    offered = next((value for name, value in headers.items() if str(name).lower() == SUBPROTOCOL_HEADER), None)
    return offered.split(",")[0].strip() if isinstance(offered, str) else None


@cache
def _handler() -> SocketHandler:
    environment = SocketEnvironment.read()
    session = boto3.Session()
    dynamodb, functions = (
        session.client("dynamodb", config=SHORT_TIMEOUT_CONFIG),
        session.client("lambda", config=SHORT_TIMEOUT_CONFIG),
    )
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

    uploads = UploadForms(
        session.client(
            "s3", config=SHORT_TIMEOUT_CONFIG.merge(build_presigning_config(accelerated=environment.accelerated))
        ),
        lectures,
        counters,
        environment,
        clock_ms=ids.now_ms,
        new_id=new_id,
    )
    questions = Questions(
        records=expiring_records(dynamodb, table, Question, days, ids.now_ms),
        counters=counters,
        lectures=lectures,
        connections=WebSocketConnections(session.client("apigatewaymanagementapi", config=SHORT_TIMEOUT_CONFIG)),
        schedule_check=schedule_check,
        invoke_worker=invoke_worker,
        new_id=new_id,
        clock_ms=ids.now_ms,
        log=log,
        queries_per_hour=environment.queries_per_hour,
        limit_ms=int(environment.answer_seconds * 1000),
    )
    return SocketHandler(
        expiring_records(dynamodb, table, GuestConnection, CONNECTION_DAYS, ids.now_ms),
        uploads,
        questions,
        identity_pool=environment.identity_pool,
        guest_id_key=SecretParameter(session.client("ssm", config=SHORT_TIMEOUT_CONFIG), environment.guest_id_key),
        log=log,
    )


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse | BatchFailures:
    return _handler().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _handler()  # created while the container starts, which is faster and delays no request
