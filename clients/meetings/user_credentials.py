"""A user's credentials, kept fresh for as long as a client lives, and the AWS clients that sign with them.

They are renewed when the backend said so, by whichever thread next asks AWS for something; the others go on with the
old ones. Where that fails, the old ones serve until shortly before they end; from then on it is the caller's error.
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
from clients.meetings.token_exchange_request import on_this_machine
from handlers.meetings.auth_exchange.api_models import ExchangeResponse

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_s3.client import S3Client

METHOD = "polyphony-meetings"
LAST_SECONDS = 30
"""So long before they end, everybody waits for new credentials, and a failure is told."""
PAUSE_SECONDS = 30
"""How long nobody tries again after a renewal failed, while the old credentials serve."""


@dataclass(frozen=True)
class Opened:
    """Where a user's meetings are, and how they are reached."""

    user: str
    bucket: str
    table: str
    s3: "S3Client"
    dynamodb: "DynamoDBClient"


class Access:
    """A user's access. Threads may share it."""

    def __init__(
        self,
        exchange: Callable[[], ExchangeResponse],
        clock: Callable[[], datetime],
        connections: int,
        endpoint_url: str | None = None,
    ) -> None:
        """`endpoint_url`: where S3 and DynamoDB are, if not where they are for everybody."""
        self._exchange = exchange
        self._clock = clock
        self._endpoint_url = endpoint_url
        self._config = Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 5},
            max_pool_connections=connections,
            proxies={} if endpoint_url is not None and on_this_machine(endpoint_url) else None,
        )
        self._opening = threading.Lock()
        self._opened: Opened | None = None

    def opened(self) -> Opened:
        """The user's access; the first who asks waits for the exchange. Raises ExchangeFailed."""
        with self._opening:
            if self._opened is None:
                self._opened = self._open(self._exchange())
            return self._opened

    def _open(self, first: ExchangeResponse) -> Opened:
        core = botocore.session.get_session()
        given = _Given(renewing(first, self._exchange, self._clock))
        core.register_component("credential_provider", CredentialResolver([given]))
        session = boto3.Session(botocore_session=core, region_name=first.region)
        return Opened(
            first.user,
            first.bucket_name,
            first.table_name,
            session.client("s3", endpoint_url=self._endpoint_url, config=self._config),
            session.client("dynamodb", endpoint_url=self._endpoint_url, config=self._config),
        )


class _Given(CredentialProvider):
    """Tells botocore of credentials that are there."""

    METHOD = METHOD

    def __init__(self, credentials: RefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> RefreshableCredentials:
        """Them."""
        return self._credentials


def renewing(
    first: ExchangeResponse, exchange: Callable[[], ExchangeResponse], clock: Callable[[], datetime]
) -> RefreshableCredentials:
    """Credentials that renew themselves when it is time."""
    ends, early = _end(first, clock()), _moment(first.renew_after)
    return RefreshableCredentials(
        access_key=first.access_key_id,
        secret_key=first.secret_access_key,
        token=first.session_token,
        expiry_time=ends,
        refresh_using=_Renewal(exchange, first.user, ends, clock),
        method=METHOD,
        time_fetcher=clock,
        advisory_timeout=int((ends - early).total_seconds()),
        mandatory_timeout=LAST_SECONDS,
    )


class _Renewal:
    """Gives new credentials in botocore's form. botocore calls it from one thread at a time."""

    def __init__(
        self, exchange: Callable[[], ExchangeResponse], user: str, ends: datetime, clock: Callable[[], datetime]
    ) -> None:
        self._exchange = exchange
        self._user = user
        self._ends = ends
        self._clock = clock
        self._failure: MeetingsError | None = None
        self._not_before = ends

    def __call__(self) -> dict[str, Any]:
        now = self._clock()
        if self._failure is not None and now < min(self._not_before, self._ends - timedelta(seconds=LAST_SECONDS)):
            raise self._failure
        try:
            new = self._exchange()
            if new.user != self._user:
                raise UserChanged("the renewed token is of another user: make a client of his own for him")
            ends = _end(new, now)
        except MeetingsError as error:
            self._failure = error
            pause = error.retry_after_seconds if isinstance(error, ExchangeUnavailable) else PAUSE_SECONDS
            self._not_before = now + timedelta(seconds=min(pause, PAUSE_SECONDS))
            raise
        self._failure, self._ends = None, ends
        return {
            "access_key": new.access_key_id,
            "secret_key": new.secret_access_key,
            "token": new.session_token,
            "expiry_time": new.expiration,
        }


def _end(given: ExchangeResponse, now: datetime) -> datetime:
    """When credentials end, which they have not yet unless this machine is in another time."""
    ends = _moment(given.expiration)
    if ends <= now:
        raise ExchangeFailed("CLOCK_WRONG", f"new credentials end at {given.expiration}, and here it is {now}")
    return ends


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
