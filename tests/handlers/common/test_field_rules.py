"""Tests of the rules that errors state about the fields of requests and of uploaded files."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError

from handlers.common.errors import to_field_problems
from handlers.livestream.episodes.routes import OPERATIONS as EPISODE_OPERATIONS
from handlers.livestream.models import NewEpisode, Part
from handlers.meetings.auth_exchange.api import OPERATIONS as MEETING_OPERATIONS
from handlers.meetings.complete_file import Chunk, CompleteFile
from handlers.transcription import messages as transcription
from handlers.voice_qa import messages as voice_qa

REST_MODELS: list[type[BaseModel]] = [
    model
    for operation in (*EPISODE_OPERATIONS, *MEETING_OPERATIONS)
    for model in (operation.parameters, operation.query, operation.body)
    if isinstance(model, type) and issubclass(model, BaseModel)
]
SINGLE_MODELS: list[type[BaseModel]] = [Part, Chunk, CompleteFile]
MODELS: set[type[BaseModel]] = {
    *REST_MODELS,
    *SINGLE_MODELS,
    *transcription.REQUESTS.values(),
    *voice_qa.REQUESTS.values(),
}
"""Models of everything that clients send, except those within `settings` of transcription, which has only numbers."""


def rules(model: type[BaseModel], content: object) -> Iterator[tuple[str, str]]:
    try:
        model.model_validate(content)
    except ValidationError as error:
        yield from ((problem.field, problem.rule) for problem in to_field_problems(error))


@pytest.mark.parametrize("model", sorted(MODELS, key=str))
def test_a_rule_says_in_words_what_is_allowed(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        key = field.alias or name
        for value in ("\x00 ü", 10**15, None):
            rule = dict(rules(model, {key: value})).get(key)
            assert rule is None or (rule.startswith("must ") and "pattern" not in rule), f"{key}: {rule}"


def test_a_missing_field_and_the_form_of_a_text_are_named() -> None:
    assert dict(rules(NewEpisode, {"language": "english"})) == {
        "title": "is required",
        "language": "must be a language code such as en-US",
    }
