"""What a resource may do, as facts: lines of text that do not change if a resource gets another name.

Names, accounts and ids are replaced by placeholders: `{own}` is an exact name of the holder's own subsystem, `{stack}`
the beginning of the stack's other names, `{setting}` a text of the stack file. So a new queue costs no new fact, but a
new kind of permission does. JSON inside of texts is read as if it were no text. Unknown values give no facts.
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
from guardrails.subsystem_of_resource import parse_subsystem

UNKNOWN: Final = object()
"""A value that AWS assigns during the deployment."""
SUBSYSTEMS = ("foundation", "ingestion", "livestream", "meetings", "transcription", "voice-qa")


class Table(StrEnum):
    """A file of allowed facts."""

    TYPES = "types"
    PROPERTIES = "properties"
    VALUES = "values"
    REFERENCES = "references"
    GRANTS = "grants"


class Fact(NamedTuple):
    """One line of a table, and the property that it comes from."""

    table: Table
    line: str
    path: str


OPAQUE_KEYS = frozenset(
    {
        "assign",
        "catch",
        "columns",
        "content",
        "dashboardbody",
        "dimensions",
        "environment",
        "eventpattern",
        "input",
        "itemselector",
        "monitorspecification",
        "output",
        "parameters",
        "partitionkeys",
        "payload",
        "recoverypointtags",
        "retry",
        "requesttemplates",
        "responsetemplates",
        "schemas",
        "tags",
        "tagsall",
        "usage",
        "values",
        "variables",
    }
)
"""Keys below which neither the keys nor plain values decide about access. References below them are facts."""
FREE_KEYED = frozenset(
    {
        "headers",
        "paths",
        "responseparameters",
        "responses",
        "securityschemes",
        "states",
        "x-amazon-apigateway-gateway-responses",
    }
)
"""Keys below which the program invents the keys, for example the names of states."""
SILENT_KEYS = frozenset(
    {"alarmdescription", "attributename", "cause", "comment", "description", "name", "tags", "title"}
)
"""Keys of texts for people, and of names that the resource itself gets."""
DECIDING_KEYS = frozenset(
    {
        "action",
        "allowedheaders",
        "allowedmethods",
        "architectures",
        "authorizationtype",
        "authtype",
        "cidripv4",
        "cidripv6",
        "compatiblearchitectures",
        "compatibleruntimes",
        "cpuarchitecture",
        "destinationcidrblock",
        "encryptiontype",
        "functionresponsetypes",
        "glueversion",
        "integrationtype",
        "ipprotocol",
        "key",
        "logdriver",
        "mode",
        "objectownership",
        "platformversion",
        "principal",
        "principalorgid",
        "protocol",
        "protocoltype",
        "pythonversion",
        "querylanguage",
        "redrivepermission",
        "resource",
        "runtime",
        "servicename",
        "ssealgorithm",
        "status",
        "type",
        "vpcendpointtype",
        "x-amazon-apigateway-authtype",
    }
)
"""Keys whose values decide about access, data or code, whatever their form."""
DECIDING_TAGS = frozenset({"callerscheckedby"})
"""Tags with which a policy accepts an API without an authorizer."""
SDK_VARIABLE = re.compile(
    r"(AWS|BOTO|BASH|DYLD|GCONV|JAVA|JDK|LAMBDA|LD|LOCALDOMAIN|NODE|OPENSSL|OTEL|PERL|PIP|PYTHON|REQUESTS|RES|RUBY|SSL|_JAVA)_.*"
    r"|PYTHON.*|.*_PROXY|.*ENDPOINT_URL.*|.*CA_BUNDLE.*|.*CERT.*|ENV|PATH|HOME|IFS|_HANDLER|TMPDIR",
    re.IGNORECASE,
)
"""Names of variables that change which code runs, or where a client sends requests and credentials."""
CONSTANT = re.compile(r"[A-Z][A-Z0-9]*([_-][A-Z0-9]+)*|\$(?!\.)[\w.-]+")
"""A text that is one of the values of an enumeration, or a variable of API Gateway."""
REFERENCE = re.compile(r"arn:|://|amazonaws\.|@|(?<![0-9a-f])\d{12}(?![0-9a-f])", re.IGNORECASE)
"""Mark of a text that names something outside of the resource: an ARN, address, image or account."""
NUMBER = re.compile(r"[0-9a-f-]*")
"""A number, hash or id in a variable, which is no account although it may have as many digits."""
NAMING_KEY = re.compile(
    r"rule|.*(bucket|database|function|job|loggroup|queue|repository|role|table|topic|vault|workgroup)(name)?"
    r"|.*(address|arn|credentials|destination|endpoint|host|image|uri|url)|.*awslogs-group|catalogid|connections"
    r"|eventbusname|groupname|handler|securityconfiguration"
)
"""Keys of names that are no ARNs and still name a resource."""
REGION = re.compile(r"(?<![a-z0-9])[a-z]{2}(-gov|-iso[a-z]?)?-(central|(north|south)?(east|west)?)-\d(?![a-z0-9])")
IDS = (
    (re.compile(r":(foundation-model|inference-profile)/[\w.:-]+"), r":\1/{model}"),
    (re.compile(r"(:execute-api:[^:]*:[^:]*:)[a-z0-9]+(?=/)"), r"\1{api}"),
    (re.compile(r"(https|wss)://[a-z0-9]{10}(\.execute-api\.)"), r"\1://{api}\2"),
    # The local platform's form of such an address. Nothing outside of the function's own machine answers there.
    (
        re.compile(r"http://127\.0\.0\.1:\d+/_aws/execute-api/[0-9a-f]{8}(?=/)"),
        "https://{api}.execute-api.{region}.amazonaws.com",
    ),
    (re.compile(r"\{region\}:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "{pool}"),
    (re.compile(r"(:anomalymonitor/)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), r"\1{id}"),
    (re.compile(r"sha256:[0-9a-f]{64}"), "{digest}"),
    (re.compile(r"(?<![a-z])scripts/[0-9a-f]{16}/"), "scripts/{hash}/"),
    (re.compile(r"(:layer:\{stack\}-foundation-handlers)-[0-9a-f]{12}:\d+$"), r"\1-{hash}:{version}"),
    (re.compile(r"/index/[\w.-]+"), "/index/{index}"),
    (re.compile(r"(?<![a-z])(vpc|subnet|sg)-[0-9a-f]{8,17}"), r"\1-{id}"),
    (re.compile(r"handlers(\.[a-z_]+)+\.handler"), "{handler}"),
    (re.compile(rf"\{{stack\}}-({'|'.join(SUBSYSTEMS)})-\*"), "{stack}-{subsystem}-*"),
)
"""Ids and generated parts that replace each other without a change of what is allowed."""
DEFAULTS = Path(__file__).with_name("provider_defaults.txt")
TRUST = ("assumeRolePolicy",)
DOCUMENT_KEYS = frozenset({"assumeRolePolicy", "body", "policy"})
OWN_NAME_KEYS = ("name", "bucket", "namePrefix", "layerName", "identityPoolName")
BETWEEN_TEXTS = re.compile(r"[\s'\"(),<>]+")
MIN_ADDRESS_LENGTH = 8
ADDRESS = re.compile(r"[/@:]")
POLICY_KEYS = frozenset({"Version", "Statement", "Id"})
STATEMENT_KEYS = frozenset(
    {"Sid", "Effect", "Action", "Resource", "Condition", "Principal", "NotAction", "NotResource", "NotPrincipal"}
)


@dataclass
class Seen:
    """What the pack has seen of a stack when a resource is checked."""

    prefix: str
    """Beginning of all names, for example `polyphony-prod-`."""
    account: str = ""
    region: str = ""
    settings: frozenset[str] = frozenset()
    """All texts of the stack file."""
    urn: str = ""
    """The resource whose facts are being listed."""
    roles: dict[str, str] = field(default_factory=dict)
    """Who assumes a role, by the role's name."""
    defined: dict[str, set[str]] = field(default_factory=lambda: {"role": set(), "bucket": set(), "": set()})
    """Names that resources of the stack have: of roles, of buckets, and all."""
    prefixes: set[str] = field(default_factory=set)
    """Beginnings of names that AWS or the provider completes during the deployment."""
    used: dict[tuple[str, str], str] = field(default_factory=dict)
    """URN of a resource that uses a name, by kind and name."""
    unknown: dict[str, set[str]] = field(default_factory=dict)
    """Properties with an unknown part, by the resource's URN."""
    new: dict[str, list[Fact]] = field(default_factory=dict)
    """The facts of a resource that no table has, by its URN."""

    def has_name(self, kind: str, name: str) -> bool:
        """Return True if a resource of the stack has this name. `kind` is `role`, `bucket` or empty."""
        return name in self.defined[kind] or (not kind and name.startswith(tuple(self.prefixes)))

    @functools.cached_property
    def addresses(self) -> list[str]:
        """Settings that may be a part of a text, the longest first. An ARN must be of this account."""
        texts = {
            text.rstrip("/")
            for text in self.settings
            if ADDRESS.search(text) and (not text.startswith("arn:") or f":{self.account}:" in text)
        }
        return sorted((text for text in texts if len(text) > MIN_ADDRESS_LENGTH), key=len, reverse=True)

    @functools.cached_property
    def token(self) -> re.Pattern[str]:
        """Pattern of a name of the stack, and whether it goes on as a pattern."""
        start = re.escape(self.prefix.removesuffix("-")).replace(r"\-", "[-_]")
        return re.compile(rf"(?<![A-Za-z0-9]){start}([-_.])([\w-]*)([*?$]?)")

    def normalise(self, text: str, holder: str) -> str:
        """Replace names, accounts and ids by placeholders."""
        for setting in self.addresses:
            text = text.replace(setting, "{setting}")

        def replace(match: re.Match[str]) -> str:
            separator, rest, wildcard = match.groups()
            if separator == "." or wildcard or not rest:
                return f"{{stack}}{separator.replace('_', '-')}{rest}{wildcard}"
            before = text[: match.start()]
            kind = "role" if before.endswith(":role/") else "bucket" if before.endswith((":::", "s3://")) else ""
            self.used.setdefault((kind, match[0]), self.urn)
            return "{own}" if parse_subsystem(rest.replace("_", "-")) == holder else f"{{stack}}-{rest}"

        text = self.token.sub(replace, text) if self.prefix else text
        text = text.replace(self.account, "{account}") if self.account else text
        text = REGION.sub("{region}", text)
        for pattern, replacement in IDS:
            text = pattern.sub(replacement, text)
        return text


