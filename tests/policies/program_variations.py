"""Variations of the recorded program: small changes that one policy must find, or that no policy may find.

The recorded program is the list of all resources that a preview of prod registers. Among so many resources, a policy
easily misses a foreign account. A module in `specs/` lists variations as `VARIATIONS`, and
`tests/policies/test_program_variations.py` runs them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.policies.policy_harness import UNKNOWN, EngineMessages, Props, SampleResource, edit_json_property
from tests.policies.specs.sample_iam_documents import Statement


@dataclass(frozen=True)
class ProgramVariation:
    """One small change of the recorded program."""

    label: str
    """Description, for example "foreign role in a trust policy"."""
    resource: str
    """Pulumi name of the changed or added resource."""
    change: Callable[[EngineMessages], object]
    policy: str = ""
    """The policy that must find the change, as `found_by` sets it. Empty if the change is harmless."""

    def __repr__(self) -> str:
        return f"{self.policy or 'harmless'}-{self.label}".replace(" ", "-")


def found_by(policy: str, *variations: ProgramVariation) -> Sequence[ProgramVariation]:
    """Return the variations with this policy as the one that must find them."""
    return [replace(variation, policy=policy) for variation in variations]


def change_properties(label: str, resource: str, props: Props) -> ProgramVariation:
    """Return a variation that sets properties of a resource."""
    return ProgramVariation(label, resource, lambda stack: stack.change(resource, props))


def add_resource(label: str, kind: str, props: Props, references: Mapping[str, str] | None = None) -> ProgramVariation:
    """Return a variation that adds a resource. `references` adds unknown properties that are computed from outputs of
    other resources: the name of the other resource, by property.
    """
    name = f"added-{label.replace(' ', '-')}"
    unknown_props = dict.fromkeys(references or {}, UNKNOWN)

    def change(stack: EngineMessages) -> None:
        stack.add([SampleResource(kind, {**props, **unknown_props}, name)])
        for key, referenced_name in (references or {}).items():
            stack.outputs[name].propertyDependencies[key].urns.append(stack.inputs[referenced_name].urn)

    return ProgramVariation(label, name, change)


def edit_json(label: str, resource: str, key: str, edit: Callable[[Any], object]) -> ProgramVariation:
    """Return a variation that edits a property that contains JSON."""
    return ProgramVariation(label, resource, edit_json_property(resource, key, edit))


def add_statement(label: str, resource: str, statement: Statement, key: str = "policy") -> ProgramVariation:
    """Return a variation that adds a statement to the policy document in the property `key`."""
    return edit_json(label, resource, key, lambda document: document["Statement"].append(statement))


def replace_text(label: str, resource: str, key: str, old: str, new: str) -> ProgramVariation:
    """Return a variation that replaces the first occurrence of `old` in a property."""

    def change(stack: EngineMessages) -> None:
        text = stack.inputs[resource].properties.fields[key].string_value
        assert old in text, f"{resource}.{key} does not contain {old}"
        stack.change(resource, {key: text.replace(old, new, 1)})

    return ProgramVariation(label, resource, change)


def set_nested_property(label: str, resource: str, path: Sequence[str], value: object) -> ProgramVariation:
    """Return a variation that sets one entry inside of a property, and keeps the others. The path has keys, and indexes of
    lists.
    """

    def change(stack: EngineMessages) -> None:
        key, *inner_path = path
        new_value = stack.copy_property(resource, key)
        container = new_value
        for part in inner_path[:-1]:
            container = container[int(part) if part.isdigit() else part]
        container[inner_path[-1]] = value
        stack.change(resource, {key: new_value})

    return ProgramVariation(label, resource, change)
