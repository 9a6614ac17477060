"""Provider that a preview uses instead of the AWS provider. It creates no resource, so values that AWS assigns are unknown.

A provider function is a function of the AWS provider that returns data, for example `getRegion`. The local platform has
the same account and Region, so it also uses the results in this module.
"""

import hashlib

from local import ACCOUNT, REGION
from local.preview.resource_graph import Resource
from local.property_values import Props

PROVIDER_FUNCTION_RESULTS: dict[str, Props] = {
    "aws:index/getCallerIdentity:getCallerIdentity": {
        "accountId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/preview",
        "id": ACCOUNT,
        "userId": "preview",
    },
    # Any digest will do, because the local platform runs the image's modules from the project's folder, without an image.
    "aws:ecr/getImage:getImage": {"imageDigest": f"sha256:{hashlib.sha256(b'image of a preview').hexdigest()}"},
    "aws:index/getRegion:getRegion": {"id": REGION, "region": REGION, "name": REGION, "description": "N. Virginia"},
}
"""Results of the provider functions that the program calls, by Pulumi's token of the function."""


class PreviewProvider:
    """Provider with a fixed account and Region, which creates nothing."""

    def call(self, token: str, arguments: Props) -> Props:
        """Return the fixed result of a provider function, or raise NotImplementedError for another function."""
        if token not in PROVIDER_FUNCTION_RESULTS:
            raise NotImplementedError(
                f"there is no result for the provider function {token}({', '.join(arguments)}): add a result to "
                "PROVIDER_FUNCTION_RESULTS in local/preview/preview_provider.py"
            )
        return PROVIDER_FUNCTION_RESULTS[token]

    def make(self, _resource: Resource) -> tuple[str, Props]:
        """Answer the registration of a resource with an empty id, which means unknown, and no further outputs."""
        return "", {}
