"""Every operation answers any request with one of its documented statuses and a body of the documented form."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.json_models import Message
from handlers.common.rest import AnyRestOperation
from handlers.livestream.episodes import handler
from handlers.livestream.episodes.routes import OPERATIONS
from tests.handlers.json_schema_strategies import arbitrary_values, valid_values, validator
from tests.handlers.livestream.harness import ANN, MAX_FORM_BYTES, OPERATION, ApiResponse, Harness, is_ready_at_start

ERROR_STATUSES = {400, 404, 409}
OPERATIONS_WITH_BODY = [operation.name for operation in OPERATIONS if operation.body is not None]
SHARED_HARNESS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
"""Settings for tests whose examples all use one harness."""


def check_response(operation: AnyRestOperation, answer: ApiResponse) -> None:
    """Assert that a response has a documented status and form."""
    assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"
    model: type[Message] | None = operation.answer
    if answer.status not in operation.statuses:
        assert answer.status in ERROR_STATUSES
        assert answer.body.keys() == {"code", "message", "fields", "requestId"}
        assert all(wrong_field.keys() == {"field", "rule"} for wrong_field in answer.body["fields"])
    elif model is None:
        assert answer.text == ""
    else:
        validator(model, is_answer=True).validate(answer.body)
        model.model_validate_json(answer.text, strict=True)


@pytest.fixture
def upload_path(harness: Harness) -> dict[str, str]:
    """Path parameters of an upload in parts that an episode expects."""
    episode = harness.create_episode()
    return {"episode_id": episode, "upload_id": harness.request_upload(episode, size=MAX_FORM_BYTES + 1)["uploadId"]}


def existing_path(harness: Harness, operation: AnyRestOperation, upload_path: dict[str, str]) -> dict[str, str]:
    """Return path parameters of a new episode, or of the expected upload, if the operation has any."""
    names = operation.parameters.model_fields if operation.parameters else {}
    if "upload_id" in names:
        return upload_path
    return {"episode_id": harness.create_episode()} if names else {}


@pytest.mark.parametrize("name", OPERATIONS_WITH_BODY)
@SHARED_HARNESS
@given(data=st.data())
def test_any_body_gets_a_documented_response_or_error(
    harness: Harness, upload_path: dict[str, str], name: str, data: st.DataObject
) -> None:
    operation = OPERATION[name]
    model: type[Message] | None = operation.body
    assert model is not None
    body = data.draw(valid_values(model) | arbitrary_values(model))
    answer = harness.send(name, json.dumps(body), **existing_path(harness, operation, upload_path))
    check_response(operation, answer)
    if answer.status < 400 and not validator(model).is_valid(body):
        # An accepted body may violate the schema only by surrounding white space, which is stripped.
        texts = [item for value in body.values() for item in (value if isinstance(value, list) else [value])]
        assert any(isinstance(text, str) and text != text.strip() for text in texts)


@SHARED_HARNESS
@given(
    st.sampled_from(list(OPERATION)),
    st.dictionaries(st.sampled_from(["episode_id", "upload_id", "limit", "cursor", "other"]), st.text()),
    st.none() | st.text(),
    st.sampled_from([ANN, None]),
)
def test_any_path_query_and_body_get_a_documented_response_or_error(
    harness: Harness, name: str, parameters: dict[str, str], body: str | None, owner: str | None
) -> None:
    check_response(OPERATION[name], harness.send(name, body, owner=owner, **parameters))


def test_a_new_container_creates_its_clients_before_the_first_request(harness: Harness) -> None:
    assert is_ready_at_start(handler._rest)
