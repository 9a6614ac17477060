"""The AWS package without its annotations is the same package, sooner there."""

import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

import pulumi_aws

from local import ROOT
from local.preview import deferred_annotations
from tests.whole_program import ONE_WORKER, previewed

NAME = "pulumi_aws.scheduler._inputs"


def spec(name: str = NAME) -> ModuleSpec | None:
    [folder] = pulumi_aws.__path__
    return deferred_annotations._Finder.find_spec(name, [str(Path(folder) / "scheduler")])


def test_a_module_is_loaded_with_its_annotations_as_text() -> None:
    found = spec()
    assert found
    assert found.loader
    module = module_from_spec(found)
    found.loader.exec_module(module)
    hints = module.ScheduleFlexibleTimeWindowArgs.__init__.__annotations__
    assert hints["mode"] == "pulumi.Input[_builtins.str]"


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
