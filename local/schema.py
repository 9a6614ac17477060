"""The generated schemas: of a stack file, for editors, and of the output `frontend`, for its readers.

Made from the models themselves; a test fails when a committed file is stale.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from components.outputs import Frontend
from components.settings.loader import PROJECT
from components.settings.stack import StackSettings
from local import ROOT

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


FILES: dict[str, Callable[[], dict[str, Any]]] = {
    "docs/stack.schema.json": stack_schema,
    "docs/frontend.schema.json": frontend_schema,
}


def rendered(make: Callable[[], dict[str, Any]]) -> str:
    """A schema as it is committed."""
    return json.dumps(make(), indent=2, ensure_ascii=False) + "\n"


def stale() -> list[str]:
    """Committed files that are not what the models say."""
    return [
        path
        for path, make in FILES.items()
        if not (ROOT / path).exists() or (ROOT / path).read_text(encoding="utf-8") != rendered(make)
    ]


def command(*, check: bool) -> int:
    """`make schema`: writes what is stale, or only says so."""
    found = stale()
    for path in found:
        if check:
            print(f"{path} is stale: run `make schema` and commit it", file=sys.stderr)
        else:
            (ROOT / path).write_text(rendered(FILES[path]), encoding="utf-8")
            print(f"wrote {path}")
    return 1 if check and found else 0


def _secrets_may_be_encrypted(definition: dict[str, Any]) -> dict[str, Any]:
    """A secret in a stack file is what the CLI encrypted: `{secure: …}`."""
    properties = {
        name: {"anyOf": [one, {"type": "object", "required": ["secure"]}]} if one.get("writeOnly") else one
        for name, one in definition.get("properties", {}).items()
    }
    return {**definition, **({"properties": properties} if properties else {})}
