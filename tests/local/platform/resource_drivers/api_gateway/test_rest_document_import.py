"""Tests of the import of a REST API's document: the calls, their order, and that no element is ignored."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from components.blocks.api.gateway_import_document import GatewayOptions, gateway_document
from components.blocks.api.public_openapi_document import build_document
from handlers.common.http.rest_operation import RestOperation
from handlers.common.json_models import Message
from local.platform.driver_model.driver import ResourceValues
from local.platform.driver_model.service_shapes import ShapeMismatch, find_violations, service_model
from local.platform.resource_drivers.api_gateway.rest_api_drivers import put_method_settings, remove_method_settings
from local.platform.resource_drivers.api_gateway.rest_document_import import replace_api_content

pytestmark = pytest.mark.unit

API = "a1b2c3"


class NotePath(Message):
    note_id: str


class Word(Message):
    word: str


class NewNote(Message):
    words: tuple[Word, ...]


OPERATIONS = (
    RestOperation("makeNote", "POST", "/notes", "Makes.", body=NewNote),
    RestOperation("readNote", "GET", "/notes/{noteId}", "Reads.", parameters=NotePath),
)


class Client:
    """Fake API Gateway that checks every call against the service's model."""

    def __init__(self, **there: list[dict[str, Any]]) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._there = {"get_resources": [{"id": "root", "path": "/"}], **there}

    def __getattr__(self, method: str) -> Callable[..., dict[str, Any]]:
        def call(**given: Any) -> dict[str, Any]:
            operation = service_model("apigateway").operation_model("".join(map(str.capitalize, method.split("_"))))
            shape = operation.input_shape
            assert shape is not None
            assert given["restApiId"] == API
            assert set(given) <= set(shape.members), method
            assert list(find_violations(given, shape, method)) == []
            self.calls.append((method, given))
            if method.startswith("get_"):
                return {"items": self._there.get(method, [])}
            return {"id": f"{method} {len(self.calls)}"}

        return call

    def of(self, method: str) -> list[dict[str, Any]]:
        return [given for name, given in self.calls if name == method]


def make_document(**changes: Any) -> dict[str, Any]:
    return gateway_document(build_document("notes", "1", OPERATIONS), GatewayOptions("uri", "*", **changes))


def import_document(given: dict[str, Any], **there: list[dict[str, Any]]) -> Client:
    client = Client(**there)
    replace_api_content(client, API, json.dumps(given))
    return client


def test_a_model_refers_to_other_models_by_url() -> None:
    models = {call["name"]: json.loads(call["schema"]) for call in import_document(make_document()).of("create_model")}
    address = f"https://apigateway.amazonaws.com/restapis/{API}/models/Word"
    assert models["NewNote"]["properties"]["words"]["items"] == {"$ref": address}
    assert set(models) == {"NewNote", "Word"}


def test_existing_items_are_deleted_deepest_first() -> None:
    client = import_document(
        make_document(),
        get_resources=[
            {"id": "root", "path": "/", "resourceMethods": {"ANY": {}}},
            {"id": "a", "path": "/a"},
            {"id": "b", "path": "/a/b", "resourceMethods": {"GET": {}}},
        ],
        get_models=[{"name": "Old"}],
        get_authorizers=[{"id": "judge"}],
        get_request_validators=[{"id": "rules"}],
        get_gateway_responses=[
            {"responseType": "THROTTLED", "defaultResponse": False},
            {"responseType": "UNAUTHORIZED", "defaultResponse": True},
        ],
    )
    assert [call["resourceId"] for call in client.of("delete_resource")] == ["b", "a"]
    assert [(call["resourceId"], call["httpMethod"]) for call in client.of("delete_method")] == [
        ("b", "GET"),
        ("root", "ANY"),
    ]
    assert [call["modelName"] for call in client.of("delete_model")] == ["Old"]
    assert [call["authorizerId"] for call in client.of("delete_authorizer")] == ["judge"]
    assert [call["requestValidatorId"] for call in client.of("delete_request_validator")] == ["rules"]
    assert [call["responseType"] for call in client.of("delete_gateway_response")] == ["THROTTLED"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda call: call.update({"x-amazon-apigateway-policy": {}}), "the document: x-amazon-apigateway-policy"),
        (lambda call: call["paths"]["/notes"]["post"].update({"servers": []}), "post /notes: servers"),
        (lambda call: call["paths"]["/notes"].update({"summary": "Notes"}), "/notes: summary"),
        (lambda call: call["components"]["securitySchemes"].update({"x": {"type": "http"}}), "scheme x"),
    ],
    ids=["document", "operation", "path", "scheme"],
)
def test_an_unsupported_element_is_refused(change: Callable[[dict[str, Any]], None], says: str) -> None:
    given = copy.deepcopy(make_document())
    change(given)
    with pytest.raises(ShapeMismatch, match=says):
        import_document(given)


def test_method_settings_become_patches_of_the_stage() -> None:
    values = ResourceValues(
        {"methodPath": "*/*", "settings": {"dataTraceEnabled": False, "throttlingRateLimit": 0.5, "loggingLevel": None}}
    )
    assert put_method_settings.compute(values) == [
        {"op": "replace", "path": "/*/*/logging/dataTrace", "value": "false"},
        {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0.5"},
    ]
    assert remove_method_settings.compute(ResourceValues({"methodPath": "a/{b}/GET"})) == [
        {"op": "remove", "path": "/a~1{b}/GET"}
    ]
