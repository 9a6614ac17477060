"""Tests of the import hook that defers the evaluation of annotations in `pulumi_aws`, to import it faster."""

from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

import pulumi_aws

from local.preview import pulumi_aws_import_hook


def find_spec(name: str) -> ModuleSpec | None:
    [folder] = pulumi_aws.__path__
    return pulumi_aws_import_hook._Finder.find_spec(name, [str(Path(folder) / "scheduler")])


def test_the_annotations_of_a_module_stay_text() -> None:
    spec = find_spec("pulumi_aws.scheduler._inputs")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    annotations = module.ScheduleFlexibleTimeWindowArgs.__init__.__annotations__
    assert annotations["mode"] == "pulumi.Input[_builtins.str]"


def test_other_packages_are_not_affected() -> None:
    assert find_spec("json.decoder") is None
    assert find_spec("pulumi_aws_other") is None
