"""Generator of `docs/reference/settings.md`, which describes every key of a stack file: default, allowed values and
purpose.

The page comes from the settings models, whose nested models are the sections of a stack file. Editors use
`docs/reference/stack.schema.json` instead, which comes from the same models.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import PydanticUndefined

from components.settings.base import ClientFunctionSettings, SettingsModel, find_section
from components.settings.stack import StackSettings

INTRODUCTION = """\
# Settings

`make docs` generates this page from the settings models in `components/settings/`. Change a model's text there, not here.

A stack file, `Pulumi.<stack>.yaml`, has these keys below `config:`, each top-level key with the prefix `polyphony:`. For example,
`livestream.video.chunkSeconds` is `chunkSeconds` in the section `video` of `polyphony:livestream`:

```yaml
config:
  polyphony:livestream:
    video:
      chunkSeconds: 60
```

- A key that a stack file does not contain has its default, which is the value for production. A key without default
  (**required**) must be in every stack file, or in every entry of its list or optional section.
- An unknown key, a wrong type or a value outside the allowed range stops every command before anything is deployed. Keys may have the
  prefixes `polyphony:`, `aws:` and `pulumi:`. The error lists all wrong keys at once, with the allowed values.
- A secret must be encrypted, also if its backend is disabled: `pulumi config set --secret`. A secret in plain text is an error.
- Some keys also depend on each other or on the environment (`components/settings/cross_checks.py`). The error explains the rule.
- The unit of a number is in its name or description. Descriptions state whether MB and GB are powers of 1000 or of 1024, if that
  matters.
- `null` switches an optional key off.
- The [glossary](../glossary.md) explains words of the project, for example *manifest*, *window* and *sweep*.
- The [JSON Schema](stack.schema.json) of a stack file lets editors complete and check it.

## The whole stack
"""
FUNCTIONS = """
## Every function

Each Lambda function has a section with some of these keys.
"""
LIMITS = {
    "format": "format",
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "minLength": "minimum length",
    "maxLength": "maximum length",
    "minItems": "minimum number",
    "maxItems": "maximum number",
}
"""Keywords of a JSON Schema, with the words on the page."""
ESCAPED_PIPE = r"\|"
"""A `|` inside of a table's cell."""
COMMON_DESCRIPTIONS = {field.description for field in ClientFunctionSettings.model_fields.values()}
"""Descriptions of the keys that functions share. The page has them once, and links to them elsewhere."""


def render_page() -> str:
    """Return the text of the page."""
    stack = _render_section(StackSettings, prefix="", values=None, depth=2)
    functions = _render_section(
        ClientFunctionSettings, prefix="", values=ClientFunctionSettings(), depth=2, shared=set()
    )
    return "\n".join([INTRODUCTION, *stack, FUNCTIONS, *functions]) + "\n"


def _render_section(
    section: type[SettingsModel],
    prefix: str,
    values: SettingsModel | None,
    depth: int,
    shared: set[str | None] = COMMON_DESCRIPTIONS,
) -> Iterator[str]:
    """Yield the table of a section's own keys, and a heading and table for each section in it.

    `prefix` is the path of the section with a dot at the end. `values` is the section's default, or None if it has none.
    `depth` is the level of the inner headings. A link replaces a description in `shared`.
    """
    schema = section.model_json_schema()
    rows, inner = [], []
    for name, field in section.model_fields.items():
        key = field.alias or name
        default = field.default if values is None else getattr(values, name)
        if model := find_section(field):
            is_list = schema["properties"][key].get("type") == "array"
            inner.append((f"{prefix}{key}", is_list, field.description or model.__doc__ or "", model, default))
            continue
        given = "**required**" if default is PydanticUndefined else f"`{json.dumps(default)}`"
        allowed = _describe(schema["properties"][key], schema.get("$defs", {}))
        text = "see [every function](#every-function)" if field.description in shared else field.description or ""
        cells = (f"`{prefix}{key}`", given, allowed, _one_line(text))
        rows.append(f"| {' | '.join(cell.replace('|', ESCAPED_PIPE) for cell in cells)} |")
    if rows:
        yield from ("| key | default | allowed | description |", "|---|---|---|---|", *rows)
    for key, is_list, text, model, default in inner:
        yield f"\n{'#' * depth} {key}{' (each entry of the list)' if is_list else ''}\n\n{_one_line(text)}\n"
        yield from _render_section(
            model, prefix=f"{key}.", values=default if isinstance(default, SettingsModel) else None, depth=3
        )


def _describe(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return the values that a JSON Schema allows, in words."""
    if "$ref" in schema:
        return _describe(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return " or ".join(_describe(choice, definitions) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = "secret" if schema.get("writeOnly") else schema["type"]
    if kind == "array":
        kind = f"list of {_describe(schema['items'], definitions)}"
    limits = [f"{word} {schema[keyword]}" for keyword, word in LIMITS.items() if keyword in schema]
    # pydantic gives secrets the format `password`, which is no rule for their value.
    return ", ".join([kind, *(limit for limit in limits if limit != "format password")])


def _one_line(text: str) -> str:
    return " ".join(text.split())
