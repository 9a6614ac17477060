"""Facts about a resource: lines of text about its type, properties, values and permissions.

The policies in `policies.py` deny a fact that no table (`tables.py`) contains. Every text of a property is a fact, except
numbers, and texts below the keys of `keys.txt`. A fact has placeholders for names, accounts and ids. `{own}` is a name of
the same subsystem as the resource (its holder). `{stack}` is the beginning of the stack's other names, and `{setting}` a
text of the stack file. So another queue needs no new fact, but a new kind of permission does. JSON in a text is read like
the properties around it. For a value that is unknown until the deployment, the fact names only its property.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

import pulumi
from pulumi_policy.proxy import UnknownValueError

from guardrails.iam_documents import list_principals, to_list
from guardrails.resource_types import BUCKET, LAYER, ROLE, ROLE_POLICY
from guardrails.subsystem_of_resource import SUBSYSTEMS, parse_subsystem

UNKNOWN: Final = object()
"""A value that AWS assigns during the deployment."""


class Table(StrEnum):
    """Table of allowed facts. The value is the name of its file."""

    TYPES = "types"
    PROPERTIES = "properties"
    """Paths of properties that are set."""
    VALUES = "values"
    """Texts and truth values of properties, and references in other texts."""
    GRANTS = "grants"
    """Permissions."""


class Fact(NamedTuple):
    """One line of a table, and the property that it comes from."""

    table: Table
    line: str
    path: str


@functools.cache
def _read_lines(name: str) -> tuple[str, ...]:
    return tuple(Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines())


def _read_keys(word: str) -> frozenset[str]:
    """Return the keys in `keys.txt` with a word behind them, in small letters."""
    return frozenset(line.removesuffix(f" {word}") for line in _read_lines("keys.txt") if line.endswith(f" {word}"))


FREE_KEYS = _read_keys("free")
"""Keys below which neither the keys nor plain values decide about access: invented names, expressions, times, amounts, and
ids that AWS assigns. Only references below them are facts."""
TEXT_KEYS = _read_keys("text")
"""Keys of texts and charts for people, and of names that the resource itself gets. Nothing in them is a fact."""
INVENTED_KEY_PARENTS = _read_keys("names")
"""Keys below which the program invents the keys, for example the names of states. A fact has `*` in their place."""
CALLERS_CHECKED_KEY = "callerscheckedby"
"""Key of the tag with which a policy accepts an API without an authorizer. Its value is a fact nevertheless."""
SDK_VARIABLE = re.compile(
    r"(AWS|BOTO|BASH|DYLD|GCONV|JAVA|JDK|LAMBDA|LD|LOCALDOMAIN|NODE|OPENSSL|OTEL|PERL|PIP|PYTHON|REQUESTS|RES|RUBY|SSL|_JAVA)_.*"
    r"|PYTHON.*|.*_PROXY|.*ENDPOINT_URL.*|.*CA_BUNDLE.*|.*CERT.*|ENV|PATH|HOME|IFS|_HANDLER|TMPDIR",
    re.IGNORECASE,
)
"""Names of variables that change which code runs, or where a client sends requests and credentials."""
NUMBER_OR_HASH = re.compile(r"\d*|[0-9a-f]{40}([0-9a-f]{24})?")
"""A number or a hash in a text."""
REFERENCE = re.compile(r"arn:|://|amazonaws\.|@", re.IGNORECASE)
"""Mark of a text that names something outside of the resource: an ARN, address or image."""
REGION = re.compile(r"(?<![a-z0-9])[a-z]{2}(-gov|-iso[a-z]?)?-(central|(north|south)?(east|west)?)-\d(?![a-z0-9])")
GENERATED_PARTS = (
    # Pattern, and the text that replaces a match.
    (re.compile(r":(foundation-model|inference-profile)/[\w.:-]+"), r":\1/{model}"),
    (re.compile(r"(:execute-api:[^:]*:[^:]*:)[a-z0-9]+(?=/)"), r"\1{api}"),
    (re.compile(r"(https|wss)://[a-z0-9]+(\.execute-api\.)"), r"\1://{api}\2"),
    # The local platform's form of such an address. Nothing outside of the function's own machine answers there.
    (
        re.compile(r"http://127\.0\.0\.1:\d+/_aws/execute-api/[0-9a-f]{8}(?=/)"),
        "https://{api}.execute-api.{region}.amazonaws.com",
    ),
    (re.compile(r"\{region\}:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "{pool}"),
    (re.compile(r"(:anomalymonitor/)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), r"\1{id}"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "{digest}"),
    (re.compile(r"(?<![a-z])scripts/[0-9a-f]{64}/"), "scripts/{hash}/"),
    (re.compile(r"(:layer:\{stack\}-foundation-handlers)-[0-9a-f]{12}:\d+$"), r"\1-{hash}:{version}"),
    (re.compile(r"/index/[\w.-]+"), "/index/{index}"),
    (re.compile(r"^integrations/[\w-]+"), "integrations/{id}"),
    (re.compile(r"(?<![a-z])(vpc|subnet|sg)-[0-9a-f]{8,17}"), r"\1-{id}"),
    (re.compile(r"handlers(\.[a-z_]+)+\.handler"), "{handler}"),
    (re.compile(rf"\{{stack\}}-({'|'.join(SUBSYSTEMS)})-\*"), "{stack}-{subsystem}-*"),
)
"""Ids and generated parts that replace each other without a change of what is allowed."""
TRUST_POLICY_PATH = ("assumeRolePolicy",)
POLICY_DOCUMENT_KEYS = frozenset({"assumeRolePolicy", "body", "policy"})
"""Properties that can contain a policy document. If one is unknown, its permissions are the fact `unknown`."""
OWN_NAME_KEYS = ("name", "bucket", "namePrefix", "layerName", "identityPoolName")
"""Properties with the name that the resource itself gets on AWS."""
BETWEEN_TEXTS = re.compile(r"[\s'\"(),<>]+")
"""Characters that separate the texts of an expression, for example of a JSONata expression."""
MIN_ADDRESS_LENGTH = 8
"""A setting of at most this length is not searched in other texts, because it could occur in them by chance."""
ADDRESS = re.compile(r"[/@:]")
"""Character by which a setting is recognised as an address, ARN or path."""
POLICY_KEYS = frozenset({"Version", "Statement", "Id"})
STATEMENT_KEYS = frozenset(
    {"Sid", "Effect", "Action", "Resource", "Condition", "Principal", "NotAction", "NotResource", "NotPrincipal"}
)


@dataclass
class Seen:
    """Knowledge of the pack about a stack, from its settings and from the resources that it has checked so far."""

    prefix: str
    """Beginning of all names, for example `polyphony-prod-`."""
    account: str = ""
    region: str = ""
    settings: frozenset[str] = frozenset()
    """All texts of the stack file."""
    current_urn: str = ""
    """URN of the resource whose facts are being listed."""
    roles: dict[str, str] = field(default_factory=dict)
    """Who assumes a role (`describe_trust`), by the role's name."""
    defined_names: dict[str, set[str]] = field(default_factory=lambda: {"role": set(), "bucket": set(), "": set()})
    """Names that resources of the stack have: of roles, of buckets, and all."""
    incomplete_names: set[str] = field(default_factory=set)
    """Beginnings of names that AWS or the provider completes during the deployment."""
    used_names: dict[tuple[str, str], str] = field(default_factory=dict)
    """URN of the first resource that uses a name, by kind (`role`, `bucket` or empty) and name."""
    unknown_properties: dict[str, set[str]] = field(default_factory=dict)
    """Properties with an unknown part, by the resource's URN."""
    new_facts: dict[str, list[Fact]] = field(default_factory=dict)
    """The facts of a resource that no table contains, by its URN."""

    def has_name(self, kind: str, name: str) -> bool:
        """Return True if a resource of the stack has this name. `kind` is `role`, `bucket` or empty."""
        return name in self.defined_names[kind] or (not kind and name.startswith(tuple(self.incomplete_names)))

    @functools.cached_property
    def addresses(self) -> list[str]:
        """Settings that `normalise` replaces by `{setting}`, the longest first: addresses, and ARNs of this account."""
        texts = {
            text.rstrip("/")
            for text in self.settings
            if ADDRESS.search(text) and (not text.startswith("arn:") or f":{self.account}:" in text)
        }
        return sorted((text for text in texts if len(text) > MIN_ADDRESS_LENGTH), key=len, reverse=True)

    @functools.cached_property
    def stack_name(self) -> re.Pattern[str]:
        """Pattern of a name of the stack. Its groups are the separator after the prefix, the rest of the name, and a
        wildcard character after it.
        """
        start = re.escape(self.prefix.removesuffix("-")).replace(r"\-", "[-_]")
        return re.compile(rf"(?<![A-Za-z0-9]){start}([-_.])([\w-]*)([*?$]?)")

    def normalise(self, text: str, holder: str) -> str:
        """Replace names, accounts and ids by placeholders. `holder` is the subsystem whose names become `{own}`."""
        for setting in self.addresses:
            text = text.replace(setting, "{setting}")

        def replace(match: re.Match[str]) -> str:
            separator, rest, wildcard = match.groups()
            if separator == "." or wildcard or not rest:
                return f"{{stack}}{separator.replace('_', '-')}{rest}{wildcard}"
            before = text[: match.start()]
            kind = "role" if before.endswith(":role/") else "bucket" if before.endswith((":::", "s3://")) else ""
            self.used_names.setdefault((kind, match[0]), self.current_urn)
            return "{own}" if parse_subsystem(rest.replace("_", "-")) == holder else f"{{stack}}-{rest}"

        text = self.stack_name.sub(replace, text) if self.prefix else text
        text = text.replace(self.account, "{account}") if self.account else text
        text = REGION.sub("{region}", text)
        for pattern, replacement in GENERATED_PARTS:
            text = pattern.sub(replacement, text)
        return text


