"""Tests of the state file of `make up`: its content and protection, and the order in which resources are deleted."""

import stat
from pathlib import Path

import pytest

from local.platform.emulator import Emulator
from local.platform.state import PlatformState, ResourceEntry, StateError, mark_code_as_pending, state_file

pytestmark = pytest.mark.unit


@pytest.fixture
def emulator(tmp_path: Path) -> Emulator:
    return Emulator(1, 4566, tmp_path)


def entry(*depends_on: str, inputs_from: tuple[str, ...] = ()) -> ResourceEntry:
    """Return the entry of a function that depends on other entries. `inputs_from` names those whose outputs are its inputs."""
    return ResourceEntry(
        "aws:lambda/function:Function", "start", {"code": "hash"}, {"arn": "a"}, depends_on, inputs_from
    )


def test_a_written_state_is_read_back_and_belongs_to_one_emulator(emulator: Emulator) -> None:
    state = PlatformState({"a": entry(), "b": entry("a", inputs_from=("a",))}, {"frontend": {"region": "us-east-1"}})
    assert PlatformState.read(emulator) is None, "a run that was killed wrote no file"
    state.write(emulator)
    assert PlatformState.read(emulator) == state
    assert stat.S_IMODE(state_file(emulator.folder).stat().st_mode) == 0o600, "only the owner may read it"
    assert PlatformState.read(Emulator(2, 4566, emulator.folder)) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"schemaVersion": 1}', '{"pid": 1, "resources": {"a": {}}}'])
def test_a_file_of_another_version_is_refused_with_the_remedy(emulator: Emulator, text: str) -> None:
    state_file(emulator.folder).write_text(text)
    with pytest.raises(StateError, match="another version of this program: `make down`"):
        PlatformState.read(emulator)


def test_after_a_push_the_next_run_publishes_the_code_again(emulator: Emulator) -> None:
    mark_code_as_pending(emulator, "start")
    assert PlatformState.read(emulator) is None, "the Pulumi CLI deploys without a state file"
    deployed = PlatformState({"start": entry()})
    deployed.write(emulator)
    mark_code_as_pending(emulator, "other")
    assert PlatformState.read(emulator) == deployed
    mark_code_as_pending(emulator, "start")
    state = PlatformState.read(emulator)
    assert state is not None
    assert state.entries["start"].pending == ("code",)


def test_resources_are_deleted_in_reverse_order_of_their_dependencies() -> None:
    state = PlatformState(
        {"alias": entry("function"), "function": entry("role", "logs"), "role": entry(), "logs": entry()}
    )
    order = state.deletion_order({"alias", "function", "role"})
    assert order.index("alias") < order.index("function") < order.index("role")
    assert "logs" not in order


def test_dependants_use_outputs_of_the_resource_directly_or_indirectly() -> None:
    state = PlatformState(
        {
            "role": entry(),
            "function": entry("role", inputs_from=("role",)),
            "alias": entry("function", inputs_from=("function",)),
            "logs": entry("role"),
        }
    )
    assert state.find_dependants("role") == {"function", "alias"}
