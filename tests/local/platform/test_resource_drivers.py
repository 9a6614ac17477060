"""Tests that every driver is complete and valid. They need no emulator.

A driver describes the calls that create, change, read and delete a type of resource on the local platform. The reading
calls show drift, which is a change by hand. They cover the properties that their results contain.
"""

import ast
import inspect
import re

import pulumi
import pulumi_aws
import pytest
import yaml
from botocore.model import ListShape, MapShape, Shape

from guardrails.pricing.rules import FREE_TYPES, PRICE_RULES
from local import ROOT
from local.platform.driver_model.driver import DriverCall
from local.platform.driver_model.resource_reading import list_covered_properties, list_identifying_inputs
from local.platform.driver_model.service_shapes import input_shape, service_model
from local.platform.driver_model.untag_calls import adds_tags, make_untag_call, tags_property
from local.platform.resource_change_planning import identity_properties
from local.platform.resource_drivers import DRIVERS, RECORDED_ONLY, Driver
from local.preview import stack_files
from tests.whole_program import ONE_WORKER, STACKS, graph

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_every_call_has_the_required_parameters_and_no_unknown_ones(driver: Driver) -> None:
    reading_calls = (DriverCall(call.operation, call.params) for call in driver.read)
    for call in (*driver.create, *driver.update, *driver.delete, *reading_calls):
        shape = input_shape(driver, call)
        parameters = {name.partition(".")[0] for name in call.params}
        assert set(shape.required_members) <= parameters <= set(shape.members), call.operation


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_every_property_is_read_from_a_path_that_the_response_has(driver: Driver) -> None:
    for call in driver.read:
        response = service_model(driver.service).operation_model(call.operation).output_shape
        # The result of a call is the part of the response at its path, or one item of the list there.
        result = exact_shape_at(response, call.path)
        if call.matching_item is not None:
            assert isinstance(result, ListShape)
            result = result.member
            assert exact_shape_at(result, call.matching_item[0]) is not None
        paths = {name: path for name, path in list_covered_properties(driver, call) if isinstance(path, str)}
        hashes = {name: path for name, (_, path) in call.compared_by_hash.items()}
        missing = {name for name, path in {**paths, **hashes}.items() if exact_shape_at(result, path) is None}
        assert not missing, f"{call.operation} does not return {missing}"
        assert set(call.returned_only_if_set) <= {name for name, _ in list_covered_properties(driver, call)}
        assert {output for output, _ in call.compared_by_hash.values()} <= set(driver.outputs)


def exact_shape_at(shape: Shape | None, path: str) -> Shape | None:
    """Return the shape at a path with exactly the names of the service, or None."""
    for part in path.split(".") if path else ():
        shape = shape.value if isinstance(shape, MapShape) else getattr(shape, "members", {}).get(part)
    return shape


@pytest.mark.parametrize(
    "driver", [driver for driver in DRIVERS.values() if driver.read], ids=lambda driver: driver.type
)
def test_every_property_of_a_type_with_reading_calls_is_read_or_has_a_reason_why_not(driver: Driver) -> None:
    inputs = {name for call in (*driver.create, *driver.update) for name in call.uses()} - set(driver.outputs) - {"id"}
    if driver.property_import:
        inputs.add(driver.property_import.property)
    read_inputs = {name for call in driver.read for name, _ in list_covered_properties(driver, call)}
    compared_by_hash = {name for call in driver.read for name in call.compared_by_hash}
    assert inputs - read_inputs - compared_by_hash - list_identifying_inputs(driver) == set(driver.not_read)


def test_the_documentation_lists_the_types_and_properties_with_and_without_drift() -> None:
    page = (ROOT / "docs" / "local-platform.md").read_text(encoding="utf-8")
    section = page.partition("## Drift")[2].partition("\n## ")[0]
    documented = {
        (f"{service}/{kind}", is_read)
        for service, *columns in re.findall(r"^\| `([a-z0-9]+)` \| (.+) \| (.+) \|$", section, re.MULTILINE)
        for column, is_read in zip(columns, (True, False), strict=True)
        for kind in re.findall(r"`(\w+)`", column)
    }
    assert documented == {
        (f"{kind[4:].partition('/')[0]}/{kind.rpartition(':')[2]}", bool(driver.read))
        for kind, driver in DRIVERS.items()
    }
    unread = re.findall(r"^\| `(aws:[^`]+)` \| `([^`]+)` \| (.+) \|$", section, re.MULTILINE)
    assert {(kind, name): reason for kind, name, reason in unread} == {
        (kind, name): reason for kind, driver in DRIVERS.items() for name, reason in driver.not_read.items()
    }


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
