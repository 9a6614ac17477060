"""Harness that runs guardrail policies as Pulumi's engine does: it sends protocol messages to the SDK's analyzer.

Tests check two kinds of stacks. A small stack is a list of `SampleResource`. The recorded program is the list of all
resources that the program registers in a preview of prod.

A `PolicySpec` states the required behaviour of one policy: a stack without a fault, a stack with a fault, a stack with
an unknown value (a value that AWS decides during the deployment), and a change of the recorded program that causes a
finding. `tests/policies/test_policy_specs.py` runs all specs. It also checks that an exception entry in the stack's
configuration allows the fault.
"""

import copy
import importlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

import pulumi_policy
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import policy as sdk

from guardrails.pack import policy_pack
from guardrails.pack.policy_kinds import Policy
from guardrails.pack.sdk_speedups import ANALYZER_CLASS, DECODING_NAMES
from guardrails.pack.stack_configuration import ExceptionEntry, StackContext
from guardrails.pack.undecided_checks import parse_reason
from guardrails.policy_catalogue import POLICIES
from local.preview.policy_pack_process import _analyze_request, _analyzer_resource
from local.preview.preview_provider import ACCOUNT
from local.preview.property_value_conversion import UNKNOWN_STRING
from local.preview.resource_graph import Graph

TODAY = date(2026, 11, 20)
BOUNDARY = "polyphony-bootstrap/boundary-prod"
"""Permissions boundary of the prod stack: path and name of a managed policy."""
UNKNOWN = UNKNOWN_STRING
"""An unknown value in a protocol message."""
UNDECIDED = "can't be known during preview"
"""End of the SDK's message about a policy that has no result, because it read an unknown value."""

Props = Mapping[str, Any]


@dataclass(frozen=True)
class SampleResource:
    """One resource of a small stack. The resource that a test is about keeps the default name."""

    type: str
    props: Props
    name: str = "sample"
    """Pulumi name."""
    references: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of the resources from whose outputs a property is computed, by property."""
    depends_on: Sequence[str] = ()
    parent: str = ""
    provider_outputs: Props = field(default_factory=dict)
    """Properties that the program does not set, and the provider returns after the deployment."""


@dataclass(frozen=True)
class PolicyAnswer:
    """One finding of a policy, or one check that the policy could not decide."""

    policy: str
    name: str
    """Pulumi name of the resource. Empty for the stack as a whole."""
    message: str
    undecided: bool


@dataclass
class EngineMessages:
    """A stack as protocol messages. The engine sends each resource with its inputs, and later all resources with their
    outputs.
    """

    inputs: dict[str, analyzer_pb2.AnalyzeRequest]
    """Messages by Pulumi name."""
    outputs: dict[str, analyzer_pb2.AnalyzerResource]

    def copy(self) -> "EngineMessages":
        """Return a copy. Changes of the copy do not affect the original."""
        return EngineMessages(dict(self.inputs), dict(self.outputs))

    def change(self, name: str, patch: Props) -> None:
        """Change properties of one resource. None removes a property, but the provider may still return it."""
        self.inputs[name], self.outputs[name] = copy.deepcopy(self.inputs[name]), copy.deepcopy(self.outputs[name])
        for struct in (self.inputs[name].properties, self.outputs[name].properties):
            for key, value in patch.items():
                if value is None:
                    struct.fields.pop(key, None)
                else:
                    struct.update({key: value})
        add_provider_outputs(self.outputs[name])

    def drop(self, name: str) -> None:
        """Remove a resource."""
        del self.inputs[name], self.outputs[name]

    def add(self, samples: Iterable[SampleResource]) -> None:
        """Add resources."""
        added = build_messages(samples)
        self.inputs.update(added.inputs)
        self.outputs.update(added.outputs)

    def first_name_of_type(self, kind: str) -> str:
        """Return the alphabetically first resource of a type. The order of registration differs from run to run."""
        return min(request.name for request in self.inputs.values() if request.type == kind)

    def parse_json_property(self, name: str, key: str) -> Any:
        """Return the parsed value of a property that contains JSON."""
        return json.loads(self.inputs[name].properties.fields[key].string_value)

    def copy_property(self, name: str, key: str) -> Any:
        """Return a copy of the value of a property as plain Python values."""
        return MessageToDict(self.inputs[name].properties.fields[key])


ProgramBreak = Callable[[EngineMessages], str]
"""Function that changes the recorded program and returns the name of the resource that then has a fault."""


@dataclass(frozen=True)
class PolicySpec:
    """The required behaviour of one policy."""

    policy: str
    good: Sequence[SampleResource]
    """A stack without a fault."""
    bad: Sequence[SampleResource]
    """A stack with a fault."""
    message_part: str
    """Part of the finding's message: the wrong value, or the missing property."""
    unknown: Sequence[SampleResource]
    """A stack with an unknown value."""
    break_program: ProgramBreak
    faulty_name: str = "sample"
    """Name of the resource with the fault in `bad`. Empty for the stack as a whole."""
    undecided: bool = True
    """True if the policy needs the unknown value, so that it has no result. Otherwise `unknown` also contains a fault that
    the policy must find.
    """
    environment: str = "prod"
    also_faulty: Sequence[str] = ()
    """Other resources that have a fault after `break_program`, if the change causes several faults."""

    def __repr__(self) -> str:
        return self.policy


