"""A guest of voice Q&A: a browser user without a login, who gets AWS credentials from a Cognito identity pool."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from websockets.sync.client import ClientConnection

from local.flows import ClientFactory, Connect
from local.flows.websocket_client import connect_to_api

SIGNED_FOR_SECONDS = 60


@dataclass(frozen=True)
class Guest:
    """Guest of an identity pool, with temporary credentials."""

    identity_id: str
    credentials: Credentials = field(repr=False)
    client: ClientFactory = field(repr=False)
    """Function that returns an AWS client with the guest's credentials, by service."""

    @classmethod
    def from_pool(cls, connect: Connect, pool_id: str) -> Self:
        """Create a guest with a new identity of the pool."""
        identities = connect()("cognito-identity")
        identity_id = identities.get_id(IdentityPoolId=pool_id)["IdentityId"]
        issued = identities.get_credentials_for_identity(IdentityId=identity_id)["Credentials"]
        key, secret, token = issued["AccessKeyId"], issued["SecretKey"], issued["SessionToken"]
        return cls(identity_id, Credentials(key, secret, token), connect((key, secret, token)))

    def signed_url(self, url: str) -> str:
        """Return the URL of a WebSocket API with a signature in its query, because browsers cannot set headers."""
        parts = urlsplit(url)
        region = self.identity_id.partition(":")[0]  # an identity id is `<region>:<UUID>`
        # botocore only signs http and https URLs, and the scheme is not part of the signature.
        request = AWSRequest("GET", parts._replace(scheme=parts.scheme.replace("ws", "http", 1)).geturl())
        SigV4QueryAuth(self.credentials, "execute-api", region, expires=SIGNED_FOR_SECONDS).add_auth(request)
        return urlsplit(str(request.url))._replace(scheme=parts.scheme).geturl()

    def connect(self, url: str) -> ClientConnection:
        return connect_to_api(self.signed_url(url))
