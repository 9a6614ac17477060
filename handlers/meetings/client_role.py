"""The role whose credentials clients get: assumed for one user, whose name is the session's tag.

The tag is what the role's policies compare keys with. The trust policy takes no session without it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as Unreachable

from handlers.meetings.places import USER_TAG

if TYPE_CHECKING:
    from types_boto3_sts.client import STSClient

PASSING = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})
_SERVER_ERROR = 500


class RoleBusy(Exception):
    """STS does not answer now, or has too much to do: another attempt may succeed."""


class RoleRefused(Exception):
    """STS does not let us take the role: a mistake of the deployment. Says AWS' own word for it, and no more."""


@dataclass(frozen=True)
class Credentials:
    """Of one session."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime


class ClientRole:
    """Gives sessions of the role."""

    def __init__(self, client: "STSClient", arn: str, seconds: int) -> None:
        self._client = client
        self._arn = arn
        self._seconds = seconds

    def session(self, user: str, name: str) -> Credentials:
        """A session of this user; raises RoleBusy or RoleRefused, neither of which holds what AWS said: that quotes."""
        try:
            answer = self._client.assume_role(
                RoleArn=self._arn,
                RoleSessionName=name,
                DurationSeconds=self._seconds,
                Tags=[{"Key": USER_TAG, "Value": user}],
            )
        except ClientError as error:
            code, passes = error.response["Error"]["Code"], _passes(error)
        except (HTTPClientError, Unreachable) as error:
            code, passes = type(error).__name__, True
        else:
            given = answer["Credentials"]
            return Credentials(
                given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], given["Expiration"]
            )
        raise RoleBusy(code) if passes else RoleRefused(code)


def _passes(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error.response["Error"]["Code"] in PASSING or status >= _SERVER_ERROR
