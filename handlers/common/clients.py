"""How handlers speak with AWS: patient with throttling, impatient with silence, one connection a worker."""

from botocore.config import Config

WORKERS = 16
"""Calls at once. One file's calls take milliseconds each; this many hide most of that within one invocation."""

CONFIG = Config(
    connect_timeout=2,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=WORKERS,
)
