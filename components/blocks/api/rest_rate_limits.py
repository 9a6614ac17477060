"""How much one caller may ask of a REST API: a key with a usage plan, and a firewall that counts by address."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pulumi_aws import apigateway

from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Block

if TYPE_CHECKING:
    from pulumi_aws import wafv2

QUOTA_PERIOD = "DAY"
FIREWALL_WINDOW_SECONDS = 300


@dataclass(frozen=True)
class Plan:
    """What one key may ask for."""

    rate: float
    """Requests a second."""
    burst: int
    requests_per_day: int


def give_key(api: Block, what: str, logical_name: str, plan: Plan, stage: apigateway.Stage) -> apigateway.ApiKey:
    """A key, and the plan by which it may be used; AWS invents the key's value, a secret of the state and no output."""
    scope = api.scope
    usage = apigateway.UsagePlan(
        api.part("plan"),
        name=scope.name(Kind.USAGE_PLAN, what),
        description=f"Who holds a key of {logical_name}",
        api_stages=[{"api_id": stage.rest_api, "stage": stage.stage_name}],
        throttle_settings={"rate_limit": plan.rate, "burst_limit": plan.burst},
        quota_settings={"limit": plan.requests_per_day, "period": QUOTA_PERIOD},
        tags=scope.tags(logical_name),
        opts=api.inside(stage),
    )
    key = apigateway.ApiKey(
        api.part("key"),
        name=scope.name(Kind.API_KEY, what),
        description=f"Lets its holder call {logical_name}",
        enabled=True,
        tags=scope.tags(logical_name),
        opts=api.inside(),
    )
    apigateway.UsagePlanKey(
        api.part("plan-key"),
        key_id=key.id,
        key_type="API_KEY",
        usage_plan_id=usage.id,
        opts=api.inside(),
    )
    return key


def wall_off(
    api: Block, what: str, logical_name: str, requests_per_address: int, stage: apigateway.Stage
) -> "wafv2.WebAcl":
    """A firewall before the stage: who asks more often in five minutes from one address waits."""
    from pulumi_aws import wafv2  # noqa: PLC0415 - a third of a second, which only an API with a firewall pays

    scope = api.scope
    name = scope.name(Kind.FIREWALL, what)
    firewall = wafv2.WebAcl(
        api.part("firewall"),
        name=name,
        description=f"Limits the requests of each address to {logical_name}",
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
        tags=scope.tags(logical_name),
        opts=api.inside(),
    )
    wafv2.WebAclAssociation(
        api.part("firewall-association"),
        resource_arn=stage.arn,
        web_acl_arn=firewall.arn,
        opts=api.inside(),
    )
    return firewall
