"""Tests of how the local platform reads the answers of functions that a WebSocket API invokes."""

from typing import Any

import pytest

from local.emulation.api_gateway.websocket_route_answers import (
    FAILED,
    RouteAnswer,
    capitalise_header,
    parse_answer,
    refusal_message,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("return_value", "answer"),
    [
        ({"statusCode": 200, "body": "x"}, RouteAnswer(200, "x")),
        ({"statusCode": 200, "body": None, "headers": None}, RouteAnswer(200)),
        ({"statusCode": 200, "headers": {"SEC-WebSocket-Protocol": "a"}}, RouteAnswer(200, subprotocol="a")),
        (None, FAILED),
        ({"statusCode": "200"}, FAILED),
        ({"statusCode": 101}, FAILED),
        ({"statusCode": 600}, FAILED),
        ({"statusCode": 200, "body": {"x": 1}}, FAILED),
    ],
)
def test_an_answer_is_valid_only_with_a_status_from_200_to_599_and_a_text(
    return_value: Any, answer: RouteAnswer
) -> None:
    """The emulator's result of an invocation has the function's return value as its `body`."""
    assert parse_answer({"body": return_value}) == answer


@pytest.mark.parametrize("failure", [{"error": True}, {"throttle": True}])
def test_the_answer_of_a_failed_or_throttled_function_is_a_failure(failure: dict[str, Any]) -> None:
    assert parse_answer({"body": {"statusCode": 200, "body": "x"}, **failure}) == FAILED


def test_functions_get_headers_in_their_usual_capitalisation() -> None:
    assert capitalise_header("sec-websocket-protocol") == "Sec-WebSocket-Protocol"


def test_a_refusal_contains_only_the_text_of_its_status() -> None:
    assert (refusal_message(401), refusal_message(500)) == ("Unauthorized", "Internal server error")
