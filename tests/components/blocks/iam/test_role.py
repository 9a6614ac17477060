"""A role is bounded where the stack says by what, and only there."""

import pulumi
import pytest

from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.naming.physical_names import Kind
from local.generate import documented_graph
from local.preview import stack_files
from tests.fake_engine import Engine, foundation_settings, scope
from tests.whole_program import DOCUMENTED


def made(engine: Engine, boundary: str | None) -> object:
    given = scope(foundation=foundation_settings(permissionsBoundary=boundary))

    def program() -> None:
        Role("x", RoleArgs(given, "x", "X", Service.LAMBDA, ()), pulumi.ResourceOptions())

    [role] = engine.run(program).all("iam.Role")
    assert role.inputs["name"] == given.name(Kind.ROLE, "x")
    return role.inputs.get("permissionsBoundary")


def test_a_role_names_the_policy_that_bounds_it_if_there_is_one(engine: Engine) -> None:
    assert made(engine, None) is None
    assert made(engine, "a-path/most") == "arn:aws:iam::123456789012:policy/a-path/most"


@DOCUMENTED
@pytest.mark.parametrize("stack", sorted(set(stack_files.stacks()) - {"local"}))
def test_every_role_of_a_stack_that_is_deployed_has_the_boundary_of_its_stack(stack: str) -> None:
    found = {one.inputs.get("permissionsBoundary") for one in documented_graph.graph(stack) if one.kind == "Role"}
    assert found == {f"arn:aws:iam::123456789012:policy/polyphony-bootstrap/boundary-{stack}"}