def define_names(kind: str, props: Mapping[str, Any], seen: Seen) -> None:
    """Keep the names that a resource gets on AWS."""
    for key in OWN_NAME_KEYS:
        name = _get_known(props, key) if key != "bucket" or kind == BUCKET else None
        for match in seen.token.finditer(name) if isinstance(name, str) else ():
            if key == "namePrefix":
                seen.prefixes.add(match[0])
            for group in {"", {BUCKET: "bucket", ROLE: "role"}.get(kind, "")}:
                seen.defined[group].add(match[0])


def find_holder(name: str, props: Mapping[str, Any], seen: Seen) -> str:
    """Return the subsystem of a resource: that of its name on AWS, or of the resource that it belongs to."""
    for key in ("name", "bucket", "role", "functionName", "function", "rule", "repository", "identityPoolName"):
        with_name = _get_known(props, key)
        for match in seen.token.finditer(with_name) if isinstance(with_name, str) else ():
            return parse_subsystem(match[2].replace("_", "-"))
    return parse_subsystem(name)


def list_facts(kind: str, name: str, props: Mapping[str, Any], seen: Seen) -> Iterator[Fact]:
    """Yield the facts of a resource."""
    yield Fact(Table.TYPES, kind, "")
    holder = find_holder(name, props, seen)
    role = _get_known(props, "role")
    who = seen.roles.get(role, "") if kind == ROLE_POLICY and isinstance(role, str) else ""
    subject = f"{holder} {who}" if who else kind
    for path, value in walk(props):
        where = ".".join(path)
        if value is UNKNOWN:
            seen.unknown.setdefault(seen.urn, set()).add(path[0])
            yield Fact(Table.PROPERTIES, f"{kind} {where}", where)
            if path[-1] in DOCUMENT_KEYS:
                yield Fact(Table.GRANTS, f"{subject if path != TRUST else f'{holder} trust'} | unknown", where)
        elif isinstance(value, pulumi.Asset | pulumi.Archive):
            yield from _list_code_facts(kind, where, value)
        elif isinstance(value, Mapping):
            yield Fact(Table.PROPERTIES, f"{kind} {where}", where)
            for line in _list_grants(value, f"{holder} trust" if path == TRUST else subject, holder, seen):
                yield Fact(Table.GRANTS, line, where)
        else:
            yield from _list_leaf_facts(kind, path, where, value, holder, seen)