def define_names(kind: str, props: Mapping[str, Any], seen: Seen) -> None:
    """Remember the names that a resource gets on AWS."""
    for key in OWN_NAME_KEYS:
        name = _get_known(props, key) if key != "bucket" or kind == BUCKET else None
        for match in seen.stack_name.finditer(name) if isinstance(name, str) else ():
            if key == "namePrefix":
                seen.incomplete_names.add(match[0])
            for group in {"", {BUCKET: "bucket", ROLE: "role"}.get(kind, "")}:
                seen.defined_names[group].add(match[0])


def find_holder(name: str, props: Mapping[str, Any], seen: Seen) -> str:
    """Return the subsystem of a resource: that of its name on AWS, or of the resource that it belongs to."""
    for key in ("name", "bucket", "role", "functionName", "function", "rule", "repository", "identityPoolName"):
        with_name = _get_known(props, key)
        for match in seen.stack_name.finditer(with_name) if isinstance(with_name, str) else ():
            return parse_subsystem(match[2].replace("_", "-"))
    return parse_subsystem(name)


def list_facts(kind: str, name: str, props: Mapping[str, Any], seen: Seen) -> Iterator[Fact]:
    """Yield the facts of a resource."""
    yield Fact(Table.TYPES, kind, "")
    holder = find_holder(name, props, seen)
    role = _get_known(props, "role")
    assumed_by = seen.roles.get(role, "") if kind == ROLE_POLICY and isinstance(role, str) else ""
    subject = f"{holder} {assumed_by}" if assumed_by else kind
    for path, value in walk(props):
        where, _ = _cut_below_free_key(path)
        if value is UNKNOWN:
            seen.unknown_properties.setdefault(seen.current_urn, set()).add(path[0])
            yield from _list_property_facts(kind, path)
            if path[-1] in POLICY_DOCUMENT_KEYS:
                yield Fact(
                    Table.GRANTS, f"{subject if path != TRUST_POLICY_PATH else f'{holder} trust'} | unknown", where
                )
        elif isinstance(value, pulumi.Asset | pulumi.Archive):
            yield from _list_code_facts(kind, where, value)
        elif isinstance(value, Mapping):
            yield from _list_property_facts(kind, path)
            for line in _list_grants(value, f"{holder} trust" if path == TRUST_POLICY_PATH else subject, holder, seen):
                yield Fact(Table.GRANTS, line, where)
        else:
            yield from _list_leaf_facts(kind, path, value, holder, seen)


