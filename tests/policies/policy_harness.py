"""Asks the pack's policies as the engine does: through the SDK's own analyzer, with messages as they come by wire.

A spec says, for one policy, what it lets pass, what it finds, what it makes of a value that is not known yet, and how
the real program is broken in one place so that it fires. An exception is tried with each spec's failing stack.
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
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import policy as sdk

from guardrails.catalogue import POLICIES
from guardrails.pack import policy_pack
from guardrails.pack.policy_kinds import Policy
from guardrails.pack.sdk_patches import ANALYZER_CLASS, DECODING_FUNCTIONS, cache_decoding, skip_unneeded_checks
from guardrails.pack.stack_context import ExceptionEntry, StackContext
from local.preview.policy_pack_process import _analyze_request, _analyzer_resource
from local.preview.property_values import UNKNOWN_STRING
from local.preview.resource_graph import Graph

TODAY = date(2026, 11, 20)
TAGS = {"Project": "polyphony", "Environment": "prod", "Owner": "platform", "CostCenter": "voice"}
UNKNOWN = UNKNOWN_STRING
UNDECIDED = "can't run policy"

Props = Mapping[str, Any]


@dataclass(frozen=True)
class SampleResource:
    """One resource of a small stack."""

    type: str
    props: Props
    name: str = "thing"
    references: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Property → names of the resources whose outputs it is made of."""
    depends_on: Sequence[str] = ()
    parent: str = ""
    provider_outputs: Props = field(default_factory=dict)
    """Properties that the program does not give and the provider answers."""


@dataclass(frozen=True)
class PolicyAnswer:
    """One answer of one policy."""

    policy: str
    name: str
    message: str
    undecided: bool


@dataclass
class EngineMessages:
    """A stack as it comes by wire: each resource by its inputs, then all by their outputs."""

    inputs: dict[str, analyzer_pb2.AnalyzeRequest]
    outputs: dict[str, analyzer_pb2.AnalyzerResource]

    def copy(self) -> "EngineMessages":
        """A copy whose changes leave this as it is."""
        return EngineMessages(dict(self.inputs), dict(self.outputs))

    def change(self, name: str, patch: Props) -> None:
        """Changes properties of one resource; none takes a property away, which a provider may answer all the same."""
        self.inputs[name], self.outputs[name] = copy.deepcopy(self.inputs[name]), copy.deepcopy(self.outputs[name])
        for struct in (self.inputs[name].properties, self.outputs[name].properties):
            for key, value in patch.items():
                if value is None:
                    struct.fields.pop(key, None)
                else:
                    struct.update({key: value})
        add_provider_outputs(self.outputs[name])

    def drop(self, name: str) -> None:
        """Takes a resource away."""
        del self.inputs[name], self.outputs[name]

    def add(self, samples: Iterable[SampleResource]) -> None:
        """Adds resources."""
        added = build_messages(samples)
        self.inputs.update(added.inputs)
        self.outputs.update(added.outputs)

    def first(self, kind: str) -> str:
        """The alphabetically first resource of a type: the order of registration differs from run to run."""
        return min(request.name for request in self.inputs.values() if request.type == kind)

    def json(self, name: str, key: str) -> Any:
        """A property that holds JSON."""
        return json.loads(self.inputs[name].properties.fields[key].string_value)


ProgramBreak = Callable[[EngineMessages], str]
"""Breaks the real program in one place and returns the name of the resource that is then at fault."""


@dataclass(frozen=True)
class PolicySpec:
    """What one policy must do."""

    policy: str
    good: Sequence[SampleResource]
    bad: Sequence[SampleResource]
    message_part: str
    """Part of the message: the offending value, or what is missing."""
    unknown: Sequence[SampleResource]
    """A stack with a value that is not known yet."""
    break_program: ProgramBreak
    at: str = "thing"
    """Which resource of the failing stack is at fault; empty for the stack as a whole."""
    undecided: bool = True
    """Whether the unknown value keeps it from judging; else it must judge, and find what is wrong elsewhere."""
    environment: str = "prod"
    also: Sequence[str] = ()
    """What else is at fault in the broken program, where the fault is one of two."""

    def __repr__(self) -> str:
        return self.policy


@dataclass(frozen=True)
class PolicyCase:
    """A small stack and what one policy says about it, beyond the policy's spec."""

    policy: str
    samples: Sequence[SampleResource]
    message_part: str = ""
    """Part of a message. Empty if the policy finds nothing."""
    at: str = ""
    """The only resource that is at fault. Empty if the case does not say."""

    def __repr__(self) -> str:
        return f"{self.policy}-{self.message_part or 'nothing'}"


