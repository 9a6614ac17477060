"""Tests of the state file of `make up`: its content, its protection, and the errors for an invalid file."""

import os
import stat
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from local.drivers.model import DeletionCall
from local.platform.state import PlatformState, ResourceEntry, ResourceStatus, StateError
from local.property_values import UNKNOWN, Archive, Asset, Secret

pytestmark = pytest.mark.unit
INSTANCE = "1:4566"


@pytest.fixture
def state(tmp_path: Path) -> PlatformState:
    return PlatformState.empty(tmp_path / "state.json", INSTANCE)


def entry(*depends_on: str, **changes: Any) -> ResourceEntry:
    """Return the entry of a queue that depends on other entries. `made_of` names those whose outputs are its inputs."""
    fields: dict[str, Any] = {
        "type": "aws:sqs/queue:Queue",
        "status": ResourceStatus.MADE,
        "inputs": {"name": "hash"},
        "id": "http://127.0.0.1/queue",
        "outputs": {"url": "http://127.0.0.1/queue"},
        "depends_on": depends_on,
        "made_of": (),
        "deletion": (DeletionCall("sqs", "DeleteQueue", {"QueueUrl": "http://127.0.0.1/queue"}),),
    }
    return ResourceEntry(**{**fields, **changes})


def test_a_saved_entry_is_read_back(state: PlatformState, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state.put("a", entry())
    state.put("b", entry("a", made_of=("a",)))
    state.save_outputs({"frontend": {"region": "us-east-1"}})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "only the owner may read it"
    read_state = PlatformState.read(path, INSTANCE)
    assert read_state.entries() == state.entries()
    assert read_state.outputs == {"frontend": {"region": "us-east-1"}}
    assert read_state.hash_inputs({"a": 1}) == state.hash_inputs({"a": 1}), "with a new salt, all inputs would differ"


def test_a_failed_write_does_not_change_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    state = PlatformState.empty(path, INSTANCE)
    state.put("a", entry())
    old_content = path.read_bytes()
    monkeypatch.setattr(os, "fdopen", Mock(side_effect=OSError("no space left")))
    with pytest.raises(OSError, match="no space"):
        state.put("b", entry())
    assert path.read_bytes() == old_content


def test_the_file_contains_neither_a_secret_nor_its_unsalted_hash(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state, other_state = PlatformState.empty(path, INSTANCE), PlatformState.empty(path, INSTANCE)
    inputs = {"value": Secret("canary-5f1c")}
    state.put("a", entry(inputs=state.hash_inputs(inputs)))
    assert "canary-5f1c" not in path.read_text()
    assert state.hash_inputs(inputs) != other_state.hash_inputs(inputs), "each state must have its own salt"


def test_a_value_that_becomes_a_secret_is_a_change(state: PlatformState) -> None:
    assert state.hash_inputs({"value": Secret("text")}) != state.hash_inputs({"value": "text"})


def test_the_hash_of_an_archive_depends_on_its_content(state: PlatformState, tmp_path: Path) -> None:
    hashes = []
    for number, content in enumerate((b"code", b"code", b"other code")):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(content)
        hashes.append(state.hash_inputs({"code": Archive(str(path))}))
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_hash_of_an_asset_depends_on_its_content(state: PlatformState, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"text")
    archives = [
        Archive(None, (("a", asset),)) for asset in (Asset(str(path)), Asset(None, "text"), Asset(None, "other"))
    ]
    hashes = [state.hash_inputs({"code": archive}) for archive in archives]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("kind", [Asset, Archive])
def test_an_asset_or_archive_without_content_is_compared_by_the_hash_that_the_pulumi_cli_sends(
    state: PlatformState, kind: type[Asset | Archive]
) -> None:
    assert state.hash_inputs({"code": kind(hash="12")}) != state.hash_inputs({"code": kind(hash="34")})


def test_an_unknown_value_differs_from_every_value(state: PlatformState) -> None:
    assert state.hash_inputs({"arn": UNKNOWN}) != state.hash_inputs({"arn": UNKNOWN})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schemaVersion": 99}', "schema version 99, but this program needs 1: `make down`"),
        ("{", "cannot be read .*`make down`"),
        ("[]", "cannot be read .*`make down`"),
        ('{"schemaVersion": 1}', "cannot be read .*`make down`"),
    ],
)
def test_an_invalid_state_file_is_refused_with_instructions(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(StateError, match=message):
        PlatformState.read(tmp_path / "state.json", INSTANCE)


def test_a_resource_that_is_still_being_created_shows_that_the_run_was_killed(
    state: PlatformState, tmp_path: Path
) -> None:
    state.put("a", entry())
    assert not PlatformState.read(tmp_path / "state.json", INSTANCE).was_interrupted
    state.put("b", entry(status=ResourceStatus.MAKING))
    assert PlatformState.read(tmp_path / "state.json", INSTANCE).was_interrupted


def test_a_started_removal_shows_that_a_down_was_killed(state: PlatformState, tmp_path: Path) -> None:
    state.put("a", entry())
    state.save_outputs({"frontend": {"region": "us-east-1"}})
    state.start_removal()
    read_state = PlatformState.read(tmp_path / "state.json", INSTANCE)
    assert read_state.was_interrupted
    assert read_state.outputs == {}, "the outputs name resources that may be deleted"


def test_resources_are_deleted_in_reverse_order_of_their_dependencies(state: PlatformState) -> None:
    # The entries are in the order of their writing, which an update changes. Only dependencies determine the order.
    state.put("alias", entry("function"))
    state.put("function", entry("role", "logs"))
    state.put("role", entry())
    state.put("logs", entry())
    order = state.deletion_order({"alias", "function", "role"})
    assert order.index("alias") < order.index("function") < order.index("role")
    assert "logs" not in order


def test_dependants_use_outputs_of_the_resource_directly_or_indirectly(state: PlatformState) -> None:
    state.put("role", entry())
    state.put("function", entry("role", made_of=("role",)))
    state.put("alias", entry("function", made_of=("function",)))
    state.put("logs", entry("role"))
    assert state.find_dependants("role") == {"function", "alias"}
