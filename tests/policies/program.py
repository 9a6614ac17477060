"""The recorded prod program, which tests of the guardrails change, and the findings of one policy about it."""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any, Self

from google.protobuf.json_format import MessageToDict
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import unknown_checking_proxy

from guardrails.catalogue import POLICIES
from guardrails.records import CheckedResource, CheckedStack, Level, Policy, ResourcePolicy, run_check
from guardrails.stack_configuration import StackContext, read_stack_context
from guardrails.surface.seen_stack import SeenStack
from local import ACCOUNT
from local.preview import stack_files
from local.preview.resource_graph import Graph
from local.property_values import UNKNOWN_STRING as UNKNOWN
from tests import whole_program

TODAY = date(2026, 11, 20)
POLICIES_BY_NAME = {policy.name: policy for policy in POLICIES}
__all__ = ["UNKNOWN", "Program"]


@dataclass
class Recorded:
    """A resource as the engine sends it."""

    type: str
    props: dict[str, Any]
    urn: str
    parent: str = ""
    references: Mapping[str, list[str]] = field(default_factory=dict)
    """URNs of the resources from whose outputs a property is computed."""


class Program:
    """Resources by Pulumi name. A method that changes one returns its name."""

    def __init__(self, stack: str = "prod") -> None:
        self.resources = dict(_record(stack))
        self.context = _read_context(stack)

    @classmethod
    def of(cls, graph: Graph, context: StackContext) -> Self:
        """Return a program that registered these resources."""
        program = cls.__new__(cls)
        program.resources, program.context = _read_resources(graph), context
        return program

    def change(self, which: str, **props: Any) -> str:
        """Change properties of the resource with a name, or of the first resource of a type. None removes a property."""
        name = self._find(which)
        resource = self.resources[name] = copy.deepcopy(self.resources[name])
        resource.props = {key: value for key, value in {**resource.props, **props}.items() if value is not None}
        return name

    def edit(self, which: str, key: str, edit: Callable[[Any], object]) -> str:
        """Edit a property in place. A text with JSON is parsed before and written again."""
        name = self._find(which)
        value = copy.deepcopy(self.resources[name].props[key])
        document = json.loads(value) if isinstance(value, str) else value
        edit(document)
        return self.change(name, **{key: json.dumps(document) if isinstance(value, str) else document})

    def drop(self, which: str) -> str:
        """Remove a resource."""
        name = self._find(which)
        del self.resources[name]
        return name

    def add(self, kind: str, name: str, props: Mapping[str, Any], parent: str = "") -> str:
        """Add a resource."""
        urn = f"urn:pulumi:prod::polyphony::{kind}::{name}"
        self.resources[name] = Recorded(kind, dict(props), urn, self.resources[parent].urn if parent else "")
        return name

    def find(self, policy: str) -> dict[str, str]:
        """Return the messages of one policy by the name of the resource, which is empty for the stack. An undecided
        check has an empty message."""
        return _find(policy, self.read())

    def find_all(self, *policies: str) -> dict[str, dict[str, str]]:
        """Return what each policy finds, without the policies that find nothing."""
        stack = self.read()
        return {policy: found for policy in policies if (found := _find(policy, stack))}

    def read(self) -> CheckedStack:
        """Return the resources as the pack gives them to its policies."""
        known = self.context.seen
        context = replace(self.context, seen=SeenStack(known.prefix, ACCOUNT, known.region, known.settings))
        by_urn = {
            resource.urn: CheckedResource(
                resource.urn, resource.type, name, unknown_checking_proxy(resource.props), context
            )
            for name, resource in self.resources.items()
        }
        for resource in self.resources.values():
            checked = by_urn[resource.urn]
            checked.parent = by_urn.get(resource.parent)
            checked.references = {
                key: tuple(by_urn[urn] for urn in urns if urn in by_urn) for key, urns in resource.references.items()
            }
        return CheckedStack(tuple(by_urn.values()), context)

    def _find(self, which: str) -> str:
        if which in self.resources:
            return which
        return min(name for name, resource in self.resources.items() if resource.type == which)


def _find(policy: str, stack: CheckedStack) -> dict[str, str]:
    record = POLICIES_BY_NAME[policy]
    names = {resource.urn: resource.name for resource in stack.resources}
    if isinstance(record, ResourcePolicy):
        results: Any = (
            (resource.name, message)
            for resource in stack.resources
            if record.applies_to(resource.type)
            for message in run_check(lambda resource=resource: record.check(resource))  # type: ignore[misc]
        )
    else:
        results = (
            (names.get(result.urn, ""), result.message)
            for result in record.list_results(stack)  # type: ignore[attr-defined]
        )
    found: dict[str, str] = {}
    for name, message in results:
        found[name] = found.get(name) or message
    return found


@cache
def find_unchanged(policy: str, stack: str = "prod") -> Mapping[str, str]:
    """Return what a policy finds in the program as it is."""
    return Program(stack).find(policy)


Break = Callable[[Program], str]
"""Function that changes a program and returns the name of the resource that then has a fault."""


def change(which: str, **props: Any) -> Break:
    """Return a change of properties of a resource, given by name or type. None removes a property."""
    return lambda program: program.change(which, **props)


def edit(which: str, key: str, change_value: Callable[[Any], object]) -> Break:
    """Return a change of a part of a property, in place."""
    return lambda program: program.edit(which, key, change_value)


def assert_new_finding(policy: str, break_program: Break) -> None:
    """Assert that the policy finds the fault, and had no finding about the resource before."""
    program = Program()
    name = break_program(program)
    assert not find_unchanged(policy).get(name)
    assert program.find(policy).get(name), "the finding must have a message, and an undecided check has none"


def find_mandatory(stack: str, policies: Iterable[Policy]) -> dict[str, dict[str, str]]:
    """Return what the policies find in an untouched stack, if they are mandatory there. Undecided checks are left out."""
    mandatory = [policy.name for policy in policies if policy.levels.for_environment(stack) == Level.MANDATORY]
    return {policy: found for policy, found in Program(stack).find_all(*mandatory).items() if any(found.values())}


@cache
def _record(stack: str) -> dict[str, Recorded]:
    return _read_resources(whole_program.graph(stack))


def _read_resources(graph: Graph) -> dict[str, Recorded]:
    return {
        resource.name: Recorded(
            resource.type,
            deserialize_properties(MessageToDict(resource.request.object)),
            resource.urn,
            resource.parent,
            {key: list(value.urns) for key, value in resource.request.propertyDependencies.items()},
        )
        for resource in graph
    }


@cache
def _read_context(stack: str) -> StackContext:
    config = stack_files.read_stack(stack)
    context = read_stack_context(dict(config.values), config.project, TODAY, stack)
    return replace(context, accounts=frozenset({ACCOUNT}))
