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
from guardrails.pack.analyzer import ANALYZER, DECODING, ask_less, decode_once
from guardrails.pack.policy_kinds import Policy
from guardrails.pack.stack_context import Surroundings, Waiver
from local.preview.policy_pack_process import _analyze_request, _analyzer_resource
from local.preview.property_values import UNKNOWN_STRING
from local.preview.resource_graph import Graph

TODAY = date(2026, 11, 20)
TAGS = {"Project": "polyphony", "Environment": "prod", "Owner": "platform", "CostCenter": "voice"}
UNKNOWN = UNKNOWN_STRING
UNDECIDED = "can't run policy"

Props = Mapping[str, Any]


@dataclass(frozen=True)
class Thing:
    """One resource of a small stack."""

    type: str
    props: Props
    name: str = "thing"
    refers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Property → names of the resources whose outputs it is made of."""
    after: Sequence[str] = ()
    parent: str = ""
    answers: Props = field(default_factory=dict)
    """Properties that the program does not give and the provider answers."""


@dataclass(frozen=True)
class Found:
    """One answer of one policy."""

    policy: str
    name: str
    message: str
    undecided: bool


@dataclass
class Messages:
    """A stack as it comes by wire: each resource by its inputs, then all by their outputs."""

    inputs: dict[str, analyzer_pb2.AnalyzeRequest]
    outputs: dict[str, analyzer_pb2.AnalyzerResource]

    def copy(self) -> "Messages":
        """A copy whose changes leave this as it is."""
        return Messages(dict(self.inputs), dict(self.outputs))

    def change(self, name: str, patch: Props) -> None:
        """Changes properties of one resource; none takes a property away, which a provider may answer all the same."""
        self.inputs[name], self.outputs[name] = copy.deepcopy(self.inputs[name]), copy.deepcopy(self.outputs[name])
        for struct in (self.inputs[name].properties, self.outputs[name].properties):
            for key, value in patch.items():
                if value is None:
                    struct.fields.pop(key, None)
                else:
                    struct.update({key: value})
        answered(self.outputs[name])

    def drop(self, name: str) -> None:
        """Takes a resource away."""
        del self.inputs[name], self.outputs[name]

    def add(self, things: Iterable[Thing]) -> None:
        """Adds resources."""
        added = of_things(things)
        self.inputs.update(added.inputs)
        self.outputs.update(added.outputs)

    def first(self, kind: str) -> str:
        """The alphabetically first resource of a type: the order of registration differs from run to run."""
        return min(one.name for one in self.inputs.values() if one.type == kind)

    def json(self, name: str, key: str) -> Any:
        """A property that holds JSON."""
        return json.loads(self.inputs[name].properties.fields[key].string_value)


Break = Callable[[Messages], str]
"""Breaks the real program in one place and returns the name of the resource that is then at fault."""


@dataclass(frozen=True)
class Spec:
    """What one policy must do."""

    policy: str
    good: Sequence[Thing]
    bad: Sequence[Thing]
    says: str
    """Part of the message: the offending value, or what is missing."""
    unknown: Sequence[Thing]
    """A stack with a value that is not known yet."""
    breaks: Break
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
class Case:
    """A small stack and what one policy says about it, beyond the policy's spec."""

    policy: str
    things: Sequence[Thing]
    says: str = ""
    """Part of a message. Empty if the policy finds nothing."""
    at: str = ""
    """The only resource that is at fault. Empty if the case does not say."""

    def __repr__(self) -> str:
        return f"{self.policy}-{self.says or 'nothing'}"


def finds(policy: str, says: str, *things: Thing, at: str = "") -> Case:
    """Return a case in which the policy finds a fault; `UNDECIDED` as message if it cannot decide."""
    return Case(policy, things, says, at)


def passes(policy: str, *things: Thing) -> Case:
    """Return a case in which the policy finds nothing."""
    return Case(policy, things)


