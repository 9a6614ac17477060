"""Tests of the permissions boundary of roles."""

import pulumi
import pytest

from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.naming.physical_names import Kind
from local.generate import documented_graph
from local.preview import stack_files
from tests.fake_engine import Engine, foundation_settings, scope
from tests.whole_program import DOCUMENTED


def registered_boundary(engine: Engine, boundary: str | None) -> object:
    bounded_scope = scope(foundation=foundation_settings(permissionsBoundary=boundary))

    def program() -> None:
        Role("x", RoleArgs(bounded_scope, "x", "X", Service.LAMBDA, ()), pulumi.ResourceOptions())

    [role] = engine.run(program).all("iam.Role")
    assert role.inputs["name"] == bounded_scope.name(Kind.ROLE, "x")
    return role.inputs.get("permissionsBoundary")


def test_a_role_has_the_configured_permissions_boundary(engine: Engine) -> None:
    assert registered_boundary(engine, None) is None
    assert registered_boundary(engine, "path/boundary") == "arn:aws:iam::123456789012:policy/path/boundary"


@DOCUMENTED
@pytest.mark.parametrize("stack", sorted(set(stack_files.list_stacks()) - {"local"}))
def test_every_role_of_a_deployed_stack_has_the_boundary_of_its_stack(stack: str) -> None:
    boundaries = {
        resource.inputs.get("permissionsBoundary")
        for resource in documented_graph.build_stack_graph(stack)
        if resource.kind == "Role"
    }
    assert boundaries == {f"arn:aws:iam::123456789012:policy/polyphony-bootstrap/boundary-{stack}"}
