"""OpenAPI 3.1 document that describes a REST API to its users, built from the list of the API's operations.

`local/generate` writes it to `docs/`. API Gateway does not get this document: `gateway_import_document.py` converts it
to the document that API Gateway imports.

The pydantic models define the schemas. A request has the validation schema of its model, and a response has the
serialization schema. Every error has the same body, whether a handler or API Gateway returns it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic.json_schema import models_json_schema

from handlers.common.http.rest_operation_declaration import RestOperation
from handlers.common.json_models import Message, WrongField

Document = dict[str, Any]
SchemaMode = Literal["validation", "serialization"]
"""Use of a model: `validation` describes what it accepts in a request, `serialization` what it writes to a response."""

JSON = "application/json"
SCHEMAS = "#/components/schemas/"
"""Prefix of a reference to a schema of the same document."""
PATH_PARAMETER = re.compile(r"\{([^}]*)\}")
"""A parameter in a path, such as `{episodeId}`."""
STATUS_DESCRIPTIONS = {200: "Done.", 201: "Created.", 202: "Accepted.", 204: "Done; the response has no body."}


class Error(Message):
    """Description of a failed request."""

    code: str
    """Error code, one of a fixed set."""
    message: str
    fields: tuple[WrongField, ...] = ()
    """Fields that are wrong, if they are known."""
    request_id: str
    """Id of the request, by which support finds it in the logs."""


@dataclass(frozen=True)
class ApiDocumentation:
    """Parts of the document that only the API's users need."""

    description: str
    """Text about the whole API, in Markdown."""
    servers: Sequence[Document]
    """Base URLs of the API, as OpenAPI's server objects."""
    security_schemes: Mapping[str, Document]
    """Ways in which a caller can authenticate, by name."""
    security: Sequence[Mapping[str, Sequence[str]]]
    """Alternative ways to authenticate, each with the names of its schemes. An empty mapping means no
    authentication."""


def build_document(
    title: str, version: str, operations: Sequence[RestOperation], documentation: ApiDocumentation | None = None
) -> Document:
    """Return the OpenAPI 3.1 document of the operations.

    The parts in `documentation` are left out if the document is only converted for API Gateway.
    """
    _check_path_parameters(operations)
    schemas = _Schemas(operations)
    paths: dict[str, Document] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation_document(operation, schemas)
    info = {"title": title, "version": version}
    components: Document = {
        "schemas": schemas.by_name,
        "responses": {
            "Error": {"description": "The request failed.", "content": schemas.content(Error, "serialization")}
        },
    }
    document: Document = {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}
    if documentation is not None:
        info["description"] = documentation.description
        document["servers"] = [*documentation.servers]
        document["security"] = [dict(alternative) for alternative in documentation.security]
        components["securitySchemes"] = dict(documentation.security_schemes)
    return document


class _Schemas:
    """Schemas of all models, under the names that the document uses."""

    def __init__(self, operations: Sequence[RestOperation]) -> None:
        models = list(dict.fromkeys([*_models(operations), (Error, "serialization")]))
        references, definitions = models_json_schema(models, ref_template=f"{SCHEMAS}{{model}}")  # type: ignore[arg-type]
        self._references = references
        schemas: dict[str, Document] = definitions.get("$defs", {})
        self._all = schemas
        used_names = set(self._used_names(operations))
        self.by_name = {name: schema for name, schema in sorted(schemas.items()) if name in used_names}
        """Schemas to which the document refers."""

    def reference(self, model: type[Message], mode: SchemaMode) -> Document:
        """Return the reference to a model's schema."""
        return dict(self._references[model, mode])

    def content(self, model: type[Message], mode: SchemaMode) -> Document:
        """Return the content of a body: the reference to its schema."""
        return {JSON: {"schema": self.reference(model, mode)}}

    def parameters(self, location: str, model: type[Message] | None) -> Iterator[Document]:
        """Yield a parameter for each field of a model of path or query parameters."""
        for name, schema, required in self.fields(model):
            yield _parameter(location, name, schema, required=required or location == "path")

    def fields(self, model: type[Message] | None) -> Iterator[tuple[str, Document, bool]]:
        """Yield name, schema and "required" of each field of a model of path or query parameters."""
        if model is None:
            return
        schema = self._all[self.reference(model, "validation")["$ref"].removeprefix(SCHEMAS)]
        required = schema.get("required", ())
        for name, field_schema in schema.get("properties", {}).items():
            yield name, field_schema, name in required

    def _used_names(self, operations: Sequence[RestOperation]) -> Iterator[str]:
        """Yield the names of the schemas to which the document refers.

        Models of parameters are not among them, because the document lists each of their fields as a parameter.
        """
        pending: list[Any] = [self.reference(Error, "serialization")]
        for operation in operations:
            pending += [self.reference(operation.body, "validation")] if operation.body else []
            pending += [self.reference(operation.answer, "serialization")] if operation.answer else []
            pending += [
                schema for model in (operation.parameters, operation.query) for _, schema, _ in self.fields(model)
            ]
        visited: set[str] = set()
        while pending:
            for name in set(referenced_names(pending.pop())) - visited:
                visited.add(name)
                pending.append(self._all[name])
                yield name