def spec(
    policy: str,
    kind: str,
    good: Props,
    bad: Props,
    says: str,
    unknown: str = "",
    *,
    around: Sequence[Thing] = (),
    breaks: Break | None = None,
    added: bool = False,
) -> Spec:
    """Return a spec of one resource: `bad` changes `good` into a fault.

    `unknown` is the property that is not known yet, by default the first that `bad` changes.
    Without `breaks`, the first resource of the type in the real program gets `bad`. If the program has none, or with
    `added`, the broken resource is added to it.
    """
    broken = Thing(kind, changed(good, bad))

    def break_like_this(stack: Messages) -> str:
        there = any(one.type == kind for one in stack.inputs.values())
        return (changes(kind, bad) if there and not added else inserted([*around, broken]))(stack)

    return Spec(
        policy=policy,
        good=[*around, Thing(kind, good)],
        bad=[*around, broken],
        says=says,
        unknown=[*around, Thing(kind, {**changed(good, bad), unknown or next(iter(bad)): UNKNOWN})],
        breaks=breaks or break_like_this,
    )


def setting(policy: str, kind: str, path: str, good: object, bad: object, says: str, name: str = "n") -> Spec:
    """Return a spec of one property, by its path: a right and a wrong value, None if it is absent."""
    outer, *inner = path.split(".")

    def given(value: object) -> dict[str, object]:
        for key in reversed(inner):
            value = {key: value}
        return {outer: value}

    return spec(policy, kind, {"name": name, **given(good)}, given(bad), says)


def changed(props: Props, patch: Props) -> dict[str, Any]:
    """Properties with some replaced; none takes a property away."""
    return {key: value for key, value in {**props, **patch}.items() if value is not None}


def inserted(things: Sequence[Thing], at: str = "thing") -> Break:
    """Adds broken resources to the real program."""

    def broken(stack: Messages) -> str:
        stack.add(things)
        return at

    return broken


def changes(name: str, patch: Props, found: str = "") -> Break:
    """Changes one resource of the real program, by name or by type."""

    def broken(stack: Messages) -> str:
        target = name if name in stack.inputs else stack.first(name)
        stack.change(target, patch)
        return found or target

    return broken


def drops(name: str, found: str) -> Break:
    """Takes one resource of the real program away; `found` is then at fault."""

    def broken(stack: Messages) -> str:
        stack.drop(name)
        return found

    return broken


def edits(name: str, key: str, edit: Callable[[Any], None], found: str = "") -> Break:
    """Edits a property that holds JSON, in the real program."""

    def broken(stack: Messages) -> str:
        document = stack.json(name, key)
        edit(document)
        stack.change(name, {key: json.dumps(document)})
        return found or name

    return broken


def of_things(things: Iterable[Thing]) -> Messages:
    """A small stack as messages."""
    found = Messages({}, {})
    for one in things:
        inputs = analyzer_pb2.AnalyzeRequest(type=one.type, urn=_urn(one.type, one.name), name=one.name)
        inputs.properties.update(copy.deepcopy(dict(one.props)))
        outputs = analyzer_pb2.AnalyzerResource(type=one.type, urn=inputs.urn, name=one.name)
        outputs.properties.CopyFrom(inputs.properties)
        outputs.properties.update(copy.deepcopy(dict(one.answers)))
        known = {name: message.urn for name, message in found.inputs.items()}
        outputs.parent = known.get(one.parent, "")
        outputs.dependencies.extend(known[name] for name in one.after)
        for key, names in one.refers.items():
            outputs.propertyDependencies[key].urns.extend(known[name] for name in names)
        found.inputs[one.name], found.outputs[one.name] = inputs, outputs
    return found


def of_graph(graph: Graph) -> Messages:
    """The recorded program as messages, by Pulumi name, as a first preview with the real provider has them."""
    found = Messages(
        {one.name: _analyze_request(one) for one in graph}, {one.name: _analyzer_resource(one) for one in graph}
    )
    for one in found.outputs.values():
        answered(one)
    return found


