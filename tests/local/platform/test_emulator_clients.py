"""Tests that the AWS settings of the user do not affect the clients of the AWS emulator."""

import os
from pathlib import Path

import pytest

from local.platform.emulator_clients import EmulatorClients

ENDPOINT = "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_PROFILE", "of-the-user"),
        ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "of-the-user"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ],
)
def test_an_environment_variable_of_the_user_does_not_affect_a_client(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    client = EmulatorClients(ENDPOINT)("sqs")
    assert (client.meta.endpoint_url, client.meta.region_name) == (ENDPOINT, "us-east-1")
    assert client._request_signer._credentials.access_key != value


def test_the_users_configuration_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text("[default]\nregion = eu-west-1\nretry_mode = adaptive\nsts_regional_endpoints = nonsense\n")
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, os.fspath(path))
    client = EmulatorClients(ENDPOINT)("sqs")
    assert client.meta.region_name == "us-east-1"
    assert client.meta.config.retries["mode"] != "adaptive"
