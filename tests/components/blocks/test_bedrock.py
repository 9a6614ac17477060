"""Tests of the grants to invoke models, directly or through inference profiles, which choose among several regions."""

import pytest

from components.blocks.bedrock import model_grants
from tests.fake_engine import scope

MODEL = "anthropic.claude-x-v1:0"
ACCOUNT_ARN = "arn:aws:bedrock:us-east-1:123456789012"


def granted_resources(model: str) -> set[str]:
    grants = model_grants(scope(), [model], ["us-east-1", "us-west-2"])
    return {str(resource) for grant in grants for resource in grant.resources}


@pytest.mark.parametrize("profile", ["us", "us-gov", "ca", "eu", "apac", "jp", "au", "global"])
def test_a_profile_needs_its_model_in_each_region_that_it_may_use(profile: str) -> None:
    regions = ["us-east-1", "us-west-2", *([""] if profile == "global" else [])]
    assert granted_resources(f"{profile}.{MODEL}") == {
        f"{ACCOUNT_ARN}:inference-profile/{profile}.{MODEL}",
        *(f"arn:aws:bedrock:{region}::foundation-model/{MODEL}" for region in regions),
    }


def test_a_model_without_a_profile_is_granted_once_in_the_stacks_region_only() -> None:
    [grant] = model_grants(scope(), [MODEL, MODEL], ["us-west-2"])
    assert grant.resources == (f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}",)