def _models(operations: Sequence[RestOperation]) -> Iterator[tuple[type[Message], SchemaMode]]:
    """Yield each model of the operations with its use."""
    for operation in operations:
        for model in (operation.parameters, operation.query, operation.body):
            if model is not None:
                yield model, "validation"
        if operation.answer is not None:
            yield operation.answer, "serialization"


def referenced_names(value: Any) -> Iterator[str]:
    """Yield the names of the schemas to which a part of a document refers."""
    if isinstance(value, Mapping):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(SCHEMAS)
        for part in value.values():
            yield from referenced_names(part)
    elif isinstance(value, list):
        for part in value:
            yield from referenced_names(part)


def _operation_document(operation: RestOperation, schemas: _Schemas) -> Document:
    result: Document = {"operationId": operation.name, "summary": operation.summary}
    parameters = [*schemas.parameters("path", operation.parameters), *schemas.parameters("query", operation.query)]
    if parameters:
        result["parameters"] = parameters
    if operation.body is not None:
        result["requestBody"] = {"required": True, "content": schemas.content(operation.body, "validation")}
    answers: Document = {}
    for status in operation.statuses:
        answers[str(status)] = {"description": STATUS_DESCRIPTIONS.get(status, "Done.")}
        if operation.answer is not None:
            answers[str(status)]["content"] = schemas.content(operation.answer, "serialization")
    result["responses"] = {**answers, "default": {"$ref": "#/components/responses/Error"}}
    return result


def _parameter(location: str, name: str, schema: Document, *, required: bool) -> Document:
    description = {"description": schema["description"]} if "description" in schema else {}
    parameter_schema = {key: value for key, value in schema.items() if key != "description"}
    return {"name": name, "in": location, "required": required, **description, "schema": parameter_schema}


def _check_path_parameters(operations: Sequence[RestOperation]) -> None:
    """Raise ValueError if a path and its model differ, or if two paths name the parameter at one position
    differently.
    """
    parameter_by_prefix: dict[str, str] = {}
    for operation in operations:
        path_names = set(PATH_PARAMETER.findall(operation.path))
        model_names = (
            {field.alias or name for name, field in operation.parameters.model_fields.items()}
            if operation.parameters
            else set()
        )
        if path_names != model_names:
            differing = ", ".join(sorted(path_names ^ model_names))
            raise ValueError(
                f"{operation.name}: the path and the model of path parameters differ in {differing}; both must have the same names"
            )
        for match in PATH_PARAMETER.finditer(operation.path):
            prefix = PATH_PARAMETER.sub("{}", operation.path[: match.start()])
            if parameter_by_prefix.setdefault(prefix, match[1]) != match[1]:
                raise ValueError(
                    f"{operation.name}: another path has {{{parameter_by_prefix[prefix]}}} at the position of {{{match[1]}}}; use the same name, "
                    "because API Gateway accepts only one"
                )
