"""The model's gateway asks as Converse takes it, and its errors are a few faults that say nothing else."""

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from handlers.livestream.agent_faults import Fault, ServiceFailed, called
from handlers.livestream.model import BedrockModel, Reply, Usage
from handlers.livestream.prompting import Asking, Guardrail, request
from tests.handlers.livestream.clients import stubbed
from tests.handlers.livestream.windowed import ASKING, WINDOW

CANARY = "canary"
PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
USAGE = {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12}


def response(content: list[dict[str, Any]], usage: dict[str, int], stop: str = "end_turn") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop,
        "usage": usage,
        "metrics": {"latencyMs": 1},
    }


def test_the_model_is_asked_with_its_name_and_the_guardrail() -> None:
    asked = request(Asking(300, 1, 2, 0.0, Guardrail("abc", "DRAFT")), WINDOW, "4c1f", 1, [])
    cached = {**USAGE, "cacheReadInputTokens": 1_100, "cacheWriteInputTokens": 3}
    with stubbed("bedrock-runtime") as (client, stubber):
        stubber.add_response(
            "converse", response([{"text": "{"}, {"text": "}"}], cached), {"modelId": PROFILE, **asked}
        )
        found = BedrockModel(client, PROFILE).converse(asked)
    assert found == Reply("{}", Usage(7, 5, 1_100, 3), "end_turn")


def test_thoughts_are_no_part_of_the_answer_and_an_answer_may_be_empty() -> None:
    thought = {"reasoningContent": {"reasoningText": {"text": CANARY}}}
    with stubbed("bedrock-runtime") as (client, stubber):
        stubber.add_response("converse", response([thought, {"text": "{}"}], USAGE))
        stubber.add_response("converse", response([], USAGE, "guardrail_intervened"))
        model = BedrockModel(client, PROFILE)
        asked = request(ASKING, WINDOW, "4c1f", 1, [])
        assert model.converse(asked).text == "{}"
        assert model.converse(asked) == Reply("", Usage(7, 5), "guardrail_intervened")


def test_neither_prompt_nor_answer_is_in_a_representation() -> None:
    assert CANARY not in repr(Reply(CANARY, Usage(), "end_turn"))


@pytest.mark.parametrize(
    ("code", "status", "fault", "passes"),
    [
        ("ThrottlingException", 429, Fault.THROTTLED, True),
        ("ServiceUnavailableException", 503, Fault.UNAVAILABLE, True),
        ("InternalServerException", 500, Fault.UNAVAILABLE, True),
        ("ModelNotReadyException", 429, Fault.UNAVAILABLE, True),
        ("ModelErrorException", 424, Fault.UNAVAILABLE, True),
        ("ModelTimeoutException", 408, Fault.TIMED_OUT, True),
        ("AccessDeniedException", 403, Fault.REFUSED, False),
        ("ResourceNotFoundException", 404, Fault.MISSING, False),
        ("ValidationException", 400, Fault.REJECTED, False),
        ("SomethingNew", 400, Fault.UNKNOWN, False),
        ("SomethingNew", 502, Fault.UNAVAILABLE, True),
    ],
)
def test_each_error_of_the_service_is_a_fault(code: str, status: int, fault: Fault, *, passes: bool) -> None:
    with stubbed("bedrock-runtime") as (client, stubber):
        stubber.add_client_error("converse", code, CANARY, status)
        with pytest.raises(ServiceFailed) as caught:
            BedrockModel(client, PROFILE).converse(request(ASKING, WINDOW, "4c1f", 1, []))
    assert (caught.value.fault, caught.value.passes) == (fault, passes)
    assert str(caught.value) == fault.value
    assert caught.value.__context__ is None, "what it was raised from says what the service said"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ReadTimeoutError(endpoint_url=CANARY), Fault.TIMED_OUT),
        (ConnectTimeoutError(endpoint_url=CANARY), Fault.UNAVAILABLE),
        (EndpointConnectionError(endpoint_url=CANARY), Fault.UNAVAILABLE),
        (NoCredentialsError(), Fault.REJECTED),
        (ParamValidationError(report=CANARY), Fault.REJECTED),
        (ClientError({"Error": {"Code": "Odd", "Message": CANARY}}, "Converse"), Fault.UNKNOWN),
    ],
)
def test_whatever_else_botocore_raises_is_a_fault_too(error: Exception, fault: Fault) -> None:
    def failing(**_: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(ServiceFailed) as caught:
        called(failing)
    assert caught.value.fault is fault
    assert caught.value.__context__ is None
