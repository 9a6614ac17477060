"""Process of the policy pack (`policies/`), which checks a stack's resources as it does under the Pulumi CLI.

The pack runs unmodified in its own virtual environment, with the environment variables that the CLI sets. Over the CLI's
analyzer protocol (gRPC), it receives the inputs of each resource, and at the end the whole stack. It returns findings,
which are violations of policies.
"""

import json
import os
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from local import LOOPBACK, ROOT, CannotRun
from local.preview.resource_graph import Graph, Resource
from local.preview.stack_files import StackConfig

FOLDER = ROOT / "policies"
PYTHON = FOLDER / ".venv" / "bin" / "python"
PACK_PROGRAM = """
import os, runpy, threading

def end_with_the_parent():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=end_with_the_parent, daemon=True).start()
runpy.run_module("pulumi.policy", run_name="__main__", alter_sys=True)
"""
"""Program that runs the pack as `python -m pulumi.policy` does. It ends when its standard input is closed, so it ends with
this process, even if this process is killed."""
NO_ENGINE = f"{LOOPBACK}:0"
"""Placeholder for the address of Pulumi's engine. The pack requires it as an argument, but never connects to it."""
UNLIMITED_MESSAGES = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class PackError(CannotRun):
    """The policy pack cannot start."""


@dataclass(frozen=True)
class PolicyFinding:
    """Violation of a policy."""

    policy: str
    level: str
    """Enforcement level of the policy, for example `mandatory` or `advisory`."""
    severity: str
    """`low`, `medium`, `high`, `critical`, or `unspecified`."""
    urn: str
    """URN of the resource, or of the stack."""
    message: str


@dataclass(frozen=True)
class PolicyDescription:
    """Policy of the pack."""

    name: str
    description: str
    level: str
    """Enforcement level in this stack."""


class PolicyPackProcess:
    """Running policy pack. It analyzes resources while the Pulumi program runs, and only `finish` waits for its results."""

    def __init__(self, config: StackConfig, *, dry_run: bool) -> None:
        """Start the process. `dry_run` is True for a preview, and False if the resources exist."""
        if not PYTHON.exists():
            raise PackError("The policy pack's virtual environment is missing. Run `make preview`, which creates it.")
        environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ},
            "PULUMI_PROJECT": config.project,
            "PULUMI_STACK": config.stack,
            "PULUMI_ORGANIZATION": "organization",  # what the CLI sets for a backend without organizations
            "PULUMI_DRY_RUN": "true" if dry_run else "false",
            "PULUMI_CONFIG": json.dumps(dict(config.values)),
            "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
        }
        self._process = subprocess.Popen(
            [str(PYTHON), "-u", "-c", PACK_PROGRAM, NO_ENGINE, "."],
            cwd=FOLDER,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._client: analyzer_pb2_grpc.AnalyzerStub | None = None
        self._channel: grpc.Channel | None = None
        self._policies: list[PolicyDescription] = []
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="policies")
        self._sent: list[Future[list[PolicyFinding]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        # The thread may read the streams of the process too, and two threads must not read them at once. Its read or call
        # ends, because the process was killed.
        self._executor.shutdown(cancel_futures=True)
        if self._channel is not None:
            self._channel.close()
        self._process.communicate()

    def list_policies(self) -> list[PolicyDescription]:
        """Return the pack's policies. The first call also configures the pack, without which it analyzes nothing."""
        if not self._policies:
            info = self._analyzer().GetAnalyzerInfo(empty_pb2.Empty())
            self._analyzer().Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=info.initialConfig))
            self._policies = [
                PolicyDescription(policy.name, policy.description, _to_level_name(policy.enforcementLevel))
                for policy in info.policies
            ]
        return self._policies

    def send(self, resource: Resource) -> None:
        """Let a thread analyze a resource after those sent before. `finish` returns the findings."""
        self._sent.append(self._executor.submit(self.analyze_resource, resource))

    def finish(self, graph: Graph) -> list[PolicyFinding]:
        """Return the findings on all sent resources, and then the findings on the stack as a whole."""
        findings = [finding for future in self._sent for finding in future.result()]
        return [*findings, *self.analyze_stack(graph)]

    def analyze_resource(self, resource: Resource) -> list[PolicyFinding]:
        """Return the findings on the inputs of one resource."""
        self.list_policies()  # The first call configures the pack.
        return _to_findings(self._analyzer().Analyze(_to_analyze_request(resource)), resource.urn)

    def analyze_stack(self, graph: Graph) -> list[PolicyFinding]:
        """Return the findings on the stack as a whole, with the outputs of its resources.

        The CLI sends resources in no defined order. This method reverses the order of registration, so a policy that
        relies on the order of registration is noticed.
        """
        resources = [_to_analyzer_resource(resource) for resource in graph]
        stack = self._analyzer().AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources[::-1]))
        return _to_findings(stack, graph.stack.urn)

    def _analyzer(self) -> analyzer_pb2_grpc.AnalyzerStub:
        """Return the pack's gRPC client. The first call waits until the pack has loaded and printed its port."""
        if self._client is None:
            port = (self._process.stdout.readline() if self._process.stdout else "").strip()
            if not port.isdigit():
                _, errors = self._process.communicate()
                raise PackError(errors.strip() or f"The policy pack printed {port!r} instead of its port.")
            self._channel = grpc.insecure_channel(f"{LOOPBACK}:{port}", options=UNLIMITED_MESSAGES)
            self._client = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        return self._client


def _to_analyze_request(resource: Resource) -> analyzer_pb2.AnalyzeRequest:
    return analyzer_pb2.AnalyzeRequest(
        type=resource.type,
        urn=resource.urn,
        name=resource.name,
        properties=resource.request.object,
        options=_to_options(resource),
    )


def _to_analyzer_resource(resource: Resource) -> analyzer_pb2.AnalyzerResource:
    return analyzer_pb2.AnalyzerResource(
        type=resource.type,
        urn=resource.urn,
        name=resource.name,
        properties=resource.outputs,
        options=_to_options(resource),
        parent=resource.parent,
        dependencies=sorted(resource.depends_on),
        propertyDependencies={
            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=dependencies.urns)
            for key, dependencies in resource.request.propertyDependencies.items()
        },
    )


def _to_options(resource: Resource) -> analyzer_pb2.AnalyzerResourceOptions:
    return analyzer_pb2.AnalyzerResourceOptions(
        protect=resource.request.protect, ignoreChanges=resource.request.ignoreChanges, parent=resource.parent
    )


def _to_findings(response: analyzer_pb2.AnalyzeResponse, urn: str) -> list[PolicyFinding]:
    """Return the violations in a response. `urn` is used if the response names no resource."""
    return [
        PolicyFinding(
            policy=diagnostic.policyName,
            level=_to_level_name(diagnostic.enforcementLevel),
            severity=analyzer_pb2.PolicySeverity.Name(diagnostic.severity).removeprefix("POLICY_SEVERITY_").lower(),
            urn=diagnostic.urn or urn,
            # Pulumi's SDK puts the description of the policy before the message.
            message=diagnostic.message.removeprefix(f"{diagnostic.description}\n"),
        )
        for diagnostic in response.diagnostics
    ]


def _to_level_name(number: "analyzer_pb2.EnforcementLevel.ValueType") -> str:
    return str(analyzer_pb2.EnforcementLevel.Name(number)).lower()
