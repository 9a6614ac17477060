"""A user's AWS credentials, which are renewed automatically, and the boto3 clients for S3 and DynamoDB that use them.

The token exchange trades an identity provider's token for the credentials. Its first response states when the first
credentials should be renewed, for example 15 minutes before they expire. The same number of minutes applies to all
later credentials.

The first thread that makes an AWS call after the time for renewal renews the credentials, while other threads continue
with the old credentials. If the renewal fails, the old credentials stay in use until half a minute before they expire.
After that, AWS calls raise the error of the renewal.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, RefreshableCredentials

from clients.meetings.client_errors import ExchangeFailed, ExchangeUnavailable, MeetingsError, UserChanged
from clients.meetings.token_exchange_request import is_local_url
from handlers.meetings.auth_exchange.api_models import ExchangeResponse

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_s3.client import S3Client

METHOD = "polyphony-meetings"
"""Name under which botocore reports the source of these credentials."""
MANDATORY_RENEWAL_SECONDS = 30
"""Time before the expiry from which all threads wait for new credentials, and a failed renewal is raised."""
MAX_PAUSE_SECONDS = 30
"""Maximum pause between a failed renewal and the next try, as long as the old credentials can be used."""


@dataclass(frozen=True)
class UserAccess:
    """The user's id, the bucket and the table of the meetings, and boto3 clients with the user's credentials."""

    user: str
    bucket: str
    table: str
    s3: "S3Client"
    dynamodb: "DynamoDBClient"


class AccessProvider:
    """Provider of the `UserAccess` of one user. Threads may share it."""

    def __init__(
        self,
        exchange: Callable[[], ExchangeResponse],
        clock: Callable[[], datetime],
        connections: int,
        endpoint_url: str | None = None,
    ) -> None:
        """`connections` is the maximum number of each boto3 client's connections. `endpoint_url` replaces the endpoints
        of S3 and DynamoDB.
        """
        self._exchange = exchange
        self._clock = clock
        self._endpoint_url = endpoint_url
        self._config = Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 5},
            max_pool_connections=connections,
            proxies={} if endpoint_url is not None and is_local_url(endpoint_url) else None,
        )
        self._lock = threading.Lock()
        self._access: UserAccess | None = None

    def get(self) -> UserAccess:
        """Return the user's access. Only the first call exchanges a token itself. Raises ExchangeFailed."""
        with self._lock:
            if self._access is None:
                self._access = self._open(self._exchange())
            return self._access

    def _open(self, first: ExchangeResponse) -> UserAccess:
        """Create boto3 clients that start with the credentials of the first response."""
        botocore_session = botocore.session.get_session()
        provider = _FixedProvider(create_renewable_credentials(first, self._exchange, self._clock))
        botocore_session.register_component("credential_provider", CredentialResolver([provider]))
        session = boto3.Session(botocore_session=botocore_session, region_name=first.region)
        return UserAccess(
            first.user,
            first.bucket_name,
            first.table_name,
            session.client("s3", endpoint_url=self._endpoint_url, config=self._config),
            session.client("dynamodb", endpoint_url=self._endpoint_url, config=self._config),
        )


class _FixedProvider(CredentialProvider):
    """botocore's interface for a source of credentials. It returns credentials that exist already."""

    METHOD = METHOD

    def __init__(self, credentials: RefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> RefreshableCredentials:
        return self._credentials


def create_renewable_credentials(
    first: ExchangeResponse, exchange: Callable[[], ExchangeResponse], clock: Callable[[], datetime]
) -> RefreshableCredentials:
    """Return credentials that botocore renews through the exchange.

    `first` contains the first credentials, and states how long before the expiry all credentials are renewed.
    """
    expires_at, renew_at = _parse_expiry(first, clock()), datetime.fromisoformat(first.renew_after)
    return RefreshableCredentials(
        access_key=first.access_key_id,
        secret_key=first.secret_access_key,
        token=first.session_token,
        expiry_time=expires_at,
        refresh_using=_Renewal(exchange, first.user, expires_at, clock),
        method=METHOD,
        time_fetcher=clock,
        advisory_timeout=int((expires_at - renew_at).total_seconds()),
        mandatory_timeout=MANDATORY_RENEWAL_SECONDS,
    )


class _Renewal:
    """Callable that returns new credentials in botocore's format. botocore calls it from one thread at a time.

    After a failure, botocore calls it for every AWS call. So it raises the same error without an exchange, until a
    pause is over or the old credentials are about to expire.
    """

    def __init__(
        self, exchange: Callable[[], ExchangeResponse], user: str, expires_at: datetime, clock: Callable[[], datetime]
    ) -> None:
        self._exchange = exchange
        self._user = user
        self._expires_at = expires_at
        self._clock = clock
        self._failure: MeetingsError | None = None
        self._retry_at = expires_at

    def __call__(self) -> dict[str, Any]:
        now = self._clock()
        if self._failure is not None and now < min(
            self._retry_at, self._expires_at - timedelta(seconds=MANDATORY_RENEWAL_SECONDS)
        ):
            raise self._failure
        try:
            new = self._exchange()
            if new.user != self._user:
                raise UserChanged("The renewed token belongs to another user. Create a new client for this user.")
            expires_at = _parse_expiry(new, now)
        except MeetingsError as error:
            self._failure = error
            pause = error.retry_after_seconds if isinstance(error, ExchangeUnavailable) else MAX_PAUSE_SECONDS
            self._retry_at = now + timedelta(seconds=min(pause, MAX_PAUSE_SECONDS))
            raise
        self._failure, self._expires_at = None, expires_at
        return {
            "access_key": new.access_key_id,
            "secret_key": new.secret_access_key,
            "token": new.session_token,
            "expiry_time": new.expiration,
        }


def _parse_expiry(credentials: ExchangeResponse, now: datetime) -> datetime:
    """Return the expiry of new credentials. Raises ExchangeFailed if it is past, because then the clock is wrong."""
    expires_at = datetime.fromisoformat(credentials.expiration)
    if expires_at <= now:
        raise ExchangeFailed(
            "CLOCK_WRONG", f"New credentials expire at {credentials.expiration}, but this machine's time is {now}."
        )
    return expires_at