def expect_finding(policy: str, message_part: str, *samples: SampleResource, at: str = "") -> PolicyCase:
    """Return a case in which the policy finds a fault; `UNDECIDED` as message if it cannot decide."""
    return PolicyCase(policy, samples, message_part, at)


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
    around: Sequence[SampleResource] = (),
    break_program: ProgramBreak | None = None,
    added: bool = False,
) -> PolicySpec:
    """Return a spec of one resource: `bad` changes `good` into a fault.

    `unknown` is the property that is not known yet, by default the first that `bad` changes.
    Without `breaks`, the first resource of the type in the real program gets `bad`. If the program has none, or with
    `added`, the broken resource is added to it.
    """
    broken = SampleResource(kind, merge_props(good, bad))

    def break_like_this(stack: EngineMessages) -> str:
        there = any(request.type == kind for request in stack.inputs.values())
        return (change_resource(kind, bad) if there and not added else insert_resources([*around, broken]))(stack)

    return PolicySpec(
        policy=policy,
        good=[*around, SampleResource(kind, good)],
        bad=[*around, broken],
        message_part=message_part,
        unknown=[*around, SampleResource(kind, {**merge_props(good, bad), unknown or next(iter(bad)): UNKNOWN})],
        break_program=break_program or break_like_this,
    )


def property_spec(
    policy: str, kind: str, path: str, good: object, bad: object, message_part: str, name: str = "n"
) -> PolicySpec:
    """Return a spec of one property, by its path: a right and a wrong value, None if it is absent."""
    outer, *inner = path.split(".")

    def given(value: object) -> dict[str, object]:
        for key in reversed(inner):
            value = {key: value}
        return {outer: value}

    return resource_spec(policy, kind, {"name": name, **given(good)}, given(bad), message_part)


def merge_props(props: Props, patch: Props) -> dict[str, Any]:
    """Properties with some replaced; none takes a property away."""
    return {key: value for key, value in {**props, **patch}.items() if value is not None}


def insert_resources(samples: Sequence[SampleResource], at: str = "thing") -> ProgramBreak:
    """Adds broken resources to the real program."""

    def broken(stack: EngineMessages) -> str:
        stack.add(samples)
        return at

    return broken


def change_resource(name: str, patch: Props, found: str = "") -> ProgramBreak:
    """Changes one resource of the real program, by name or by type."""

    def broken(stack: EngineMessages) -> str:
        target = name if name in stack.inputs else stack.first(name)
        stack.change(target, patch)
        return found or target

    return broken


def drop_resource(name: str, found: str) -> ProgramBreak:
    """Takes one resource of the real program away; `found` is then at fault."""

    def broken(stack: EngineMessages) -> str:
        stack.drop(name)
        return found

    return broken


def edit_json_property(name: str, key: str, edit: Callable[[Any], None], found: str = "") -> ProgramBreak:
    """Edits a property that holds JSON, in the real program."""

    def broken(stack: EngineMessages) -> str:
        document = stack.json(name, key)
        edit(document)
        stack.change(name, {key: json.dumps(document)})
        return found or name

    return broken


def build_messages(samples: Iterable[SampleResource]) -> EngineMessages:
    """A small stack as messages."""
    found = EngineMessages({}, {})
    for sample in samples:
        inputs = analyzer_pb2.AnalyzeRequest(type=sample.type, urn=_urn(sample.type, sample.name), name=sample.name)
        inputs.properties.update(copy.deepcopy(dict(sample.props)))
        outputs = analyzer_pb2.AnalyzerResource(type=sample.type, urn=inputs.urn, name=sample.name)
        outputs.properties.CopyFrom(inputs.properties)
        outputs.properties.update(copy.deepcopy(dict(sample.provider_outputs)))
        known = {name: message.urn for name, message in found.inputs.items()}
        outputs.parent = known.get(sample.parent, "")
        outputs.dependencies.extend(known[name] for name in sample.depends_on)
        for key, names in sample.references.items():
            outputs.propertyDependencies[key].urns.extend(known[name] for name in names)
        found.inputs[sample.name], found.outputs[sample.name] = inputs, outputs
    return found


def of_graph(graph: Graph) -> EngineMessages:
    """The recorded program as messages, by Pulumi name, as a first preview with the real provider has them."""
    found = EngineMessages(
        {resource.name: _analyze_request(resource) for resource in graph},
        {resource.name: _analyzer_resource(resource) for resource in graph},
    )
    for getter in found.outputs.values():
        add_provider_outputs(getter)
    return found


