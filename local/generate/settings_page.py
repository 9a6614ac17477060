"""Generator of `docs/reference/settings.md`, which describes every key of a stack file: default, unit, allowed values and purpose.

The page comes from the settings models, whose nested models are the sections of a stack file. Editors use
`docs/reference/stack.schema.json` instead, which comes from the same models.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic.fields import FieldInfo

from components.settings.settings_base import UNIT, ClientFunctionSettings, FunctionSettings, SettingsModel
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
  (**required**) must be in every stack file. A key that is **required if the section is given** must be in every entry of its
  list, or in its optional section if the stack file contains that section.
- An unknown key, a wrong type or a value outside the allowed range stops every command before anything is deployed. The error lists
  all wrong keys at once, with the allowed values.
- Some keys also depend on each other or on the environment. Their descriptions state this, and the error explains the rule.
- The unit *count* means a number of things; the description says which. Descriptions state whether MB and GB are powers of 1000
  or of 1024, if that matters.
- `null` switches an optional key off.
- The [glossary](../glossary.md) explains words of the project, for example *manifest*, *window* and *sweep*.
- The [JSON Schema](stack.schema.json) of a stack file lets editors complete and check it.
"""
FUNCTIONS = """\
## Every function

Each Lambda function has a section with these keys. The chapters of the subsystems show the defaults of each function.
"""
COMMON_KEYS_NOTE = "as for [every function](#every-function)"
"""Replaces the description of a key that has the same description for every function."""
UNITS_BY_NAME = {
    r"ms": "milliseconds",
    r"seconds": "seconds",
    r"minutes": "minutes",
    r"hours(each)?": "hours",
    r"days": "days",
    r"(mb|megabytes)": "MB",
    r"gigabytes": "GB",
    r"characters": "characters",
    r"tokens": "tokens",
    r"vcpus": "vCPUs",
    r"share": "share from 0 to 1",
    r"persecond": "per second",
    r"perminute": "per minute",
    r"perhour": "per hour",
    r"perday": "per day",
    r"permonth": "per month",
}
"""Unit of a number, by a pattern for the end of its key in lower case. It applies if the field does not name a
unit."""
COUNT = "count"
"""Unit of all other numbers."""
FORMATS = {"email": "e-mail address", "uri": "URL", "date": "date"}
TYPES = {"boolean": "`true` or `false`", "integer": "whole number", "number": "number", "string": "text"}
MAX_PATTERN_LENGTH = 60
"""The page does not show longer patterns."""
Section = type[SettingsModel]
"""Settings model whose fields are the keys of one section of a stack file."""


def render_page() -> str:
    """Return the text of the page."""
    lines = [INTRODUCTION, "## The whole stack", "", *_render_table(list_settings(StackSettings, "", None), "")]
    for name, field in StackSettings.model_fields.items():
        section, default = find_section(field), field.default
        if section is not None:
            title = field.alias or name
            each = " (each entry of the list)" if _is_list(field) else ""
            lines += ["", f"## {title}{each}", "", _one_line(field.description or section.__doc__)]
            defaults = default if isinstance(default, SettingsModel) else None
            lines += _render_section(section, title, defaults, in_optional=_is_optional_section(field, default))
    lines += ["", FUNCTIONS, *_render_table(list_settings(ClientFunctionSettings, "", ClientFunctionSettings()), "")]
    return "\n".join(lines) + "\n"


def find_section(field: FieldInfo) -> Section | None:
    """Return the model of a field that is a section, an optional section or a list of sections; None for other fields."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, SettingsModel):
            return candidate
    return None


def list_settings(
    section: Section, prefix: str, defaults: SettingsModel | None, *, in_optional: bool = False
) -> Iterator["DescribedSetting"]:
    """Yield the settings of a section itself, without those of its sub-sections.

    `defaults` is the value of the section if a stack file omits it, or None. It may differ from the defaults in the
    section's model. `in_optional` is True in an entry of a list, and in a section that is absent if a stack file
    omits it.
    """
    schema = section.model_json_schema()
    values = defaults.model_dump(mode="json", by_alias=True) if defaults is not None else {}
    for name, field in section.model_fields.items():
        key = field.alias or name
        if find_section(field) is None:
            required = field.is_required() and key not in values
            yield DescribedSetting(
                key=prefix + key,
                required=required,
                in_optional=in_optional,
                default=None if required else values.get(key, field.default),
                schema=_resolve(schema["properties"][key], schema.get("$defs", {})),
                description=_one_line(field.description),
            )


@dataclass(frozen=True)
class DescribedSetting:
    """One setting, as the page shows it."""

    key: str
    required: bool
    in_optional: bool
    """True if the setting's section is an entry of a list, or absent if a stack file omits it."""
    default: Any
    schema: Mapping[str, Any]
    description: str

    @property
    def choices(self) -> list[dict[str, Any]]:
        """Alternative JSON Schemas of the value, without the schema of null."""
        return [choice for choice in self.schema.get("anyOf", [self.schema]) if choice.get("type") != "null"]

    @property
    def is_optional(self) -> bool:
        """True if the value may be null."""
        return {"type": "null"} in self.schema.get("anyOf", [])

    @property
    def unit(self) -> str:
        """Unit that the field of a number names, or else the unit for the end of the key. Empty for other values."""
        if not any(choice.get("type") in {"integer", "number"} for choice in self.choices):
            return ""
        if stated := self.schema.get(UNIT) or next((choice[UNIT] for choice in self.choices if UNIT in choice), ""):
            return str(stated)
        name = self.key.rpartition(".")[2].lower()
        return next((unit for end, unit in UNITS_BY_NAME.items() if re.search(rf"{end}$", name)), COUNT)

    @property
    def default_text(self) -> str:
        """Default value as the page shows it."""
        if self.required:
            return "**required if the section is given**" if self.in_optional else "**required**"
        if self.default is None:
            return "`null`"
        if isinstance(self.default, list | tuple) and not self.default:
            return "empty list"
        if isinstance(self.default, list | tuple):
            return ", ".join(f"`{value}`" for value in self.default)
        if isinstance(self.default, bool):
            return f"`{json.dumps(self.default)}`"
        if isinstance(self.default, int | float):
            return _format_number(self.default)
        return f"`{self.default}`" if self.default else "empty text"

    @property
    def allowed(self) -> str:
        """Allowed values as the page shows them."""
        texts = [_describe_values(choice) for choice in self.choices]
        return " or ".join([*texts, "`null`"] if self.is_optional else texts)


