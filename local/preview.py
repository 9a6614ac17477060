"""The preview of a stack, without an account: plan, refusals, policy findings, cost, outputs.

The program runs unmodified, every resource is held against its service's own model, and the policy pack judges as a
process of its own. The pack starts while the program runs: both take about as long.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.settings import SettingsError
from guardrails.pricing.estimate import CostReport, Priced, estimate
from local import program, report, sarif, stack_files
from local.checks import NoDriver, Refusal, refusals
from local.graph import Graph, Resource
from local.pack import Judgement, Pack, PackError, Remediation, Rule
from local.preview_provider import PreviewProvider
from local.stack_files import StackConfig, StackFileError
from local.values import Props, shown

PLATFORM = "polyphony:platform:Platform"


class CannotPreview(Exception):
    """There is nothing to show; the message says what to mend."""


@dataclass(frozen=True)
class Preview:
    """Everything a preview found."""

    config: StackConfig
    graph: Graph
    outputs: Props
    messages: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    rules: tuple[Rule, ...]
    judgements: tuple[Judgement, ...]
    remediations: tuple[Remediation, ...]
    cost: CostReport
    budget: float

    @property
    def mandatory(self) -> list[Judgement]:
        """The findings that keep this stack from being deployed."""
        return [one for one in self.judgements if one.level == "mandatory"]

    @property
    def deployable(self) -> bool:
        """Whether nothing was found that keeps this stack from being deployed."""
        return not self.mandatory and not self.refusals

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "schemaVersion": 1,
            "stack": self.config.stack,
            "deployable": self.deployable,
            "resources": [
                {
                    "urn": one.urn,
                    "type": one.type,
                    "name": one.name,
                    "parent": one.parent,
                    "custom": one.custom,
                    "inputs": shown(one.inputs),
                    "dependsOn": sorted(one.depends_on),
                }
                for one in self.graph
            ],
            "refusals": [one._asdict() for one in self.refusals],
            "policies": len(self.rules),
            "findings": [vars(one) for one in self.judgements],
            "remediations": [
                {"policy": one.policy, "urn": one.urn, "before": shown(one.before), "after": shown(one.after)}
                for one in self.remediations
            ],
            "cost": {
                "monthlyUsd": round(self.cost.total, 2),
                "budgetUsd": self.budget,
                "bySubsystem": {name: round(usd, 2) for name, usd in self.cost.by("subsystem").items()},
                "unpriced": list(self.cost.unpriced),
            },
            "outputs": shown(self.outputs),
            "warnings": [*self.config.warnings, *self.messages],
        }


def preview(config: StackConfig) -> Preview:
    """Previews a stack; CannotPreview where it has no preview at all."""
    try:
        with Pack(config, dry_run=True) as pack:
            run = program.run(config, PreviewProvider(), preview=True)
            refused = refusals(run.graph)
            rules = pack.rules()
            judgements, remediations = pack.judge(run.graph)
    except (SettingsError, program.ProgramError, PackError, NoDriver) as error:
        raise CannotPreview(str(error)) from error
    platform = next(one for one in run.graph if one.type == PLATFORM)
    return Preview(
        config=config,
        graph=run.graph,
        outputs=run.outputs,
        messages=run.messages,
        refusals=tuple(refused),
        rules=tuple(rules),
        judgements=tuple(judgements),
        remediations=tuple(remediations),
        cost=estimate((_priced(one, run.graph) for one in run.graph), platform.inputs["usage"]),
        budget=float(platform.inputs["budget"]),
    )


def command(stack: str, *, as_json: bool, sarif_file: Path | None) -> int:
    """`make preview`: prints the preview and returns the exit status."""
    try:
        with report.working(f"previewing {stack}", quiet=as_json):
            found = preview(stack_files.read(stack))
    except (StackFileError, CannotPreview) as error:
        print(error, file=sys.stderr)
        return 2
    if sarif_file is not None:
        write_sarif(found, sarif_file)
    if as_json:
        print(json.dumps(found.as_json(), indent=2))
    else:
        report.show(found)
    return 0 if found.deployable else 1


def write_sarif(found: Preview, path: Path) -> None:
    """Writes the findings for code scanning."""
    path.write_text(json.dumps(sarif.document(found.rules, found.judgements, found.refusals, found.config), indent=2))


def _priced(one: Resource, graph: Graph) -> Priced:
    block = graph[one.parent].name if one.parent else one.name
    return Priced(one.type, one.name, block, block.partition("-")[0], one.inputs)
