"""Harness that registers one subsystem or block, and functions that read permissions and variables of the result.

The resources are recorded with the ids that AWS would generate. The tests of the whole program run previews.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from components.blocks.function import Function
from components.core import Subsystem, SubsystemArgs
from components.settings import FunctionSettings
from components.settings.base import SubsystemSettings
from components.usage_formulas import Usage
from guardrails.pricing.cost_estimate import estimate_cost
from handlers.common.environment import HandlerEnvironment
from local.preview import program_run
from local.preview.cost import to_priced_resource
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Resource
from local.preview.stack_files import StackConfig
from local.property_values import Props
from tests.fake_engine import Recorded, foundation_settings, scope

REGION_AND_ACCOUNT = "us-east-1:123456789012"
QUEUES = "https://sqs.us-east-1.amazonaws.com/123456789012"
API_ID = "a1b2c3"
IDENTITY_POOL_ID = "us-east-1:0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"


class DeployedProvider(PreviewProvider):
    """Provider that returns the ids, versions and URLs that AWS would generate, as after a deployment."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        resource_id = {"IdentityPool": IDENTITY_POOL_ID, "Api": API_ID, "RestApi": API_ID}.get(resource.kind)
        outputs: dict[str, Props] = {
            "Api": {"apiEndpoint": f"wss://{API_ID}.execute-api.us-east-1.amazonaws.com"},
            "Function": {"version": "7"},
            "Parameter": {"version": 3},
            "Queue": {"url": f"{QUEUES}/{resource.inputs.get('name')}"},
            "Stage": {"invokeUrl": f"https://{API_ID}.execute-api.us-east-1.amazonaws.com/api"},
        }
        return resource_id or f"{resource.name}-id", outputs.get(resource.kind, {})


def deploy(body: Callable[[], object], provider: PreviewProvider | None = None) -> Recorded:
    """Return the resources that a program registers if every id is known."""
    config = StackConfig(project="polyphony", stack="test", values={})
    return Recorded(program_run.run_function(body, config, provider or DeployedProvider(), preview=False).graph)


def sample_function(name: str) -> Function:
    """Register a function for tests of blocks that call one."""
    return Function(scope(), name, settings=FunctionSettings(), environment=HandlerEnvironment)


class Deployment:
    """Deployment of one subsystem alone, with settings that a test chooses.

    Equal settings are registered only once, because tests do not change the recorded resources.
    """

    def __init__(
        self,
        subsystem: Subsystem,
        component: Callable[[str, Any], object],
        settings: type[SubsystemSettings],
        monthly_usage: Callable[[Any], Usage],
        *,
        default_settings: Mapping[str, Any] | None = None,
        foundation: Mapping[str, Any] | None = None,
    ) -> None:
        """Create the deployment. `default_settings` and `foundation` are settings of every deployment, unless a test
        changes them.
        """
        self.prefix = f"polyphony-test-{subsystem}"
        """Prefix of the subsystem's physical names."""
        self.subsystem, self._component, self._monthly_usage = subsystem, component, monthly_usage
        self._settings, self._default_settings, self._foundation = settings, default_settings or {}, foundation or {}
        self._recorded: dict[str, Recorded] = {}

    def settings(self, **changes: Any) -> Any:
        """Return the subsystem's settings, with changes by their camel-case names."""
        return self._settings.model_validate({**self._default_settings, **changes})

    def program(self, foundation: Mapping[str, Any] | None = None, **changes: Any) -> Callable[[], Any]:
        """Return a program that registers only the subsystem, with changes of its settings and of the foundation's."""
        base = foundation_settings(**{**self._foundation, **(foundation or {})})
        test_scope = scope(subsystem=self.subsystem, foundation=base)
        return lambda: self._component(self.subsystem, SubsystemArgs(test_scope, self.settings(**changes)))

    def deployed(self, foundation: Mapping[str, Any] | None = None, **changes: Any) -> Recorded:
        """Return the resources with the ids that AWS would generate."""
        key = json.dumps((foundation, self.settings(**changes).model_dump(mode="json")))
        if key not in self._recorded:
            self._recorded[key] = deploy(self.program(foundation, **changes))
        return self._recorded[key]

    def monthly_cost(self, load: Mapping[str, float], **settings: Any) -> float:
        """Return the dollars a month without alarms. The estimate fails if a measure is missing or has no price."""
        graph = self.deployed(load=load, **settings).graph
        usage = self._monthly_usage(self.settings(load=load, **settings))
        report = estimate_cost([to_priced_resource(resource, graph) for resource in graph], usage)
        assert report.unpriced == ()
        return round(report.total - report.sum_by("price")["alarm"], 2)


def arn(service: str, resource: str) -> str:
    """Return the ARN of a resource in the region and account of the tests: `arn("sqs", "queue")`."""
    return f"arn:aws:{service}:{REGION_AND_ACCOUNT}:{resource}"


def variables(recorded: Recorded, function: str) -> Any:
    """Return the environment variables of a function."""
    return recorded.one("lambda.Function", function).inputs["environment"]["variables"]


def rest_document(recorded: Recorded) -> Any:
    """Return the document that API Gateway imports as the only REST API."""
    return json.loads(recorded.one("apigateway.RestApi").inputs["body"])


def allow_statement(policy: Resource) -> Any:
    """Return the only Allow statement of a resource policy."""
    [statement] = [item for item in json.loads(policy.inputs["policy"])["Statement"] if item["Effect"] == "Allow"]
    return statement


def permissions(recorded: Recorded, role: str) -> set[tuple[str, str]]:
    """Return every action and resource that the policies of a role allow. `role` is the end of its name."""
    policies = [item.inputs for item in recorded.all("iam.RolePolicy") if item.inputs["role"].endswith(f"-{role}")]
    assert policies, f"{role} has no policy"
    statements = [statement for policy in policies for statement in json.loads(policy["policy"])["Statement"]]
    return {(action, arn) for item in statements for action in item["Action"] for arn in item["Resource"]}