def _render_section(section: Section, path: str, defaults: SettingsModel | None, *, in_optional: bool) -> Iterator[str]:
    """Yield the table of a section, and a heading and table for each section in it."""
    own = list(list_settings(section, f"{path}.", defaults, in_optional=in_optional))
    if own:
        yield from ("", *_render_table(own, path, is_function=issubclass(section, FunctionSettings)))
    for name, field in section.model_fields.items():
        sub_section = find_section(field)
        if sub_section is None:
            continue
        key = f"{path}.{field.alias or name}"
        default = getattr(defaults, name, None) if defaults is not None else field.default
        items = " (each entry of the list)" if _is_list(field) else ""
        yield from ("", f"### {key}{items}", "", _one_line(field.description or sub_section.__doc__))
        yield from _render_section(
            sub_section,
            key,
            default if isinstance(default, SettingsModel) else None,
            in_optional=in_optional or _is_optional_section(field, default),
        )


def _render_table(
    settings: Iterator[DescribedSetting] | list[DescribedSetting], path: str, *, is_function: bool = False
) -> Iterator[str]:
    """Yield a table of settings. In a function's section, a link replaces descriptions that all functions share."""
    yield "| key | default | unit | allowed | description |"
    yield "|---|---|---|---|---|"
    shared = common_descriptions() if is_function else {}
    for setting in settings:
        name = setting.key.removeprefix(f"{path}.")
        text = COMMON_KEYS_NOTE if shared.get(name) == setting.description else setting.description
        cells = (f"`{setting.key}`", setting.default_text, setting.unit, setting.allowed, text)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def common_descriptions() -> dict[str, str]:
    """Return the descriptions of the keys that every function has, by key."""
    return {setting.key: setting.description for setting in list_settings(ClientFunctionSettings, "", None)}


def _describe_values(schema: Mapping[str, Any]) -> str:
    """Return the allowed values of a schema in words."""
    match schema:
        case {"enum": [*values]}:
            return ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            minimum = schema.get("minItems", 0)
            return f"list of {_describe_values(items)}{f', at least {minimum}' if minimum else ''}"
        case {"writeOnly": True}:
            return f"secret text{_describe_length(schema)}"
        case {"type": "integer" | "number"}:
            return _describe_range(schema) or TYPES[schema["type"]]
        case {"type": "string"}:
            return _describe_text(schema)
    return TYPES.get(str(schema.get("type")), "")


def _describe_range(schema: Mapping[str, Any]) -> str:
    minimum, maximum = schema.get("minimum"), schema.get("maximum")
    if minimum is not None and maximum is not None:
        return f"{_format_number(minimum)} to {_format_number(maximum)}"
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    lower = f"more than {above:,}" if above is not None else f"at least {minimum:,}" if minimum is not None else ""
    upper = f"less than {below:,}" if below is not None else f"at most {maximum:,}" if maximum is not None else ""
    return ", ".join(part for part in (lower, upper) if part)


def _format_number(number: float) -> str:
    """Return a number as text, for example `10,000` for 10000.0."""
    return f"{int(number) if number == int(number) else number:,}"


def _describe_text(schema: Mapping[str, Any]) -> str:
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    pattern = schema.get("pattern", "")
    shown = f" of the form `{pattern}`" if pattern and len(pattern) <= MAX_PATTERN_LENGTH else ""
    return f"text{shown}{_describe_length(schema)}"


def _describe_length(schema: Mapping[str, Any]) -> str:
    minimum, maximum = schema.get("minLength", 0), schema.get("maxLength")
    if maximum is None:
        return f", at least {minimum} characters" if minimum > 1 else ""
    return f", {minimum:,} to {maximum:,} characters" if minimum else f", at most {maximum:,} characters"


def _resolve(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema in which the definition replaces each reference to it."""
    resolved = dict(schema)
    if reference := resolved.pop("$ref", None):
        resolved = {**definitions[reference.rpartition("/")[2]], **resolved}
    for name in ("anyOf", "allOf"):
        if name in resolved:
            resolved[name] = [_resolve(choice, definitions) for choice in resolved[name]]
    if isinstance(resolved.get("items"), Mapping):
        resolved["items"] = _resolve(resolved["items"], definitions)
    return resolved


def _is_optional_section(field: FieldInfo, default: object) -> bool:
    """Return True for a list of sections, and for a section that is absent if a stack file omits it."""
    return _is_list(field) or (not field.is_required() and not isinstance(default, SettingsModel))


def _is_list(field: FieldInfo) -> bool:
    return getattr(field.annotation, "__origin__", None) in {tuple, list}


def _one_line(text: str | None) -> str:
    """Return a docstring as one line."""
    return " ".join((text or "").split())
