"""Provider of a preview: creates no resource, and knows only what Pulumi knows before a deployment."""

from local.preview.property_values import Props
from local.preview.resource_graph import Resource

ACCOUNT = "123456789012"
REGION = "us-east-1"

ANSWERS: dict[str, Props] = {
    "aws:index/getCallerIdentity:getCallerIdentity": {
        "accountId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/preview",
        "id": ACCOUNT,
        "userId": "preview",
    },
    "aws:index/getRegion:getRegion": {"id": REGION, "region": REGION, "name": REGION, "description": "N. Virginia"},
}


class PreviewProvider:
    """Provider with a fixed account and Region, in which every resource id is unknown."""

    def call(self, token: str, arguments: Props) -> Props:
        """Return the caller's identity or the Region. Raise NotImplementedError for another function."""
        if token not in ANSWERS:
            raise NotImplementedError(
                f"the preview has no answer for {token}({', '.join(arguments)}): add one in "
                "local/preview/preview_provider.py"
            )
        return ANSWERS[token]

    def make(self, _resource: Resource) -> tuple[str, Props]:
        """Return an unknown id and no further outputs."""
        return "", {}
