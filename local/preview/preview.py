"""Preview of a stack without an AWS account (`make preview`).

The program runs unmodified, with a provider that creates nothing. A preview shows the registered resources, the outputs,
and these results:

- `botocore_input_checks` finds resource inputs that AWS would reject.
- `handler_check` finds faults because of which a function could not start.
- The policy pack (`policies/`) finds violations of policies. It runs in a separate process.
- `cost` estimates the monthly cost.
"""

from dataclasses import dataclass
from typing import Any

from guardrails.pricing.cost_estimate import CostReport
from local.preview import cost, program_run
from local.preview.botocore_input_checks import InvalidInput, find_invalid_inputs
from local.preview.handler_check import HandlerFault, find_handler_faults
from local.preview.policy_pack_process import PolicyDescription, PolicyFinding, PolicyPackProcess
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig
from local.property_values import Props, to_display_value


@dataclass(frozen=True)
class Preview:
    """Result of a preview."""

    config: StackConfig
    graph: Graph
    outputs: Props
    """Stack outputs, in which values that AWS assigns are unknown."""
    messages: tuple[str, ...]
    """Warnings and errors that the program logged."""
    invalid_inputs: tuple[InvalidInput, ...]
    handler_faults: tuple[HandlerFault, ...]
    policies: tuple[PolicyDescription, ...]
    findings: tuple[PolicyFinding, ...]
    cost: CostReport
    budget: float
    """Monthly budget of the stack in dollars."""
    cost_error: str = ""
    """Reason why the cost cannot be estimated. If there is one, `cost` is empty and `budget` is zero."""

    @property
    def mandatory(self) -> list[PolicyFinding]:
        """Findings that stop a deployment."""
        return [finding for finding in self.findings if finding.level == "mandatory"]

    @property
    def deployable(self) -> bool:
        """True if there is no mandatory finding, no invalid input and no handler fault."""
        return not self.mandatory and not self.invalid_inputs and not self.handler_faults

    def as_json(self) -> dict[str, Any]:
        """Return the preview as JSON, with sorted resources, so two previews can be compared."""
        return {
            "schemaVersion": 1,
            "stack": self.config.stack,
            "deployable": self.deployable,
            "resources": [
                {
                    "urn": resource.urn,
                    "type": resource.type,
                    "name": resource.name,
                    "parent": resource.parent,
                    "custom": resource.custom,
                    "inputs": to_display_value(resource.inputs),
                    "dependsOn": sorted(resource.depends_on),
                }
                for resource in sorted(self.graph, key=lambda resource: resource.urn)
            ],
            # Programs that read the JSON know the invalid inputs by this name.
            "refusals": [invalid_input._asdict() for invalid_input in self.invalid_inputs],
            "handlerFaults": [fault._asdict() for fault in self.handler_faults],
            "policies": len(self.policies),
            "findings": sorted(
                map(vars, self.findings), key=lambda entry: (entry["urn"], entry["policy"], entry["message"])
            ),
            "cost": {"error": self.cost_error}
            if self.cost_error
            else {
                "monthlyUsd": round(self.cost.total, 2),
                "budgetUsd": self.budget,
                "bySubsystem": {name: round(usd, 2) for name, usd in self.cost.sum_by("subsystem").items()},
                "unpriced": list(self.cost.unpriced),
            },
            "outputs": to_display_value(self.outputs),
            "warnings": [*self.config.warnings, *self.messages],
        }


def preview(config: StackConfig) -> Preview:
    """Preview a stack.

    Raise CannotRun in one of these cases: The settings are invalid. The program fails. The policy pack cannot start.
    The local platform has no driver for a resource type.
    """
    with PolicyPackProcess(config, dry_run=True) as pack:
        # The pack gets each resource while the program registers the next resources, as under the CLI.
        run = program_run.run_program(config, PreviewProvider(), preview=True, on_registration=pack.send)
        invalid_inputs = find_invalid_inputs(run.graph)
        handler_faults = find_handler_faults(run.graph)
        findings = pack.finish(run.graph)
        policies = pack.list_policies()
    cost_report, budget, cost_error = CostReport(()), 0.0, ""
    try:
        priced = cost.price_graph(config.stack, run.graph)
        cost_report, budget = priced.report, priced.budget
    except cost.CannotPrice as error:
        cost_error = str(error)
    return Preview(
        config=config,
        graph=run.graph,
        outputs=run.outputs,
        messages=run.messages,
        invalid_inputs=tuple(invalid_inputs),
        handler_faults=tuple(handler_faults),
        policies=tuple(policies),
        findings=tuple(findings),
        cost=cost_report,
        budget=budget,
        cost_error=cost_error,
    )
