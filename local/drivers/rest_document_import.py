"""Import of the OpenAPI document of a REST API into the emulator.

The driver of REST APIs uses it (`apis.py`). The emulator's own import accepts a document but ignores its content. So this
import makes a call for each item: models, validators, authorizers, resources with their methods, and gateway responses.
As on AWS with mode `overwrite`, all existing items are deleted first.

The import supports only the elements that this project's documents use. An unknown key of the document, of a path or of
an operation is an error. Unknown keys on deeper levels are ignored, for example the content of a response.
"""

import json
from collections.abc import Mapping
from typing import Any

from local.drivers.service_shapes import ShapeMismatch

Document = Mapping[str, Any]

MAX_ITEMS = 500
"""Maximum number of items that are listed. It is API Gateway's maximum for a page, and more than this project's APIs
have."""
JSON = "application/json"
SCHEMAS = "#/components/schemas/"
ANY_METHOD = "x-amazon-apigateway-any-method"
METHODS = {
    **{name: name.upper() for name in ("get", "post", "put", "patch", "delete", "head", "options")},
    ANY_METHOD: "ANY",
}
"""Methods of API Gateway by their keys in the document."""
INTEGRATION = "x-amazon-apigateway-integration"
VALIDATORS, VALIDATOR = "x-amazon-apigateway-request-validators", "x-amazon-apigateway-request-validator"
GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"
AUTHORIZER = "x-amazon-apigateway-authorizer"
DOCUMENT_KEYS = frozenset({"openapi", "info", "paths", "components", VALIDATORS, GATEWAY_RESPONSES})
OPERATION_KEYS = frozenset(
    {"operationId", "parameters", "requestBody", "responses", "security", VALIDATOR, INTEGRATION}
)
PARAMETER_LOCATIONS = {"path": "path", "query": "querystring", "header": "header"}


def replace_api_content(client: Any, api_id: str, body: str) -> None:
    """Replace the content of an API by the content of its document."""
    document: Document = json.loads(body)
    _check_keys(document, DOCUMENT_KEYS, "the document")
    root = _clear_api(client, api_id)
    _DocumentImport(client, api_id, document).run(root)


def _clear_api(client: Any, api_id: str) -> str:
    """Delete all items of an API except its root resource. Return the id of the root resource.

    Resources are deleted in the order of their paths' lengths, the longest first, so each one before its parent.
    """
    api = {"restApiId": api_id}
    resources = sorted(
        client.get_resources(**api, limit=MAX_ITEMS)["items"], key=lambda resource: -len(resource["path"])
    )
    for resource in resources:
        for method in resource.get("resourceMethods") or {}:
            client.delete_method(**api, resourceId=resource["id"], httpMethod=method)
        if resource["path"] != "/":
            client.delete_resource(**api, resourceId=resource["id"])
    for authorizer in client.get_authorizers(**api, limit=MAX_ITEMS)["items"]:
        client.delete_authorizer(**api, authorizerId=authorizer["id"])
    for validator in client.get_request_validators(**api, limit=MAX_ITEMS)["items"]:
        client.delete_request_validator(**api, requestValidatorId=validator["id"])
    for model in client.get_models(**api, limit=MAX_ITEMS)["items"]:
        client.delete_model(**api, modelName=model["name"])
    for response in client.get_gateway_responses(**api)["items"]:
        if not response["defaultResponse"]:
            client.delete_gateway_response(**api, responseType=response["responseType"])
    return str(resources[-1]["id"])  # The root has the shortest path.


