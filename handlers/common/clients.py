"""How handlers speak with AWS: patient with throttling, impatient with silence, one connection a worker."""

import logging

from botocore.config import Config

# Lambda gives the function's own level to every logger, and at DEBUG these write what is sent and received.
for name in ("boto3", "botocore", "s3transfer", "urllib3"):
    logging.getLogger(name).setLevel(logging.INFO)

WORKERS = 16
"""Calls at once. One file's calls take milliseconds each; this many hide most of that within one invocation."""

CONFIG = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=WORKERS,
)

LIVE_CONFIG = Config(
    connect_timeout=0.5,
    read_timeout=0.8,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=WORKERS,
)
"""Where somebody is listening: what does not answer at once is too late in any case."""
