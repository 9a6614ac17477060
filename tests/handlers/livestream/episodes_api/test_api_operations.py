"""Whatever is asked of an operation, it answers one of the statuses that it may, in the form that its model says."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.http.rest_operations import RestOperation
from handlers.livestream.episodes_api.api_operations import OPERATIONS
from handlers.livestream.error_codes import Code
from tests.handlers.livestream.api_setup import ANN, OPERATION, Said, Stage
from tests.handlers.livestream.response_schemas import bad, good, schema_of, validator

REFUSALS = {400, 404, 409}
FIELDS = {
    "type": "object",
    "required": ["code", "message", "fields", "requestId"],
    "additionalProperties": False,
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "requestId": {"const": "r1"},
        "fields": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "rule"],
                "additionalProperties": False,
                "properties": {"field": {"type": "string"}, "rule": {"type": "string"}},
            },
        },
    },
}
jsonschema.Draft202012Validator.check_schema(FIELDS)
REFUSED = jsonschema.Draft202012Validator(FIELDS)
WITH_BODY = [one.name for one in OPERATIONS if one.body is not None]
WITH_QUERY = [one.name for one in OPERATIONS if one.query is not None]
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def check(operation: RestOperation, answer: Said) -> None:
    """Fails on what the operation does not say."""
    assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"
    if answer.status not in operation.statuses:
        assert answer.status in REFUSALS
        REFUSED.validate(answer.body)
    elif operation.answer is None:
        assert answer.text == ""
    else:
        validator(operation.answer, answered=True).validate(answer.body)
        operation.answer.model_validate_json(answer.text, strict=True)


def some_path(stage: Stage, operation: RestOperation) -> dict[str, str]:
    """An episode that is there, and an upload that it waits for."""
    if operation.parameters is None:
        return {}
    episode = stage.episode()
    if "upload_id" not in operation.parameters.model_fields:
        return {"episode_id": episode}
    asked = {"kind": "video", "contentType": "video/mp4", "bytes": stage.limits.form_bytes + 1}
    upload = stage.does("requestUpload", asked, episode_id=episode).body["uploadId"]
    return {"episode_id": episode, "upload_id": upload}


@pytest.mark.parametrize("name", WITH_BODY)
@SHARED
@given(data=st.data())
def test_a_body_that_the_document_allows_is_answered_as_it_says(stage: Stage, name: str, data: st.DataObject) -> None:
    operation = OPERATION[name]
    assert operation.body is not None
    body = data.draw(good(operation.body))
    validator(operation.body).validate(body)
    check(operation, stage.does(name, body, **some_path(stage, operation)))


@pytest.mark.parametrize("name", WITH_BODY)
@SHARED
@given(data=st.data())
def test_any_other_body_is_answered_with_a_refusal_or_well(stage: Stage, name: str, data: st.DataObject) -> None:
    operation = OPERATION[name]
    assert operation.body is not None
    body = data.draw(bad(operation.body))
    answer = stage.sends(name, json.dumps(body), **some_path(stage, operation))
    check(operation, answer)
    if not validator(operation.body).is_valid(body):
        _refused_or_mended(answer, body)


def _refused_or_mended(answer: Said, body: Any) -> None:
    """Only texts with space around them are taken though the document would not: they are stripped."""
    if answer.status < 400:
        texts = [one for value in body.values() for one in (value if isinstance(value, list) else [value])]
        assert any(isinstance(text, str) and text != text.strip() for text in texts)


@pytest.mark.parametrize("name", [one.name for one in OPERATIONS])
@SHARED
@given(
    names=st.dictionaries(st.sampled_from(["episode_id", "upload_id"]), st.text(), max_size=2),
    query=st.dictionaries(st.sampled_from(["limit", "cursor", "other"]), st.text()),
    body=st.none() | st.text(),
    owner=st.sampled_from([ANN, None]),
)
def test_any_text_anywhere_is_answered(
    stage: Stage, name: str, names: dict[str, str], query: dict[str, str], body: str | None, owner: str | None
) -> None:
    check(OPERATION[name], stage.sends(name, body, owner=owner, **names, **query))


@pytest.mark.parametrize("name", WITH_QUERY)
def test_lists_answer_as_the_document_says(stage: Stage, name: str) -> None:
    operation, path = OPERATION[name], some_path(stage, OPERATION[name])
    for start in range(3):
        stage.episode()
        if path:
            stage.claim(path["episode_id"], start, f"c{start}")
            stage.clip(path["episode_id"], start, f"c{start}")
    answer = stage.does(name, limit=2, **path)
    assert answer.status == 200
    assert answer.body["nextCursor"]
    check(operation, answer)


def test_an_episode_that_is_kept_wrongly_is_not_sent(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    episode = stage.episode()
    [item] = stage.stored()
    stage.dynamodb.put_item(TableName="episodes", Item={**item, "language": {"S": "canary"}})
    answer = stage.does("getEpisode", episode_id=episode)
    assert answer.refusal == (500, "INTERNAL")
    assert "canary" not in answer.text + capsys.readouterr().out


def test_every_operation_has_its_own_place_and_name() -> None:
    assert len({(one.method, one.path) for one in OPERATIONS}) == len(OPERATIONS) == 10
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_a_path_names_what_its_model_has(operation: RestOperation) -> None:
    named = {part[1:-1] for part in operation.path.split("/") if part.startswith("{")}
    fields = schema_of(operation.parameters)["properties"] if operation.parameters else {}
    assert named == set(fields)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_models_say_everything_in_camel_case(operation: RestOperation) -> None:
    for model in (operation.parameters, operation.query, operation.body, operation.answer):
        if model is not None:
            assert "_" not in "".join(schema_of(model)["properties"])


def test_codes_are_their_own_names() -> None:
    assert [one.name for one in Code] == [one.value for one in Code]