def answered(resource: analyzer_pb2.AnalyzerResource) -> None:
    """Adds what the provider always answers, given or not, and does not know in a preview."""
    for key in computed(resource.type):
        if key not in resource.properties.fields:
            resource.properties.fields[key].string_value = UNKNOWN


@cache
def computed(kind: str) -> frozenset[str]:
    """The properties of a type that are there in any case: those whose getters promise more than an option."""
    if not kind.startswith("aws:"):
        return frozenset()
    module, _, name = kind.removeprefix("aws:").partition(":")
    package = importlib.import_module(f"pulumi_aws.{module.partition('/')[0].replace('lambda', 'lambda_')}")
    found = vars(getattr(package, name)).items()
    getters = {key: one.fget for key, one in found if isinstance(one, property) and one.fget is not None}
    return frozenset(
        getattr(getter, "_pulumi_name", key)
        for key, getter in getters.items()
        if "Optional" not in str(inspect.get_annotations(getter)["return"])
    )


def _urn(kind: str, name: str) -> str:
    return f"urn:pulumi:prod::polyphony::{kind}::{name}"


def surroundings(environment: str = "prod", *waivers: Waiver) -> Surroundings:
    """Where the pack runs in a test."""
    return Surroundings(environment, waivers, TODAY, {**TAGS, "Environment": environment})


def waiver(policy: str, resource: str, expires: date = date(2026, 12, 31)) -> Waiver:
    """An exception."""
    return Waiver(policy, resource, "the old system needs it until it is gone", expires)


BY_NAME = {one.name: one for one in POLICIES}


def analyzer(records: Iterable[Policy], where: Surroundings, given: Mapping[str, frozenset[str]] | None = None) -> Any:
    """The SDK's analyzer over some policies, which know what resources are given, also where none asks for it."""
    builder = policy_pack.PolicyBuilder(where)
    builder.given.update(given or {})
    built = [builder.policy(one) for one in records]
    return sdk._PolicyAnalyzerServicer("pack", "0", built, pulumi_policy.EnforcementLevel.MANDATORY)


@contextmanager
def as_it_was() -> Iterator[Any]:
    """The SDK's module, which afterwards is as it was before."""
    before = {name: getattr(sdk, name) for name in (*DECODING, ANALYZER)}
    try:
        yield sdk
    finally:
        for name, value in before.items():
            setattr(sdk, name, value)


@contextmanager
def as_the_pack_asks() -> Iterator[None]:
    """Decodes each resource once and asks only the policies that judge it, as the pack does when it starts.

    For what is asked about the whole program again and again. That it changes no answer is tested of its own.
    """
    with as_it_was():
        decode_once()
        ask_less(policy_pack.concerned)
        yield


def ask(
    records: Iterable[Policy], stack: Messages, where: Surroundings, config: Mapping[str, Any] | None = None
) -> list[Found]:
    """All answers to a stack."""
    given = {request.urn: frozenset(request.properties.fields) for request in stack.inputs.values()}
    asked = analyzer(records, where, given)
    if config:
        asked.Configure(_configuration(config), None)
    answers: list[Found] = []
    for request in stack.inputs.values():
        answers += _found(asked.Analyze(request, None).diagnostics, request.name)
    whole = asked.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=list(stack.outputs.values())), None)
    return answers + _found(whole.diagnostics, "")


def _configuration(config: Mapping[str, Any]) -> analyzer_pb2.ConfigureAnalyzerRequest:
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    for policy, values in config.items():
        request.policyConfig[policy].enforcementLevel = analyzer_pb2.MANDATORY
        request.policyConfig[policy].properties.update(values)
    return request


def _found(diagnostics: Iterable[analyzer_pb2.AnalyzeDiagnostic], name: str) -> list[Found]:
    return [
        Found(
            one.policyName,
            one.urn.rpartition("::")[2] or name,
            one.message.removeprefix(f"{one.description}\n"),
            one.message.startswith(UNDECIDED),
        )
        for one in diagnostics
    ]
