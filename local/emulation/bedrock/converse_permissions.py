"""Checks the permissions that Bedrock requires of a caller of Converse.

To call a model, the caller needs `bedrock:InvokeModel` on the model. To call an inference profile, the caller needs
this permission on the profile, and on the model in each region of the profile. In the checks of the models, the
condition key `bedrock:InferenceProfileArn` contains the profile's ARN.
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from local.emulation.aws_service_server_base import Permissions, require_permission

INVOKE = "bedrock:InvokeModel"
PROFILE_KEY = "bedrock:InferenceProfileArn"
PROFILES = {"us": ("us-east-1", "us-east-2", "us-west-2")}
"""Regions of an inference profile by the prefix of its id, for calls from a region of the United States."""


@dataclass(frozen=True)
class ModelPermissions:
    """Permission check of the local Bedrock in one region and account."""

    region: str
    account: str
    permissions: Permissions

    def check(self, access_key: str, model: str) -> None:
        """Raise AwsError with the code AccessDeniedException unless the caller may call the model."""
        for resource, context in self.resources(model):
            require_permission(self.permissions, access_key, INVOKE, resource, context)

    def resources(self, model: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield each resource that the caller must be allowed to invoke, with the condition keys of that check.

        `model` is the id or ARN of a model, or of an inference profile whose id begins with `us.` or `global.`.
        """
        name = model.rpartition("/")[2]
        area, _, model_name = name.partition(".")
        # For a global profile, the caller needs the permission on the model's ARN in the region of the call, and on its
        # ARN without a region.
        regions = (self.region, "") if area == "global" else PROFILES.get(area)
        if regions is None:
            yield _model_arn(self.region, name), {}
            return
        profile = f"arn:aws:bedrock:{self.region}:{self.account}:inference-profile/{name}"
        yield profile, {}
        for region in regions:
            yield _model_arn(region, model_name), {PROFILE_KEY: profile}


def _model_arn(region: str, model: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"
