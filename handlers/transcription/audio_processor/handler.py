"""Audio processor: the Lambda function that transcribes one utterance, which is a few seconds of speech. It delivers the
captions to the client while Amazon Transcribe produces them.

Only the router, the function that answers clients, invokes the audio processor. It invokes it asynchronously, and Lambda
does not retry it. `Processor` does the work, and this module creates it once per container.
"""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from handlers.common import ids
from handlers.common.aws import SHORT_TIMEOUT_CONFIG
from handlers.common.logging import EventLog
from handlers.common.websocket import WebSocketConnections
from handlers.transcription.audio_processor.stream import StreamRequest, TranscribeStream, presign_stream_url
from handlers.transcription.audio_processor.utterance_attempt import Processor
from handlers.transcription.environment import ProcessorEnvironment
from handlers.transcription.session import SessionTable


@cache
def _processor() -> Processor:
    environment = ProcessorEnvironment.read()
    session = boto3.Session()
    dynamodb = session.client("dynamodb", config=SHORT_TIMEOUT_CONFIG)
    endpoint = environment.aws_endpoint_url_transcribe_streaming

    def open_stream(request: StreamRequest, timeout_seconds: float) -> TranscribeStream:
        url = presign_stream_url(session.get_credentials(), session.region_name, request, endpoint)
        return TranscribeStream.open(url, timeout_seconds)

    return Processor(
        SessionTable(dynamodb, environment.sessions_table_name, ids.now_ms),
        WebSocketConnections(session.client("apigatewaymanagementapi", config=SHORT_TIMEOUT_CONFIG)),
        session.client("cloudwatch", config=SHORT_TIMEOUT_CONFIG),
        function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        thresholds=environment,
        last_results_ms=environment.last_results_ms,
        open_stream=open_stream,
        clock_ms=ids.now_ms,
        log=EventLog(environment.log_level, structured=environment.structured_logging),
    )


def handler(event: Mapping[str, Any], _context: object) -> str | None:
    return _processor().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _processor()  # created while the container starts, which is faster and delays no request
