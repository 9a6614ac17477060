"""Provider of a preview, in place of the AWS provider: creates no resource, and returns only what is known before a
deployment.
"""

from local.preview.property_values import Props
from local.preview.resource_graph import Resource

ACCOUNT = "123456789012"
"""Account id in previews and of the local platform."""
REGION = "us-east-1"
"""Region in previews and of the local platform."""

FUNCTION_RESULTS: dict[str, Props] = {
    "aws:index/getCallerIdentity:getCallerIdentity": {
        "accountId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/preview",
        "id": ACCOUNT,
        "userId": "preview",
    },
    "aws:index/getRegion:getRegion": {"id": REGION, "region": REGION, "name": REGION, "description": "N. Virginia"},
}


class PreviewProvider:
    """Provider with a fixed account and Region, in which every resource id is unknown.

    An unknown id is an empty string.
    """

    def call(self, token: str, arguments: Props) -> Props:
        """Return the caller's identity or the Region. Raise NotImplementedError for another function."""
        if token not in FUNCTION_RESULTS:
            raise NotImplementedError(
                f"the preview has no answer for {token}({', '.join(arguments)}): add one in "
                "local/preview/preview_provider.py"
            )
        return FUNCTION_RESULTS[token]

    def make(self, _resource: Resource) -> tuple[str, Props]:
        """Return an empty id, because the id is unknown before a deployment, and no further outputs."""
        return "", {}
