"""Tests of `make push`, which publishes changed functions, with a fake Lambda and a real state file.

The handlers are those of `tests/handler_tree.py`. STORAGE, SHARED and the like are paths in this tree.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components import handler_archive
from components.blocks.function import LIVE
from components.ingestion.spark_job import SCRIPT
from local import ROOT
from local.drivers import DRIVERS
from local.platform import emulator, folder_lock, function_push
from local.platform.emulator import Emulator
from local.platform.folder_lock import FolderBusy, lock_folder
from local.platform.function_push import FunctionPusher, PushFailed
from local.platform.state import PlatformState
from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Resource
from local.property_values import Archive, Props
from tests.handler_tree import ENVIRONMENT, FILES, HANDLER, SHARED, START, STORAGE, STORAGE_MODULE, write_files
from tests.local.platform.fake_platform_lambda import (
    ALIAS_URN,
    FUNCTION_URN,
    INSTANCE,
    STORAGE_NAME,
    FakePlatformLambda,
    hash_code,
    write_state,
)
from tests.whole_program import ONE_WORKER

pytestmark = pytest.mark.unit
Push = Callable[..., str]
"""Function that runs `make push` successfully for the named functions, and returns its output."""


@pytest.fixture
def push(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Push:
    def run(*names: str) -> str:
        assert function_push.push(tmp_path, names, started=0.0) == 0
        return capsys.readouterr().out

    return run


def change_file(platform: FakePlatformLambda, file: str = STORAGE) -> bytes:
    """Change a source file, by default that of the function `storage`. Return the package of `storage`."""
    write_files(platform.folder, {file: f"{FILES[file]}# changed\n"})
    return Path(handler_archive.write_archive(STORAGE_MODULE)).read_bytes()


def read_state(platform: FakePlatformLambda) -> PlatformState:
    return PlatformState.read(platform.folder / "state.json", INSTANCE)


def test_a_push_publishes_a_changed_handler_and_updates_the_state_file_as_make_up_does(
    platform: FakePlatformLambda, push: Push
) -> None:
    old_state = write_state(platform.folder)
    content = change_file(platform)
    output = push("meetings/storage")
    assert platform.live_code(STORAGE_NAME) == content
    operations = [operation for operation, name in platform.calls if name == STORAGE_NAME]
    # `function_updated` is a waiter.
    assert operations[-4:] == ["update_function_code", "function_updated", "publish_version", "update_alias"]
    state = read_state(platform)
    function, alias = state.entries()[FUNCTION_URN], state.entries()[ALIAS_URN]
    expected = state.hash_inputs(
        {"code": Archive(str(handler_archive.write_archive(STORAGE_MODULE))), "timeout": 60, "functionVersion": "2"}
    )
    assert (function.inputs["code"], function.inputs["timeout"]) == (expected["code"], expected["timeout"])
    assert function.outputs == {"version": "2", "codeSha256": hash_code(content)}
    assert alias.inputs == {**old_state.entries()[ALIAS_URN].inputs, "functionVersion": expected["functionVersion"]}
    assert "pushed meetings/storage: version 2 is live after" in output


def test_the_state_has_the_hash_of_the_published_package_even_if_another_command_replaces_its_file(
    platform: FakePlatformLambda, push: Push
) -> None:
    write_state(platform.folder)
    content = change_file(platform)
    published = platform.folder / "published.zip"
    published.write_bytes(content)

    def replace_package(operation: str) -> None:
        """Do what another command may do after the push has read its package."""
        if operation == "get_alias":
            change_file(platform, SHARED)

    platform.on_call = replace_package
    push("storage")
    assert platform.live_code(STORAGE_NAME) == content
    state = read_state(platform)
    recorded = state.entries()[FUNCTION_URN].inputs["code"]
    assert recorded == state.hash_inputs({"code": Archive(str(published))})["code"]


def test_an_unchanged_function_is_not_published_again(platform: FakePlatformLambda, push: Push) -> None:
    write_state(platform.folder)
    assert "meetings/storage is up to date: version 1 is live" in push("meetings/storage", "start")
    assert platform.count_publications() == 0


def test_a_push_needs_no_state_file(platform: FakePlatformLambda, push: Push) -> None:
    content = change_file(platform)
    push(STORAGE_NAME)
    assert platform.live_code(STORAGE_NAME) == content
    assert not (platform.folder / "state.json").exists()


def test_a_push_to_a_platform_of_make_provider_uses_another_lock_than_the_provider(
    platform: FakePlatformLambda, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The emulator of `make provider` is not kept when the command ends. The folder has the state of the Pulumi CLI.
    monkeypatch.setattr(emulator, "find_running", lambda _: Emulator(1, 2, platform.folder, kept=False))
    (platform.folder / folder_lock.CLI_STATE).mkdir()
    content = change_file(platform)
    with lock_folder(platform.folder, "the provider"):
        push("storage")
        with lock_folder(platform.folder / folder_lock.CLI_STATE, "another push"), pytest.raises(FolderBusy):
            push("storage")
    assert platform.live_code(STORAGE_NAME) == content


def test_nothing_is_published_if_a_selected_handler_has_a_fault(
    platform: FakePlatformLambda, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(platform.folder, {STORAGE: "LIMIT = undefined\n", START: f"{HANDLER}# changed\n"})
    assert function_push.push(platform.folder, ["all"], started=0.0) == 1
    assert platform.count_publications() == 0
    output = capsys.readouterr().out
    assert f"{STORAGE}:1: the name undefined is not defined" in output
    assert "nothing was published" in output


def test_a_fault_of_another_function_does_not_prevent_a_push(platform: FakePlatformLambda, push: Push) -> None:
    write_files(platform.folder, {START: "LIMIT = undefined\n"})
    content = change_file(platform)
    push("storage")
    assert platform.live_code(STORAGE_NAME) == content


def test_a_push_lists_other_functions_that_have_changed_and_a_push_of_all_publishes_them(
    platform: FakePlatformLambda, push: Push
) -> None:
    change_file(platform, SHARED)
    write_files(platform.folder, {START: f"{HANDLER}# changed\n"})
    assert "  out of date (FUNCTION=all publishes them): meetings/storage\n" in push("start")
    output = push("all")
    assert "pushed meetings/storage: version 2" in output
    assert "pushed meetings/start" not in output
    assert "1 functions were up to date" in output
    assert platform.count_publications() == 2


def test_a_changed_environment_model_is_reported_as_a_possible_change_of_variables(
    platform: FakePlatformLambda, push: Push
) -> None:
    change_file(platform, ENVIRONMENT)
    output = push("storage")
    assert f"{ENVIRONMENT} has changed. If it defines other variables" in output
    assert "out of date" not in output
    assert platform.count_publications() == 1


def test_a_changed_file_of_the_spark_job_is_reported_if_the_platform_has_the_job(
    platform: FakePlatformLambda, push: Push
) -> None:
    steps = "handlers/ingestion/steps/handler.py"
    job = {"handlers/ingestion/glue/job.py": "import handlers.common.shared\n", steps: HANDLER}
    packages = ("handlers/ingestion", "handlers/ingestion/glue", "handlers/ingestion/steps")
    write_files(platform.folder, {**job, **{f"{package}/__init__.py": "" for package in packages}})
    change_file(platform, SHARED)
    assert "Spark" not in push("storage")
    platform.deploy("polyphony-local-ingestion-steps", platform.live_code(STORAGE_NAME))
    change_file(platform, STORAGE)
    assert "Spark" not in push("storage")
    write_files(platform.folder, {SHARED: "LIMIT = 2\n"})
    assert "the Spark job uses a changed file, too; only `make up` publishes it" in push("storage")


@pytest.mark.parametrize("failing_operation", ["update_function_code", "publish_version", "update_alias"])
def test_after_a_failed_push_the_next_push_or_make_up_repeats_it(
    platform: FakePlatformLambda, push: Push, failing_operation: str
) -> None:
    write_state(platform.folder)
    content = change_file(platform)
    platform.failing_operation = failing_operation
    with pytest.raises(PushFailed, match=f"{STORAGE_NAME} could not be published: .*message of AWS"):
        push("storage")
    state = read_state(platform)
    assert state.entries()[ALIAS_URN].inputs["functionVersion"] == "", (
        "without a hash, the next `make up` updates the alias"
    )
    platform.failing_operation = ""
    push("storage")
    assert platform.live_code(STORAGE_NAME) == content
    assert "" not in read_state(platform).entries()[ALIAS_URN].inputs.values()


@pytest.fixture
def _ctrl_c_interrupts() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt, also in a process that was started in the background and ignores it."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("_ctrl_c_interrupts")
def test_ctrl_c_takes_effect_after_the_alias_has_moved(platform: FakePlatformLambda, push: Push) -> None:
    write_state(platform.folder)
    content = change_file(platform)

    def interrupt(operation: str) -> None:
        if operation == "update_function_code":
            os.kill(os.getpid(), signal.SIGINT)

    platform.on_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        push("storage")
    assert platform.live_code(STORAGE_NAME) == content
    assert "" not in read_state(platform).entries()[ALIAS_URN].inputs.values()


@pytest.mark.usefixtures("_ctrl_c_interrupts")
def test_ctrl_c_during_a_failing_push_raises_keyboard_interrupt(platform: FakePlatformLambda, push: Push) -> None:
    change_file(platform)
    platform.failing_operation = "update_alias"
    platform.on_call = lambda operation: (
        os.kill(os.getpid(), signal.SIGINT) if operation == platform.failing_operation else None
    )
    with pytest.raises(KeyboardInterrupt):
        push("storage")


ROLLOUT = {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}}


@pytest.mark.parametrize(
    ("arrange", "message"),
    [
        (lambda platform: write_state(platform.folder, pinned_version="7"), "stays at version 1, because the setting"),
        (lambda platform: platform.code.update({f"{STORAGE_NAME}:2": b""}), "it was rolled back"),
        (lambda platform: platform.aliases[STORAGE_NAME].update(ROLLOUT), r"a rollout of .* is in progress"),
    ],
    ids=["pinned by the setting", "not at the newest version, without a state file", "rollout"],
)
def test_a_push_is_refused_if_the_alias_must_not_move(
    arrange: Callable[[FakePlatformLambda], object], message: str, platform: FakePlatformLambda, push: Push
) -> None:
    arrange(platform)
    change_file(platform)
    with pytest.raises(PushFailed, match=message):
        push("storage")
    assert platform.count_publications() == 0


@pytest.mark.parametrize(
    ("running", "message"),
    [(None, "is not running: start it with `make up`"), (Emulator(1, 2, Path(), kept=False), "was not finished")],
    ids=["no emulator", "the first `make up` was interrupted"],
)
def test_a_push_needs_a_complete_platform(
    running: Emulator | None, message: str, push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "find_running", lambda _: running)
    with pytest.raises(PushFailed, match=message):
        push("storage")


def test_repeated_pushes_of_a_watch_print_the_same_note_only_once(platform: FakePlatformLambda) -> None:
    lines: list[str] = []
    pusher = FunctionPusher(platform.folder, lines.append)
    change_file(platform, SHARED)
    for text in ("# one\n", "# two\n"):
        write_files(platform.folder, {START: HANDLER + text})
        assert pusher.push(["start"], started=0.0) == 0
    assert platform.count_publications() == 2
    assert sum("out of date" in line for line in lines) == 1


def test_a_push_uses_the_names_of_the_program_and_the_calls_of_the_drivers() -> None:
    assert function_push.LIVE == LIVE
    assert f"{function_push.SPARK_JOB.replace('.', '/')}.py" == SCRIPT
    update = DRIVERS[function_push.FUNCTION_TYPE].update
    # A call with `after`, such as PublishVersion, is made if another call is made.
    assert [call.operation for call in update if "code" in call.uses() or call.after] == [
        "UpdateFunctionCode",
        "PublishVersion",
    ]
    assert [call.operation for call in DRIVERS[function_push.ALIAS_TYPE].update] == ["UpdateAlias"]


class VersionMarker(PreviewProvider):
    """Provider whose functions have a version that occurs nowhere else in the program."""

    VERSION = "4711-version"

    def make(self, resource: Resource) -> tuple[str, Props]:
        is_function = resource.type == function_push.FUNCTION_TYPE
        return (resource.name, {"version": self.VERSION}) if is_function else super().make(resource)


@ONE_WORKER
def test_only_the_alias_uses_the_version_of_a_function() -> None:
    """A push changes no other resource, so no other resource may depend on the version."""
    graph = program_run.run_program(stack_files.read_stack("local"), VersionMarker(), preview=True).graph
    users = {resource.type for resource in graph.customs() if VersionMarker.VERSION in repr(resource.inputs)}
    assert users == {function_push.ALIAS_TYPE}


def test_the_modules_of_push_and_watch_import_neither_the_program_nor_pulumi() -> None:
    """Importing these packages takes longer than the push itself."""
    script = "import sys; import local.platform.function_watch; print(*sys.modules)"
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    assert {"pulumi", "pulumi_aws", "components.settings"}.isdisjoint(process.stdout.split())
