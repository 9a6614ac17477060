"""Tests of the grants to invoke models, directly or through inference profiles, which choose among several regions."""

import pytest

from components.blocks.bedrock.model_grants import model_grants
from tests.fake_engine import scope

MODEL = "anthropic.claude-x-v1:0"
ACCOUNT_ARN = "arn:aws:bedrock:us-east-1:123456789012"


def granted_resources(model: str) -> set[str]:
    grants = model_grants(scope(), [model], ["us-east-1", "us-west-2"])
    return {str(resource) for grant in grants for resource in grant.resources}


@pytest.mark.parametrize("profile", ["us", "us-gov", "ca", "eu", "apac", "jp", "au"])
def test_a_profile_needs_its_model_in_each_region_that_it_may_use(profile: str) -> None:
    assert granted_resources(f"{profile}.{MODEL}") == {
        f"{ACCOUNT_ARN}:inference-profile/{profile}.{MODEL}",
        f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}",
        f"arn:aws:bedrock:us-west-2::foundation-model/{MODEL}",
    }


def test_a_global_profile_also_needs_the_model_without_region() -> None:
    assert f"arn:aws:bedrock:::foundation-model/{MODEL}" in granted_resources(f"global.{MODEL}")


def test_a_model_that_is_named_twice_is_granted_once() -> None:
    assert len(model_grants(scope(), [MODEL, MODEL], [])) == 1