@dataclass(frozen=True)
class PolicyCase:
    """A small stack and the expected result of one policy, in addition to the policy's spec."""

    policy: str
    samples: Sequence[SampleResource]
    message_part: str = ""
    """Part of the expected message. Empty if the policy finds nothing."""
    faulty_name: str = ""
    """Name of the only resource with a fault. Empty if the case does not check it."""

    def __repr__(self) -> str:
        return f"{self.policy}-{self.message_part or 'nothing'}"


def expect_finding(policy: str, message_part: str, *samples: SampleResource, faulty_name: str = "") -> PolicyCase:
    """Return a case in which the policy finds a fault. The message part `UNDECIDED` means that it cannot decide."""
    return PolicyCase(policy, samples, message_part, faulty_name)


def expect_no_finding(policy: str, *samples: SampleResource) -> PolicyCase:
    """Return a case in which the policy finds nothing."""
    return PolicyCase(policy, samples)


def resource_spec(
    policy: str,
    kind: str,
    good: Props,
    bad: Props,
    message_part: str,
    unknown: str = "",
    *,
    other_resources: Sequence[SampleResource] = (),
    break_program: ProgramBreak | None = None,
    add_to_program: bool = False,
) -> PolicySpec:
    """Return a spec of one resource: `bad` is merged into `good` and causes a fault.

    `unknown` names the property with an unknown value, by default the first property of `bad`. `other_resources` are part
    of each small stack. Without `break_program`, the recorded program's first resource of the type gets the properties of
    `bad`. If the program has none, or with `add_to_program`, the faulty resource is added to the program.
    """
    faulty = SampleResource(kind, merge_props(good, bad))

    def apply_default_change(stack: EngineMessages) -> str:
        has_resource = any(request.type == kind for request in stack.inputs.values())
        if has_resource and not add_to_program:
            return change_resource(kind, bad)(stack)
        return insert_resources([*other_resources, faulty])(stack)

    return PolicySpec(
        policy=policy,
        good=[*other_resources, SampleResource(kind, good)],
        bad=[*other_resources, faulty],
        message_part=message_part,
        unknown=[
            *other_resources,
            SampleResource(kind, {**merge_props(good, bad), unknown or next(iter(bad)): UNKNOWN}),
        ],
        break_program=break_program or apply_default_change,
    )


