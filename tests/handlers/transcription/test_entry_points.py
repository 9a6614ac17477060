"""Test of the entry points of transcription's functions, with clients of moto. Amazon Transcribe is out of reach."""

import json
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handlers.transcription.audio_processor import handler as audio_processor
from handlers.transcription.environment import PROTOCOL, ProcessorEnvironment
from handlers.transcription.messages import ProcessorEvent
from handlers.transcription.router import handler as router
from tests.credentials import credentials
from tests.handlers.transcription.router_harness import LIMITS, SESSION_TABLE_NAME, silence
from tests.moto_tables import create_table


def test_the_functions_use_the_table_and_the_services_of_their_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    credentials(monkeypatch)
    identity = {"auth": "oidc", "issuer": "https://issuer", "audience": "a", "jwks_url": "https://issuer/keys"}
    closed = {"last_results_ms": 1_500, "aws_endpoint_url_transcribe_streaming": "ws://127.0.0.1:1"}
    variables = ProcessorEnvironment(**{**LIMITS.model_dump(), **closed}).variables()
    variables |= LIMITS.model_copy(update=identity).variables()
    for name, value in {**variables, "AWS_LAMBDA_FUNCTION_NAME": "processor"}.items():
        monkeypatch.setenv(name, value)

    def send(kind: str, **event: Any) -> dict[str, Any]:
        context = {"connectionId": "c1", "eventType": kind, "routeKey": "$default", "requestId": "r1"}
        return router.handler({"requestContext": context, **event}, None)

    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        create_table(dynamodb, SESSION_TABLE_NAME, "session_id")
        assert send("CONNECT", headers={"Sec-WebSocket-Protocol": PROTOCOL})["statusCode"] == 401, "no token"
        assert json.loads(send("MESSAGE", body='{"action": "open"}')["body"])["type"] == "opened"
        fields = {"utterance": "u1", "attempt": 1, "sequence": 1, "audio": silence(1)}
        answer = send("MESSAGE", body=json.dumps({"action": "audio", **fields}))
        assert json.loads(answer["body"])["code"] == "UNAVAILABLE", "there is no audio processor in this account"
        event = ProcessorEvent(session_id="c1", accepted_ms=0, **fields)
        assert audio_processor.handler(event.model_dump(), None) == "broken"
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["message"] == "utterance_ended"
    router._router.cache_clear()
    router._token_verifier.cache_clear()
    audio_processor._processor.cache_clear()
