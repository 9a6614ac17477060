"""Throttle and log groups of a stage, for REST APIs and WebSocket APIs."""

from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.block import Block


@dataclass(frozen=True)
class Throttle:
    """Rate limit of a stage, for all clients and all methods or routes together."""

    rate: float
    """Requests per second."""
    burst: int
    """Maximum number of requests that may arrive at once. It is the size of a token bucket, which `rate` refills."""

    @staticmethod
    def from_rate(rate: int) -> "Throttle":
        """Return a throttle whose burst is twice the rate."""
        return Throttle(rate, 2 * rate)


def create_log_groups(
    api: Block, display_name: str, access_log: str, execution_log: pulumi.Input[str]
) -> list[cloudwatch.LogGroup]:
    """Create both log groups of a stage.

    API Gateway would otherwise create the group for execution logs itself and keep its lines for ever.
    """
    return [
        api.create_log_group(part, name, display_name)
        for part, name in (("access-logs", access_log), ("execution-logs", execution_log))
    ]
