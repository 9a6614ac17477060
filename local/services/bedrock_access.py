"""What a caller of the local model must be allowed, as Bedrock asks for it. Pure.

A model is one resource. An inference profile is one, and beside it every model that it may hand the request on to: one
in each of its regions, with the profile as a condition's key.
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.preview_provider import ACCOUNT, REGION

PROFILES = {
    # A profile of everywhere asks for the model where it was called and for the one that has no region.
    "global": (REGION, ""),
    "us": ("us-east-1", "us-east-2", "us-west-2"),
}
"""Regions by the first part of a profile's id. Other profiles are not served where this machine stands."""
PROFILE_KEY = "bedrock:InferenceProfileArn"


@dataclass(frozen=True)
class Wish:
    """An action on a resource."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def model_wishes(model: str) -> Iterator[Wish]:
    """What is asked before a model answers; `model` is its id or a profile's, or the ARN of one."""
    named = model.rpartition("/")[2]
    area, _, rest = named.partition(".")
    if area not in PROFILES:
        yield Wish("bedrock:InvokeModel", _model(REGION, named))
        return
    profile = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{named}"
    yield Wish("bedrock:InvokeModel", profile)
    for region in PROFILES[area]:
        yield Wish("bedrock:InvokeModel", _model(region, rest), {PROFILE_KEY: profile})


def guardrail_wish(asked: Mapping[str, Any]) -> Iterator[Wish]:
    """What is asked before a guardrail looks at a request, if it names one."""
    if guardrail := asked.get("guardrailConfig", {}).get("guardrailIdentifier"):
        named = str(guardrail).rpartition("/")[2]
        yield Wish("bedrock:ApplyGuardrail", f"arn:aws:bedrock:{REGION}:{ACCOUNT}:guardrail/{named}")


def _model(region: str, model: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"
