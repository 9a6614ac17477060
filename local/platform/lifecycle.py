"""Commands for the whole local platform, which is an AWS emulator with the deployed resources of the program.

They start the platform (`make up`), stop it (`make down`), and find a running one.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from local import REGION, CannotRun
from local.drivers import RECORDED_ONLY
from local.emulation.glue import spark_process
from local.emulation.identity_provider import token_url
from local.emulation.speech.languages import ENGLISH_ONLY
from local.platform import emulator
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.engine import Engine, ResourceFailed
from local.platform.folder_lock import PLATFORM_COMMANDS, lock_folder
from local.platform.progress import Progress, ProgressReporter
from local.platform.state import PlatformState
from local.preview import stack_files
from local.preview.policy_pack_process import PolicyFinding, PolicyPackProcess
from local.preview.program_run import OnRegistration, run_program
from local.preview.report import print_outputs
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig
from local.property_values import Props, to_display_value
from local.terminal_output import format_count

NOT_RUNNING = "the local platform is not running"
"""Output of `make down` without a platform, which is no error."""


@dataclass(frozen=True)
class DeployedPlatform:
    """The result of a deployment to the emulator."""

    graph: Graph
    outputs: Props

    @property
    def ids(self) -> dict[str, Any]:
        """Physical ids of the resources, by Pulumi name."""
        return {resource.name: resource.id for resource in self.graph.customs()}


def up(stack: str = "local", folder: Path = emulator.FOLDER, *, verbose: bool = False) -> int:
    """Deploy a stack to the emulator and leave it running, for `make up`. Return the exit status.

    A function whose code cannot start is not deployed. If this call started the emulator, a failure stops it.
    A line for each resource is printed if `verbose` is true, or if the platform was running before.
    """
    with lock_folder(folder, PLATFORM_COMMANDS), ProgressReporter(lists_resources=verbose) as progress:
        try:
            config = stack_files.read_stack(stack)
            with PolicyPackProcess(config, dry_run=False) as pack, _use_emulator(folder, progress) as running:
                deployed = deploy(config, running, progress, pack.send)
                if recorded := sorted({resource.type for resource in deployed.graph.customs()} & RECORDED_ONLY.keys()):
                    progress.print_line("recorded only, because the emulator lacks the service or the feature:")
                    for kind in recorded:
                        progress.print_line(f"  {kind}: {RECORDED_ONLY[kind].reason}")
                findings = list_deployed_findings(pack, deployed.graph)
                progress.print_subsystems()
                resources = format_count(len(deployed.graph.customs()), "resource")
                progress.print_line(f"{resources}: {progress.summary()}; the local platform is up")
                _print_instructions(running, deployed.outputs, progress)
                # The findings come last, so that they are visible without scrolling.
                for finding in findings:
                    progress.print_line(
                        f"  {finding.level} {finding.policy} · {finding.urn.rpartition('::')[2]}: {finding.message}"
                    )
        except KeyboardInterrupt:
            progress.print_line("interrupted; run `make up` to try again")
            return 130
        except ResourceFailed:
            progress.print_line(f"{progress.summary()}; fix the failed resources, then run `make up` again")
            return 1
        except CannotRun as error:
            progress.print_line(f"cannot bring the platform up: {error}")
            return 2
    return 1 if any(finding.level == "mandatory" for finding in findings) else 0


def down(folder: Path = emulator.FOLDER) -> int:
    """Stop the emulator, with which all resources end, and remove its files, for `make down`. Return the exit status."""
    if folder.exists():
        with lock_folder(folder, PLATFORM_COMMANDS):
            was_running = emulator.stop(folder)
            PlatformState.remove(folder)
        if was_running:
            print("the local platform is down")
            return 0
    print(NOT_RUNNING)
    return 0


def find_running_platform(folder: Path = emulator.FOLDER) -> dict[str, Any] | None:
    """Return `endpoint`, `outputs` and `ids` of the running platform, or None if no platform is running.

    `outputs` are the stack outputs of the last complete `make up`. `ids` are physical ids by the resource's name in
    Pulumi.
    """
    running = emulator.find_running(folder)
    if running is None:
        return None
    state = PlatformState.read(running) or PlatformState()
    ids = {urn.rpartition("::")[2]: entry.id for urn, entry in state.entries.items()}
    return {"endpoint": running.endpoint, "outputs": state.outputs, "ids": ids}


def list_deployed_findings(pack: PolicyPackProcess, graph: Graph) -> list[PolicyFinding]:
    """Return the violations of mandatory policies after a deployment, and the finding that lists undecided checks.

    A preview cannot decide a check that needs a generated id. During the deployment, these ids exist.
    """
    findings = pack.finish(graph)
    return [finding for finding in findings if finding.level == "mandatory" or finding.policy == "checks-at-deployment"]


def deploy(
    config: StackConfig, running: Emulator, progress: Progress, on_registration: OnRegistration = lambda _: None
) -> DeployedPlatform:
    """Run the program against an emulator, and delete the resources that it no longer contains.

    Raise ResourceFailed with the first failure of a resource.
    """
    state = PlatformState.read(running) or PlatformState()
    engine = Engine(EmulatorClients(running.endpoint), state, progress)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it logs every task that a failure cancelled
    try:
        return _run_in_thread(partial(_deploy, config, running, engine, state, on_registration), engine.stop)
    except Exception:
        if engine.failures:
            raise engine.failures[0] from None  # the SDK wraps the error in its own messages
        raise


def _deploy(
    config: StackConfig, running: Emulator, engine: Engine, state: PlatformState, on_registration: OnRegistration
) -> DeployedPlatform:
    """Run the program with an engine. If this process is killed meanwhile, the platform has no state file."""
    PlatformState.remove(running.folder)
    try:
        result = run_program(config, engine, preview=False, on_registration=on_registration)
        engine.delete_gone(result.graph)
        if engine.failures:
            raise engine.failures[0]
        outputs = _add_token_url(result.outputs, running)
        state.outputs = to_display_value(outputs)
    finally:
        state.write(running)
    return DeployedPlatform(result.graph, outputs)


def _add_token_url(outputs: Props, running: Emulator) -> Props:
    """Return the stack outputs with the URL of the local identity provider, which the program cannot know."""
    frontend = outputs.get("frontend")
    if not isinstance(frontend, Mapping) or "identity" not in frontend:
        return outputs
    identity = {**frontend["identity"], "tokenUrl": token_url(running.services["JWKS_URL"])}
    return {**outputs, "frontend": {**frontend, "identity": identity}}


def _run_in_thread(work: Callable[[], DeployedPlatform], stop: Callable[[], None]) -> DeployedPlatform:
    """Do work that runs the program in a thread. On Ctrl-C, call `stop` and wait until the work has ended.

    Python raises KeyboardInterrupt in the main thread. If the program ran there, the exception could get lost in an
    event loop or an import, or the process could hang.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="program") as executor:
        try:
            return executor.submit(work).result()
        except KeyboardInterrupt:
            stop()
            raise


