"""What a caller of the local model must be allowed, as Bedrock asks for it. Pure.

A model is one resource. An inference profile is one, and beside it every model that it may hand the request on to: one
in each of its regions, with the profile as a condition's key.
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

INVOKE = "bedrock:InvokeModel"
PROFILE_KEY = "bedrock:InferenceProfileArn"
PROFILES = {"us": ("us-east-1", "us-east-2", "us-west-2")}
"""Regions by the first part of a profile's id. Besides, there is `global`; no others are served from where this is."""


@dataclass(frozen=True)
class Wish:
    """An action on a resource."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Guard:
    """The account that the model is called in, and who may do what there."""

    region: str
    account: str
    denied: Callable[[str, str, str, Mapping[str, str]], bool]
    """Whether a caller, by access key, may not do an action on a resource in a context."""

    def refusal(self, caller: str, wishes: Iterator[Wish]) -> Wish | None:
        """The first wish that a caller is refused; none where he is refused nothing."""
        return next((one for one in wishes if self.denied(caller, one.action, one.resource, one.context)), None)

    def model_wishes(self, model: str) -> Iterator[Wish]:
        """What is asked before a model answers; `model` is its id or a profile's, or the ARN of one."""
        named = model.rpartition("/")[2]
        area, _, rest = named.partition(".")
        # A profile of everywhere asks for the model where it was called, and for the one that has no region.
        regions = (self.region, "") if area == "global" else PROFILES.get(area)
        if regions is None:
            yield Wish(INVOKE, _model(self.region, named))
            return
        profile = f"arn:aws:bedrock:{self.region}:{self.account}:inference-profile/{named}"
        yield Wish(INVOKE, profile)
        for region in regions:
            yield Wish(INVOKE, _model(region, rest), {PROFILE_KEY: profile})

    def guardrail_wish(self, asked: Mapping[str, Any]) -> Iterator[Wish]:
        """What is asked before a guardrail looks at a request, if it names one."""
        if guardrail := asked.get("guardrailConfig", {}).get("guardrailIdentifier"):
            named = str(guardrail).rpartition("/")[2]
            yield Wish("bedrock:ApplyGuardrail", f"arn:aws:bedrock:{self.region}:{self.account}:guardrail/{named}")


def _model(region: str, model: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"
