"""Grants to invoke Bedrock models, directly or through an inference profile.

A caller of a cross-region inference profile needs a grant on the profile, and on its model in each region to which the
profile may send requests. A setting lists these regions, because AWS adds some over time.
"""

from collections.abc import Iterable, Sequence

from components.blocks.iam.grant import Grant, grant
from components.blocks.naming.subsystem_scope import Scope

PROFILES = ("us", "us-gov", "ca", "eu", "apac", "jp", "au", "global")
"""Prefixes of the ids of inference profiles."""


def model_grants(scope: Scope, model_ids: Iterable[str], regions: Sequence[str]) -> list[Grant]:
    """Return the grants for the given models or profiles.

    `regions` are the regions to which a profile may send requests.
    """
    return [_model_grant(scope, model_id, regions) for model_id in sorted(set(model_ids))]


def split_model_id(model_id: str) -> tuple[str, str]:
    """Split the id of an inference profile into its prefix and the id of its model: `eu.amazon.nova-lite-v1:0` gives
    `eu` and `amazon.nova-lite-v1:0`. The prefix of a model's own id is empty.
    """
    prefix, _, model = model_id.partition(".")
    return (prefix, model) if prefix in PROFILES else ("", model_id)


def _model_grant(scope: Scope, model_id: str, regions: Sequence[str]) -> Grant:
    context = scope.context
    prefix, model = split_model_id(model_id)
    if not prefix:
        return grant(
            "bedrock", ["InvokeModel"], f"arn:{context.partition}:bedrock:{context.region}::foundation-model/{model}"
        )
    # A global profile also needs a grant on its model without a region.
    model_regions = [*regions, *([""] if prefix == "global" else [])]
    return grant(
        "bedrock",
        ["InvokeModel"],
        [
            context.arn("bedrock", f"inference-profile/{model_id}"),
            *(f"arn:{context.partition}:bedrock:{region}::foundation-model/{model}" for region in model_regions),
        ],
    )
