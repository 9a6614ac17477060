"""Workflows, Glue jobs, Batch jobs and what they run on."""

import json
from collections.abc import Mapping
from typing import Any

from guardrails.model.resource_types import BATCH_ENVIRONMENT, BATCH_JOB, GLUE_JOB, MEDIACONVERT_QUEUE, WORKFLOW
from guardrails.pricing.price_rule import PricedResource, PriceRule, PricingInput, Quantities, free_except
from guardrails.pricing.rules.called_service_prices import MEASURES, called

DPU = {"Standard": 1, "G.025X": 0.25, "G.1X": 1, "G.2X": 2, "G.4X": 4, "G.8X": 8}
DEFAULT_WORKERS = 10
FREE_DISK_GB = 20
"""What every Fargate task has; more is paid as long as it runs, on spare capacity as on demand."""


def _workflow(pricing: PricingInput) -> Quantities:
    if pricing.props.get("type") == "EXPRESS":
        yield "states_express_request", pricing.amount("executions")
        yield "states_express_gb_second", pricing.amount("expressGbSeconds")
    else:
        yield "states_transition", pricing.amount("transitions")
    yield from called(pricing)


def _glue(pricing: PricingInput) -> Quantities:
    workers = float(pricing.props.get("numberOfWorkers") or DEFAULT_WORKERS)
    units = float(pricing.props.get("maxCapacity") or DPU.get(str(pricing.props.get("workerType")), 1) * workers)
    price = "glue_flex_dpu_hour" if pricing.props.get("executionClass") == "FLEX" else "glue_dpu_hour"
    yield price, pricing.amount("runs") * pricing.amount("minutes") / 60 * units
    yield from called(pricing)


def _batch(pricing: PricingInput) -> Quantities:
    container: Mapping[str, Any] = json.loads(pricing.props.get("containerProperties") or "{}")
    size = {
        requirement["type"]: float(requirement["value"]) for requirement in container.get("resourceRequirements", [])
    }
    platform = container.get("runtimePlatform", {}).get("cpuArchitecture", "X86_64")
    disk = max(0, float(container.get("ephemeralStorage", {}).get("sizeInGiB", FREE_DISK_GB)) - FREE_DISK_GB)
    processor = "arm64" if platform == "ARM64" else "x86"
    for kind, hours in (("fargate_spot", pricing.amount("spotHours")), ("fargate", pricing.amount("onDemandHours"))):
        yield f"{kind}_vcpu_hour_{processor}", hours * size.get("VCPU", 0)
        yield f"{kind}_gb_hour_{processor}", hours * size.get("MEMORY", 0) / 1024
        yield "fargate_disk_gb_hour", hours * disk
        if container.get("networkConfiguration", {}).get("assignPublicIp") == "ENABLED":
            yield "public_address_hour", hours
    yield from called(pricing)


def _machines(environment: PricedResource) -> str:
    number = float((environment.props.get("computeResources") or {}).get("minVcpus") or 0)
    return f"machines of {number:g} vCPUs that always run" if number else ""


def _slots(queue: PricedResource) -> str:
    return "slots that are reserved for a year" if queue.props.get("pricingPlan") == "RESERVED" else ""


PRICE_RULES = {
    WORKFLOW: PriceRule(
        _workflow,
        required_measures={"transitions": "state transitions (Standard workflows)"},
        optional_measures={
            **MEASURES,
            "executions": "executions (Express workflows)",
            "expressGbSeconds": "GB-seconds (Express workflows)",
        },
    ),
    GLUE_JOB: PriceRule(
        _glue,
        required_measures={"runs": "runs of the job", "minutes": "minutes that one run takes on average"},
        optional_measures=MEASURES,
    ),
    BATCH_JOB: PriceRule(
        _batch,
        required_measures={"spotHours": "hours that jobs run on spare capacity, all together"},
        optional_measures={**MEASURES, "onDemandHours": "hours that jobs run on demand, all together"},
    ),
    BATCH_ENVIRONMENT: free_except(_machines),
    MEDIACONVERT_QUEUE: free_except(_slots),
}
