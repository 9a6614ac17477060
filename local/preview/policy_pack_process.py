"""The policy pack as a process of its own, spoken to as the Pulumi CLI does.

The pack is started unmodified, in its own virtual environment, with the CLI's environment variables; the CLI's
analyzer protocol (gRPC) carries each resource's inputs, then the whole stack with its outputs.
"""

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from local import LOOPBACK, ROOT, CannotRun
from local.preview.property_values import Props, properties
from local.preview.resource_graph import Graph, Resource
from local.preview.stack_files import StackConfig

FOLDER = ROOT / "policies"
PYTHON = FOLDER / ".venv" / "bin" / "python"
NO_ENGINE = f"{LOOPBACK}:0"
"""The pack is given its engine's address and never calls it."""
MAX_MESSAGE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
UNDECIDED = "can't run policy "
"""How the SDK's message starts where a policy met a value that is not known yet."""


class PackError(CannotRun):
    """The pack could not be run."""


@dataclass(frozen=True)
class Judgement:
    """One finding of one policy."""

    policy: str
    level: str
    """`mandatory`, `advisory`, or `unknown` where the policy cannot be decided before a deployment."""
    severity: str
    urn: str
    message: str


@dataclass(frozen=True)
class Remediation:
    """What a policy would change by itself."""

    policy: str
    urn: str
    before: Props
    after: Props


MENDS: Final = "remediate"
"""The level of a policy that mends what it finds."""


@dataclass(frozen=True)
class Rule:
    """A policy as the pack announces it."""

    name: str
    description: str
    level: str


Found = tuple[list[Judgement], list[Remediation]]


def together(found: Iterable[Found]) -> Found:
    """What was found in several resources, in their order."""
    judgements: list[Judgement] = []
    remediations: list[Remediation] = []
    for judged, mended in found:
        judgements += judged
        remediations += mended
    return judgements, remediations


class Pack:
    """A running pack. Starting and asking are apart, so that it can start while the program runs."""

    def __init__(self, config: StackConfig, *, dry_run: bool) -> None:
        if not PYTHON.exists():
            raise PackError("the policy pack's environment is missing: run `make preview`, which creates it")
        environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ},
            "PULUMI_PROJECT": config.project,
            "PULUMI_STACK": config.stack,
            "PULUMI_ORGANIZATION": "organization",
            "PULUMI_DRY_RUN": "true" if dry_run else "false",
            "PULUMI_CONFIG": json.dumps(dict(config.values)),
            "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
        }
        self._process = subprocess.Popen(
            [str(PYTHON), "-u", "-m", "pulumi.policy", NO_ENGINE, "."],
            cwd=FOLDER,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._stub: analyzer_pb2_grpc.AnalyzerStub | None = None
        self._channel: grpc.Channel | None = None
        self._rules: list[Rule] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._channel is not None:
            self._channel.close()
        self._process.kill()
        self._process.communicate()

    def rules(self) -> list[Rule]:
        """What the pack judges, at which level."""
        if not self._rules:
            info = self._analyzer().GetAnalyzerInfo(empty_pb2.Empty())
            self._analyzer().Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=info.initialConfig))
            self._rules = [Rule(one.name, one.description, _level(one.enforcementLevel)) for one in info.policies]
        return self._rules

    def judge(self, graph: Graph) -> Found:
        """All findings: each resource by its inputs, then the stack by its outputs."""
        judgements, remediations = together(map(self.judge_resource, graph))
        return [*judgements, *self.judge_stack(graph)], remediations

    def judge_resource(self, resource: Resource) -> Found:
        """What is found in one resource's inputs, after what policies would mend in it by themselves.

        The CLI always asks first what there is to mend. Policies of the pack mend only what they find, so here that is
        asked where one of them found something: nearly nowhere, and it was half of all questions.
        """
        request = _analyze_request(resource)
        diagnostics = self._analyzer().Analyze(request).diagnostics
        found = {one.policyName for one in diagnostics}
        if not any(one.name in found for one in self.rules() if one.level == MENDS):
            return _judgements(diagnostics, resource.urn), []
        undecided, remediations = self._mend(request, resource)
        return [*undecided, *_judgements(self._analyzer().Analyze(request).diagnostics, resource.urn)], remediations

    def _mend(self, request: analyzer_pb2.AnalyzeRequest, resource: Resource) -> Found:
        """What policies change in a request by themselves, which it has then, and those that could not decide."""
        judgements: list[Judgement] = []
        remediations: list[Remediation] = []
        for one in self._analyzer().Remediate(request).remediations:
            if one.diagnostic:  # it could not be decided, so there are no properties to take over
                judgements.append(Judgement(one.policyName, "unknown", "unspecified", resource.urn, one.diagnostic))
                continue
            remediations.append(Remediation(one.policyName, resource.urn, resource.inputs, properties(one.properties)))
            request.properties.CopyFrom(one.properties)
        return judgements, remediations

    def judge_stack(self, graph: Graph) -> list[Judgement]:
        """What is found in the stack as a whole, by its outputs.

        The CLI lists resources in no order at all. Here the last comes first, so that no policy can count on one.
        """
        resources = [_analyzer_resource(one) for one in graph]
        stack = self._analyzer().AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources[::-1]))
        return _judgements(stack.diagnostics, graph.stack.urn)

    def _analyzer(self) -> analyzer_pb2_grpc.AnalyzerStub:
        if self._stub is None:
            port = (self._process.stdout.readline() if self._process.stdout else "").strip()
            if not port.isdigit():
                _, errors = self._process.communicate()
                raise PackError(errors.strip() or f"the policy pack said {port!r} instead of its port")
            self._channel = grpc.insecure_channel(f"{LOOPBACK}:{port}", options=MAX_MESSAGE)
            self._stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        return self._stub


def _analyze_request(resource: Resource) -> analyzer_pb2.AnalyzeRequest:
    return analyzer_pb2.AnalyzeRequest(
        type=resource.type,
        urn=resource.urn,
        name=resource.name,
        properties=resource.request.object,
        options=_options(resource),
    )


def _analyzer_resource(resource: Resource) -> analyzer_pb2.AnalyzerResource:
    return analyzer_pb2.AnalyzerResource(
        type=resource.type,
        urn=resource.urn,
        name=resource.name,
        properties=resource.outputs,
        options=_options(resource),
        parent=resource.parent,
        dependencies=sorted(resource.depends_on),
        propertyDependencies={
            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=one.urns)
            for key, one in resource.request.propertyDependencies.items()
        },
    )


def _options(resource: Resource) -> analyzer_pb2.AnalyzerResourceOptions:
    return analyzer_pb2.AnalyzerResourceOptions(
        protect=resource.request.protect,
        ignoreChanges=resource.request.ignoreChanges,
        parent=resource.parent,
    )


def _judgements(diagnostics: Iterable[analyzer_pb2.AnalyzeDiagnostic], urn: str) -> list[Judgement]:
    return [
        Judgement(
            policy=one.policyName,
            level="unknown" if one.message.startswith(UNDECIDED) else _level(one.enforcementLevel),
            severity=analyzer_pb2.PolicySeverity.Name(one.severity).removeprefix("POLICY_SEVERITY_").lower(),
            urn=one.urn or urn,
            message=one.message.removeprefix(f"{one.description}\n"),
        )
        for one in diagnostics
    ]


def _level(number: "analyzer_pb2.EnforcementLevel.ValueType") -> str:
    return str(analyzer_pb2.EnforcementLevel.Name(number)).lower()
