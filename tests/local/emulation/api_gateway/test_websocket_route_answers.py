"""Tests of the interpretation of the answers of WebSocket APIs' functions."""

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
    ("returned", "answer"),
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
def test_an_answer_is_an_object_with_a_status_and_a_text(returned: Any, answer: RouteAnswer) -> None:
    assert parse_answer({"body": returned}) == answer


@pytest.mark.parametrize("flaw", [{"error": True}, {"throttle": True}])
def test_a_failed_function_gives_a_failed_answer(flaw: dict[str, Any]) -> None:
    assert parse_answer({"body": {"statusCode": 200, "body": "x"}, **flaw}) == FAILED


def test_functions_get_headers_in_their_usual_capitalisation() -> None:
    assert capitalise_header("sec-websocket-protocol") == "Sec-WebSocket-Protocol"


def test_a_refusal_contains_only_the_text_of_its_status() -> None:
    assert (refusal_message(401), refusal_message(500)) == ("Unauthorized", "Internal server error")
