"""Tests of error responses, which must not reveal values of requests or internal details."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import core_schema

from handlers.common.errors import (
    FIXED_RULES,
    MAX_PATH_PART_LENGTH,
    MAX_PATH_PARTS,
    MAX_PROBLEMS,
    RULE_ONLY_PROBLEM_TYPES,
    CommonErrorCode,
    ErrorCode,
    FieldProblem,
    HandlerError,
    _find_rule,
    to_field_problems,
    to_http_response,
    to_malformed_error,
    to_websocket_error,
)
from local import ROOT

CANARY = "canary-7f3a"
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.characters()),  # with surrogates, which Python's JSON accepts
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=20,
)


class Code(ErrorCode):
    """Error codes, each with its meaning, what to do, and the HTTP status, which is 400 by default."""

    FULL = ("FULL", "There is no more room.", "Remove something.", 409)
    WAIT = ("WAIT", "The service is busy.", "Wait.")


class Dog(BaseModel):
    kind: Literal["dog"]


class Cat(BaseModel):
    kind: Literal["cat"]


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=10)]
    sizes: dict[str, list[int]] = {}
    pet: Annotated[Dog | Cat, Field(discriminator="kind")] | None = None
    word: str = ""

    @field_validator("word")
    @classmethod
    def _validate_word(cls, word: str) -> str:
        if word:
            raise ValueError(f"not {word}")
        return word


def validation_error(request: object) -> ValidationError:
    """Return the validation error of an invalid request."""
    with pytest.raises(ValidationError) as raised:
        Request.model_validate(request)
    return raised.value


def body_of(response: Mapping[str, Any]) -> Any:
    return json.loads(response["body"])


FULL = HandlerError(Code.FULL, "No more room.", fields=[FieldProblem("name", "taken")])
FULL_BODY = {
    "code": "FULL",
    "message": "No more room.",
    "fields": [{"field": "name", "rule": "taken"}],
    "requestId": "r-1",
}


def test_an_http_error_is_a_proxy_response_that_can_state_when_to_retry() -> None:
    response = to_http_response(FULL, "r-1")
    assert (response["statusCode"], response["headers"]) == (409, {"Content-Type": "application/json"})
    assert body_of(response) == FULL_BODY
    response = to_http_response(HandlerError(Code.WAIT, "Busy.", retry_after_seconds=7), "r-1")
    assert (response["statusCode"], body_of(response)["fields"]) == (400, [])
    assert response["headers"] == {"Content-Type": "application/json", "Retry-After": "7"}


def test_a_websocket_error_is_a_message_with_the_id_of_the_request() -> None:
    assert to_websocket_error(FULL, "r-1", "m-1") == {"type": "error", "id": "m-1", **FULL_BODY}
    assert to_websocket_error(FULL, "r-1", None) == {"type": "error", **FULL_BODY}


@pytest.mark.parametrize(
    "error",
    [RuntimeError(CANARY), KeyError(CANARY), validation_error({"name": CANARY}), ExceptionGroup(CANARY, [OSError()])],
)
def test_an_unexpected_exception_is_answered_without_details(error: Exception) -> None:
    response = to_http_response(error, "r-1")
    assert response["statusCode"] == 500
    assert body_of(response) == {
        "code": "INTERNAL",
        "message": "Something went wrong on our side.",
        "fields": [],
        "requestId": "r-1",
    }
    assert to_websocket_error(error, "r-1", None) == {"type": "error", **body_of(response)}


def test_a_validation_error_of_a_request_is_answered_with_status_400_and_its_fields() -> None:
    response = to_http_response(to_malformed_error(validation_error({"name": CANARY, "extra": CANARY})), "r-1")
    assert response["statusCode"] == 400
    assert body_of(response) | {"message": ""} == {
        "code": CommonErrorCode.MALFORMED,
        "message": "",
        "fields": [
            {"field": "name", "rule": "String should have at most 10 characters"},
            {"field": "extra", "rule": "Extra inputs are not permitted"},
        ],
        "requestId": "r-1",
    }


def test_a_problem_in_a_nested_field_has_its_path() -> None:
    problems = to_field_problems(validation_error({"name": "a", "sizes": {"x": [1, "no"]}}))
    assert problems == [FieldProblem("sizes.x.1", "Input should be a whole number")]


@pytest.mark.parametrize(
    "request_body",
    [
        {"name": [CANARY]},
        {"name": CANARY},
        {"name": "a", "pet": {"kind": CANARY}},
        {"name": "a", "word": CANARY},
        {"name": "a", "sizes": {"x": [CANARY]}},
        CANARY,
    ],
)
def test_the_answer_to_an_invalid_request_contains_no_value_of_it(request_body: object) -> None:
    assert CANARY not in repr(to_field_problems(validation_error(request_body)))
    assert CANARY not in json.dumps(to_http_response(to_malformed_error(validation_error(request_body)), "r-1"))


def test_the_name_of_an_unknown_field_is_returned_short_and_harmless() -> None:
    (problem,) = to_field_problems(validation_error({"name": "a", '<b a="1">.é\n' + "x" * 500: 1}))
    assert problem.field == "?b?a??1?????" + "x" * (MAX_PATH_PART_LENGTH - 12)


def test_the_number_of_returned_problems_is_limited() -> None:
    problems = to_field_problems(validation_error({"name": "a"} | {f"extra{number}": 1 for number in range(1000)}))
    assert len(problems) == MAX_PROBLEMS


def test_the_depth_of_a_returned_path_is_limited() -> None:
    class Nested(BaseModel):
        inner: "Nested | None" = None

    request: dict[str, object] = {"inner": 1}
    for _ in range(50):
        request = {"inner": request}
    with pytest.raises(ValidationError) as raised:
        Nested.model_validate(request)
    assert to_field_problems(raised.value)[0].field.count(".") == MAX_PATH_PARTS - 1


@given(JSON)
@example({"\ud800": 1})
@example({"name": "\ud800"})
def test_the_answer_to_any_request_is_short_and_harmless(request_body: object) -> None:
    try:
        Request.model_validate(request_body)
    except ValidationError as error:
        answer = to_malformed_error(error)
    else:
        return
    for field in answer.fields:
        assert re.fullmatch(r"[A-Za-z0-9_.?-]{0,520}", field.field)
        assert re.fullmatch(r"(This|The|Input|String|Value|List|Extra) [ -~]{1,120}", field.rule), "not a sentence"
    assert len(json.dumps(to_http_response(answer, "r-1"))) < 15_000


def test_no_rule_is_a_code_of_pydantic() -> None:
    """Each error type of pydantic gets a sentence, and each fixed sentence belongs to existing error types."""
    known_types = set(get_args(core_schema.ErrorType))
    assert {error_type for types in FIXED_RULES.values() for error_type in types} <= known_types
    for error_type in known_types:
        rule = _find_rule(error_type, f"Input {CANARY}")
        assert rule != error_type
        assert " " in rule
        assert (CANARY in rule) == (error_type in RULE_ONLY_PROBLEM_TYPES), "only these messages are returned"


def test_the_rules_of_our_own_validators_are_returned_to_the_client() -> None:
    raised_types = {
        name
        for path in (ROOT / "handlers").rglob("*.py")
        for name in re.findall(r'PydanticCustomError\(\s*"(\w+)"', path.read_text())
    }
    assert len(raised_types) > 5
    assert raised_types <= RULE_ONLY_PROBLEM_TYPES, "their messages state only the rule"


def test_a_missing_field_and_a_wrong_form_are_explained_without_a_regular_expression() -> None:
    class Lecture(BaseModel):
        title: str
        language: Annotated[str, Field(pattern="^[a-z]{2}$")]

    with pytest.raises(ValidationError) as raised:
        Lecture.model_validate({"language": "English"})
    assert to_field_problems(raised.value) == [
        FieldProblem("title", "This field is required"),
        FieldProblem("language", "The text does not have the required form"),
    ]
