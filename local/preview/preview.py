"""The preview of a stack, without an account: plan, refusals, policy findings, cost, outputs.

The program runs unmodified, every resource is held against its service's own model, and the policy pack judges as a
process of its own: resources while the program still registers others, as the CLI has it do, then the whole stack.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from components.settings import SettingsError
from guardrails.pricing.estimate import CostReport
from local import CannotRun
from local.preview import cost, program_run, report, sarif, stack_files
from local.preview.input_checks import NoDriver, Refusal, refusals
from local.preview.policy_pack_process import Judgement, Pack, PackError, Remediation, Rule
from local.preview.policy_run import Judging, Watched
from local.preview.preview_provider import PreviewProvider
from local.preview.property_values import Props, shown
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig

LOCAL = "local"
"""The stack that `make up` brings up here."""


class CannotPreview(CannotRun):
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
    changes: tuple[tuple[str, str], ...] | None = None
    """Action and URN, where the stack is one that this machine can have: what `up` would do."""

    @property
    def mandatory(self) -> list[Judgement]:
        """The findings that keep this stack from being deployed."""
        return [one for one in self.judgements if one.level == "mandatory"]

    @property
    def deployable(self) -> bool:
        """Whether nothing was found that keeps this stack from being deployed."""
        return not self.mandatory and not self.refusals

    def as_json(self) -> dict[str, Any]:
        """The same for machines: in the order of names, since what is registered together comes in any order."""
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
                for one in sorted(self.graph, key=lambda one: one.urn)
            ],
            "refusals": [one._asdict() for one in self.refusals],
            "policies": len(self.rules),
            "findings": sorted(map(vars, self.judgements), key=lambda one: (one["urn"], one["policy"], one["message"])),
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
            "changes": None if self.changes is None else [{"action": one, "urn": urn} for one, urn in self.changes],
            "outputs": shown(self.outputs),
            "warnings": [*self.config.warnings, *self.messages],
        }


def preview(config: StackConfig) -> Preview:
    """Previews a stack; CannotPreview where it has no preview at all."""
    try:
        with Pack(config, dry_run=True) as pack, Judging(pack) as judging:
            run = program_run.run(config, Watched(PreviewProvider(), judging.saw), preview=True)
            rest = judging.ended(run.graph)
            refused = refusals(run.graph)
            rules, judgements, remediations = rest.result()
    except (SettingsError, program_run.ProgramError, PackError, NoDriver) as error:
        raise CannotPreview(str(error)) from error
    priced = cost.of_graph(config.stack, run.graph)
    return Preview(
        config=config,
        graph=run.graph,
        outputs=run.outputs,
        messages=run.messages,
        refusals=tuple(refused),
        rules=tuple(rules),
        judgements=tuple(judgements),
        remediations=tuple(remediations),
        cost=priced.report,
        budget=priced.budget,
    )


def command(stack: str, *, as_json: bool, sarif_file: Path | None) -> int:
    """`make preview`: prints the preview and returns the exit status."""
    with report.working(f"previewing {stack}", quiet=as_json):
        found = preview(stack_files.read(stack))
        if stack == LOCAL:
            found = replace(found, changes=_changes(found.config))
    if as_json:
        print(json.dumps(found.as_json(), indent=2))
    else:
        report.show(found)
    if sarif_file is not None:
        write_sarif(found, sarif_file)  # last: where it cannot be written, the preview has been seen
    return 0 if found.deployable else 1


def _changes(config: StackConfig) -> tuple[tuple[str, str], ...]:
    """What `make up` would do to what runs here now."""
    from local.platform import lifecycle  # noqa: PLC0415

    return tuple((step.action.value, step.urn) for step in lifecycle.plan_update(config))


def write_sarif(found: Preview, path: Path) -> None:
    """Writes the findings for code scanning."""
    path.write_text(json.dumps(sarif.document(found.rules, found.judgements, found.refusals, found.config), indent=2))
