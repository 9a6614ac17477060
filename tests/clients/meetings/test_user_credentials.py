"""Tests of the renewal of a client's AWS credentials: its time, threads, failures, and a change of the user."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials

from clients.meetings import ExchangeFailed, ExchangeUnavailable, MeetingsError, TokenRefused, UserChanged
from clients.meetings.user_credentials import (
    MANDATORY_RENEWAL_SECONDS,
    MAX_PAUSE_SECONDS,
    AccessProvider,
    create_renewable_credentials,
)
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.auth_exchange.api_models import ExchangeResponse
from handlers.meetings.auth_exchange.credentials_exchange import user_prefixes
from tests.clients.meetings.fake_backend import Backend

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = 60
ANN, BOB = "A" * 32, "B" * 32


@dataclass
class FakeExchange:
    """Fake token exchange, which numbers its credentials, and credentials that it renews. A test sets the time.

    The first exchange happens when the object is created.
    """

    now: datetime = START
    issued_count: int = 0
    """Number of credentials that the exchange has returned."""
    user: str = ANN
    error: MeetingsError | None = None
    """Error that every exchange raises, if it is set."""
    call_count: int = 0
    before_response: Callable[[], None] = lambda: None
    """Function that each exchange calls before it responds."""
    credentials: RefreshableCredentials = field(init=False)

    def __post_init__(self) -> None:
        self.credentials = create_renewable_credentials(self.exchange(), self.exchange, lambda: self.now)

    def exchange(self) -> ExchangeResponse:
        self.call_count += 1
        self.before_response()
        if self.error is not None:
            raise self.error
        self.issued_count += 1
        return ExchangeResponse(
            access_key_id=f"key-{self.issued_count}",
            secret_access_key="s",
            session_token="t",
            expiration=timestamp(self.now + timedelta(minutes=60)),
            renew_after=timestamp(self.now + timedelta(minutes=45)),
            user=self.user,
            bucket_name="b",
            table_name="t",
            region="us-east-1",
            prefixes=user_prefixes(self.user),
        )

    def access_key(self, after_seconds: float = 0) -> str:
        """Return the access key for a request at a time after the start, or at `now` if that is later."""
        self.now = max(self.now, START + timedelta(seconds=after_seconds))
        return str(self.credentials.get_frozen_credentials().access_key)


@pytest.fixture
def fake_exchange() -> FakeExchange:
    return FakeExchange()


def test_credentials_are_renewed_at_the_time_that_the_backend_states(fake_exchange: FakeExchange) -> None:
    assert [fake_exchange.access_key(minutes * MINUTE) for minutes in (0, 30, 44.9)] == ["key-1"] * 3
    assert fake_exchange.access_key(45 * MINUTE + 1) == "key-2"
    assert fake_exchange.access_key(89 * MINUTE) == "key-2", "the renewed credentials are valid for another hour"
    assert fake_exchange.access_key(91 * MINUTE) == "key-3"
    assert fake_exchange.call_count == 3


def test_one_thread_renews_while_others_use_the_old_credentials(fake_exchange: FakeExchange) -> None:
    renewal_started, others_done = threading.Event(), threading.Event()

    def wait_for_others() -> None:
        renewal_started.set()
        assert others_done.wait(5)

    fake_exchange.before_response = wait_for_others
    fake_exchange.now += timedelta(minutes=46)
    with ThreadPoolExecutor(9) as pool:
        renewing_call = pool.submit(fake_exchange.access_key)
        assert renewal_started.wait(5)
        other_keys = [call.result(5) for call in [pool.submit(fake_exchange.access_key) for _ in range(8)]]
        others_done.set()
        assert renewing_call.result(5) == "key-2"
    assert other_keys == ["key-1"] * 8
    assert fake_exchange.call_count == 2


def test_one_thread_renews_expired_credentials_while_others_wait(fake_exchange: FakeExchange) -> None:
    fake_exchange.now += timedelta(minutes=61)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: fake_exchange.access_key(), range(32))) == ["key-2"] * 32
    assert fake_exchange.call_count == 2


def test_a_failed_renewal_is_only_logged_while_the_old_credentials_are_valid(
    fake_exchange: FakeExchange, caplog: pytest.LogCaptureFixture
) -> None:
    fake_exchange.error = TokenRefused("TOKEN_EXPIRED", "no")
    with caplog.at_level(logging.WARNING):
        assert fake_exchange.access_key(46 * MINUTE) == "key-1"
    assert "Refreshing temporary credentials failed" in caplog.text
    fake_exchange.error = None
    assert fake_exchange.access_key(46 * MINUTE + MAX_PAUSE_SECONDS) == "key-2"


def test_an_unavailable_backend_is_not_called_for_every_request(fake_exchange: FakeExchange) -> None:
    fake_exchange.error = ExchangeUnavailable("UNAVAILABLE", "no", retry_after_seconds=10)
    assert [fake_exchange.access_key(46 * MINUTE + second) for second in range(10)] == ["key-1"] * 10
    assert fake_exchange.call_count == 2
    assert fake_exchange.access_key(46 * MINUTE + 10) == "key-1"
    assert fake_exchange.call_count == 3


def test_a_pause_after_a_failure_ends_before_the_credentials_expire(fake_exchange: FakeExchange) -> None:
    fake_exchange.error = ExchangeUnavailable("UNAVAILABLE", "no", retry_after_seconds=3600)
    fake_exchange.access_key(60 * MINUTE - MANDATORY_RENEWAL_SECONDS - 5)
    fake_exchange.error = None
    assert fake_exchange.access_key(60 * MINUTE - MANDATORY_RENEWAL_SECONDS) == "key-2"


def test_a_failed_renewal_shortly_before_the_expiry_is_raised(fake_exchange: FakeExchange) -> None:
    fake_exchange.error = ExchangeUnavailable("UNAVAILABLE", "no")
    with pytest.raises(ExchangeUnavailable):
        fake_exchange.access_key(60 * MINUTE - MANDATORY_RENEWAL_SECONDS + 1)
    with pytest.raises(ExchangeUnavailable):
        fake_exchange.access_key(61 * MINUTE)
    fake_exchange.error = None
    assert fake_exchange.access_key(61 * MINUTE) == "key-2", "the next request tries the renewal again at once"


def test_a_renewed_token_of_another_user_is_refused(fake_exchange: FakeExchange) -> None:
    fake_exchange.user = BOB
    assert fake_exchange.access_key(46 * MINUTE) == "key-1"
    with pytest.raises(UserChanged):
        fake_exchange.access_key(61 * MINUTE)
    fake_exchange.user = ANN
    assert fake_exchange.access_key(61 * MINUTE).startswith("key-")


def test_a_wrong_local_clock_is_an_error(fake_exchange: FakeExchange, backend: Backend) -> None:
    with pytest.raises(
        ExchangeFailed, match=r"CLOCK_WRONG.*expire at 2026-01-31T13:00:00\.000Z, but this machine's time is 2026-02"
    ):
        create_renewable_credentials(
            fake_exchange.exchange(), fake_exchange.exchange, lambda: START + timedelta(days=1)
        )
    credentials = create_renewable_credentials(
        fake_exchange.exchange(), FakeExchange().exchange, lambda: fake_exchange.now
    )
    fake_exchange.now += timedelta(hours=2)  # the other exchange issues credentials that this clock considers expired
    with pytest.raises(ExchangeFailed, match="CLOCK_WRONG"):
        credentials.get_frozen_credentials()


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:4566", "https://vpce-1.s3.example.com"])
def test_the_endpoint_of_s3_and_dynamodb_can_be_replaced(fake_exchange: FakeExchange, endpoint: str | None) -> None:
    access = AccessProvider(fake_exchange.exchange, lambda: START, 3, endpoint).get()
    urls = [client.meta.endpoint_url for client in (access.s3, access.dynamodb)]
    default = ["https://s3.amazonaws.com", "https://dynamodb.us-east-1.amazonaws.com"]
    assert urls == ([endpoint] * 2 if endpoint else default)
    configs: list[Any] = [client.meta.config for client in (access.s3, access.dynamodb)]
    is_local = endpoint is not None and "127.0.0.1" in endpoint
    assert [config.proxies for config in configs] == [{} if is_local else None] * 2, "a proxy cannot reach this machine"


def test_the_first_use_of_a_client_exchanges_the_token_until_it_succeeds(backend: Backend) -> None:
    client = backend.create_client()
    assert backend.exchange_count == 0
    backend.fake_response = lambda: (503, {}, b"")
    with pytest.raises(ExchangeUnavailable):
        _ = client.user
    backend.fake_response = None
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: client.user, range(32)))) == 1
    assert (backend.exchange_count, len(backend.tokens)) == (1, 2), "the first exchange failed"


def test_requests_are_signed_with_the_exchanged_credentials_and_then_with_the_renewed_ones(backend: Backend) -> None:
    client = backend.create_client()
    list(client.list_by_date())
    backend.advance(minutes=46)
    list(client.list_by_date())
    assert backend.used_access_keys == ["AKIDEXAMPLE0001", "AKIDEXAMPLE0002"]
    assert len(backend.tokens) == 2, "each exchange gets a new token from the program"
