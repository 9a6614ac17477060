"""PyYAML loaders that read `Pulumi.yaml` and `Pulumi.<stack>.yaml` as the Pulumi CLI does.

PyYAML recognises the types of scalars by YAML 1.1, in which `off` is a boolean and `1:15` a number. The CLI mostly follows
YAML 1.2, in which both are text. So `CliYamlLoader` recognises types as the CLI does. `TextYamlLoader` reads every scalar
as text, because the CLI passes a value outside of a list or mapping to the program as it is written.
"""

import re
from datetime import date
from typing import Any

import yaml

BOOLEAN_TAG = "tag:yaml.org,2002:bool"
INTEGER_TAG = "tag:yaml.org,2002:int"
FLOAT_TAG = "tag:yaml.org,2002:float"
DATE_TAG = "tag:yaml.org,2002:timestamp"
REPLACED_TAGS = frozenset({BOOLEAN_TAG, INTEGER_TAG, FLOAT_TAG, DATE_TAG})
"""Types that YAML 1.1 and the CLI recognise differently."""
INTEGER_PATTERN = r"[-+]?(?:0|[1-9][0-9]*)"
"""Decimal whole numbers. Octal, hexadecimal and grouped numbers, which the CLI also accepts, are omitted, because no
setting uses them."""
FLOAT_PATTERN = r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
"""Numbers with a decimal point or an exponent."""


class CliYamlLoader(yaml.SafeLoader):
    """YAML loader that recognises the types of scalars as the CLI does.

    Like the CLI, it also rejects a key that occurs twice. PyYAML would silently keep the second value.
    """

    def construct_date(self, node: yaml.ScalarNode) -> str:
        """Return a date as the CLI passes it to a program: `2026-12-31` as `2026-12-31T00:00:00Z`."""
        try:
            return f"{date(*map(int, node.value.split('-'))).isoformat()}T00:00:00Z"
        except ValueError:  # not a date, for example `2026-13-01`
            return str(node.value)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [str(key.value) for key, _ in node.value]
        if duplicate := next((key for key, _ in node.value if keys.count(str(key.value)) > 1), None):
            raise yaml.constructor.ConstructorError(
                None, None, f"{duplicate.value!r} is given more than once", duplicate.start_mark
            )
        return super().construct_mapping(node, deep=deep)


# PyYAML recognises types by patterns (resolvers). Those of the replaced types are removed here, and the CLI's are added.
CliYamlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in REPLACED_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first_characters, _constructor in (
    (BOOLEAN_TAG, "true|True|TRUE|false|False|FALSE", "tTfF", yaml.SafeLoader.construct_yaml_bool),
    (INTEGER_TAG, INTEGER_PATTERN, "-+0123456789", yaml.SafeLoader.construct_yaml_int),
    (FLOAT_TAG, FLOAT_PATTERN, "-+.0123456789", yaml.SafeLoader.construct_yaml_float),
    (DATE_TAG, r"\d{4}-\d{1,2}-\d{1,2}", "0123456789", CliYamlLoader.construct_date),
):
    CliYamlLoader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first_characters))
    CliYamlLoader.add_constructor(_tag, _constructor)


class TextYamlLoader(yaml.SafeLoader):
    """YAML loader that reads every scalar as the text in the file, such as `1.0` or `yes`."""


# Only the resolver for the key `<<`, which merges mappings, remains.
TextYamlLoader.yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}
