"""Tests that every driver is complete and valid. They need no emulator.

A driver describes the calls that create, change and delete a type of resource on the local platform.
"""

import ast
import inspect
import re

import pulumi
import pulumi_aws
import pytest
import yaml

from guardrails.pricing.rules import FREE_TYPES, PRICE_RULES
from local import ROOT
from local.platform.driver_model.driver import DriverCall
from local.platform.driver_model.service_shapes import input_shape, service_model
from local.platform.driver_model.untag_calls import adds_tags, make_untag_call, tags_property
from local.platform.resource_change_planning import identity_properties
from local.platform.resource_drivers import DRIVERS, RECORDED_ONLY, Driver
from local.preview import stack_files
from tests.whole_program import ONE_WORKER, STACKS, graph

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_every_call_has_the_required_parameters_and_no_unknown_ones(driver: Driver) -> None:
    for call in (*driver.create, *driver.update, *driver.delete):
        shape = input_shape(driver, call)
        parameters = {name.partition(".")[0] for name in call.params}
        assert set(shape.required_members) <= parameters <= set(shape.members), call.operation


def test_every_type_but_the_topic_policy_can_be_deleted() -> None:
    assert {kind for kind, driver in DRIVERS.items() if not driver.delete} == {"aws:sns/topicPolicy:TopicPolicy"}


def test_a_type_is_either_created_or_recorded_only() -> None:
    """A resource of a recorded-only type is checked but not created, because the emulator lacks the type."""
    assert DRIVERS.keys() & RECORDED_ONLY.keys() == set()


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_a_resource_is_identified_by_properties_with_which_it_is_created(driver: Driver) -> None:
    """An update call uses the name to find the resource, so it cannot rename it."""
    created = {name for call in driver.create for name in call.uses()}
    assert identity_properties(driver) <= created


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_a_driver_that_sets_tags_can_also_update_them(driver: Driver) -> None:
    """Many services ignore tags in update calls, so the end-to-end tests check the tags that the services return."""
    created, updated = ({name for call in calls for name in call.uses()} for calls in (driver.create, driver.update))
    assert "tags" not in created or "tags" in updated


TAGGING = [(driver, call) for driver in DRIVERS.values() for call in driver.update if adds_tags(call)]


@pytest.mark.parametrize(("driver", "call"), TAGGING, ids=[driver.type for driver, _ in TAGGING])
def test_every_tagging_call_has_known_parameters_and_an_untagging_call(driver: Driver, call: DriverCall) -> None:
    untag_call = make_untag_call(driver, call, old_keys=["kept", "removed"], new_keys=["kept", "new"])
    assert untag_call is not None
    assert untag_call.operation in service_model(driver.service).operation_names
    assert set(input_shape(driver, untag_call).required_members) <= set(untag_call.params)
    assert make_untag_call(driver, call, old_keys=["kept"], new_keys=["kept", "new"]) is None
    assert tags_property(call) == "tags"
    created = {name for create_call in driver.create for name in create_call.uses()}
    assert set(call.uses()) <= created | driver.outputs.keys() | {"id"}, "no other property has a value"


def test_the_documentation_lists_the_recorded_only_types() -> None:
    page = (ROOT / "docs" / "local-platform.md").read_text(encoding="utf-8")
    section = page.partition("## Recorded-only types")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE))
    assert rows == {kind: resource.reason for kind, resource in RECORDED_ONLY.items()}


def test_no_stack_file_configures_the_provider_because_a_policy_forbids_it() -> None:
    for stack in stack_files.list_stacks():
        config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
        assert [key for key in config if key.startswith("aws:")] == []


def list_created_types() -> set[str]:
    """Return every type of the AWS package that the program's source creates in any stack."""
    result = set()
    for path in (ROOT / "components").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
                    resource_class = getattr(getattr(pulumi_aws, module, None), name, None)
                    if inspect.isclass(resource_class) and issubclass(resource_class, pulumi.CustomResource):
                        result.add(vars(resource_class)["pulumi_type"])
    return result


@ONE_WORKER
def test_every_type_that_the_program_can_create_has_a_driver_and_a_price() -> None:
    created_types = list_created_types()
    assert created_types >= {
        resource.type for stack in STACKS for resource in graph(stack).customs() if resource.type.startswith("aws:")
    }
    assert created_types <= DRIVERS.keys() | RECORDED_ONLY.keys()
    assert created_types <= PRICE_RULES.keys() | FREE_TYPES