def property_spec(
    policy: str, kind: str, path: str, good: object, bad: object, message_part: str, name: str = "n"
) -> PolicySpec:
    """Return a spec of one property, given by its path, for example `tracingConfig.mode`, with a right and a wrong value.
    None means that the property is absent.
    """
    outer, *inner = path.split(".")

    def nest(value: object) -> dict[str, object]:
        for key in reversed(inner):
            value = {key: value}
        return {outer: value}

    return resource_spec(policy, kind, {"name": name, **nest(good)}, nest(bad), message_part)


def merge_props(props: Props, patch: Props) -> dict[str, Any]:
    """Return the properties with the patch applied. None removes a property."""
    return {key: value for key, value in {**props, **patch}.items() if value is not None}


def insert_resources(samples: Sequence[SampleResource], faulty_name: str = "sample") -> ProgramBreak:
    """Return a change that adds resources to the recorded program. The resource `faulty_name` has the fault."""

    def change_program(stack: EngineMessages) -> str:
        stack.add(samples)
        return faulty_name

    return change_program


def change_resource(name: str, patch: Props, faulty_name: str = "") -> ProgramBreak:
    """Return a change of one resource of the recorded program, given by name or type. `faulty_name` is the resource that
    then has a fault, by default the changed one.
    """

    def change_program(stack: EngineMessages) -> str:
        target = name if name in stack.inputs else stack.first_name_of_type(name)
        stack.change(target, patch)
        return faulty_name or target

    return change_program


def drop_resource(name: str, faulty_name: str) -> ProgramBreak:
    """Return a change that removes one resource of the recorded program. `faulty_name` is the resource that then has a
    fault.
    """

    def change_program(stack: EngineMessages) -> str:
        stack.drop(name)
        return faulty_name

    return change_program


def edit_json_property(name: str, key: str, edit: Callable[[Any], object], faulty_name: str = "") -> ProgramBreak:
    """Return a change of a property that contains JSON, in the recorded program."""

    def change_program(stack: EngineMessages) -> str:
        document = stack.parse_json_property(name, key)
        edit(document)
        stack.change(name, {key: json.dumps(document)})
        return faulty_name or name

    return change_program


def build_messages(samples: Iterable[SampleResource]) -> EngineMessages:
    """Return a small stack as messages."""
    messages = EngineMessages({}, {})
    for sample in samples:
        inputs = analyzer_pb2.AnalyzeRequest(type=sample.type, urn=_urn(sample.type, sample.name), name=sample.name)
        inputs.properties.update(copy.deepcopy(dict(sample.props)))
        outputs = analyzer_pb2.AnalyzerResource(type=sample.type, urn=inputs.urn, name=sample.name)
        outputs.properties.CopyFrom(inputs.properties)
        outputs.properties.update(copy.deepcopy(dict(sample.provider_outputs)))
        known = {name: message.urn for name, message in messages.inputs.items()}
        outputs.parent = known.get(sample.parent, "")
        outputs.dependencies.extend(known[name] for name in sample.depends_on)
        for key, names in sample.references.items():
            outputs.propertyDependencies[key].urns.extend(known[name] for name in names)
        messages.inputs[sample.name], messages.outputs[sample.name] = inputs, outputs
    return messages


def messages_from_graph(graph: Graph) -> EngineMessages:
    """Return the recorded program as messages, as in a first preview with the real provider."""
    messages = EngineMessages(
        {resource.name: _analyze_request(resource) for resource in graph},
        {resource.name: _analyzer_resource(resource) for resource in graph},
    )
    for resource in messages.outputs.values():
        add_provider_outputs(resource)
    return messages


def add_provider_outputs(resource: analyzer_pb2.AnalyzerResource) -> None:
    """Add the properties that the provider always returns. Their values are unknown in a preview."""
    for key in list_computed_properties(resource.type):
        if key not in resource.properties.fields:
            resource.properties.fields[key].string_value = UNKNOWN