def _list_property_facts(kind: str, path: tuple[str, ...]) -> Iterator[Fact]:
    """Yield the path of a property up to its first free key, and the name of a variable that SDKs read."""
    where, _ = _cut_below_free_key(path)
    yield Fact(Table.PROPERTIES, f"{kind} {where}", where)
    if {"environment", "variables"} & {part.lower() for part in path} and SDK_VARIABLE.fullmatch(path[-1]):
        yield Fact(Table.PROPERTIES, f"{kind} {where}.{path[-1]}", where)


def _list_leaf_facts(kind: str, path: tuple[str, ...], value: Any, holder: str, seen: Seen) -> Iterator[Fact]:
    key = path[-1].lower()
    text = json.dumps(value) if isinstance(value, bool) else f"{value:.15g}" if isinstance(value, float) else str(value)
    if _is_provider_default(f"{kind} {'.'.join(path)}", text, seen):
        return
    where, free_key = _cut_below_free_key(path)
    yield from _list_property_facts(kind, path)
    if key == CALLERS_CHECKED_KEY:
        yield Fact(Table.VALUES, f"{kind} {where}.{path[-1]} {value}", where)
    if free_key in TEXT_KEYS or not isinstance(value, str | bool) or NUMBER_OR_HASH.fullmatch(text):
        return
    is_free = bool(free_key) or text.startswith("{%")
    # An authorizer is written with its function, and not as any function of the holder, because only one checks callers.
    owner = "" if key == "authorizeruri" else holder
    for part in BETWEEN_TEXTS.split(text) if is_free else [text]:
        if not is_free or REFERENCE.search(part):
            yield Fact(Table.VALUES, f"{kind} {where} {seen.normalise(part, owner)}", where)


