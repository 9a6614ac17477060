"""Tests that every driver is complete and valid. They need no emulator.

A driver describes the calls that create, change and delete a type of resource on the local platform.
"""

import ast
import inspect

import pulumi
import pulumi_aws
import pytest

from guardrails.pricing.price_rules import PRICED_TYPES
from guardrails.surface.tables import list_free_types
from local import ROOT
from local.drivers import DRIVERS, RECORDED_ONLY, Driver
from local.drivers.model import identity_inputs
from local.drivers.service_shapes import input_shape
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
    updated = {name for call in driver.update for name in call.uses()}
    assert identity_inputs(driver, updated) <= created


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
    assert created_types <= PRICED_TYPES | list_free_types()
