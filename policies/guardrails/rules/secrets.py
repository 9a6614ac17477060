"""Policies about secrets: properties name secrets, but never contain them.

A value counts as a secret because of its format or its name. Random characters are no sign of one, because AWS generates
ids of any form.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from guardrails.records import EVERY_TYPE, MANDATORY_EVERYWHERE, CheckedResource, Group, PolicySet, Severity
from guardrails.resource_types import SSM_PARAMETER
from guardrails.surface.property_walk import get_known

POLICIES = PolicySet(Group.LEAST_PRIVILEGE)
FORMATS = re.compile(
    r"(?P<AWS_access_key>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)|(?P<private_key>-----BEGIN [A-Z ]*PRIVATE KEY)"
    r"|(?P<web_token>\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.)|(?P<URL_with_a_password>://[^/\s:@]*:(?![${<])[^/\s@]+@)"
    r"|(?P<GitHub_token>\bgh[pousr]_\w{30,}|\bgithub_pat_\w{30,})|(?P<Stripe_key>\b[sr]k_(?:live|test)_\w{16,})"
    r"|(?P<Slack_token>\bxox[abeoprs]-[\w-]{10,}|hooks\.slack\.com/\w+/\S{10,})"
    r"|(?P<Google_key>\bAIza[\w-]{30,}|\bya29\.[\w-]{20,})"
    r"|(?P<password>(?i:passw(?:or)?d|pwd|secret|token|api_?key)=[\"']?(?!\d+\b|arn:|https?:)[^\s\"'$&;{<%/]{4,})"
)
"""Forms of secrets. The name of the group is the kind of secret."""
SECRET_NAME = re.compile(
    r"(?i)(?:authorization|credentials?|passphrase|passw(?:or)?d|pwd|secret|token|(?:^|[_-])(?:pass|pw)"
    r"|(?:access|api|auth|client|encryption|master|private|secret|session|signing)[_-]?keys?)[_-]?\d*$"
)
"""Ending of a name that says that its value is a secret."""
NO_SECRET = re.compile(
    r"(?s)arn:\S*|(?:/[\w.-]+)+|https?://[^?@]*|(?:\{[{%]|\$[.${(]|\$(?:context|states)\b).*|\$[A-Z_]+|[\d.*]*"
    r"|(?:context|integration|method|stageVariables)\.[\w.-]+|(?i:true|false|null|none)"
)
"""Values that refer to a secret or cannot be one: an ARN, a path, a URL, an expression, a number."""


def _list_texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Yield each text in a value, also in JSON, with a name that describes it: the nearest key, or `name`.

    In a mapping with `name` and `value`, the first names the second. In a list, a flag such as `--token` names the next
    item. The keys of mappings are texts without a name. Values that are unknown until the deployment are left out.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            if value.lstrip().startswith(("{", "[", '"')):
                return (yield from _list_texts(json.loads(value), name))
        yield name, value
    elif isinstance(value, Mapping):
        names = [get_known(value, key) for key in value if key in ("name", "Name", "key")]
        for key in value:
            yield "", str(key)
            name_of_value = str(names[0] if names and key in ("value", "Value") else key)
            yield from _list_texts(get_known(value, key), name_of_value)
    elif isinstance(value, Sequence):
        for index in range(len(value)):
            flag = str(get_known(value, index - 1)) if index else ""
            yield from _list_texts(get_known(value, index), flag if flag.startswith("-") else name)


@functools.cache
def _find_secret(name: str, text: str) -> str:
    """Return what makes a text a secret; empty if it is none. The result omits the name, which may contain a secret, too."""
    if found := FORMATS.search(text):
        return f"a secret ({str(found.lastgroup).replace('_', ' ')})"
    named = SECRET_NAME.search(name)
    return f"a literal value whose name ends in {named[0]}" if named and not NO_SECRET.fullmatch(text) else ""


@POLICIES.resource_policy(
    "no-secret-in-properties",
    severity=Severity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No property has a secret, also no environment variable or argument of a function or job.",
    remedy="Store the secret in an SSM SecureString parameter, and pass the parameter's name.",
    types={EVERY_TYPE},
)
def _check_no_secret_in_properties(resource: CheckedResource) -> Iterator[str]:
    is_encrypted = resource.type == SSM_PARAMETER and resource.get("type") == "SecureString"
    for key in resource.props:
        if is_encrypted and key == "value":
            continue
        for name, text in _list_texts(get_known(resource.props, key), key):
            if kind := _find_secret(name, text):
                yield f"{key} contains {kind}."
