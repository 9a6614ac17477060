"""Test that the blocks create only what the guardrails allow in prod: their rules, and the tables of reviewed facts."""

from dataclasses import replace

import pytest

from components.core import Subsystem
from guardrails.catalogue import POLICIES
from guardrails.records import Level, RelatedPolicy, ResourcePolicy
from guardrails.stack_configuration import StackContext
from guardrails.surface.facts import Seen
from local import ACCOUNT, REGION
from tests.components.meetings.recorded_deployment import ISSUER
from tests.components.subsystems import DEPLOYMENTS
from tests.components.voice_qa.recorded_deployment import ENDPOINT
from tests.policies.program import TODAY, Program

OF_OTHERS = {"api-asks-who-calls", "cors-origin-named", "failures-watched"}
"""Policies about settings, whose defaults are not those of prod here, and about an alarm of the foundation."""
CONTEXT = StackContext("test", "prod", (), TODAY)


@pytest.mark.parametrize("subsystem", DEPLOYMENTS)
def test_the_blocks_of_a_subsystem_have_no_finding(subsystem: Subsystem) -> None:
    seen = Seen("polyphony-test-", ACCOUNT, REGION, frozenset({ENDPOINT, ISSUER}))
    program = Program.of(DEPLOYMENTS[subsystem].deployed().graph, replace(CONTEXT, seen=seen))
    mandatory = [policy for policy in POLICIES if policy.levels.for_environment("prod") is Level.MANDATORY]
    names = {policy.name for policy in mandatory if isinstance(policy, ResourcePolicy | RelatedPolicy)} - OF_OTHERS
    assert program.find_all(*names) == {}
