"""Command `make demo`: preview, deployment, use of the five backends (flows), check of IAM permissions, and removal.

`local/__main__.py` calls `command`. The demo uses a separate folder and port, so it does not affect a running platform.
Its exit status is 0 only if every step succeeds.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from pydantic.alias_generators import to_camel
from rich.console import Console
from rich.markup import escape

from guardrails.subsystem_of_resource import parse_subsystem
from local import ROOT, CannotRun
from local.emulation.iam.grant_usage import compare_grants, read_decisions, read_reviewed_grants, read_stack_grants
from local.flows import FlowSkipped, ResultNotInTime, Stack
from local.flows.flow_registry import FLOWS, Flow
from local.flows.identity import open_local_stack
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.engine import ResourceFailed
from local.platform.folder_lock import FolderBusy, lock_folder
from local.platform.lifecycle import delete_all, deploy, list_deployed_findings
from local.platform.progress import Progress
from local.preview import report, stack_files
from local.preview.policy_pack_process import PolicyPackProcess
from local.preview.preview import preview
from local.preview.stack_files import StackConfig
from local.terminal_output import create_console, format_count, report_waiting

FOLDER = ROOT / ".local" / "demo"
NAME_PREFIX = "polyphony-local-"
"""Prefix of the names of all resources of the stack."""


class DemoFailed(Exception):
    """Error that a step of the demo failed. The message states the problem."""


def command(chosen_flow: str = "") -> int:
    """Run the demo with all flows or only the chosen one. Return the exit status."""
    if chosen_flow and chosen_flow not in FLOWS:
        print(
            f"Unknown flow {chosen_flow}. Set FLOW to one of {', '.join(FLOWS)}, or leave it out to run all.",
            file=sys.stderr,
        )
        return 2
    config = stack_files.read_stack("local")
    out = create_console()
    start = time.monotonic()
    try:
        with lock_folder(FOLDER, "another `make demo`"):
            _run_steps(out, config, [chosen_flow] if chosen_flow else list(FLOWS))
    except FolderBusy as error:
        print(error, file=sys.stderr)
        return 2
    except (DemoFailed, CannotRun, ResourceFailed, ResultNotInTime) as error:
        print(f"The demo failed: {error}\nLog of the platform: {FOLDER / 'emulator.log'}", file=sys.stderr)
        return 1
    out.print(f"\n[green]all steps succeeded[/] in {time.monotonic() - start:.0f} s; nothing is left running")
    return 0


def _run_steps(out: Console, config: StackConfig, flows: list[str]) -> None:
    with _print_step(out, "preview"):
        result = preview(config)
        out.print(f"  {len(result.graph.customs())} resources, {len(result.policies)} policies evaluated")
        cost = "cost unknown" if result.cost_error else f"about ${result.cost.total:,.2f} a month"
        out.print(f"  {format_count(len(result.mandatory), 'mandatory finding')}; {cost}")
        if not result.deployable:
            raise DemoFailed(
                "the preview has findings that stop a deployment. Fix them first; `make preview STACK=local` lists them"
            )
    emulator.stop(FOLDER)  # an earlier demo that was killed may have left its emulator running
    with PolicyPackProcess(config, dry_run=False) as pack, emulator.start(FOLDER) as started:
        clients = EmulatorClients(started.emulator.endpoint)
        # The policy pack checks each resource when the program registers it, and all resources after the deployment.
        with _print_step(out, "up, with IAM enforced"):
            deployed = deploy(config, started.emulator, Progress(), pack.send)
            out.print(f"  {len(deployed.graph.customs())} resources at {started.emulator.endpoint}")
            findings = list_deployed_findings(pack, deployed.graph)
            if mandatory := [finding for finding in findings if finding.level == "mandatory"]:
                raise DemoFailed(f"{mandatory[0].policy}: {mandatory[0].message}")
        stack = open_local_stack(deployed.outputs["frontend"], partial(EmulatorClients, started.emulator.endpoint))
        _run_flows(out, flows, stack)
        with _print_step(out, "granted and used permissions"):
            _check_grants(out, clients)
        out.print("\n[bold]outputs[/]")
        report.print_outputs(out, deployed.outputs)
        report.print_monthly_cost(out, result)
        with _print_step(out, "down"):
            if undeleted := delete_all(started.emulator, Progress()):
                raise DemoFailed(f"these resources could not be deleted: {', '.join(undeleted)}")
            out.print("  every resource deleted, in reverse order")


def _run_flows(out: Console, names: list[str], stack: Stack) -> None:
    for name in names:
        # The stack output `frontend` has an entry for each enabled subsystem.
        if to_camel(name.replace("-", "_")) in stack.frontend:
            _run_flow(out, name, FLOWS[name], stack)
        else:
            out.print(f"\n[bold]{name}[/]: skipped, because the stack file disables it")


def _run_flow(out: Console, name: str, flow: Flow, stack: Stack) -> None:
    with _print_step(out, f"{name}: {flow.title} ({flow.reality_note})"):
        try:
            problems = flow.play(stack, StepTimer(out))
        except FlowSkipped as skipped:
            out.print(f"  skipped, because {skipped}")
            return
        except Exception as error:
            if emulator.has_ended(FOLDER):
                raise DemoFailed(f"the emulator ended during the flow {name}") from error
            raise
        if problems:
            raise DemoFailed(f"the flow {name} has problems: {'; '.join(problems)}")
        out.print(f"  {flow.promise}")


def _check_grants(out: Console, clients: EmulatorClients) -> None:
    """Print how many grants (permissions) the flows used. Raise DemoFailed if a call was refused for lack of a grant.

    The end-to-end tests also use what the flows leave out, such as schedules and failures. They check that every
    permission is used, or that its reason is reviewed.
    """
    decisions = read_decisions(FOLDER)
    comparison = compare_grants(
        read_stack_grants(clients("iam"), NAME_PREFIX), decisions, read_reviewed_grants(), NAME_PREFIX
    )
    out.print(f"  {len(decisions)} IAM decisions")
    used, unused = (
        Counter(parse_subsystem(grant.role.removeprefix(NAME_PREFIX)) for grant in grants)
        for grants in (comparison.used, (*comparison.reviewed, *comparison.never_used))
    )
    for name in sorted(used | unused):
        out.print(f"  {name:14} {used[name]:4} used, {unused[name]:4} for what these flows leave out")
    if comparison.not_granted:
        raise DemoFailed("\n".join(f"used and not granted: {decision}" for decision in comparison.not_granted))
    out.print("  no call of the flows was refused; the end-to-end tests use or review the other permissions")


@contextmanager
def _print_step(out: Console, what: str) -> Iterator[None]:
    """Print a title before the block, and its duration after it."""
    out.print(f"\n[bold]{escape(what)}[/]", soft_wrap=True)
    start = time.monotonic()
    with out.status(escape(what)) if out.is_terminal else report_waiting(lambda line: out.print(f"[dim]{line}[/]")):
        yield
    out.print(f"  [dim]{time.monotonic() - start:.1f} s[/]")


class StepTimer:
    """Step reporter that prints each finished step with its duration."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._last = time.monotonic()

    def __call__(self, what: str) -> None:
        now = time.monotonic()
        self._out.print(f"  {now - self._last:5.1f} s  {escape(what)}", soft_wrap=True)
        self._last = now
