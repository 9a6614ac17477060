"""Fixture for tests of `make push` and `make watch`."""

from pathlib import Path

import pytest

from components import handler_archive
from local.platform import emulator, function_push
from local.platform.emulator import Emulator
from tests.handler_tree import START_MODULE, STORAGE_MODULE, use_handler_tree
from tests.local.platform.fake_platform_lambda import PORT, PROCESS_ID, START_NAME, STORAGE_NAME, FakePlatformLambda


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePlatformLambda:
    """Make a platform seem to run in a folder, with the functions `start` and `storage` of a small handler tree.

    Its emulator is kept, because a complete `make up` has started it.
    """
    use_handler_tree(monkeypatch, tmp_path)
    fake_platform = FakePlatformLambda(tmp_path)
    for name, entry_module in ((START_NAME, START_MODULE), (STORAGE_NAME, STORAGE_MODULE)):
        fake_platform.deploy(name, Path(handler_archive.write_archive(entry_module)).read_bytes())
    monkeypatch.setattr(emulator, "find_running", lambda _: Emulator(PROCESS_ID, PORT, tmp_path, kept=True))
    monkeypatch.setattr(function_push, "EmulatorClients", lambda _: fake_platform)
    return fake_platform
