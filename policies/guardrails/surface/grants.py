"""Facts about permissions: a line for each principal, action and resource that a policy document allows.

For example, `ingestion lambda | s3:GetObject | arn:aws:s3:::{own}/*` is a permission of a function's role. `facts.py`
adds these lines to the facts of a resource, and the pack denies those that the table `grants.txt` lacks. A document of an unexpected form raises ValueError, because it could hide a
permission.
"""

from collections.abc import Mapping
from typing import Any

from guardrails.iam_documents import Statement, parse_statements, to_list
from guardrails.surface.property_walk import UNKNOWN, parse_json
from guardrails.surface.seen_stack import SeenStack

POLICY_KEYS = frozenset({"Version", "Statement", "Id"})
STATEMENT_KEYS = frozenset(
    {"Sid", "Effect", "Action", "Resource", "Condition", "Principal", "NotAction", "NotResource", "NotPrincipal"}
)


def describe_trust(document: Any) -> str:
    """Return who may assume a role, from its trust policy: the names of services, for example `lambda`; `client`, `role`,
    or `guest`, an identity of an identity pool. If the document is `UNKNOWN`, it is that of guests, because only theirs
    contains an id that AWS assigns, the pool's.
    """
    if document is UNKNOWN:
        return "guest"
    callers = set()
    for statement in _parse_strictly(parse_json(document) if isinstance(document, str) else document):
        for kind, value in statement.principals:
            if kind == "Service":
                callers.add(value.removesuffix(".amazonaws.com"))
            elif kind == "AWS":
                # The token exchange gives the session of a client the tag of its user. Other roles set no tags.
                callers.add("client" if statement.covers_action("sts:TagSession") else "role")
            else:
                callers.add("guest")
    return "+".join(sorted(callers))


def list_grants(document: Mapping[str, Any], subject: str, subsystem: str, seen: SeenStack) -> list[str]:
    """Return a line for each principal, action and resource that a document allows. `subject` is the beginning of the
    lines. Names of the subsystem become `{own}`. A `-` stands for an absent element, for example beside `NotAction`.
    """

    def normalise(value: Any) -> str:
        return seen.normalise(str(value), subsystem)

    lines = []
    for statement in _parse_strictly(document):
        if statement.is_allow:
            condition = "; ".join(
                f"{operator} {key} {', '.join(sorted(map(normalise, to_list(values))))}"
                for operator, keys in sorted(statement.conditions.items())
                for key, values in sorted(keys.items())
            )
            negated = "".join(f" {element}" for element in sorted(statement.not_elements))
            lines += [
                f"{subject}{principal}{negated} | {action} | {normalise(resource)} | {condition}".rstrip(" |")
                for principal in [f" {kind}:{normalise(value)}" for kind, value in statement.principals] or [""]
                for action in statement.actions or ["-"]
                for resource in statement.resources or ["-"]
            ]
    return lines


def _parse_strictly(document: Mapping[str, Any]) -> list[Statement]:
    if document.keys() - POLICY_KEYS or document.get("Version") != "2012-10-17":
        raise ValueError("a policy document has Version 2012-10-17, Statement and Id only")
    for statement in to_list(document["Statement"]):
        if statement.keys() - STATEMENT_KEYS or statement.get("Effect") not in {"Allow", "Deny"}:
            raise ValueError(f"a statement has {', '.join(sorted(STATEMENT_KEYS))} only")
    return parse_statements(document)
