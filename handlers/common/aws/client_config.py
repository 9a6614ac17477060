"""Configuration of boto3 clients: timeouts, retries, and enough connections for parallel calls.

Importing this module also limits the log level of boto3 and its libraries.
"""

import logging

from botocore.config import Config

# Lambda sets the function's log level for every logger. At DEBUG, these loggers would write requests and responses.
for name in ("boto3", "botocore", "s3transfer", "urllib3"):
    logging.getLogger(name).setLevel(logging.INFO)

MAX_WORKERS = 16
"""Maximum number of parallel calls. Each call takes some milliseconds, most of which is waiting for the response."""

CONFIG = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=MAX_WORKERS,
)
"""Default configuration. Throttled calls are retried, and an attempt without a response ends after ten seconds."""

SHORT_TIMEOUT_CONFIG = Config(
    connect_timeout=0.5,
    read_timeout=0.8,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=MAX_WORKERS,
)
"""Configuration for work that a user waits for in real time, so that a late response would be useless."""


def build_presigning_config(*, accelerated: bool = False) -> Config:
    """Return the configuration of an S3 client that creates presigned URLs and forms.

    The URLs name the regional endpoint of S3, or the endpoint of S3 Transfer Acceleration if `accelerated` is True. The
    global endpoint would answer a form with a redirect. Buckets with a KMS key require signature version 4.
    """
    return Config(
        signature_version="s3v4",
        s3={
            "addressing_style": "virtual",
            "us_east_1_regional_endpoint": "regional",
            "use_accelerate_endpoint": accelerated,
        },
    )
