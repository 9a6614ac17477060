"""Credentials are renewed when it is time: by one thread, before they end, and for the same user."""

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
from clients.meetings.user_credentials import LAST_SECONDS, PAUSE_SECONDS, Access, renewing
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.auth_exchange.api_models import ExchangeResponse
from handlers.meetings.auth_exchange.token_exchange import user_prefixes
from tests.clients.meetings.fake_backend import Backend

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = 60
ANN, BOB = "A" * 32, "B" * 32


@dataclass
class Bank:
    """An exchange whose answers are told apart by number, and a clock."""

    now: datetime = START
    given: int = 0
    user: str = ANN
    failing: MeetingsError | None = None
    asked: int = 0
    meanwhile: Callable[[], None] = lambda: None
    credentials: RefreshableCredentials = field(init=False)

    def __post_init__(self) -> None:
        self.credentials = renewing(self.exchange(), self.exchange, lambda: self.now)

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
        """The access key that a request would be signed with, so long after the start."""
        self.now = max(self.now, START + timedelta(seconds=after_seconds))
        return str(self.credentials.get_frozen_credentials().access_key)


@pytest.fixture
def bank() -> Bank:
    return Bank()


def test_credentials_are_renewed_when_the_backend_said_so_and_not_before(bank: Bank) -> None:
    assert [bank.key(minutes * MINUTE) for minutes in (0, 30, 44.9)] == ["key-1"] * 3
    assert bank.key(45 * MINUTE + 1) == "key-2"
    assert bank.key(89 * MINUTE) == "key-2", "they last another hour"
    assert bank.key(91 * MINUTE) == "key-3"
    assert bank.asked == 3


def test_of_many_threads_one_renews_and_the_others_go_on(bank: Bank) -> None:
    entered, others_done = threading.Event(), threading.Event()

    def slow() -> None:
        entered.set()
        assert others_done.wait(5)

    bank.meanwhile = slow
    bank.now += timedelta(minutes=46)
    with ThreadPoolExecutor(9) as pool:
        renewing_one = pool.submit(bank.key)
        assert entered.wait(5)
        others = [one.result(5) for one in [pool.submit(bank.key) for _ in range(8)]]
        others_done.set()
        assert renewing_one.result(5) == "key-2"
    assert others == ["key-1"] * 8
    assert bank.asked == 2


def test_of_many_threads_one_renews_what_has_ended_and_the_others_wait(bank: Bank) -> None:
    bank.now += timedelta(minutes=61)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: bank.key(), range(32))) == ["key-2"] * 32
    assert bank.asked == 2


def test_while_the_old_ones_last_a_failure_is_logged_and_no_more(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    bank.failing = TokenRefused("TOKEN_EXPIRED", "no")
    with caplog.at_level(logging.WARNING):
        assert bank.key(46 * MINUTE) == "key-1"
    assert "Refreshing temporary credentials failed" in caplog.text
    bank.failing = None
    assert bank.key(46 * MINUTE + PAUSE_SECONDS) == "key-2"


def test_a_backend_that_is_away_is_not_asked_by_every_request(bank: Bank) -> None:
    bank.failing = ExchangeUnavailable("UNAVAILABLE", "no", retry_after_seconds=10)
    assert [bank.key(46 * MINUTE + second) for second in range(10)] == ["key-1"] * 10
    assert bank.asked == 2
    assert bank.key(46 * MINUTE + 10) == "key-1"
    assert bank.asked == 3


def test_a_pause_is_never_so_long_that_credentials_end_in_it(bank: Bank) -> None:
    bank.failing = ExchangeUnavailable("UNAVAILABLE", "no", retry_after_seconds=3600)
    bank.key(60 * MINUTE - LAST_SECONDS - 5)
    bank.failing = None
    assert bank.key(60 * MINUTE - LAST_SECONDS) == "key-2"


def test_shortly_before_the_end_a_failure_is_the_callers(bank: Bank) -> None:
    bank.failing = ExchangeUnavailable("UNAVAILABLE", "no")
    with pytest.raises(ExchangeUnavailable):
        bank.key(60 * MINUTE - LAST_SECONDS + 1)
    with pytest.raises(ExchangeUnavailable):
        bank.key(61 * MINUTE)
    bank.failing = None
    assert bank.key(61 * MINUTE) == "key-2", "and it can be tried again at once"


def test_a_token_of_somebody_else_never_takes_over(bank: Bank) -> None:
    bank.user = BOB
    assert bank.key(46 * MINUTE) == "key-1"
    with pytest.raises(UserChanged):
        bank.key(61 * MINUTE)
    bank.user = ANN
    assert bank.key(61 * MINUTE).startswith("key-")


def test_a_clock_that_is_hours_ahead_is_said_to_be_wrong(bank: Bank, backend: Backend) -> None:
    with pytest.raises(ExchangeFailed, match=r"CLOCK_WRONG.*end at 2026-01-31T13:00:00\.000Z, and here it is 2026-02"):
        renewing(bank.exchange(), bank.exchange, lambda: START + timedelta(days=1))
    behind = renewing(bank.exchange(), Bank().exchange, lambda: bank.now)
    bank.now += timedelta(hours=2)
    with pytest.raises(ExchangeFailed, match="CLOCK_WRONG"):
        behind.get_frozen_credentials()


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:4566", "https://vpce-1.s3.example.com"])
def test_aws_is_where_it_is_for_everybody_or_where_the_program_says(bank: Bank, endpoint: str | None) -> None:
    opened = Access(bank.exchange, lambda: START, 3, endpoint).opened()
    urls = [one.meta.endpoint_url for one in (opened.s3, opened.dynamodb)]
    assert urls == (
        [endpoint] * 2 if endpoint else ["https://s3.amazonaws.com", "https://dynamodb.us-east-1.amazonaws.com"]
    )
    configs: list[Any] = [one.meta.config for one in (opened.s3, opened.dynamodb)]
    proxies = [one.proxies for one in configs]
    assert proxies == [{} if endpoint and "127.0.0.1" in endpoint else None] * 2, "a proxy does not reach this machine"


def test_a_client_asks_for_nothing_before_it_is_used_and_then_until_it_is_answered_once(backend: Backend) -> None:
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
    backend.passes(minutes=46)
    list(client.list_by_date())
    assert backend.signed_with == ["AKIDEXAMPLE0001", "AKIDEXAMPLE0002"]
    assert len(backend.tokens) == 2, "each exchange asks the program for a token of that moment"
