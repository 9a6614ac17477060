"""Loggers are kept by the name of their service and hold on to standard output: each test has a service of its own."""

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock


@contextmanager
def own_logger() -> Iterator[None]:
    """A service's name that no other test has; its loggers are gone afterwards, as pytest goes through all there are."""
    name = f"test-{uuid.uuid4()}"
    kept = logging.root.manager.loggerDict
    try:
        with mock.patch.dict(os.environ, POWERTOOLS_SERVICE_NAME=name):
            yield
    finally:
        for item in [item for item in kept if item.partition(".")[0] == name]:
            del kept[item]
