"""Tests of the published OpenAPI documents: their structure, authentication and servers.

The project has no package that validates OpenAPI documents. So these tests check the structure that OpenAPI 3.1
prescribes for the parts that the documents use, and the schemas with a validator of JSON Schema, which OpenAPI 3.1 uses
unchanged.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from local import ROOT

DOCUMENTS: dict[str, dict[str, Any]] = {
    name: json.loads((ROOT / "docs" / "reference" / name).read_text())
    for name in ("openapi.json", "meetings.openapi.json")
}
METHODS = {"get", "post", "patch", "delete"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


@pytest.fixture(params=DOCUMENTS)
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    return DOCUMENTS[request.param]


def test_a_document_has_the_structure_of_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert set(document["info"]) == {"title", "version", "description"}
    assert set(document) == {"openapi", "info", "servers", "security", "paths", "components"}
    assert set(document["components"]) == {"schemas", "responses", "securitySchemes"}
    for path, method, operation in operations(document):
        assert path.startswith("/")
        assert method in METHODS
        assert operation["responses"], "an operation must have at least one response"
        assert all(re.fullmatch(r"[1-5][0-9][0-9]|default", status) for status in operation["responses"])
        path_parameters = {item["name"] for item in operation.get("parameters", ()) if item["in"] == "path"}
        assert path_parameters == set(re.findall(r"{(\w+)}", path))
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_every_schema_is_valid_and_every_reference_has_a_target(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in re.findall(r'"\$ref": "#/([^"]*)"', json.dumps(document)):
        target: Any = document
        for part in reference.split("/"):
            target = target[part]


def test_every_server_is_a_url_whose_variables_have_a_default(document: dict[str, Any]) -> None:
    assert document["servers"]
    for server in document["servers"]:
        variables = set(re.findall(r"{(\w+)}", server["url"]))
        assert variables == set(server["variables"])
        defaults = {name: variable["default"] for name, variable in server["variables"].items()}
        assert re.fullmatch(r"https://[a-z0-9.-]+/api", server["url"].format(**defaults))


def test_every_authentication_scheme_is_defined(document: dict[str, Any]) -> None:
    secured = [document, *(operation for _, _, operation in operations(document))]
    names = {name for item in secured for alternative in item.get("security", ()) for name in alternative}
    assert names == set(document["components"]["securitySchemes"])


def test_livestream_has_the_authentication_of_its_settings_and_meetings_that_of_each_operation() -> None:
    livestream, meetings = DOCUMENTS["openapi.json"], DOCUMENTS["meetings.openapi.json"]
    assert livestream["security"] == [{"jwt": []}, {}]
    assert meetings["security"] == [{}]
    exchange, deletion = meetings["paths"]["/exchange"]["post"], meetings["paths"]["/meetings/{meetingId}"]["delete"]
    assert "security" not in exchange, "the client sends its token in the body"
    assert deletion["security"] == [{"jwt": []}]
