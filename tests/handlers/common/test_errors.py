"""Tests of error responses: they reveal no internal details, and state the rule of each wrong field in words."""

import re
from typing import Annotated

import pytest
from hypothesis import example, given
from pydantic import BaseModel, ConfigDict, Field

from handlers.common.errors import MAX_PROBLEMS, HandlerError, request_validation, to_http_response
from handlers.livestream.episodes.routes import OPERATIONS as EPISODE_OPERATIONS
from handlers.livestream.models import CompleteUpload, NewEpisode
from handlers.meetings.auth_exchange.api import OPERATIONS as MEETING_OPERATIONS
from handlers.meetings.recording_files import Chunk, CompleteFile
from handlers.transcription import messages as transcription
from handlers.voice_qa import messages as voice_qa
from tests.handlers.json_schema_strategies import JSON_VALUES


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=10)]
    sizes: dict[str, list[int]] = {}


def rules(model: type[BaseModel], content: object) -> dict[str, str]:
    """Return the rules that a request violates, by the paths of the fields."""
    try:
        with request_validation():
            model.model_validate(content)
    except HandlerError as error:
        return {problem.field: problem.rule for problem in error.fields}
    return {}


def test_a_malformed_request_is_answered_with_its_fields_and_their_rules() -> None:
    problems = rules(Request, {"name": "x" * 11, "sizes": {"x": [1, "no"]}})
    assert [*problems] == ["name", "sizes.x.1"]
    assert problems["name"] == "must have at most 10 characters"
    assert len(rules(Request, {"name": "a"} | {f"extra{number}": 1 for number in range(1000)})) == MAX_PROBLEMS
    assert [*rules(Request, {"name": "a", "x" * 500: 1})] == ["x" * 200]


@given(JSON_VALUES)
@example({"\ud800": 1})
@example({"name": "\ud800"})
@example({"name": "a", "\ud800" + "x" * 500: 1})
def test_the_answer_to_any_request_is_short_and_printable(request_body: object) -> None:
    body = "{}"
    try:
        with request_validation():
            Request.model_validate(request_body)
    except HandlerError as error:
        body = to_http_response(error, "r-1")["body"]
    assert re.fullmatch(r"[ -~]{1,15000}", body)


OPERATIONS = (*EPISODE_OPERATIONS, *MEETING_OPERATIONS)
CLIENT_MODELS: set[type[BaseModel]] = {
    *filter(None, (part for item in OPERATIONS for part in (item.parameters, item.query, item.body))),
    *(Chunk, CompleteFile),
    *transcription.REQUESTS.values(),
    *voice_qa.REQUESTS.values(),
}
"""Models of everything that clients send, except those within `settings` of transcription, which has only numbers."""


@pytest.mark.parametrize("model", sorted(CLIENT_MODELS, key=str))
def test_a_rule_says_in_words_what_is_allowed(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        key = field.alias or name
        for value in ("\x00 ü", 10**15, None):
            rule = rules(model, {key: value}).get(key)
            assert rule is None or (rule.startswith("must ") and "pattern" not in rule), f"{key}: {rule}"


def test_missing_fields_and_forms_are_named_and_a_list_with_wrong_items_is_not_too_short() -> None:
    assert rules(NewEpisode, {"language": "english"}) == {
        "title": "is required",
        "language": "must be a language code such as en-US",
    }
    assert rules(CompleteUpload, {"etags": ["\n"]}) == {
        "etags.0": "must be the header ETag of the response to this part"
    }
    assert rules(CompleteUpload, {"etags": []}) == {"etags": "must have at least 1 item"}
