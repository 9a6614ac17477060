"""The AWS package without its annotations is the same package, sooner there."""

import json
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import cache_from_source, module_from_spec
from pathlib import Path
from types import CodeType
from typing import Any

import pulumi_aws
import pytest

from local import ROOT, postponed
from tests.whole import ONE_WORKER, previewed

NAME = "pulumi_aws.scheduler._inputs"


def spec(name: str = NAME) -> ModuleSpec | None:
    [folder] = pulumi_aws.__path__
    return postponed._Finder.find_spec(name, [str(Path(folder) / "scheduler")])


def loader() -> Any:
    found = spec()
    assert found
    return found.loader


def test_a_module_is_loaded_with_its_annotations_as_text() -> None:
    found = spec()
    assert found
    assert found.loader
    module = module_from_spec(found)
    found.loader.exec_module(module)
    hints = module.ScheduleFlexibleTimeWindowArgs.__init__.__annotations__
    assert hints["mode"] == "pulumi.Input[_builtins.str]"


def test_it_is_compiled_once_even_where_python_is_told_to_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Path(cache_from_source(str(loader().path)))
    kept = Path(postponed._own(str(plain)))
    before = plain.stat().st_mtime_ns
    kept.unlink(missing_ok=True)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    code = loader().get_code(NAME)
    assert kept.exists()
    assert sys.dont_write_bytecode
    assert plain.stat().st_mtime_ns == before, "what Python compiled itself stays"

    def again(*_: object, **__: object) -> CodeType:
        raise AssertionError("compiled again")

    monkeypatch.setattr(postponed._Loader, "source_to_code", again)
    assert loader().get_code(NAME) == code


def test_where_nothing_can_be_kept_python_loads_it_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(postponed._own(cache_from_source(str(loader().path)))).unlink(missing_ok=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert type(loader()) is SourceFileLoader


def test_other_packages_are_none_of_its_business() -> None:
    assert spec("json.decoder") is None
    assert spec("pulumi_awsome") is None


@ONE_WORKER
def test_the_command_that_does_so_previews_what_a_process_previews_that_does_not() -> None:
    """The command evaluates no annotation, this process all of them."""
    done = subprocess.run(
        [sys.executable, "-m", "local", "preview", "--stack", "prod", "--json"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout) == json.loads(json.dumps(previewed("prod").as_json()))
