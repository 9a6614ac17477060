"""Every operation answers any request with one of its documented statuses and a body of the documented form."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.json_models import Message
from handlers.common.rest import AnyRestOperation
from handlers.livestream.episodes import handler
from handlers.livestream.episodes.routes import OPERATIONS
from handlers.livestream.models import UploadPath
from tests.handlers.json_schema_strategies import arbitrary_values, valid_values, validator
from tests.handlers.livestream.harness import MAX_FORM_BYTES, ApiResponse, Harness, is_ready_at_start


def check_response(operation: AnyRestOperation, answer: ApiResponse) -> None:
    """Assert that a response has a documented status and form."""
    assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"
    model: type[Message] | None = operation.answer
    if answer.status not in operation.statuses:
        assert answer.status in {400, 404, 409}
        assert answer.body.keys() == {"code", "message", "fields", "requestId"}
        assert all(wrong_field.keys() == {"field", "rule"} for wrong_field in answer.body["fields"])
    elif model is None:
        assert answer.text == ""
    else:
        validator(model, is_answer=True).validate(answer.body)
        model.model_validate_json(answer.text, strict=True)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_request_gets_a_documented_response_or_error(
    harness: Harness, operation: AnyRestOperation, data: st.DataObject
) -> None:
    episode = harness.create_episode()
    path = {"episode_id": episode}
    if operation.parameters is UploadPath:
        path["upload_id"] = harness.request_upload(episode, size=MAX_FORM_BYTES + 1)["uploadId"]
    names = st.sampled_from(["episode_id", "upload_id", "limit", "cursor", "other"])
    parameters = path | data.draw(st.just({}) | st.dictionaries(names, st.text()))
    model: type[Message] | None = operation.body
    if model is None:
        check_response(operation, harness.call(operation.name, data.draw(st.none() | st.text()), **parameters))
        return
    body = data.draw(valid_values(model) | arbitrary_values(model))
    answer = harness.call(operation.name, json.dumps(body), **parameters)
    check_response(operation, answer)
    if answer.status < 400 and not validator(model).is_valid(body):
        # An accepted body may violate the schema only by surrounding white space, which is stripped.
        texts = [item for value in body.values() for item in (value if isinstance(value, list) else [value])]
        assert any(isinstance(text, str) and text != text.strip() for text in texts)


def test_a_new_container_creates_its_clients_before_the_first_request(harness: Harness) -> None:
    assert is_ready_at_start(handler._rest)
