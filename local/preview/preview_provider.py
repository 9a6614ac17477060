"""The provider of a preview: makes nothing, and knows no more than a real preview would."""

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
    """Answers who and where we are; every id is unknown."""

    def call(self, token: str, arguments: Props) -> Props:
        """Answers the two questions that the program asks, and refuses any other by name."""
        if token not in ANSWERS:
            raise NotImplementedError(f"the account-free preview has no answer to {token}({', '.join(arguments)})")
        return ANSWERS[token]

    def make(self, _resource: Resource) -> tuple[str, Props]:
        """Nothing is made."""
        return "", {}
