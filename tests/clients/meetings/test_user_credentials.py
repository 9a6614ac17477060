"""Tests of the renewal of credentials: time, threads, failures and user."""

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
from handlers.meetings.auth_exchange.token_exchange import user_prefixes
from tests.clients.meetings.fake_backend import Backend

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = 60
ANN, BOB = "A" * 32, "B" * 32


@dataclass
class FakeExchange:
    """Exchange that numbers its answers, with a clock."""

    now: datetime = START
    given: int = 0
    user: str = ANN
    failing: MeetingsError | None = None
    asked: int = 0
    meanwhile: Callable[[], None] = lambda: None
    credentials: RefreshableCredentials = field(init=False)

    def __post_init__(self) -> None:
        self.credentials = create_renewable_credentials(self.exchange(), self.exchange, lambda: self.now)

    def exchange(self) -> ExchangeResponse:
        self.asked += 1
        self.meanwhile()
        if self.failing is not None:
            raise self.failing
        self.given += 1
        return ExchangeResponse(
            access_key_id=f"key-{self.given}",
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

    def key(self, after_seconds: float = 0) -> str:
        """Return the access key for a request at a time after the start."""
        self.now = max(self.now, START + timedelta(seconds=after_seconds))
        return str(self.credentials.get_frozen_credentials().access_key)


@pytest.fixture
def bank() -> FakeExchange:
    return FakeExchange()


def test_credentials_are_renewed_at_the_time_that_the_backend_states(bank: FakeExchange) -> None:
    assert [bank.key(minutes * MINUTE) for minutes in (0, 30, 44.9)] == ["key-1"] * 3
    assert bank.key(45 * MINUTE + 1) == "key-2"
    assert bank.key(89 * MINUTE) == "key-2", "they last another hour"
    assert bank.key(91 * MINUTE) == "key-3"
    assert bank.asked == 3


def test_one_thread_renews_while_others_use_the_old_credentials(bank: FakeExchange) -> None:
    entered, others_done = threading.Event(), threading.Event()

    def slow() -> None:
        entered.set()
        assert others_done.wait(5)

    bank.meanwhile = slow
    bank.now += timedelta(minutes=46)
    with ThreadPoolExecutor(9) as pool:
        renewing_one = pool.submit(bank.key)
        assert entered.wait(5)
        others = [item.result(5) for item in [pool.submit(bank.key) for _ in range(8)]]
        others_done.set()
        assert renewing_one.result(5) == "key-2"
    assert others == ["key-1"] * 8
    assert bank.asked == 2


def test_one_thread_renews_expired_credentials_while_others_wait(bank: FakeExchange) -> None:
    bank.now += timedelta(minutes=61)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: bank.key(), range(32))) == ["key-2"] * 32
    assert bank.asked == 2


def test_a_failed_renewal_is_only_logged_while_the_old_credentials_are_valid(
    bank: FakeExchange, caplog: pytest.LogCaptureFixture
) -> None:
    bank.failing = TokenRefused("TOKEN_EXPIRED", "no")
    with caplog.at_level(logging.WARNING):
        assert bank.key(46 * MINUTE) == "key-1"
    assert "Refreshing temporary credentials failed" in caplog.text
    bank.failing = None
    assert bank.key(46 * MINUTE + MAX_PAUSE_SECONDS) == "key-2"


def test_an_unavailable_backend_is_not_called_for_every_request(bank: FakeExchange) -> None:
    bank.failing = ExchangeUnavailable("UNAVAILABLE", "no", retry_after_seconds=10)
    assert [bank.key(46 * MINUTE + second) for second in range(10)] == ["key-1"] * 10
    assert bank.asked == 2
    assert bank.key(46 * MINUTE + 10) == "key-1"
    assert bank.asked == 3


def test_a_pause_after_a_failure_ends_before_the_credentials_expire(bank: FakeExchange) -> None:
    bank.failing = ExchangeUnavailable("UNAVAILABLE", "no", retry_after_seconds=3600)
    bank.key(60 * MINUTE - MANDATORY_RENEWAL_SECONDS - 5)
    bank.failing = None
    assert bank.key(60 * MINUTE - MANDATORY_RENEWAL_SECONDS) == "key-2"


def test_a_failed_renewal_shortly_before_the_expiry_is_raised(bank: FakeExchange) -> None:
    bank.failing = ExchangeUnavailable("UNAVAILABLE", "no")
    with pytest.raises(ExchangeUnavailable):
        bank.key(60 * MINUTE - MANDATORY_RENEWAL_SECONDS + 1)
    with pytest.raises(ExchangeUnavailable):
        bank.key(61 * MINUTE)
    bank.failing = None
    assert bank.key(61 * MINUTE) == "key-2", "and it can be tried again at once"


def test_a_renewed_token_of_another_user_is_refused(bank: FakeExchange) -> None:
    bank.user = BOB
    assert bank.key(46 * MINUTE) == "key-1"
    with pytest.raises(UserChanged):
        bank.key(61 * MINUTE)
    bank.user = ANN
    assert bank.key(61 * MINUTE).startswith("key-")


def test_a_wrong_local_clock_is_an_error(bank: FakeExchange, backend: Backend) -> None:
    with pytest.raises(
        ExchangeFailed, match=r"CLOCK_WRONG.*expire at 2026-01-31T13:00:00\.000Z, but this machine's time is 2026-02"
    ):
        create_renewable_credentials(bank.exchange(), bank.exchange, lambda: START + timedelta(days=1))
    behind = create_renewable_credentials(bank.exchange(), FakeExchange().exchange, lambda: bank.now)
    bank.now += timedelta(hours=2)
    with pytest.raises(ExchangeFailed, match="CLOCK_WRONG"):
        behind.get_frozen_credentials()


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:4566", "https://vpce-1.s3.example.com"])
def test_the_endpoint_of_aws_can_be_replaced(bank: FakeExchange, endpoint: str | None) -> None:
    opened = AccessProvider(bank.exchange, lambda: START, 3, endpoint).get()
    urls = [client.meta.endpoint_url for client in (opened.s3, opened.dynamodb)]
    default = ["https://s3.amazonaws.com", "https://dynamodb.us-east-1.amazonaws.com"]
    assert urls == ([endpoint] * 2 if endpoint else default)
    configs: list[Any] = [client.meta.config for client in (opened.s3, opened.dynamodb)]
    is_local = endpoint is not None and "127.0.0.1" in endpoint
    assert [config.proxies for config in configs] == [{} if is_local else None] * 2, "a proxy cannot reach this machine"


def test_the_first_use_of_a_client_exchanges_the_token_until_it_succeeds(backend: Backend) -> None:
    client = backend.client()
    assert backend.exchanges == 0
    backend.answers = lambda: (503, {}, b"")
    with pytest.raises(ExchangeUnavailable):
        _ = client.user
    backend.answers = None
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: client.user, range(32)))) == 1
    assert (backend.exchanges, len(backend.tokens)) == (1, 2), "the first exchange failed"


def test_requests_are_signed_with_the_exchanged_credentials_and_then_with_the_renewed_ones(backend: Backend) -> None:
    client = backend.client()
    list(client.list_by_date())
    backend.advance(minutes=46)
    list(client.list_by_date())
    assert backend.signed_with == ["AKIDEXAMPLE0001", "AKIDEXAMPLE0002"]
    assert len(backend.tokens) == 2, "each exchange asks the program for a token of that moment"
