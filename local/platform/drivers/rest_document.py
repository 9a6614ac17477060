"""A REST API's document, told to the emulator piece by piece: it takes a document and forgets what is in it.

As AWS does with a document that overwrites, everything of before is taken away first. Only what our own documents have
is understood; whatever else one has is an error, not a silently different API.
"""

import json
from collections.abc import Mapping
from typing import Any

from local.platform.drivers.service_shapes import ShapeMismatch

Document = Mapping[str, Any]

MOST = 500
JSON = "application/json"
SCHEMAS = "#/components/schemas/"
ANY = "x-amazon-apigateway-any-method"
METHODS = {**{name: name.upper() for name in ("get", "post", "put", "patch", "delete", "head", "options")}, ANY: "ANY"}
INTEGRATION = "x-amazon-apigateway-integration"
VALIDATORS, VALIDATOR = "x-amazon-apigateway-request-validators", "x-amazon-apigateway-request-validator"
ANSWERS = "x-amazon-apigateway-gateway-responses"
AUTHORIZER = "x-amazon-apigateway-authorizer"
OF_A_DOCUMENT = frozenset({"openapi", "info", "paths", "components", VALIDATORS, ANSWERS})
OF_AN_OPERATION = frozenset(
    {"operationId", "parameters", "requestBody", "responses", "security", VALIDATOR, INTEGRATION}
)
PLACES = {"path": "path", "query": "querystring", "header": "header"}


def overwrite(client: Any, api_id: str, body: str) -> None:
    """Makes an API what its document says."""
    document: Document = json.loads(body)
    _known(document, OF_A_DOCUMENT, "the document")
    root = _cleared(client, api_id)
    _Import(client, api_id, document).run(root)


def _cleared(client: Any, api_id: str) -> str:
    """Takes everything away but the root, and answers which that is."""
    api = {"restApiId": api_id}
    resources = sorted(client.get_resources(**api, limit=MOST)["items"], key=lambda one: -len(one["path"]))
    for one in resources:
        for method in one.get("resourceMethods") or {}:
            client.delete_method(**api, resourceId=one["id"], httpMethod=method)
        if one["path"] != "/":
            client.delete_resource(**api, resourceId=one["id"])
    for one in client.get_authorizers(**api, limit=MOST)["items"]:
        client.delete_authorizer(**api, authorizerId=one["id"])
    for one in client.get_request_validators(**api, limit=MOST)["items"]:
        client.delete_request_validator(**api, requestValidatorId=one["id"])
    for one in client.get_models(**api, limit=MOST)["items"]:
        client.delete_model(**api, modelName=one["name"])
    for one in client.get_gateway_responses(**api)["items"]:
        if not one["defaultResponse"]:
            client.delete_gateway_response(**api, responseType=one["responseType"])
    return str(resources[-1]["id"])


class _Import:
    """One document on its way into one API."""

    def __init__(self, client: Any, api_id: str, document: Document) -> None:
        self._client = client
        self._api = {"restApiId": api_id}
        self._document = document
        self._validators: dict[str, str] = {}
        self._security: dict[str, dict[str, Any]] = {}

    def run(self, root: str) -> None:
        """Makes everything, each after what it names."""
        components = self._document.get("components", {})
        for name, schema in components.get("schemas", {}).items():
            self._client.create_model(
                **self._api, name=name, contentType=JSON, schema=json.dumps(self._absolute(schema))
            )
        for name, rules in self._document.get(VALIDATORS, {}).items():
            self._validators[name] = self._client.create_request_validator(**self._api, name=name, **rules)["id"]
        for name, scheme in components.get("securitySchemes", {}).items():
            self._security[name] = self._scheme(name, scheme)
        resources = {"": root}
        for path, operations in self._document["paths"].items():
            resource = self._resource(path.rstrip("/"), resources)
            for verb, operation in operations.items():
                self._method(resource, METHODS[verb], operation, f"{verb} {path}")
        for kind, answer in self._document.get(ANSWERS, {}).items():
            self._client.put_gateway_response(**self._api, responseType=kind, **answer)

    def _absolute(self, value: Any) -> Any:
        """A schema whose references are addresses: the document's own are told apart on import only."""
        if isinstance(value, Mapping):
            if "$ref" in value:
                name = str(value["$ref"]).removeprefix(SCHEMAS)
                return {"$ref": f"https://apigateway.amazonaws.com/restapis/{self._api['restApiId']}/models/{name}"}
            return {key: self._absolute(inner) for key, inner in value.items()}
        return [self._absolute(inner) for inner in value] if isinstance(value, list) else value

    def _scheme(self, name: str, scheme: Document) -> dict[str, Any]:
        """What a method must say to ask for a scheme."""
        authorizer = scheme.get(AUTHORIZER)
        if authorizer is None:
            if (scheme.get("type"), scheme.get("name")) != ("apiKey", "x-api-key"):
                raise ShapeMismatch(f"the security scheme {name} is none that API Gateway knows")
            return {"authorizationType": "NONE", "apiKeyRequired": True}
        made = self._client.create_authorizer(
            **self._api,
            **{key: value for key, value in authorizer.items() if key != "type"},
            name=name,
            type=authorizer["type"].upper(),
        )
        return {"authorizationType": "CUSTOM", "authorizerId": made["id"]}

    def _resource(self, path: str, resources: dict[str, str]) -> str:
        """The resource of a path, made with all before it."""
        if path not in resources:
            parent, _, part = path.rpartition("/")
            parent_id = self._resource(parent, resources)
            resources[path] = self._client.create_resource(**self._api, parentId=parent_id, pathPart=part)["id"]
        return resources[path]

    def _method(self, resource: str, method: str, operation: Document, where: str) -> None:
        _known(operation, OF_AN_OPERATION, where)
        one = {**self._api, "resourceId": resource, "httpMethod": method}
        asked: dict[str, Any] = {"authorizationType": "NONE"}
        for scheme in operation.get("security", ()):
            for name in scheme:
                asked |= self._security[name]
        if VALIDATOR in operation:
            asked["requestValidatorId"] = self._validators[operation[VALIDATOR]]
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"][JSON]["schema"]
            asked["requestModels"] = {JSON: schema["$ref"].removeprefix(SCHEMAS)}
        self._client.put_method(
            **one,
            **asked,
            operationName=operation.get("operationId", ""),
            requestParameters={
                f"method.request.{PLACES[given['in']]}.{given['name']}": bool(given.get("required"))
                for given in operation.get("parameters", ())
            },
        )
        for status, answer in operation["responses"].items():
            headers = {f"method.response.header.{name}": False for name in answer.get("headers", {})}
            self._client.put_method_response(**one, statusCode=status, responseParameters=headers)
        self._integration(one, operation[INTEGRATION])

    def _integration(self, one: Mapping[str, Any], integration: Document) -> None:
        given = {key: value for key, value in integration.items() if key not in {"type", "httpMethod", "responses"}}
        if "passthroughBehavior" in given:
            given["passthroughBehavior"] = given["passthroughBehavior"].upper()
        if "httpMethod" in integration:
            given["integrationHttpMethod"] = integration["httpMethod"]
        self._client.put_integration(**one, type=integration["type"].upper(), **given)
        for pattern, answer in integration.get("responses", {}).items():
            selects = {} if pattern == "default" else {"selectionPattern": pattern}
            self._client.put_integration_response(**one, **selects, **answer)


def _known(given: Document, keys: frozenset[str], where: str) -> None:
    if unknown := sorted(set(given) - keys):
        raise ShapeMismatch(
            f"{where}: {', '.join(unknown)} is not understood: teach it to local/platform/drivers/rest_document.py"
        )
