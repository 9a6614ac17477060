"""Variations of the recorded program: small changes that one policy must find, or that no policy may find.

A specs module lists the variations of its family. Unlike a `PolicySpec`, a variation shows the policy among all
resources of the real program, where a foreign account is easily missed, and so is a second companion (a resource that
configures another resource, such as a bucket's public access block).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.policies.policy_harness import EngineMessages, Props, SampleResource
from tests.policies.specs.sample_iam_documents import Statement

ProgramChange = Callable[[EngineMessages], None]


@dataclass(frozen=True)
class ProgramVariation:
    """One small change of the recorded program."""

    label: str
    resource: str
    """Pulumi name of the changed or added resource."""
    change: ProgramChange
    policy: str = ""
    """The policy that must find the change (see `found_by`). Empty if the change is harmless."""

    def __repr__(self) -> str:
        return f"{self.policy or 'harmless'}-{self.label}".replace(" ", "-")


def found_by(policy: str, *variations: ProgramVariation) -> Sequence[ProgramVariation]:
    """Return the variations with the policy that must find them."""
    return [replace(variation, policy=policy) for variation in variations]


def changed(label: str, resource: str, props: Props, policy: str = "") -> ProgramVariation:
    """Return a variation that sets properties of a resource."""
    return ProgramVariation(label, resource, lambda stack: stack.change(resource, props), policy)


def added(
    label: str,
    kind: str,
    props: Props,
    policy: str = "",
    references: Mapping[str, Sequence[str]] | None = None,
) -> ProgramVariation:
    """Return a variation that adds a resource. The references name resources of the program, by property."""
    name = f"added-{label.replace(' ', '-')}"

    def change(stack: EngineMessages) -> None:
        stack.add([SampleResource(kind, props, name)])
        for key, names in (references or {}).items():
            urns = [stack.inputs[referenced].urn for referenced in names]
            stack.outputs[name].propertyDependencies[key].urns.extend(urns)

    return ProgramVariation(label, name, change, policy)


def edited(label: str, resource: str, key: str, edit: Callable[[Any], object], policy: str = "") -> ProgramVariation:
    """Return a variation that edits a property that contains JSON."""

    def change(stack: EngineMessages) -> None:
        document = stack.json(resource, key)
        edit(document)
        stack.change(resource, {key: json.dumps(document)})

    return ProgramVariation(label, resource, change, policy)


def granted(label: str, resource: str, statement: Statement, policy: str = "", key: str = "policy") -> ProgramVariation:
    """Return a variation that adds a statement to a policy document."""
    return edited(label, resource, key, lambda document: document["Statement"].append(statement), policy)


def replaced_text(label: str, resource: str, key: str, old: str, new: str, policy: str = "") -> ProgramVariation:
    """Return a variation that replaces a part of a text."""

    def change(stack: EngineMessages) -> None:
        text = stack.inputs[resource].properties.fields[key].string_value
        assert old in text, f"{resource}.{key} does not contain {old}"
        stack.change(resource, {key: text.replace(old, new, 1)})

    return ProgramVariation(label, resource, change, policy)


def changed_nested(label: str, resource: str, path: Sequence[str], value: object, policy: str = "") -> ProgramVariation:
    """Return a variation that sets one entry inside of a property, and keeps the others."""

    def change(stack: EngineMessages) -> None:
        key, *inner = path
        outer = stack.copy_property(resource, key)
        target = outer
        for part in inner[:-1]:
            target = target[int(part) if part.isdigit() else part]
        target[inner[-1]] = value
        stack.change(resource, {key: outer})

    return ProgramVariation(label, resource, change, policy)
