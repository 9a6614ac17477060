"""Tests of the secret parameter: it is read decrypted and once, and a failed read reveals nothing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from handlers.common.aws import SecretParameter, ServiceFailed
from tests.credentials import credentials

if TYPE_CHECKING:
    from types_boto3_ssm.client import SSMClient

NAME, SECRET = "/canary", "canary-secret"


@pytest.fixture
def ssm(monkeypatch: pytest.MonkeyPatch) -> Iterator["SSMClient"]:
    credentials(monkeypatch)
    with mock_aws():
        yield boto3.client("ssm", region_name="us-east-1")


def test_the_secret_is_read_decrypted_and_once(ssm: "SSMClient") -> None:
    ssm.put_parameter(Name=NAME, Value=SECRET, Type="SecureString")
    secret = SecretParameter(ssm, NAME)
    assert secret() == SECRET
    ssm.put_parameter(Name=NAME, Value="another", Type="SecureString", Overwrite=True)
    assert secret() == SECRET


def test_a_failed_read_of_the_secret_is_retried_and_reveals_nothing(ssm: "SSMClient") -> None:
    secret = SecretParameter(ssm, NAME)
    for _ in range(2):
        with pytest.raises(ServiceFailed) as raised:
            secret()
        assert "canary" not in repr(raised.value)
        assert raised.value.__cause__ is raised.value.__context__ is None
    ssm.put_parameter(Name=NAME, Value=SECRET, Type="SecureString")
    assert secret() == SECRET
