"""Separate loggers for each test.

Powertools caches loggers by service name, and a logger keeps the standard output of its creation. So each test needs
another service name.
"""

import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock


@contextmanager
def own_logger() -> Iterator[None]:
    """Set a unique service name, and remove its loggers afterwards, because pytest iterates over all loggers."""
    name = f"test-{uuid.uuid4()}"
    loggers = logging.root.manager.loggerDict
    try:
        with mock.patch.dict(os.environ, POWERTOOLS_SERVICE_NAME=name):
            yield
    finally:
        for logger_name in [key for key in loggers if key.partition(".")[0] == name]:
            del loggers[logger_name]
