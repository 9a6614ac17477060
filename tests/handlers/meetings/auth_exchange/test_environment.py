"""Tests of the token exchange's environment variables."""

from typing import Any

import pytest
from pydantic import ValidationError

from handlers.meetings.auth_exchange.environment import AuthEnvironment

NEEDED = {
    "issuer": "https://issuer.test",
    "audience": "polyphony",
    "jwks_url": "https://issuer.test/keys",
    "client_role": "arn:aws:iam::123456789012:role/client",
    "bucket_name": "b",
    "table_name": "t",
}


def environment(**changes: Any) -> AuthEnvironment:
    return AuthEnvironment.model_validate({**NEEDED, **changes})


def test_credentials_last_an_hour_and_are_renewed_in_the_last_quarter() -> None:
    assert (environment().credential_seconds, environment().renew_before_seconds, environment().origin) == (
        3600,
        900,
        "*",
    )


@pytest.mark.parametrize("name", sorted(NEEDED.keys() - {"jwks_url"}))
def test_a_missing_variable_is_rejected(name: str) -> None:
    with pytest.raises(ValidationError) as raised:
        AuthEnvironment.model_validate({key: value for key, value in NEEDED.items() if key != name})
    assert [error["loc"][0] for error in raised.value.errors()] == [name.upper()]


@pytest.mark.parametrize(
    "changes",
    [
        {"credential_seconds": 899},
        {"credential_seconds": 3601},  # STS limits role chaining to an hour
        {"renew_before_seconds": 59},
        {"renew_before_seconds": 1801},
        {"credential_seconds": 900, "renew_before_seconds": 451},
    ],
)
def test_durations_outside_their_limits_are_rejected(changes: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        environment(**changes)


def test_the_url_of_the_keys_is_optional() -> None:
    kept = {key: value for key, value in NEEDED.items() if key != "jwks_url"}
    assert AuthEnvironment.model_validate(kept).jwks_url is None
