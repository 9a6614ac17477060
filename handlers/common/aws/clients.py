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


def signing(*, accelerated: bool = False) -> Config:
    """What a client of S3 needs that signs addresses for others.

    They name the bucket's own Region, or the nearest edge: the global one would answer a form with a redirect. And
    they are signed as buckets with a key of their own take it.
    """
    return Config(
        signature_version="s3v4",
        s3={
            "addressing_style": "virtual",
            "us_east_1_regional_endpoint": "regional",
            "use_accelerate_endpoint": accelerated,
        },
    )