class _DocumentImport:
    """The import of one document into one API."""

    def __init__(self, client: Any, api_id: str, document: Document) -> None:
        self._client = client
        self._api = {"restApiId": api_id}
        self._document = document
        self._validators: dict[str, str] = {}
        """Ids of the request validators, by name."""
        self._security: dict[str, dict[str, Any]] = {}
        """Arguments of `put_method` for a method that requires a security scheme, by the scheme's name."""

    def run(self, root: str) -> None:
        """Create all items, each after those that it refers to. `root` is the id of the root resource."""
        components = self._document.get("components", {})
        for name, schema in components.get("schemas", {}).items():
            self._client.create_model(
                **self._api, name=name, contentType=JSON, schema=json.dumps(self._with_absolute_references(schema))
            )
        for name, rules in self._document.get(VALIDATORS, {}).items():
            self._validators[name] = self._client.create_request_validator(**self._api, name=name, **rules)["id"]
        for name, scheme in components.get("securitySchemes", {}).items():
            self._security[name] = self._create_scheme(name, scheme)
        resources = {"": root}
        for path, operations in self._document["paths"].items():
            _check_keys(operations, frozenset(METHODS), path)
            resource = self._ensure_resource(path.rstrip("/"), resources)
            for verb, operation in operations.items():
                self._create_method(resource, METHODS[verb], operation, f"{verb} {path}")
        for kind, response in self._document.get(GATEWAY_RESPONSES, {}).items():
            self._client.put_gateway_response(**self._api, responseType=kind, **response)

    def _with_absolute_references(self, value: Any) -> Any:
        """Return a schema in which each reference to another schema is the URL of that schema's model.

        The import creates a model for each schema. A model cannot refer to a position in the document.
        """
        if isinstance(value, Mapping):
            if "$ref" in value:
                name = str(value["$ref"]).removeprefix(SCHEMAS)
                return {"$ref": f"https://apigateway.amazonaws.com/restapis/{self._api['restApiId']}/models/{name}"}
            return {key: self._with_absolute_references(inner) for key, inner in value.items()}
        return [self._with_absolute_references(inner) for inner in value] if isinstance(value, list) else value

    def _create_scheme(self, name: str, scheme: Document) -> dict[str, Any]:
        """Create the authorizer of a security scheme. Return the arguments of `put_method` that require it."""
        authorizer = scheme.get(AUTHORIZER)
        if authorizer is None:
            raise ShapeMismatch(f"the security scheme {name} has no authorizer")
        created = self._client.create_authorizer(
            **self._api,
            **{key: value for key, value in authorizer.items() if key != "type"},
            name=name,
            type=authorizer["type"].upper(),
        )
        return {"authorizationType": "CUSTOM", "authorizerId": created["id"]}

    def _ensure_resource(self, path: str, resources: dict[str, str]) -> str:
        """Return the id of the resource at a path. Create it and its parents if necessary."""
        if path not in resources:
            parent, _, part = path.rpartition("/")
            parent_id = self._ensure_resource(parent, resources)
            resources[path] = self._client.create_resource(**self._api, parentId=parent_id, pathPart=part)["id"]
        return resources[path]

    def _create_method(self, resource: str, method: str, operation: Document, where: str) -> None:
        _check_keys(operation, OPERATION_KEYS, where)
        target = {**self._api, "resourceId": resource, "httpMethod": method}
        options: dict[str, Any] = {"authorizationType": "NONE"}
        for scheme in operation.get("security", ()):
            for name in scheme:
                options |= self._security[name]
        if VALIDATOR in operation:
            options["requestValidatorId"] = self._validators[operation[VALIDATOR]]
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"][JSON]["schema"]
            options["requestModels"] = {JSON: schema["$ref"].removeprefix(SCHEMAS)}
        self._client.put_method(
            **target,
            **options,
            operationName=operation.get("operationId", ""),
            requestParameters={
                f"method.request.{PARAMETER_LOCATIONS[parameter['in']]}.{parameter['name']}": bool(
                    parameter.get("required")
                )
                for parameter in operation.get("parameters", ())
            },
        )
        for status, response in operation["responses"].items():
            # False means that the header is not required.
            headers = {f"method.response.header.{name}": False for name in response.get("headers", {})}
            self._client.put_method_response(**target, statusCode=status, responseParameters=headers)
        self._create_integration(target, operation[INTEGRATION])

    def _create_integration(self, target: Mapping[str, Any], integration: Document) -> None:
        options = {key: value for key, value in integration.items() if key not in {"type", "httpMethod", "responses"}}
        if "passthroughBehavior" in options:
            options["passthroughBehavior"] = options["passthroughBehavior"].upper()
        if "httpMethod" in integration:
            options["integrationHttpMethod"] = integration["httpMethod"]
        self._client.put_integration(**target, type=integration["type"].upper(), **options)
        for pattern, response in integration.get("responses", {}).items():
            # The response without a pattern is the default.
            selection = {} if pattern == "default" else {"selectionPattern": pattern}
            self._client.put_integration_response(**target, **selection, **response)


def _check_keys(document: Document, keys: frozenset[str], where: str) -> None:
    """Raise ShapeMismatch for a key that the import does not support. `where` names the element with the key."""
    if unknown := sorted(set(document) - keys):
        raise ShapeMismatch(
            f"{where}: {', '.join(unknown)} is not supported: add it to local/drivers/rest_document_import.py"
        )
