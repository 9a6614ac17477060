"""Test that the blocks create only resources that the guardrails allow in prod: their rules, and the tables of reviewed facts."""

from dataclasses import replace

import pytest

from components.core import Subsystem
from guardrails.catalogue import POLICIES
from guardrails.records import Level, RelatedPolicy, ResourcePolicy
from guardrails.stack_configuration import StackContext
from guardrails.surface.seen_stack import SeenStack
from local import ACCOUNT, REGION
from tests.components.deployments import DEPLOYMENTS, ENDPOINT, ISSUER
from tests.policies.program import POLICIES_BY_NAME, TODAY, Program

OF_OTHERS = {"api-asks-who-calls", "cors-origin-named", "failures-watched"}
"""Policies about settings, whose defaults are not those of prod here, and about an alarm of the foundation."""
CONTEXT = StackContext("test", "prod", (), TODAY)


@pytest.mark.parametrize("subsystem", DEPLOYMENTS)
def test_a_subsystem_has_no_finding_and_names_only_its_own_resources_and_the_foundations(subsystem: Subsystem) -> None:
    seen = SeenStack("polyphony-test-", ACCOUNT, REGION, frozenset({ENDPOINT, ISSUER}))
    program = Program.of(DEPLOYMENTS[subsystem].deployed().graph, replace(CONTEXT, seen=seen))
    mandatory = [policy for policy in POLICIES if policy.levels.for_environment("prod") is Level.MANDATORY]
    names = {policy.name for policy in mandatory if isinstance(policy, ResourcePolicy | RelatedPolicy)} - OF_OTHERS
    assert program.find_all(*names) == {}
    results = POLICIES_BY_NAME["names-of-stack"].list_results(program.read())  # type: ignore[attr-defined]
    messages = {result.message for result in results}
    assert {message for message in messages if not message.startswith("polyphony-test-foundation-")} == set()
