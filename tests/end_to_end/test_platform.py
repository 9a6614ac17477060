"""Tests of the whole local platform: its sockets, and a second deployment."""

import sys

import pytest

from local import ROOT
from local.platform import lifecycle
from local.platform.deployer import Action
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


def test_a_second_up_updates_only_functions_with_changed_settings(platform: Platform) -> None:
    """The changed log level stays, because no test needs the other one."""
    zip_file = ROOT / "build" / "zips" / "ingestion-manifest_builder.zip"
    zip_before = zip_file.read_bytes()
    function_name = platform.id("ingestion-manifest-builder-function")
    version = platform.client("lambda").get_alias(FunctionName=function_name, Name="live")["FunctionVersion"]
    recorder = ActionRecorder()
    lifecycle.deploy(read_test_stack(logLevel="INFO"), platform.emulator, recorder)
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
    assert int(new_version) == int(version) + 1, "the change publishes a version"
    assert zip_file.read_bytes() == zip_before
