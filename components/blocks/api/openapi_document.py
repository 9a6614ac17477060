"""The documentation of a REST API, as OpenAPI 3.1, from its table of operations. Pure.

Every schema is the pydantic model's own: what is asked as the model takes it, what is answered as the model writes it.
Whatever goes wrong is answered with one body, by the handlers and by API Gateway alike.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic.json_schema import models_json_schema

from handlers.common.http.rest_operations import RestOperation
from handlers.common.websocket.messages import Message, WrongField

Document = dict[str, Any]
Mode = Literal["validation", "serialization"]

JSON = "application/json"
SCHEMAS = "#/components/schemas/"
PARAMETER = re.compile(r"\{([^}]*)\}")
MEANINGS = {200: "Done.", 201: "Created.", 202: "Accepted.", 204: "Done; there is nothing to say."}


class Error(Message):
    """Why something could not be done."""

    code: str
    """What happened, as one of a few words."""
    message: str
    fields: tuple[WrongField, ...] = ()
    """The fields that are wrong, where it is known which."""
    request_id: str
    """To be told to whoever looks for it in the logs."""


def document(title: str, version: str, operations: Sequence[RestOperation]) -> Document:
    """Operations as an OpenAPI 3.1 document."""
    _check(operations)
    schemas = _Schemas(operations)
    paths: dict[str, Document] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _described(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": schemas.named,
            "responses": {
                "Error": {
                    "description": "It could not be done.",
                    "content": {JSON: {"schema": schemas.of(Error, "serialization")}},
                }
            },
        },
    }


class _Schemas:
    """The schemas of all models, named as documents name them."""

    def __init__(self, operations: Sequence[RestOperation]) -> None:
        models = list(dict.fromkeys([*_models(operations), (Error, "serialization")]))
        references, found = models_json_schema(models, ref_template=f"{SCHEMAS}{{model}}")  # type: ignore[arg-type]
        self._references = references
        schemas: dict[str, Document] = found.get("$defs", {})
        self._all = schemas
        self.named = {name: one for name, one in sorted(schemas.items()) if name in set(self._reachable(operations))}

    def of(self, model: type[Message], mode: Mode) -> Document:
        """Where a model's schema is."""
        return dict(self._references[model, mode])

    def fields(self, model: type[Message] | None) -> Iterator[tuple[str, Document, bool]]:
        """Name, schema and necessity of each field of a model that is no body."""
        if model is None:
            return
        schema = self._all[self.of(model, "validation")["$ref"].removeprefix(SCHEMAS)]
        required = schema.get("required", ())
        for name, one in schema.get("properties", {}).items():
            yield name, one, name in required

    def _reachable(self, operations: Sequence[RestOperation]) -> Iterator[str]:
        """Names that the document refers to: models of parameters are written out instead."""
        waiting: list[Any] = [self.of(Error, "serialization")]
        for one in operations:
            waiting += [self.of(one.body, "validation")] if one.body else []
            waiting += [self.of(one.answer, "serialization")] if one.answer else []
            waiting += [schema for model in (one.parameters, one.query) for _, schema, _ in self.fields(model)]
        seen: set[str] = set()
        while waiting:
            for name in set(_named_in(waiting.pop())) - seen:
                seen.add(name)
                waiting.append(self._all[name])
                yield name


def _models(operations: Sequence[RestOperation]) -> Iterator[tuple[type[Message], Mode]]:
    for one in operations:
        for asked in (one.parameters, one.query, one.body):
            if asked is not None:
                yield asked, "validation"
        if one.answer is not None:
            yield one.answer, "serialization"


def _named_in(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(SCHEMAS)
        for inner in value.values():
            yield from _named_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named_in(inner)


def _described(one: RestOperation, schemas: _Schemas) -> Document:
    described: Document = {"operationId": one.name, "summary": one.summary}
    parameters = [_parameter("path", name, schema, needed=True) for name, schema, _ in schemas.fields(one.parameters)]
    parameters += [
        _parameter("query", name, schema, needed=needed) for name, schema, needed in schemas.fields(one.query)
    ]
    if parameters:
        described["parameters"] = parameters
    if one.body is not None:
        content = {JSON: {"schema": schemas.of(one.body, "validation")}}
        described["requestBody"] = {"required": True, "content": content}
    answers: Document = {}
    for status in one.statuses:
        answers[str(status)] = {"description": MEANINGS.get(status, "Done.")}
        if one.answer is not None:
            answers[str(status)]["content"] = {JSON: {"schema": schemas.of(one.answer, "serialization")}}
    described["responses"] = {**answers, "default": {"$ref": "#/components/responses/Error"}}
    return described


def _parameter(where: str, name: str, schema: Document, *, needed: bool) -> Document:
    told = {"description": schema["description"]} if "description" in schema else {}
    kept = {key: value for key, value in schema.items() if key != "description"}
    return {"name": name, "in": where, "required": needed, **told, "schema": kept}


def _check(operations: Sequence[RestOperation]) -> None:
    named_at: dict[str, str] = {}
    for one in operations:
        named = set(PARAMETER.findall(one.path))
        given = (
            {field.alias or name for name, field in one.parameters.model_fields.items()} if one.parameters else set()
        )
        if named != given:
            differing = ", ".join(sorted(named ^ given))
            raise ValueError(f"{one.name}: its path and the model of its parameters differ in {differing}")
        for found in PARAMETER.finditer(one.path):
            before = PARAMETER.sub("{}", one.path[: found.start()])
            if named_at.setdefault(before, found[1]) != found[1]:
                raise ValueError(
                    f"{one.name}: another path says {{{named_at[before]}}} for {{{found[1]}}}, and a gateway takes one"
                )
