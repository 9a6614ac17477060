"""The platform on this machine as a whole: up, down, what runs, and what an `up` would change."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import CannotRun
from local.platform import emulator
from local.platform.drivers import RECORDED_ONLY
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.engine import Engine, ResourceFailed
from local.platform.folder_lock import lock_folder
from local.platform.progress import Progress, ProgressReporter
from local.platform.state import PlatformState, StateError
from local.platform.update_plan import PlannedStep, UpdatePlan
from local.preview import stack_files
from local.preview.policy_pack_process import Judgement, Pack
from local.preview.program_run import Run, run
from local.preview.property_values import Props, shown
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig

OTHER_COMMANDS = "another `make up` or `make down`"
NOT_RUNNING = "the local platform is not running"


@dataclass(frozen=True)
class DeployedPlatform:
    """What `up` left."""

    graph: Graph
    outputs: Props
    state: PlatformState

    @property
    def ids(self) -> dict[str, Any]:
        """What AWS calls each resource, by its Pulumi name."""
        return {one.name: one.id for one in self.graph.customs()}


def up(stack: str = "local", folder: Path = emulator.FOLDER) -> int:
    """Brings the stack up and leaves it running; the exit status."""
    with lock_folder(folder, OTHER_COMMANDS), ProgressReporter() as report:
        try:
            config = stack_files.read(stack)
            with _emulator(folder, report) as there:
                deployed = deploy(config, there, report)
                if recorded := sorted({one.type for one in deployed.graph.customs()} & RECORDED_ONLY.keys()):
                    report.print_line("recorded only, because the emulator lacks the service:")
                    for kind in recorded:
                        report.print_line(f"  {kind}: {RECORDED_ONLY[kind].reason}")
                findings = judge_deployed(config, deployed.graph)
                for one in findings:
                    report.print_line(f"  {one.level} {one.policy} · {one.urn.rpartition('::')[2]}: {one.message}")
                report.print_line(f"{report.summary()}; the local platform is up")
                _say_how_to_reach(there, deployed.outputs, report)
        except KeyboardInterrupt:
            report.print_line("interrupted; `make up` tries again")
            return 130
        except ResourceFailed:
            report.print_line(f"{report.summary()}; after mending what failed, `make up` goes on from here")
            return 1
        except CannotRun as error:
            report.print_line(f"cannot bring the platform up: {error}")
            return 2
    return 1 if any(one.level == "mandatory" for one in findings) else 0


def down(folder: Path = emulator.FOLDER) -> int:
    """Deletes everything in reverse order, says what would not go, stops the emulator; the exit status."""
    if not folder.exists():
        print(NOT_RUNNING)
        return 0
    remains: list[str] = []
    with lock_folder(folder, OTHER_COMMANDS), ProgressReporter() as report:
        there = emulator.find_running(folder)
        try:
            if there is not None:
                remains = delete_all(there, report)
        except StateError as error:
            report.print_line(f"resources are not deleted one by one: {error}")
        finally:
            emulator.stop(folder)
            _state_file(folder).unlink(missing_ok=True)
        if there is None:
            report.print_line(NOT_RUNNING)
            return 0
        for urn in remains:
            report.print_line(f"  would not go: {urn}")
        report.print_line(f"{report.summary()}; the local platform is down")
    return 1 if remains else 0


def find_running_platform(folder: Path = emulator.FOLDER) -> dict[str, Any] | None:
    """Endpoint and stack outputs of the platform that runs here; none where it does not."""
    there = emulator.find_running(folder)
    if there is None:
        return None
    outputs = _state(there).outputs
    return {"endpoint": there.endpoint, "outputs": outputs}


def plan_update(config: StackConfig, folder: Path = emulator.FOLDER) -> list[PlannedStep]:
    """What an `up` would do, resource by resource; everything is to be created where no emulator runs."""
    there = emulator.find_running(folder)
    return UpdatePlan(_state(there) if there else PlatformState.empty(_state_file(folder), "")).of(config)


def judge_deployed(config: StackConfig, graph: Graph) -> list[Judgement]:
    """What the policies say now that everything is known: no id is left that a preview could not tell."""
    with Pack(config, dry_run=False) as pack:
        pack.rules()
        judgements, _ = pack.judge(graph)
    return [one for one in judgements if one.level in {"mandatory", "unknown"}]


def deploy(config: StackConfig, there: Emulator, progress: Progress) -> DeployedPlatform:
    """Runs the program against an emulator."""
    state = _state(there)
    engine = Engine(EmulatorClients(there.endpoint), state, progress)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it reports what a failure cut short, at length
    try:
        ran = _run_in_thread(lambda: run(config, engine, preview=False), engine.stop)
    except Exception:
        if engine.failures:
            raise engine.failures[0] from None  # the SDK wraps it in its own words
        raise
    engine.delete_gone(ran.graph)
    if engine.failures:
        raise engine.failures[0]
    state.keep_outputs(shown(ran.outputs))
    return DeployedPlatform(ran.graph, ran.outputs, state)


def _run_in_thread(work: Callable[[], Run], stop: Callable[[], None]) -> Run:
    """Runs the program in a thread of its own: Ctrl-C is raised in the main one, and an event loop or a module's import
    that it breaks into may hang, or drop it. It stops the run at once, which would go on until everything is made.
    """
    with ThreadPoolExecutor(1, "program") as executor:
        try:
            return executor.submit(work).result()
        except KeyboardInterrupt:
            stop()
            raise


@contextmanager
def _emulator(folder: Path, report: ProgressReporter) -> Iterator[Emulator]:
    """The emulator that runs, or a new one, which stays only if the block ends well."""
    there = emulator.find_running(folder)
    if there is not None and _state(there).interrupted:
        report.print_line("the last run was killed while it made something: starting anew")
        emulator.stop(folder)
        there = None
    if there is not None:
        yield there
        return
    _state_file(folder).unlink(missing_ok=True)
    try:
        with emulator.start(folder, emulator.PORT) as started:
            yield started.emulator
            started.keep()
    except BaseException:
        emulator.stop(folder)  # whatever of it is there: an interrupt may come between any two lines
        _state_file(folder).unlink(missing_ok=True)  # what it speaks of went with the emulator
        raise


def delete_all(there: Emulator, report: Progress) -> list[str]:
    """Deletes everything in reverse order; what would not go."""
    state = _state(there)
    Engine(EmulatorClients(there.endpoint), state, report).delete(set(state.entries()))
    return sorted(state.entries())


def _say_how_to_reach(there: Emulator, outputs: Props, report: ProgressReporter) -> None:
    report.print_line(
        f"  AWS endpoint  {there.endpoint}  (access key and secret: {emulator.ROOT_ACCESS_KEY}, region us-east-1)"
    )
    for name, value in outputs.items():
        report.print_line(f"  {name}  {shown(value)}")
    report.print_line("  `make down` stops it")


def _state(there: Emulator) -> PlatformState:
    return PlatformState.read(_state_file(there.folder), f"{there.pid}:{there.port}")


def _state_file(folder: Path) -> Path:
    return folder / "state.json"
