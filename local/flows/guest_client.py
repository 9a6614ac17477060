"""A guest of an identity pool, as a page in a browser is one: an identity, an hour's credentials, and what they sign.

Nothing of it is the owner's: pools are asked without credentials, everything else with the guest's own.
"""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from websockets.sync.client import ClientConnection, connect

from local.platform.emulator_clients import Clients, EmulatorClients
from local.preview.preview_provider import REGION

SIGNED_FOR_SECONDS = 60
"""How long a signed address is good for: long enough to connect, too short to be worth passing on."""


@dataclass(frozen=True)
class Guest:
    """One guest."""

    identity_id: str
    credentials: Credentials = field(repr=False)
    client: Clients = field(repr=False)
    """A client by service, with the guest's credentials."""

    @classmethod
    def of(cls, endpoint: str, pool_id: str) -> Self:
        """A new guest of a pool: nobody has met him before."""
        identities = EmulatorClients(endpoint)("cognito-identity")
        return cls.again(endpoint, identities.get_id(IdentityPoolId=pool_id)["IdentityId"])

    @classmethod
    def again(cls, endpoint: str, identity_id: str) -> Self:
        """A guest who kept his identity id, with new credentials."""
        identities = EmulatorClients(endpoint)("cognito-identity")
        given = identities.get_credentials_for_identity(IdentityId=identity_id)["Credentials"]
        key, secret, token = given["AccessKeyId"], given["SecretKey"], given["SessionToken"]
        return cls(identity_id, Credentials(key, secret, token), EmulatorClients(endpoint, (key, secret, token)))

    def signed_url(self, url: str) -> str:
        """The address of a WebSocket API, signed in its query: browsers can set no header.

        The session token is part of what is signed.
        """
        address = urlsplit(url)
        # The scheme is no part of a signature; botocore knows http only.
        request = AWSRequest("GET", address._replace(scheme=address.scheme.replace("ws", "http", 1)).geturl())
        SigV4QueryAuth(self.credentials, "execute-api", REGION, expires=SIGNED_FOR_SECONDS).add_auth(request)
        return urlsplit(str(request.url))._replace(scheme=address.scheme).geturl()

    def connect(self, url: str) -> ClientConnection:
        """A connection to a WebSocket API."""
        return connect(self.signed_url(url), proxy=None, close_timeout=1)
