"""Tests of the whole local platform: its sockets, the planned changes of an update, and a second deployment."""

import json
import sys
from dataclasses import replace

import pytest

from local import ROOT
from local.platform import lifecycle
from local.platform.deployer import Action
from local.platform.engine import PlanningProvider
from local.platform.progress import Progress
from local.platform.state import PlatformState
from tests.end_to_end.deployment import read_test_stack
from tests.end_to_end.platform_under_test import Platform
from tests.end_to_end.small_stack import ActionRecorder
from tests.process_tree import list_listening_addresses, list_process_tree

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the sockets of a process tree from /proc")
def test_the_platform_listens_on_loopback_only(platform: Platform) -> None:
    """Handlers have run by now, so the process tree includes their workers."""
    pids = list_process_tree(platform.emulator.pid)
    addresses = {address for pid in pids for address in list_listening_addresses(pid)}
    assert f"127.0.0.1:{platform.emulator.port}" in addresses
    assert [address for address in addresses if not address.startswith("127.0.0.1:")] == [], (
        "no service may listen on another interface"
    )


def test_a_plan_lists_the_resources_that_a_changed_setting_affects(platform: Platform) -> None:
    config = read_test_stack()
    values = {**config.values, "polyphony:ingestion": '{"intake": {"batchWindowSeconds": 2}}'}
    steps = PlanningProvider(read_state(platform)).list_steps(replace(config, values=values))
    changed = {step.urn.rpartition("::")[2]: step.action for step in steps if step.action is not Action.SAME}
    assert changed["ingestion-intake-source"] is Action.UPDATE, "the batching window changed"
    assert changed["ingestion-manifest-builder-function"] is Action.UPDATE, (
        "the new settings of ingestion have no log level, so it is INFO"
    )
    assert changed["ingestion-manifest-builder-live"] is Action.UPDATE, "the alias follows the version"
    assert Action.REPLACE not in changed.values()


def test_a_second_up_updates_only_functions_with_changed_settings(platform: Platform) -> None:
    zip_file = ROOT / "build" / "zips" / "ingestion-manifest_builder.zip"
    zip_before = zip_file.read_bytes()
    function_name = platform.id("ingestion-manifest-builder-function")
    version = platform.client("lambda").get_alias(FunctionName=function_name, Name="live")["FunctionVersion"]
    recorder = ActionRecorder()
    config = read_test_stack()
    settings = {**json.loads(config.values["polyphony:ingestion"]), "logLevel": "INFO"}
    changed = replace(config, values={**config.values, "polyphony:ingestion": json.dumps(settings)})
    try:
        lifecycle.deploy(changed, platform.emulator, recorder)
    finally:
        lifecycle.deploy(config, platform.emulator, Progress())
    functions = [
        f"ingestion-{function}-{part}"
        for function in ("manifest-builder", "steps", "sweeper")
        for part in ("function", "live")
    ]
    actions = {name: action for name, action in recorder.actions.items() if action is not Action.SAME}
    assert actions == dict.fromkeys(functions, Action.UPDATE), (
        "the log level changes the functions and their aliases only"
    )
    new_version = platform.client("lambda").get_alias(FunctionName=function_name, Name="live")["FunctionVersion"]
    assert int(new_version) == int(version) + 2, "the change and its reversal each publish a version"
    assert zip_file.read_bytes() == zip_before


def read_state(platform: Platform) -> PlatformState:
    state = PlatformState.read(platform.emulator)
    assert state is not None
    return state
