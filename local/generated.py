"""Generated files: schemas of a stack file, the output `frontend` and messages, and pages made of policies and prices.

Made from the models and records themselves; a test fails when a committed file is stale.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from components.blocks import api_document
from components.outputs import Frontend
from components.settings.loader import PROJECT
from components.settings.stack import StackSettings
from guardrails import catalogue_doc
from guardrails.pricing import cost_doc
from handlers.common.messages import Message
from handlers.common.operations import Operation
from handlers.livestream.operations import OPERATIONS as LIVESTREAM
from handlers.meetings.operations import OPERATIONS as MEETINGS
from handlers.transcription import messages
from handlers.voice_qa import protocol
from local import ROOT, message_examples
from local.pages import architecture, security

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def stack_schema() -> dict[str, Any]:
    """What a stack file may hold. Keys of other namespaces (`aws:region`) are the providers' own."""
    schema = StackSettings.model_json_schema()
    definitions = schema.pop("$defs")
    return {
        "$schema": DIALECT,
        "title": "A stack of Polyphony",
        "description": "Pulumi.<stack>.yaml. Generated from components/settings by `make schema`.",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {f"{PROJECT}:{name}": one for name, one in schema["properties"].items()},
                "required": [f"{PROJECT}:{name}" for name in schema["required"]],
                "patternProperties": {f"^(?!{PROJECT}:)[^:]+:.+$": {}},
                "additionalProperties": False,
            },
            "encryptionsalt": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "secretsprovider": {"type": "string"},
            "environment": {"type": "object"},
        },
        "required": ["config"],
        "additionalProperties": False,
        "$defs": {name: _secrets_may_be_encrypted(one) for name, one in definitions.items()},
    }


def frontend_schema() -> dict[str, Any]:
    """The stack output `frontend`."""
    return {"$schema": DIALECT, **Frontend.model_json_schema(mode="serialization")}


def transcription_schema() -> dict[str, Any]:
    """What a client and transcription's WebSocket API say to each other."""
    said = _Said(messages.REQUESTS, messages.RESPONSES, message_examples.TRANSCRIPTION)
    return _messages("transcription", "handlers/transcription/messages.py", said)


def voice_qa_schema() -> dict[str, Any]:
    """What a client and voice Q&A's WebSocket API say to each other."""
    said = _Said(protocol.REQUESTS, protocol.RESPONSES, message_examples.VOICE_QA)
    return _messages("voice-qa", "handlers/voice_qa/protocol.py", said)


def _api(subsystem: str, operations: Sequence[Operation]) -> Callable[[], dict[str, Any]]:
    """A subsystem's REST API, as OpenAPI."""
    return lambda: api_document.document(f"Polyphony: {subsystem}", "1", operations)


@dataclass(frozen=True)
class _Said:
    requests: Mapping[str, type[Message]]
    responses: Sequence[type[Message]]
    examples: Sequence[Message]


def _messages(subsystem: str, source: str, given: _Said) -> dict[str, Any]:
    said: list[tuple[type[Message], JsonSchemaMode]] = [(one, "validation") for one in given.requests.values()]
    said += [(one, "serialization") for one in given.responses]
    _, schema = models_json_schema(said)
    for name, examples in message_examples.by_model(given.examples).items():
        schema["$defs"][name] |= {"examples": examples}
    for definition in schema["$defs"].values():
        if (tag := definition.get("properties", {}).get("type", {})) and "const" in tag:
            definition["required"] = ["type", *definition.get("required", ())]  # it has a default, and is always sent
    return {
        "$schema": DIALECT,
        "title": f"Messages of the WebSocket API of {subsystem}",
        "description": f"Generated from {source} by `make schema`. Errors: docs/{subsystem}.md.",
        "oneOf": [{"$ref": f"#/$defs/{one.__name__}"} for one, _ in said],
        **schema,
    }


def _as_text(make: Callable[[], dict[str, Any]]) -> Callable[[], str]:
    return lambda: json.dumps(make(), indent=2, ensure_ascii=False) + "\n"


SCHEMAS: dict[str, Callable[[], str]] = {
    "docs/stack.schema.json": _as_text(stack_schema),
    "docs/frontend.schema.json": _as_text(frontend_schema),
    "docs/transcription.schema.json": _as_text(transcription_schema),
    "docs/voice-qa.schema.json": _as_text(voice_qa_schema),
}
DOCUMENTS: dict[str, Callable[[], str]] = {
    "docs/openapi.json": _as_text(_api("livestream", LIVESTREAM)),
    "docs/meetings.openapi.json": _as_text(_api("meetings", MEETINGS)),
}
PAGES: dict[str, Callable[[], str]] = {
    "docs/architecture.md": architecture.text,
    "docs/security.md": security.text,
    "docs/policies.md": catalogue_doc.text,
    "docs/cost.md": cost_doc.text,
}
FILES = {**SCHEMAS, **DOCUMENTS, **PAGES}


def stale(files: Mapping[str, Callable[[], str]] = FILES) -> list[str]:
    """Committed files that are not what their sources say."""
    return [
        path
        for path, make in files.items()
        if not (ROOT / path).exists() or (ROOT / path).read_text(encoding="utf-8") != make()
    ]


def command(files: Mapping[str, Callable[[], str]] = FILES, *, check: bool) -> int:
    """`make schema` and `make docs`: write what is stale, or only say so."""
    found = stale(files)
    for path in found:
        if check:
            print(f"{path} is stale: run `make schema docs` and commit it", file=sys.stderr)
        else:
            (ROOT / path).write_text(files[path](), encoding="utf-8")
            print(f"wrote {path}")
    return 1 if check and found else 0


def _secrets_may_be_encrypted(definition: dict[str, Any]) -> dict[str, Any]:
    """A secret in a stack file is what the CLI encrypted: `{secure: …}`."""
    properties = {
        name: {"anyOf": [one, {"type": "object", "required": ["secure"]}]} if one.get("writeOnly") else one
        for name, one in definition.get("properties", {}).items()
    }
    return {**definition, **({"properties": properties} if properties else {})}
