"""boto3 clients of the emulator. Nothing of the user's AWS configuration, credentials or proxies reaches them."""

import os
import threading
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from local.platform.emulator import ROOT_ACCESS_KEY
from local.preview.preview_provider import REGION

Clients = Callable[[str], Any]
"""A client by service."""

CONFIG = Config(
    proxies={},
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    connect_timeout=2,
    read_timeout=30,
    max_pool_connections=32,
)
_LOADER = Loader()
"""Of service models, for all sessions: each guest has one of his own, and would read them again."""


class EmulatorClients:
    """One client a service, made when first asked for. Making one is not thread-safe, using it is.

    They are the owner's, unless other credentials are given: key, secret and session token.
    """

    def __init__(
        self, endpoint: str, credentials: tuple[str, str, str | None] = (ROOT_ACCESS_KEY, ROOT_ACCESS_KEY, None)
    ) -> None:
        core = botocore.session.Session()
        core.register_component("data_loader", _LOADER)
        for variable in ("config_file", "credentials_file"):
            core.set_config_variable(variable, os.devnull)
        core.set_config_variable("profile", None)
        core.set_config_variable("ignore_configured_endpoint_urls", value=True)
        core.set_credentials(*credentials)
        # boto3's types know services only by literal names.
        self._session: Any = boto3.Session(botocore_session=core, region_name=REGION)
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __call__(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(service, endpoint_url=self._endpoint, config=CONFIG)
            return self._clients[service]