def _list_leaf_facts(
    kind: str, path: tuple[str, ...], where: str, value: Any, holder: str, seen: Seen
) -> Iterator[Fact]:
    lowered = tuple(part.lower() for part in path)
    key = next((part for part in reversed(lowered) if part not in {"[]", "*"}), "")
    opaque = next((index for index, part in enumerate(lowered) if part in OPAQUE_KEYS), None)
    is_variable = opaque is not None and lowered[opaque] in {"environment", "variables"}
    if is_variable and SDK_VARIABLE.fullmatch(path[-1]):
        yield Fact(Table.PROPERTIES, f"{kind} {where}", where)
    if key in DECIDING_TAGS:
        yield Fact(Table.VALUES, f"{kind} {where} {value}", where)
    text = json.dumps(value) if isinstance(value, bool) else f"{value:.15g}" if isinstance(value, float) else str(value)
    if _is_inserted(f"{kind} {where}", text, seen):
        return
    if opaque is None:
        yield Fact(Table.PROPERTIES, f"{kind} {where}", where)
        if isinstance(value, bool) or text.lower() in {"true", "false"}:
            yield Fact(Table.VALUES, f"{kind} {where} {text.lower()}", where)
        elif key in DECIDING_KEYS or (key not in SILENT_KEYS and CONSTANT.fullmatch(text) and isinstance(value, str)):
            yield Fact(Table.VALUES, f"{kind} {where} {seen.normalise(text, holder)}", where)
    if isinstance(value, str) and (is_variable or not SILENT_KEYS & set(lowered)):
        is_expression = any(character in value for character in " '\n")
        texts = BETWEEN_TEXTS.split(value) if is_expression else [value]
        for text in texts:
            if is_variable and NUMBER.fullmatch(text):
                continue
            if REFERENCE.search(text) or (NAMING_KEY.fullmatch(key) and not is_expression):
                # Any function of the subsystem could answer, but only one of them checks callers.
                owner = "" if key == "authorizeruri" else holder
                yield Fact(Table.REFERENCES, f"{kind} {_cut(path)} {seen.normalise(text, owner)}", where)


