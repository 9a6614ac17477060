"""Tests of the import hook that defers the annotations of `pulumi_aws`."""

import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

import pulumi_aws

from local import ROOT
from local.preview import pulumi_aws_import_hook
from tests.whole_program import ONE_WORKER, previewed

NAME = "pulumi_aws.scheduler._inputs"


def spec(name: str = NAME) -> ModuleSpec | None:
    [folder] = pulumi_aws.__path__
    return pulumi_aws_import_hook._Finder.find_spec(name, [str(Path(folder) / "scheduler")])


def test_a_module_is_loaded_with_its_annotations_as_text() -> None:
    result = spec()
    assert result
    assert result.loader
    module = module_from_spec(result)
    result.loader.exec_module(module)
    hints = module.ScheduleFlexibleTimeWindowArgs.__init__.__annotations__
    assert hints["mode"] == "pulumi.Input[_builtins.str]"


def test_other_packages_are_not_affected() -> None:
    assert spec("json.decoder") is None
    assert spec("pulumi_awsome") is None


@ONE_WORKER
def test_a_preview_is_the_same_with_and_without_deferred_annotations() -> None:
    """The command defers annotations, and this process evaluates them."""
    done = subprocess.run(
        [sys.executable, "-m", "local", "preview", "--stack", "prod", "--json"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout) == json.loads(json.dumps(previewed("prod").as_json()))
