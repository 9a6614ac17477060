"""Tests of the permissions boundary of roles."""

import pulumi

from components.blocks.iam.role import Role, RoleArgs
from components.blocks.iam.trust_policy import Service
from components.blocks.naming.physical_names import Kind
from tests.fake_engine import Engine, foundation_settings, scope


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
