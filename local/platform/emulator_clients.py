"""boto3 clients of the emulator, which the user's AWS profile, configuration, endpoints and proxies do not affect."""

import json
import os
import threading
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from local import REGION
from local.platform.emulator import ROOT_ACCESS_KEY

ClientFactory = Callable[[str], Any]
"""Function that returns the client of a service by its boto3 name."""

CONFIG = Config(
    proxies={},
    # A retry could hide an error of the emulator.
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    connect_timeout=2,
    read_timeout=30,
    max_pool_connections=32,
)
_WITHOUT_USER_SETTINGS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
    "ignore_configured_endpoint_urls": (None, None, True, None),
}
"""Settings of a botocore session by name, each with its name in the configuration file, its environment variable, its
default and its conversion. The first two are missing here, so botocore reads neither file nor variable.
"""
_LOADER = Loader()
"""Loader of botocore's service models. All sessions share it, because reading the models is slow."""


class EmulatorClients:
    """Clients of the emulator, one per service, created on first use. Several threads may use them.

    The clients have the credentials of the account's root user, unless `credentials` gives others: access key, secret
    key and session token. The root user's access key is also its secret key.
    """

    def __init__(
        self, endpoint: str, credentials: tuple[str, str, str | None] = (ROOT_ACCESS_KEY, ROOT_ACCESS_KEY, None)
    ) -> None:
        botocore_session = botocore.session.Session(session_vars=_WITHOUT_USER_SETTINGS)
        botocore_session.register_component("data_loader", _LOADER)
        botocore_session.set_credentials(*credentials)
        # boto3's types accept only literal service names.
        self._session: Any = boto3.Session(botocore_session=botocore_session, region_name=REGION)
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str) -> Any:
        with self._lock:  # boto3's creation of clients is not thread-safe
            if service not in self._clients:
                self._clients[service] = self._session.client(service, endpoint_url=self._endpoint, config=CONFIG)
            return self._clients[service]

    def resource(self, service: str) -> Any:
        """Return a new resource of boto3."""
        with self._lock:
            return self._session.resource(service, endpoint_url=self._endpoint, config=CONFIG)


def invoke(clients: ClientFactory, function: str, **event: Any) -> dict[str, Any]:
    """Invoke a function with an event, and return its result, or Lambda's error object if it raised an exception."""
    answer = clients("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    return result
