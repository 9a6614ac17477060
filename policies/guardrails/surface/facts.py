"""Facts about a resource: lines of text about its type, properties, values and permissions.

The policies in `policies.py` deny a fact that no table (`tables.py`) contains. Every text and truth value of a property is a
fact, but no number. Placeholders replace names, accounts and ids (`seen_stack.py`), so another queue needs no new fact, but
a new kind of permission does. For a value that is unknown until the deployment, the fact names only its property.

`keys.txt` names properties with fewer facts, by the word behind them. Below a `free` key, only ARNs and addresses are facts,
because the other texts decide about no access: invented names, expressions, times and ids. Below a `text` key, nothing is.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from guardrails.resource_types import LAYER, ROLE_POLICY
from guardrails.surface.grants import list_grants
from guardrails.surface.property_walk import UNKNOWN, PropertyPath, get_known, walk
from guardrails.surface.seen_stack import SeenStack
from guardrails.surface.tables import Fact, Table, read_keys, read_provider_defaults

FREE_KEYS = read_keys("free")
TEXT_KEYS = read_keys("text")
"""Keys of texts and charts for people, and of names that the resource itself gets."""
CALLERS_CHECKED_KEY = "callerscheckedby"
"""Key of the tag with which a policy accepts an API without an authorizer. Its value is a fact, unlike other tags."""
SDK_VARIABLE = re.compile(
    r"(AWS|BOTO|BASH|DYLD|GCONV|JAVA|JDK|LAMBDA|LD|LOCALDOMAIN|NODE|OPENSSL|OTEL|PERL|PIP|PYTHON|REQUESTS|RES|RUBY|SSL|_JAVA)_.*"
    r"|PYTHON.*|.*_PROXY|.*ENDPOINT_URL.*|.*CA_BUNDLE.*|.*CERT.*|ENV|PATH|HOME|IFS|_HANDLER|TMPDIR",
    re.IGNORECASE,
)
"""Names of variables that change which code runs, or where a client sends requests and credentials."""
NUMBER_OR_HASH = re.compile(r"\d*|[0-9a-f]{40}([0-9a-f]{24})?")
"""Form of a text that is no fact, because it names nothing."""
REFERENCE = re.compile(r"arn:|://|amazonaws\.|@", re.IGNORECASE)
"""Mark of a text that names something outside of the resource: an ARN, address or image."""
BETWEEN_TEXTS = re.compile(r"[\s'\"(),<>]+")
"""Characters that separate the texts of an expression, for example of a JSONata expression."""
TRUST_POLICY_PATH = ("assumeRolePolicy",)
POLICY_DOCUMENT_KEYS = frozenset({"assumeRolePolicy", "body", "policy"})
"""Properties that can contain a policy document. If one is unknown until the deployment, its permissions are one fact,
which ends with `unknown`."""


def list_facts(kind: str, name: str, props: Mapping[str, Any], seen: SeenStack) -> Iterator[Fact]:
    """Yield the facts of a resource, given its type, Pulumi name and properties."""
    yield Fact(Table.TYPES, kind, "")
    subsystem = seen.find_subsystem(name, props)
    for path, value in walk(props):
        property_path, _ = _cut_below_free_key(path)
        if value is UNKNOWN:
            seen.unknown_properties.setdefault(seen.current_urn, set()).add(path[0])
            yield from _list_property_facts(kind, path)
            if path[-1] in POLICY_DOCUMENT_KEYS:
                subject = _describe_subject(kind, path, props, subsystem, seen)
                yield Fact(Table.GRANTS, f"{subject} | unknown", property_path)
        elif isinstance(value, pulumi.Asset | pulumi.Archive):
            yield from _list_code_facts(kind, property_path, value)
        elif isinstance(value, Mapping):  # a policy document
            yield from _list_property_facts(kind, path)
            subject = _describe_subject(kind, path, props, subsystem, seen)
            for line in list_grants(value, subject, subsystem, seen):
                yield Fact(Table.GRANTS, line, property_path)
        else:
            yield from _list_value_facts(kind, path, value, subsystem, seen)


def _describe_subject(kind: str, path: PropertyPath, props: Mapping[str, Any], subsystem: str, seen: SeenStack) -> str:
    """Return the beginning of a permission's line: `ingestion lambda` for the role of a Lambda function, `ingestion trust`
    for a role's trust policy, and otherwise the type of the resource that has the policy document.
    """
    if path == TRUST_POLICY_PATH:
        return f"{subsystem} trust"
    role = get_known(props, "role")
    assumed_by = seen.roles.get(role, "") if kind == ROLE_POLICY and isinstance(role, str) else ""
    return f"{subsystem} {assumed_by}" if assumed_by else kind


def _list_property_facts(kind: str, path: PropertyPath) -> Iterator[Fact]:
    """Yield the path of a property up to its first free key, and the name of a variable that SDKs read."""
    property_path, _ = _cut_below_free_key(path)
    yield Fact(Table.PROPERTIES, f"{kind} {property_path}", property_path)
    if {"environment", "variables"} & {key.lower() for key in path} and SDK_VARIABLE.fullmatch(path[-1]):
        yield Fact(Table.PROPERTIES, f"{kind} {property_path}.{path[-1]}", property_path)


def _list_value_facts(kind: str, path: PropertyPath, value: Any, subsystem: str, seen: SeenStack) -> Iterator[Fact]:
    """Yield the facts of a text, number or truth value."""
    key = path[-1].lower()
    text = json.dumps(value) if isinstance(value, bool) else f"{value:.15g}" if isinstance(value, float) else str(value)
    if _is_provider_default(f"{kind} {'.'.join(path)}", text, seen):
        return
    property_path, free_key = _cut_below_free_key(path)
    yield from _list_property_facts(kind, path)
    if key == CALLERS_CHECKED_KEY:
        yield Fact(Table.VALUES, f"{kind} {property_path}.{path[-1]} {value}", property_path)
    if free_key in TEXT_KEYS or not isinstance(value, str | bool) or NUMBER_OR_HASH.fullmatch(text):
        return
    is_free = bool(free_key) or text.startswith("{%")  # {% begins a JSONata expression
    # Any function of the subsystem would be {own}, but only one checks callers. So the fact contains the authorizer's name.
    own_subsystem = "" if key == "authorizeruri" else subsystem
    for part in BETWEEN_TEXTS.split(text) if is_free else [text]:
        if not is_free or REFERENCE.search(part):
            yield Fact(Table.VALUES, f"{kind} {property_path} {seen.normalise(part, own_subsystem)}", property_path)


def _is_provider_default(property_of_type: str, text: str, seen: SeenStack) -> bool:
    """Return True if a value is empty, or if the AWS provider inserts it for an absent property. `property_of_type` is the
    resource's type and the property's path.
    """
    if property_of_type.endswith(" region"):  # the provider inserts the stack's region
        return text == seen.region
    return not text or not read_provider_defaults().isdisjoint({f"{property_of_type} {text}", f"{property_of_type} *"})


def _list_code_facts(kind: str, property_path: str, code: Any) -> Iterator[Fact]:
    """Yield where code comes from, except for a layer, whose archive is a placeholder in a preview without built
    layers.
    """
    yield Fact(Table.PROPERTIES, f"{kind} {property_path}", property_path)
    if isinstance(code, pulumi.RemoteArchive | pulumi.RemoteAsset):
        yield Fact(Table.VALUES, f"{kind} {property_path} {code.uri}", property_path)
    elif kind != LAYER:
        yield Fact(Table.VALUES, f"{kind} {property_path} {type(code).__name__}", property_path)


def _cut_below_free_key(path: PropertyPath) -> tuple[str, str]:
    """Return a path up to its first free or text key, and this key in small letters; empty if it has none. The rest of
    the path is invented, for example the names of variables.
    """
    for index, key in enumerate(path):
        if key.lower() in FREE_KEYS | TEXT_KEYS:
            return ".".join(path[: index + 1]), key.lower()
    return ".".join(path), ""