@functools.cache
def read_defaults() -> frozenset[str]:
    """Return the values that the AWS provider inserts for absent properties before the engine sends a resource."""
    return frozenset(DEFAULTS.read_text(encoding="utf-8").splitlines())


def _is_inserted(property_of_type: str, text: str, seen: Seen) -> bool:
    """Return True if the provider inserts a value for an absent property. It also inserts the stack's region."""
    if property_of_type.endswith(" region"):
        return text == seen.region
    return not text or not read_defaults().isdisjoint({f"{property_of_type} {text}", f"{property_of_type} *"})


def _list_code_facts(kind: str, where: str, code: Any) -> Iterator[Fact]:
    """Yield where code comes from. A preview without built layers has a placeholder in place of the archive."""
    yield Fact(Table.PROPERTIES, f"{kind} {where}", where)
    if isinstance(code, pulumi.RemoteArchive | pulumi.RemoteAsset):
        yield Fact(Table.REFERENCES, f"{kind} {where} {code.uri}", where)
    elif kind != LAYER:
        yield Fact(Table.VALUES, f"{kind} {where} {type(code).__name__}", where)


def _cut(path: tuple[str, ...]) -> str:
    """Return a path without what follows an opaque key, because names of variables are no facts."""
    opaque = next((index for index, part in enumerate(path) if part.lower() in OPAQUE_KEYS), len(path))
    return ".".join(path[: opaque + 1])


def walk(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each known text, number, truth value and IAM policy document with its path."""
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
            is_nested = str(key) == "ItemProcessor" and path[-1:] == ("*",)
            yield from walk(_get_known(value, key), path[:-2] if is_nested else (*path, _to_step(path, str(key))))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index in range(len(value)):
            yield from walk(_get_known(value, index), (*path, "[]"))
    elif value is not None:
        yield path, value


def _to_step(path: tuple[str, ...], key: str) -> str:
    if path and path[-1].lower() in FREE_KEYED:
        return "*"
    return "*" if len(path) > 1 and path[-1] == "*" and path[-2].lower() == "paths" else key


def _get_known(values: Any, key: Any) -> Any:
    """Return a value of a mapping or list; None if it is absent."""
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
