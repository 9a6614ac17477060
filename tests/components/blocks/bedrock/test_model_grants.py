"""Which models may be asked: each by name, a profile with its model in each region that it may send to."""

import pytest

from components.blocks.bedrock.model_grants import model_grants
from tests.fake_engine import scope

MODEL = "anthropic.claude-x-v1:0"
HERE = "arn:aws:bedrock:us-east-1:123456789012"


def asked(*models: str, guardrail: str | None = None) -> set[tuple[str, str]]:
    found = model_grants(scope(), models, ["us-east-1", "us-west-2"], guardrail)
    return {(action, str(resource)) for one in found for action in one.actions for resource in one.resources}


@pytest.mark.parametrize("profile", ["us", "us-gov", "ca", "eu", "apac", "jp", "au"])
def test_a_profile_needs_its_model_wherever_it_may_send_to(profile: str) -> None:
    assert {resource for _, resource in asked(f"{profile}.{MODEL}")} == {
        f"{HERE}:inference-profile/{profile}.{MODEL}",
        f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}",
        f"arn:aws:bedrock:us-west-2::foundation-model/{MODEL}",
    }


def test_a_global_profile_needs_the_model_that_has_no_region_too() -> None:
    resources = {resource for _, resource in asked(f"global.{MODEL}")}
    assert f"arn:aws:bedrock:::foundation-model/{MODEL}" in resources


def test_the_same_model_twice_is_granted_once() -> None:
    assert len(model_grants(scope(), [MODEL, MODEL], [], None)) == 1