@contextmanager
def _use_emulator(folder: Path, progress: ProgressReporter) -> Iterator[Emulator]:
    """Yield the running emulator, or a new emulator. A new emulator is kept running only if the block succeeds."""
    running, unusable_because = _find_usable_emulator(folder)
    if running is not None:
        progress.lists_resources = True
        yield running
        return
    if unusable_because:
        progress.print_line(f"{unusable_because}: starting a new platform")
        emulator.stop(folder)
    PlatformState.remove(folder)
    try:
        with emulator.start(folder, emulator.PORT) as started:
            yield started.emulator
            started.keep()
    except BaseException:
        emulator.stop(folder)  # Ctrl-C may come at any point of the start
        PlatformState.remove(folder)  # its resources ended with the emulator
        raise


def _find_usable_emulator(folder: Path) -> tuple[Emulator | None, str]:
    """Return the emulator that `make up` can use, or None, and the reason why the last emulator is not usable.

    The reason is empty if the emulator is usable, or if there was none.
    """
    running = emulator.find_running(folder)
    if running is None:
        return None, "the emulator of the last platform has ended" if emulator.has_ended(folder) else ""
    if PlatformState.read(running) is None:
        return None, "the last run was killed before it was finished"
    return running, ""


def delete_all(running: Emulator, progress: Progress) -> list[str]:
    """Delete all resources, dependants first, for `make demo`. Return the URNs of those that could not be deleted."""
    state = PlatformState.read(running) or PlatformState()
    Engine(EmulatorClients(running.endpoint), state, progress).delete(set(state.entries))
    return sorted(state.entries)


def _print_instructions(running: Emulator, outputs: Props, progress: ProgressReporter) -> None:
    """Print the outputs, the address of the platform, and how to use it."""
    progress.print_line("outputs")
    print_outputs(progress.console, outputs)
    progress.print_line(
        f"AWS endpoint  {running.endpoint}  (access key and secret: {emulator.ROOT_ACCESS_KEY}, region {REGION})"
    )
    if running.port != emulator.PORT:
        progress.print_line(f"  another program uses port {emulator.PORT}, so the platform chose {running.port}")
    if not spark_process.is_installed():
        progress.print_line(f"  {spark_process.NOT_INSTALLED}")
    option = "" if running.folder == emulator.FOLDER else f" --folder {running.folder}"
    console, down = (
        f"`.venv/bin/python -m local {name}{option}`" if option else f"`make {name}`" for name in ("console", "down")
    )
    progress.print_line(f"  {console} serves a page that uses the platform")
    progress.print_line(f"  {ENGLISH_ONLY} `make samples` writes files to try it with.")
    progress.print_line(f"  {down} stops the platform")