def read_provider_defaults() -> tuple[str, ...]:
    """Return the values that the AWS provider inserts for absent properties before the engine sends a resource."""
    return _read_lines("provider_defaults.txt")


def _is_provider_default(property_of_type: str, text: str, seen: Seen) -> bool:
    """Return True if the provider inserts a value for an absent property. It also inserts the stack's region."""
    if property_of_type.endswith(" region"):
        return text == seen.region
    return not text or bool({f"{property_of_type} {text}", f"{property_of_type} *"} & {*read_provider_defaults()})


def _list_code_facts(kind: str, where: str, code: Any) -> Iterator[Fact]:
    """Yield where code comes from, except for a layer, whose archive is a placeholder in a preview without built
    layers.
    """
    yield Fact(Table.PROPERTIES, f"{kind} {where}", where)
    if isinstance(code, pulumi.RemoteArchive | pulumi.RemoteAsset):
        yield Fact(Table.VALUES, f"{kind} {where} {code.uri}", where)
    elif kind != LAYER:
        yield Fact(Table.VALUES, f"{kind} {where} {type(code).__name__}", where)


def _cut_below_free_key(path: tuple[str, ...]) -> tuple[str, str]:
    """Return a path up to its first free key, and this key; empty if it has none. The rest of the path is invented, for
    example names of variables.
    """
    for index, part in enumerate(path):
        if part.lower() in FREE_KEYS | TEXT_KEYS:
            return ".".join(path[: index + 1]), part.lower()
    return ".".join(path), ""


def walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each text, number, truth value, IAM policy document and `UNKNOWN` in a value, with its path.

    A pair of `name` and `value` in a list counts as a key and its value.
    """
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")) and not value.startswith("{%"):
        value = _parse(value)
    if isinstance(value, Mapping):
        lowered = {str(key).lower(): key for key in value}
        if "statement" in lowered:
            yield path, value
            return
        if lowered.keys() == {"name", "value"} and path and path[-1] == "[]":
            yield from walk(_get_known(value, lowered["value"]), (*path, str(_get_known(value, lowered["name"]))))
            return
        for key in value:
            yield from walk(_get_known(value, key), (*path, _to_path_part(path, str(key))))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index in range(len(value)):
            yield from walk(_get_known(value, index), (*path, "[]"))
    elif value is not None:
        yield path, value


def _to_path_part(path: tuple[str, ...], key: str) -> str:
    if path and path[-1].lower() in INVENTED_KEY_PARENTS:
        return "*"
    return "*" if len(path) > 1 and path[-1] == "*" and path[-2].lower() == "paths" else key


def _get_known(values: Any, key: Any) -> Any:
    """Return a value of a mapping or list: None if it is absent, `UNKNOWN` if AWS assigns it."""
    try:
        return values.get(key) if isinstance(values, Mapping) else values[key]
    except UnknownValueError:
        return UNKNOWN


@functools.cache
def _parse(text: str) -> Any:
    """Return the value that a text contains as JSON, or the text itself."""
    try:
        return json.loads(text, object_pairs_hook=_to_mapping)
    except json.JSONDecodeError:
        return text


def _to_mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key.lower() for key, _ in pairs}) < len(pairs):
        raise ValueError("a JSON object has two equal keys")
    return dict(pairs)


def describe_trust(document: Any) -> str:
    """Return who may assume a role: the labels of services, `client`, `guest` or `role`."""
    who = set()
    for statement in _list_statements(_parse(document) if isinstance(document, str) else document):
        actions = {str(action).lower() for action in to_list(statement.get("Action", []))}
        for kind, value in list_principals(statement.get("Principal", {})):
            if kind == "Service":
                who.add(value.removesuffix(".amazonaws.com"))
            elif kind == "AWS":
                who.add("client" if "sts:tagsession" in actions else "role")
            else:
                who.add("guest")
    return "+".join(sorted(who))


def _list_statements(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if document.keys() - POLICY_KEYS or document.get("Version") != "2012-10-17":
        raise ValueError("a policy document has Version 2012-10-17, Statement and Id only")
    for statement in to_list(document["Statement"]):
        if statement.keys() - STATEMENT_KEYS or statement.get("Effect") not in {"Allow", "Deny"}:
            raise ValueError(f"a statement has {', '.join(sorted(STATEMENT_KEYS))} only")
        yield statement


def _list_grants(document: Mapping[str, Any], subject: str, holder: str, seen: Seen) -> Iterator[str]:
    """Yield a line for each principal, action and resource that a document allows."""
    for statement in _list_statements(document):
        if statement["Effect"] == "Deny":
            continue
        condition = _describe_condition(statement.get("Condition", {}), holder, seen)
        principals = [
            f" {kind}:{seen.normalise(value, holder)}"
            for kind, value in list_principals(statement.get("Principal", {}))
        ]
        negated = "".join(f" {key}" for key in sorted(statement) if key.startswith("Not"))
        for principal in principals or [""]:
            for action in to_list(statement.get("Action", [])) or ["-"]:
                for resource in to_list(statement.get("Resource", [])) or ["-"]:
                    line = (
                        f"{subject}{principal}{negated} | {action} | {seen.normalise(resource, holder)} | {condition}"
                    )
                    yield line.rstrip(" |")


def _describe_condition(condition: Mapping[str, Mapping[str, Any]], holder: str, seen: Seen) -> str:
    return "; ".join(
        f"{operator} {key} {', '.join(sorted(seen.normalise(str(value), holder) for value in to_list(values)))}"
        for operator, keys in sorted(condition.items())
        for key, values in sorted(keys.items())
    )
