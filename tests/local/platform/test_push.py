"""Tests of `make push`, which publishes changed functions.

The handlers are those of `tests/handler_tree.py`. STORAGE, SHARED and the like are paths in this tree.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from local import ROOT
from local.platform import emulator
from local.platform.emulator import Emulator
from local.platform.folder_lock import CLI_STATE, FolderBusy, lock_folder
from local.platform.push import DeployedFunction, PushFailed, push, select_functions
from tests.handler_tree import HANDLER, SHARED, START, STORAGE, write_files
from tests.local.platform.conftest import START_NAME, STORAGE_NAME, FunctionPlatform

pytestmark = pytest.mark.unit
PUBLICATION = [
    f"mark {STORAGE_NAME}",
    "UpdateFunctionCode",
    "GetFunctionConfiguration",
    "PublishVersion",
    "UpdateAlias",
]
FOLDERS = ["ingestion/steps", "ingestion/storage_check", "meetings/steps", "meetings/storage", "voice_qa/query_worker"]
FUNCTIONS = [
    DeployedFunction(
        f"polyphony-local-{folder.replace('/', '-').replace('_', '-')}",
        f"handlers.{folder.replace('/', '.')}.handler.handler",
        has_layer=True,
    )
    for folder in FOLDERS
]


def select(*names: str) -> list[str]:
    return [function.folder for function in select_functions(FUNCTIONS, names)]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("meetings/storage", "meetings/storage"),
        ("handlers/meetings/storage/handler.py", "meetings/storage"),
        ("polyphony-local-meetings-storage", "meetings/storage"),
        ("storage", "meetings/storage"),
        ("query", "voice_qa/query_worker"),
        ("voice-qa/query-worker/", "voice_qa/query_worker"),
    ],
)
def test_a_function_is_selected_by_its_folder_its_name_or_a_unique_part_of_them(name: str, folder: str) -> None:
    """The last part of a folder is enough, even if another folder contains the same text, as in `storage_check`."""
    assert select(name) == [folder]


def test_several_names_select_each_function_once() -> None:
    assert select("storage", "query", "meetings/storage") == ["meetings/storage", "voice_qa/query_worker"]
    assert sorted(select("storage", "all")) == FOLDERS


@pytest.mark.parametrize(
    ("names", "problem", "choices"),
    [
        (["steps"], "steps fits several functions", ["ingestion/steps", "meetings/steps"]),
        (["other"], "other fits no function", FOLDERS),
        ([], "name at least one function", FOLDERS),
    ],
)
def test_the_error_of_an_ambiguous_unknown_or_missing_name_lists_the_choices(
    names: list[str], problem: str, choices: list[str]
) -> None:
    with pytest.raises(PushFailed, match=problem) as error:
        select(*names)
    assert [line.split()[0] for line in str(error.value).splitlines()[1:]] == choices


def test_a_push_publishes_a_changed_handler(platform: FunctionPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.change_storage()
    assert push(platform.folder, ["meetings/storage", "start"], started=0.0) == 0
    assert platform.calls == PUBLICATION
    assert (platform.live_version(STORAGE_NAME), platform.live_version(START_NAME)) == ("2", "1")
    current, pushed, note = capsys.readouterr().out.splitlines()
    assert current == "up to date: meetings/start"
    assert pushed.startswith("pushed meetings/storage: version 2 is live in place of 1 after ")
    assert "FUNCTION=all" in note
    assert push(platform.folder, ["storage"], started=0.0) == 0
    assert capsys.readouterr().out == "up to date: meetings/storage\n"
    assert platform.calls == PUBLICATION


def test_a_push_of_all_publishes_the_functions_whose_packages_have_changed(platform: FunctionPlatform) -> None:
    write_files(platform.folder, {SHARED: "LIMIT = 2\n"})
    assert push(platform.folder, ["all"], started=0.0) == 0
    assert platform.calls == PUBLICATION


def test_nothing_is_published_if_a_selected_handler_has_a_fault(
    platform: FunctionPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(platform.folder, {STORAGE: "def handler(:\n", START: f"{HANDLER}# changed\n"})
    assert push(platform.folder, ["all"], started=0.0) == 1
    assert platform.calls == []
    assert f"{STORAGE}:1: syntax error" in capsys.readouterr().out
    assert push(platform.folder, ["start"], started=0.0) == 0
    assert platform.live_version(START_NAME) == "2", "a fault of another function must not prevent a push"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_after_a_failed_push_the_next_make_up_or_push_repeats_it(platform: FunctionPlatform, number: int) -> None:
    """The mark in the state file, which `make up` reads, comes before the first call."""
    platform.change_storage()
    platform.failing_operation = PUBLICATION[number]
    with pytest.raises(PushFailed, match="message of AWS"):
        push(platform.folder, ["storage"], started=0.0)
    assert platform.calls == PUBLICATION[: number + 1]
    platform.failing_operation = ""
    platform.calls.clear()
    assert push(platform.folder, ["storage"], started=0.0) == 0
    assert platform.calls == PUBLICATION


@pytest.mark.parametrize(
    ("running", "message"),
    [(None, "is not running: start it with `make up`"), (Emulator(1, 2, Path()), "run `make up` first")],
    ids=["no emulator", "the first `make up` was killed"],
)
def test_a_push_needs_a_complete_platform(
    platform: FunctionPlatform, running: Emulator | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "find_running", lambda _: running)
    with pytest.raises(PushFailed, match=message):
        push(platform.folder, ["storage"], started=0.0)


def test_a_push_to_a_platform_of_make_provider_uses_another_lock_than_the_provider(
    platform: FunctionPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The folder of `make provider` has the state of the Pulumi CLI.
    monkeypatch.setattr(emulator, "find_running", lambda _: Emulator(1, 2, platform.folder))
    (platform.folder / CLI_STATE).mkdir()
    platform.change_storage()
    with lock_folder(platform.folder, "the provider"):
        assert push(platform.folder, ["storage"], started=0.0) == 0
        with lock_folder(platform.folder / CLI_STATE, "another push"), pytest.raises(FolderBusy):
            push(platform.folder, ["storage"], started=0.0)
    assert platform.live_version(STORAGE_NAME) == "2"


def test_the_modules_of_push_and_watch_import_neither_the_program_nor_pulumi() -> None:
    """Importing these packages takes longer than the push itself."""
    script = "import sys; import local.platform.watch; print(*sys.modules)"
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    assert {"pulumi", "pulumi_aws", "components.settings"}.isdisjoint(process.stdout.split())