def add_provider_outputs(resource: analyzer_pb2.AnalyzerResource) -> None:
    """Adds what the provider always answers, given or not, and does not know in a preview."""
    for key in list_computed_properties(resource.type):
        if key not in resource.properties.fields:
            resource.properties.fields[key].string_value = UNKNOWN


@cache
def list_computed_properties(kind: str) -> frozenset[str]:
    """The properties of a type that are there in any case: those whose getters promise more than an option."""
    if not kind.startswith("aws:"):
        return frozenset()
    module, _, name = kind.removeprefix("aws:").partition(":")
    package = importlib.import_module(f"pulumi_aws.{module.partition('/')[0].replace('lambda', 'lambda_')}")
    found = vars(getattr(package, name)).items()
    getters = {key: getter.fget for key, getter in found if isinstance(getter, property) and getter.fget is not None}
    return frozenset(
        getattr(getter, "_pulumi_name", key)
        for key, getter in getters.items()
        if "Optional" not in str(inspect.get_annotations(getter)["return"])
    )


def _urn(kind: str, name: str) -> str:
    return f"urn:pulumi:prod::polyphony::{kind}::{name}"


def build_context(environment: str = "prod", *waivers: ExceptionEntry) -> StackContext:
    """Where the pack runs in a test."""
    return StackContext(environment, waivers, TODAY, {**TAGS, "Environment": environment})


def build_exception(policy: str, resource: str, expires: date = date(2026, 12, 31)) -> ExceptionEntry:
    """An exception."""
    return ExceptionEntry(policy, resource, "the old system needs it until it is gone", expires)


BY_NAME = {policy.name: policy for policy in POLICIES}


def build_analyzer(
    records: Iterable[Policy], where: StackContext, given: Mapping[str, frozenset[str]] | None = None
) -> Any:
    """The SDK's analyzer over some policies, which know what resources are given, also where none asks for it."""
    builder = policy_pack.PolicyBuilder(where)
    builder.program_properties.update(given or {})
    built = [builder.build(record) for record in records]
    return sdk._PolicyAnalyzerServicer("pack", "0", built, pulumi_policy.EnforcementLevel.MANDATORY)


@contextmanager
def restored_sdk() -> Iterator[Any]:
    """The SDK's module, which afterwards is as it was before."""
    before = {name: getattr(sdk, name) for name in (*DECODING_FUNCTIONS, ANALYZER_CLASS)}
    try:
        yield sdk
    finally:
        for name, value in before.items():
            setattr(sdk, name, value)


@contextmanager
def patched_sdk() -> Iterator[None]:
    """Decodes each resource once and asks only the policies that judge it, as the pack does when it starts.

    For what is asked about the whole program again and again. That it changes no answer is tested of its own.
    """
    with restored_sdk():
        cache_decoding()
        skip_unneeded_checks(policy_pack.policy_applies_to_type)
        yield


def run_policies(
    records: Iterable[Policy], stack: EngineMessages, where: StackContext, config: Mapping[str, Any] | None = None
) -> list[PolicyAnswer]:
    """All answers to a stack."""
    given = {request.urn: frozenset(request.properties.fields) for request in stack.inputs.values()}
    asked = build_analyzer(records, where, given)
    if config:
        asked.Configure(_configuration(config), None)
    provider_outputs: list[PolicyAnswer] = []
    for request in stack.inputs.values():
        provider_outputs += _found(asked.Analyze(request, None).diagnostics, request.name)
    whole = asked.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=list(stack.outputs.values())), None)
    return provider_outputs + _found(whole.diagnostics, "")


def _configuration(config: Mapping[str, Any]) -> analyzer_pb2.ConfigureAnalyzerRequest:
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    for policy, values in config.items():
        request.policyConfig[policy].enforcementLevel = analyzer_pb2.MANDATORY
        request.policyConfig[policy].properties.update(values)
    return request


def _found(diagnostics: Iterable[analyzer_pb2.AnalyzeDiagnostic], name: str) -> list[PolicyAnswer]:
    return [
        PolicyAnswer(
            diagnostic.policyName,
            diagnostic.urn.rpartition("::")[2] or name,
            diagnostic.message.removeprefix(f"{diagnostic.description}\n"),
            diagnostic.message.startswith(UNDECIDED),
        )
        for diagnostic in diagnostics
    ]
