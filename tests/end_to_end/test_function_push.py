"""Tests of `make push` and `make watch`, which publish changed code of a function on a running platform.

The platform of these tests has two functions.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.blocks.function import Function
from components.core import Subsystem
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from local.flows import eventually
from local.platform import emulator
from local.platform.deployer import Action
from local.platform.emulator_clients import EmulatorClients
from local.platform.push import create_clients, find_emulator, push
from local.platform.state import PlatformState
from local.platform.watch import FunctionWatch
from tests.end_to_end.small_stack import SmallStack
from tests.fake_engine import scope
from tests.handler_tree import STORAGE, use_handler_tree, write_files

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("targets")]
STORAGE_NAME, START_NAME = "polyphony-test-meetings-storage", "polyphony-test-meetings-start"
STORAGE_PARTS = ["meetings-storage-function", "meetings-storage-live"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of an emulator with the two functions, whose program uses a small tree of handlers."""
    parent = tmp_path_factory.mktemp("push")
    folder = parent / "platform"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch, emulator.start(folder):
        use_handler_tree(patch, parent / "tree")
        up(folder)
        yield folder


def register_functions() -> None:
    functions_scope = scope(subsystem=Subsystem.MEETINGS, layers=[])
    settings = FunctionSettings.model_validate({"timeoutSeconds": 20})
    for name in ("start", "storage"):
        Function(functions_scope, name, settings=settings, environment=HandlerEnvironment)


def up(folder: Path) -> dict[str, Action]:
    """Deploy the functions as `make up` does. Return the action on each resource that was not unchanged."""
    running = find_emulator(folder)
    state = PlatformState.read(running) or PlatformState()
    actions = SmallStack(running, EmulatorClients(running.endpoint), state).up(register_functions)
    state.write(running)
    return {name: action for name, action in actions.items() if action is not Action.SAME}


def invoke_alias(folder: Path, name: str) -> tuple[str, str]:
    """Invoke a function's alias. Return the version that answered and the answer."""
    response = create_clients(find_emulator(folder).endpoint)("lambda").invoke(FunctionName=f"{name}:live")
    return response["ExecutedVersion"], json.loads(response["Payload"].read())


def write_storage_handler(folder: Path, answer: str, printed: str = "") -> None:
    """Write a handler of `storage` with this answer, which prints a text."""
    text = f"def handler(event, context):\n    print({printed!r})\n    return {answer!r}\n"
    write_files(folder.parent / "tree", {STORAGE: text})


def test_a_pushed_function_answers_before_and_after_the_next_up(folder: Path) -> None:
    assert invoke_alias(folder, STORAGE_NAME) == ("1", "first")
    write_storage_handler(folder, "second")
    assert push(folder, ["storage"], started=0.0) == 0
    assert invoke_alias(folder, STORAGE_NAME) == ("2", "second")
    assert invoke_alias(folder, START_NAME) == ("1", "first")
    assert up(folder) == dict.fromkeys(STORAGE_PARTS, Action.UPDATE), "this repairs a push that was killed"
    assert invoke_alias(folder, STORAGE_NAME) == ("3", "second")
    assert up(folder) == {}


def test_a_watched_function_is_pushed_and_its_log_is_printed(folder: Path) -> None:
    lines: list[str] = []
    watch = FunctionWatch(folder, ["storage"], lines.append)

    def wait_for_lines(text: str, count: int = 1) -> None:
        def find() -> bool | None:
            watch.step()
            return sum(text in line for line in lines) == count or None

        eventually(find, text)

    write_storage_handler(folder, "watched", printed="the handler was called")
    wait_for_lines("is live")
    [version] = re.findall(r"pushed meetings/storage: version (\d+) is live", "\n".join(lines))
    for count in (1, 2):
        assert invoke_alias(folder, STORAGE_NAME) == (version, "watched")
        wait_for_lines("the handler was called", count)
