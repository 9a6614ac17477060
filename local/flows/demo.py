"""`make demo`: preview, platform up, the flows one after the other, grants against use, outputs, cost, and down again.

In a folder and on a port of its own, so that a platform that is up stays as it is. The exit status says whether all
of it is as it should be.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from guardrails.model.subsystem_names import subsystem
from local import ROOT, CannotRun
from local.emulation.iam.decision_log import read_decisions
from local.emulation.iam.grants_table import GrantsTable, compare_grants, read_reviewed_grants, read_stack_grants
from local.flows import Deployment, NotInTime
from local.flows.flow_table import FLOWS, Flow
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.engine import ResourceFailed
from local.platform.folder_lock import FolderBusy, lock_folder
from local.platform.lifecycle import delete_all, deploy, judge_deployed
from local.platform.progress import SilentProgress
from local.preview import report, stack_files
from local.preview.preview import preview
from local.preview.stack_files import StackConfig
from local.terminal_output import terminal

FOLDER = ROOT / ".local" / "demo"
PREFIX = "polyphony-local-"


class DemoFailed(Exception):
    """Something is not as it should be; the message says what."""


def command(chosen: str = "") -> int:
    """Runs the demo: all flows, or the one that was chosen."""
    if chosen and chosen not in FLOWS:
        print(f"there is no flow {chosen}: FLOW is one of {', '.join(FLOWS)}, or left out for all", file=sys.stderr)
        return 2
    config = stack_files.read("local")
    out = terminal()
    start = time.monotonic()
    try:
        with lock_folder(FOLDER, "another `make demo`"):
            _all(out, config, [chosen] if chosen else list(FLOWS))
    except FolderBusy as error:
        print(error, file=sys.stderr)
        return 2
    except (DemoFailed, CannotRun, ResourceFailed, NotInTime) as error:
        print(f"the demo failed: {error}\nwhat the platform logged: {FOLDER / 'emulator.log'}", file=sys.stderr)
        return 1
    out.print(f"\n[green]all of it worked[/], in {time.monotonic() - start:.0f} s; nothing is left running")
    return 0


def _all(out: Console, config: StackConfig, flows: list[str]) -> None:
    with _part(out, "preview"):
        found = preview(config)
        out.print(f"  {len(found.graph.customs())} resources, {len(found.rules)} policies asked")
        out.print(f"  {len(found.mandatory)} mandatory findings; about ${found.cost.total:,.2f} a month")
        if not found.deployable:
            raise DemoFailed("the preview found what must be mended first: `make preview STACK=local`")
    emulator.stop(FOLDER)  # the last demo's, if it was killed and is not gone yet
    with emulator.start(FOLDER) as started:
        clients = EmulatorClients(started.emulator.endpoint)
        with _part(out, "up, with IAM enforced"):
            deployed = deploy(config, started.emulator, SilentProgress())
            out.print(f"  {len(deployed.graph.customs())} resources at {started.emulator.endpoint}")
            if left := [one for one in judge_deployed(config, deployed.graph) if one.level == "mandatory"]:
                raise DemoFailed(f"{left[0].policy}: {left[0].message}")
        deployment = Deployment(started.emulator, clients, deployed.ids, deployed.outputs)
        for name in flows:
            _flow(out, name, FLOWS[name], deployment)
        with _part(out, "grants against use"):
            _grants(out, clients, whole=flows == list(FLOWS))
        out.print("\n[bold]outputs[/]")
        report.values(out, deployed.outputs)
        report.cost(out, found)
        with _part(out, "down"):
            if remains := delete_all(started.emulator, SilentProgress()):
                raise DemoFailed(f"would not go: {', '.join(remains)}")
            out.print("  every resource deleted, in reverse order")


def _flow(out: Console, name: str, flow: Flow, deployment: Deployment) -> None:
    with _part(out, f"{name}: {flow.title} ({flow.scripted})"):
        if wrong := flow.play(deployment, Clock(out)):
            raise DemoFailed(f"{name} is not as it should be: {'; '.join(wrong)}")
        out.print(f"  {flow.promise}")


def _grants(out: Console, clients: EmulatorClients, *, whole: bool) -> None:
    decisions = read_decisions(FOLDER)
    found = compare_grants(read_stack_grants(clients("iam"), PREFIX), decisions, read_reviewed_grants(), PREFIX)
    out.print(f"  {len(decisions)} decisions")
    _by_subsystem(out, found)
    problems = found.problems() if whole else [f"used and not granted: {one}" for one in found.not_granted]
    if problems:
        raise DemoFailed("\n".join(problems))
    out.print(f"  none is missing{', none is granted for nothing' if whole else ''}")


def _by_subsystem(out: Console, found: GrantsTable) -> None:
    used, kept = (
        Counter(subsystem(one.role.removeprefix(PREFIX)) for one in grants)
        for grants in (found.used, (*found.reviewed, *found.never_used))
    )
    for name in sorted(used | kept):
        out.print(f"  {name:14} {used[name]:4} granted and used, {kept[name]:4} for what did not happen here")


@contextmanager
def _part(out: Console, what: str) -> Iterator[None]:
    out.print(f"\n[bold]{escape(what)}[/]", soft_wrap=True)
    start = time.monotonic()
    if out.is_terminal:
        with out.status(escape(what)):
            yield
    else:
        yield
    out.print(f"  [dim]{time.monotonic() - start:.1f} s[/]")


class Clock:
    """Prints each step with the time that it took."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._last = time.monotonic()

    def __call__(self, what: str) -> None:
        now = time.monotonic()
        self._out.print(f"  {now - self._last:5.1f} s  {escape(what)}", soft_wrap=True)
        self._last = now
