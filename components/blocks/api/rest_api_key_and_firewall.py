"""Rate limits of a REST API: an API key with a usage plan, and a firewall that counts requests by address."""

from dataclasses import dataclass

from pulumi_aws import apigateway

from components.blocks.api.stage_throttle_and_logs import Throttle
from components.blocks.block import Block
from components.blocks.naming.physical_names import Kind

QUOTA_PERIOD = "DAY"
FIREWALL_WINDOW_SECONDS = 300
"""Time over which the firewall counts the requests of an address."""


@dataclass(frozen=True)
class KeyUsagePlan:
    """Limits of one API key."""

    throttle: Throttle
    requests_per_day: int


def create_api_key(api: Block, short_name: str, display_name: str, plan: KeyUsagePlan, stage: apigateway.Stage) -> None:
    """Create an API key and its usage plan.

    AWS generates the key's value, which is a secret in the state and not an output.
    """
    scope = api.scope
    usage = apigateway.UsagePlan(
        api.part_name("plan"),
        name=scope.name(Kind.USAGE_PLAN, short_name),
        description=f"Limits of the API keys of {display_name}",
        api_stages=[{"api_id": stage.rest_api, "stage": stage.stage_name}],
        throttle_settings={"rate_limit": plan.throttle.rate, "burst_limit": plan.throttle.burst},
        quota_settings={"limit": plan.requests_per_day, "period": QUOTA_PERIOD},
        tags=scope.tags(display_name),
        opts=api.part_options(stage),
    )
    key = apigateway.ApiKey(
        api.part_name("key"),
        name=scope.name(Kind.API_KEY, short_name),
        description=f"API key of {display_name}",
        enabled=True,
        tags=scope.tags(display_name),
        opts=api.part_options(),
    )
    apigateway.UsagePlanKey(
        api.part_name("plan-key"),
        key_id=key.id,
        key_type="API_KEY",
        usage_plan_id=usage.id,
        opts=api.part_options(),
    )


def create_firewall(
    api: Block, short_name: str, display_name: str, requests_per_address: int, stage: apigateway.Stage
) -> None:
    """Create a firewall that blocks an IP address while it sends more than `requests_per_address` requests in five
    minutes.
    """
    from pulumi_aws import wafv2  # noqa: PLC0415 - takes a third of a second, so only an API with a firewall loads it

    scope = api.scope
    name = scope.name(Kind.FIREWALL, short_name)
    firewall = wafv2.WebAcl(
        api.part_name("firewall"),
        name=name,
        description=f"Limits the requests of each address to {display_name}",
        scope="REGIONAL",
        default_action={"allow": {}},
        rules=[
            {
                "name": "rate",
                "priority": 0,
                "action": {"block": {}},
                "statement": {
                    "rate_based_statement": {
                        "limit": requests_per_address,
                        "aggregate_key_type": "IP",
                        "evaluation_window_sec": FIREWALL_WINDOW_SECONDS,
                    }
                },
                "visibility_config": {
                    "cloudwatch_metrics_enabled": True,
                    "metric_name": f"{name}-rate"[:128],
                    "sampled_requests_enabled": False,
                },
            }
        ],
        visibility_config={"cloudwatch_metrics_enabled": True, "metric_name": name, "sampled_requests_enabled": False},
        tags=scope.tags(display_name),
        opts=api.part_options(),
    )
    wafv2.WebAclAssociation(
        api.part_name("firewall-association"),
        resource_arn=stage.arn,
        web_acl_arn=firewall.arn,
        opts=api.part_options(),
    )
