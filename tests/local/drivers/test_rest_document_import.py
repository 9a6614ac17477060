"""Tests of the import of the OpenAPI document of a REST API, with a fake API Gateway."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from components.blocks.openapi import Authorizer, gateway_document
from handlers.common.json_models import Message
from handlers.common.rest import RestOperation
from local.drivers.rest_document_import import replace_api_content
from local.drivers.service_shapes import ShapeMismatch, find_violations, service_model

pytestmark = pytest.mark.unit

API = "a1b2c3"


class NotePath(Message):
    note_id: str


class Word(Message):
    word: str


class NewNote(Message):
    words: tuple[Word, ...]


OPERATIONS = (
    RestOperation("createNote", "POST", "/notes", "Create a note.", body=NewNote),
    RestOperation("readNote", "GET", "/notes/{noteId}", "Return a note.", parameters=NotePath),
)


class FakeApiGateway:
    """Client that checks every call against the service's model, and returns the given items from its `get_` methods."""

    def __init__(self, **items: list[dict[str, Any]]) -> None:
        self._calls: list[tuple[str, dict[str, Any]]] = []
        self._items = {"get_resources": [{"id": "root", "path": "/"}], **items}

    def __getattr__(self, method: str) -> Callable[..., dict[str, Any]]:
        def call(**parameters: Any) -> dict[str, Any]:
            operation = service_model("apigateway").operation_model("".join(map(str.capitalize, method.split("_"))))
            shape = operation.input_shape
            assert shape is not None
            assert parameters["restApiId"] == API
            assert set(parameters) <= set(shape.members), method
            assert list(find_violations(parameters, shape, method)) == []
            self._calls.append((method, parameters))
            if method.startswith("get_"):
                return {"items": self._items.get(method, [])}
            return {"id": f"{method} {len(self._calls)}"}

        return call

    def values(self, method: str, parameter: str) -> list[Any]:
        """Return a parameter of each call of a method."""
        return [parameters[parameter] for name, parameters in self._calls if name == method]


def notes_document() -> dict[str, Any]:
    return gateway_document("notes", "1", OPERATIONS, integration="uri", cors_origin="*")


def import_document(document: dict[str, Any], **existing_items: list[dict[str, Any]]) -> FakeApiGateway:
    client = FakeApiGateway(**existing_items)
    replace_api_content(client, API, json.dumps(document))
    return client


def test_a_model_refers_to_other_models_by_url() -> None:
    client = import_document(notes_document())
    schemas = dict(zip(client.values("create_model", "name"), client.values("create_model", "schema"), strict=True))
    assert set(schemas) == {"NewNote", "Word"}
    url = f"https://apigateway.amazonaws.com/restapis/{API}/models/Word"
    assert json.loads(schemas["NewNote"])["properties"]["words"]["items"] == {"$ref": url}


def test_only_methods_with_an_operation_ask_the_authorizer() -> None:
    authorizer = Authorizer("authorizer-uri", 60)
    client = import_document(
        gateway_document("notes", "1", OPERATIONS, integration="uri", cors_origin="*", authorizer=authorizer)
    )
    assert client.values("create_authorizer", "type") == ["TOKEN"]
    methods = zip(
        client.values("put_method", "httpMethod"), client.values("put_method", "authorizationType"), strict=True
    )
    assert {method for method, authorization in methods if authorization == "CUSTOM"} == {"GET", "POST"}


def test_all_existing_items_are_deleted_and_resources_before_their_parents() -> None:
    client = import_document(
        notes_document(),
        get_resources=[
            {"id": "root", "path": "/", "resourceMethods": {"ANY": {}}},
            {"id": "a", "path": "/a"},
            {"id": "b", "path": "/a/b", "resourceMethods": {"GET": {}}},
        ],
        get_models=[{"name": "Old"}],
        get_authorizers=[{"id": "old-authorizer"}],
        get_request_validators=[{"id": "old-validator"}],
        get_gateway_responses=[
            {"responseType": "THROTTLED", "defaultResponse": False},
            {"responseType": "UNAUTHORIZED", "defaultResponse": True},
        ],
    )
    assert client.values("delete_resource", "resourceId") == ["b", "a"]
    assert client.values("delete_method", "resourceId") == ["b", "root"]
    assert client.values("delete_method", "httpMethod") == ["GET", "ANY"]
    assert client.values("delete_model", "modelName") == ["Old"]
    assert client.values("delete_authorizer", "authorizerId") == ["old-authorizer"]
    assert client.values("delete_request_validator", "requestValidatorId") == ["old-validator"]
    assert client.values("delete_gateway_response", "responseType") == ["THROTTLED"]


@pytest.mark.parametrize(
    ("path_in_document", "key", "value", "message"),
    [
        ([], "x-amazon-apigateway-policy", {}, "the document: x-amazon-apigateway-policy"),
        (["paths", "/notes", "post"], "servers", [], "post /notes: servers"),
        (["paths", "/notes"], "summary", "Notes", "/notes: summary"),
        (["components", "securitySchemes"], "x", {"type": "http"}, "scheme x"),
    ],
    ids=["document", "operation", "path", "scheme"],
)
def test_an_unsupported_element_is_refused(path_in_document: list[str], key: str, value: Any, message: str) -> None:
    document = copy.deepcopy(notes_document())
    element = document
    for part in path_in_document:
        element = element[part]
    element[key] = value
    with pytest.raises(ShapeMismatch, match=message):
        import_document(document)