@cache
def list_computed_properties(kind: str) -> frozenset[str]:
    """Return the properties of a type that always have a value. The return type of their getter is not optional."""
    if not kind.startswith("aws:"):
        return frozenset()
    module, _, name = kind.removeprefix("aws:").partition(":")
    package = importlib.import_module(f"pulumi_aws.{module.partition('/')[0].replace('lambda', 'lambda_')}")
    members = vars(getattr(package, name)).items()
    getters = {key: member.fget for key, member in members if isinstance(member, property) and member.fget is not None}
    return frozenset(
        getattr(getter, "_pulumi_name", key)
        for key, getter in getters.items()
        if "Optional" not in str(inspect.get_annotations(getter)["return"])
    )


def _urn(kind: str, name: str) -> str:
    return f"urn:pulumi:prod::polyphony::{kind}::{name}"


def build_context(environment: str = "prod", *exceptions: ExceptionEntry) -> StackContext:
    """Return what the pack reads from a stack's configuration."""
    return StackContext(
        environment,
        exceptions,
        TODAY,
        accounts=frozenset({ACCOUNT}),
        permissions_boundary=BOUNDARY,
        name_prefix="polyphony-prod-",
    )


def build_exception(policy: str, resource: str, expires: date = date(2026, 12, 31)) -> ExceptionEntry:
    """Return an exception entry that allows a resource to violate a policy."""
    return ExceptionEntry(policy, resource, "needed until the old system is shut down", expires)


POLICIES_BY_NAME = {policy.name: policy for policy in POLICIES}


def build_analyzer(
    policies: Iterable[Policy | str],
    context: StackContext | None = None,
    program_properties: Mapping[str, frozenset[str]] | None = None,
) -> Any:
    """Return the SDK's analyzer with some policies, which may be given by name. The default context is that of prod.

    `program_properties` has the names of the properties that the program sets, by URN. In the whole pack, the policies
    about single resources record them, but these policies may be missing here.
    """
    builder = policy_pack.PolicyBuilder(context or build_context())
    builder.program_properties.update(program_properties or {})
    built_policies = [
        builder.build(POLICIES_BY_NAME[policy] if isinstance(policy, str) else policy) for policy in policies
    ]
    return sdk._PolicyAnalyzerServicer("pack", "0", built_policies, pulumi_policy.EnforcementLevel.MANDATORY)


@contextmanager
def restored_sdk() -> Iterator[Any]:
    """Provide the SDK's module, whose parts a test may replace, and restore it afterwards."""
    originals = {name: getattr(sdk, name) for name in (*DECODING_NAMES, ANALYZER_CLASS)}
    try:
        yield sdk
    finally:
        for name, value in originals.items():
            setattr(sdk, name, value)


def run_policies(
    policies: Iterable[Policy | str], stack: EngineMessages, context: StackContext | None = None
) -> list[PolicyAnswer]:
    """Return all answers of some policies about a stack. See `build_analyzer` for the parameters."""
    program_properties = {request.urn: frozenset(request.properties.fields) for request in stack.inputs.values()}
    analyzer = build_analyzer(policies, context, program_properties)
    answers: list[PolicyAnswer] = []
    for request in stack.inputs.values():
        answers += _to_answers(analyzer.Analyze(request, None), request.name)
    stack_request = analyzer_pb2.AnalyzeStackRequest(resources=list(stack.outputs.values()))
    return answers + _to_answers(analyzer.AnalyzeStack(stack_request, None), "")


def _to_answers(response: analyzer_pb2.AnalyzeResponse, name: str) -> list[PolicyAnswer]:
    answers = [
        PolicyAnswer(
            diagnostic.policyName,
            diagnostic.urn.rpartition("::")[2] or name,
            diagnostic.message.removeprefix(f"{diagnostic.description}\n"),
            undecided=False,
        )
        for diagnostic in response.diagnostics
    ]
    return answers + [
        PolicyAnswer(check.policy, check.urn.rpartition("::")[2] or name, check.message, undecided=True)
        for policy in response.not_applicable
        for check in parse_reason(policy.policy_name, policy.reason)
    ]
